"""What is in use no more, and what was told to be sold out."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0006"


def upgrade() -> None:
    """Add the columns; what cannot be sold now counts as told."""
    for table in ("item", "location"):
        op.add_column(table, sa.Column("active", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("avail", sa.Column("sold_out", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE avail SET sold_out = 1 WHERE on_hand - reserved - safety <= 0")
