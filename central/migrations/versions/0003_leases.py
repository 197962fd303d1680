"""Leases: who does what, where several central processes share a database."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

#: Gateways are shared out in this many parts; all processes must agree on it.
PARTITIONS = 16


def upgrade() -> None:
    """Apply."""
    lease = op.create_table(
        "lease",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    names = ["relay", *(f"gateways/{number:02}" for number in range(PARTITIONS))]
    op.bulk_insert(lease, [{"name": n, "owner": "", "epoch": 0, "until_us": 0} for n in names])
