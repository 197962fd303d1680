"""What shops say of their orders, and until when they confirmed our stock."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the tables, and the column."""
    big_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "shop_order",
        sa.Column("id", big_id, primary_key=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("waits", sa.Integer(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("tried_us", sa.BigInteger(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("channel", "ref", name="shop_order_identity"),
    )
    op.create_table(
        "order_step",
        sa.Column("id", big_id, primary_key=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("delivery", sa.Text(), nullable=False),
        sa.Column("shop_order", sa.BigInteger(), sa.ForeignKey("shop_order.id"), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("lines", sa.Text(), nullable=False),
        sa.Column("whole", sa.Integer(), nullable=False),
        sa.Column("at_us", sa.BigInteger()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("took", sa.Text(), nullable=False),
        sa.Column("received_us", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("channel", "delivery", name="order_step_identity"),
    )
    op.create_table(
        "order_missing",
        sa.Column("shop_order", sa.BigInteger(), sa.ForeignKey("shop_order.id"), primary_key=True),
        sa.Column("sku", sa.Text(), primary_key=True),
        sa.Column("need", sa.Text(), primary_key=True),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("qty", sa.BigInteger(), nullable=False),
    )
    # Nobody knows as of when: the shops confirm it all again, which changes nothing there.
    op.execute("DELETE FROM listing")
    as_of = sa.Column("as_of_us", sa.BigInteger(), nullable=False, server_default="0")
    op.add_column("listing", as_of)
    op.create_index("order_step_of", "order_step", ["shop_order"])
    op.create_index("order_missing_sku", "order_missing", ["sku"])
    _partial("shop_order_waits", "shop_order", "waits = 1", "tried_us")
    _partial("order_step_settled", "order_step", "state <> 'waiting'", "received_us")
    _partial("listing_due", "listing", "next_us > 0", "channel", "next_us")


def _partial(name: str, table: str, where: str, *columns: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, list(columns), sqlite_where=condition, postgresql_where=condition)
