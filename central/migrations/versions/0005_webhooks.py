"""Endpoints and shops that hear of changes, and what was sent to them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the tables."""
    big_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "webhook",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("old_secret", sa.Text()),
        sa.Column("old_secret_until_us", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("types", sa.Text(), nullable=False),
        sa.Column("site", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False, server_default=""),
        sa.Column("failures", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("next_us", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "delivery",
        sa.Column("id", big_id, primary_key=True),
        sa.Column("webhook", sa.Integer(), sa.ForeignKey("webhook.id"), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("feed_seq", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("next_us", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("took_ms", sa.Integer()),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("done_us", sa.BigInteger()),
    )
    op.create_table(
        "listing",
        sa.Column("channel", sa.Text(), primary_key=True),
        sa.Column("item", sa.Integer(), sa.ForeignKey("item.id"), primary_key=True),
        sa.Column("site", sa.Integer(), sa.ForeignKey("site.id"), primary_key=True),
        sa.Column("remote_id", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text()),
        sa.Column("known", sa.BigInteger()),
        sa.Column("ver", sa.BigInteger(), nullable=False),
        sa.Column("next_us", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
    )
    _partial("delivery_waiting", "state = 'waiting'", "webhook", "feed_seq")
    _partial("delivery_level", "state = 'waiting' AND level = 1", "webhook", "key", unique=True)
    _partial("delivery_past", "state <> 'waiting'", "done_us")


def _partial(name: str, where: str, *columns: str, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(
        name, "delivery", list(columns), unique=unique,
        sqlite_where=condition, postgresql_where=condition,
    )  # fmt: skip
