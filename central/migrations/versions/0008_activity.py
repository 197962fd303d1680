"""What is in use no more, what was told to be sold out, and the age of answers."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the columns and an index; what cannot be sold now counts as told."""
    op.create_index("ix_answer_created_us", "answer", ["created_us"])
    for table in ("item", "location"):
        op.add_column(table, sa.Column("active", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("avail", sa.Column("sold_out", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE avail SET sold_out = 1 WHERE on_hand - reserved - safety <= 0")
