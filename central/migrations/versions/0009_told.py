"""What was last told of rows whose announcements left the feed: so that it can be checked."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

BIG = sa.BigInteger()


def upgrade() -> None:
    """Add the table, with what the rows that are no longer in the feed say now."""
    op.create_table(
        "told",
        sa.Column("agg_key", sa.Text(), nullable=False),
        sa.Column("on_hand", BIG, nullable=False),
        sa.Column("reserved", BIG, nullable=False),
        sa.Column("safety", BIG, nullable=False),
        sa.Column("ver", BIG, nullable=False),
        sa.PrimaryKeyConstraint("agg_key"),
    )
    op.execute(
        "INSERT INTO told (agg_key, on_hand, reserved, safety, ver) "
        "SELECT s.code || '/' || i.sku, a.on_hand, a.reserved, a.safety, a.ver FROM avail a "
        "JOIN item i ON i.id = a.item JOIN site s ON s.id = a.site "
        "WHERE EXISTS (SELECT 1 FROM meta WHERE key = 'feed_floor' AND value <> '0') "
        "AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.channel = 'availability' "
        "AND o.agg_key = s.code || '/' || i.sku)"
    )
