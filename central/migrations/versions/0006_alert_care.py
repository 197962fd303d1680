"""Who takes care of an alert, and since when."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("alert", sa.Column("ack_by", sa.Text(), nullable=True))
    op.add_column("alert", sa.Column("ack_us", sa.BigInteger(), nullable=True))
