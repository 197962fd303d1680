"""The tables, for queries. The numbered migrations make them; a test keeps the two equal.

Quantities are eaches, times are microseconds since 1970 UTC. `entry` is append-only (triggers in
the migration refuse UPDATE and DELETE); `stock` and `avail` are sums of it that move in the same
transaction; `avail` is the only row a promise touches.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()
#: SQLite gives row numbers only to INTEGER keys, PostgreSQL needs 64 bits for a busy ledger.
BigId = BigInteger().with_variant(Integer, "sqlite")


def _partial(name: str, where: str, *columns: Column[Any], unique: bool = False) -> None:
    Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))


meta = Table(
    "meta", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False)
)

item = Table(
    "item",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sku", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False, server_default=""),
)

barcode = Table(
    "barcode",
    metadata,
    Column("code", Text, primary_key=True),
    Column("item", Integer, ForeignKey("item.id"), nullable=False, index=True),
    Column("each_per", Integer, nullable=False),
    CheckConstraint("each_per > 0", name="barcode_each_per_positive"),
)

site = Table(
    "site",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("code", Text, nullable=False, unique=True),
)

location = Table(
    "location",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("site", Integer, ForeignKey("site.id"), nullable=True),  # NULL: virtual, of no site
    Column("code", Text, nullable=False),
    Column("kind", Text, nullable=False),  # bin | dock | quarantine | damaged | transit | virtual
    Column("sellable", Integer, nullable=False),
    UniqueConstraint("site", "code", name="location_site_code"),
)

stream = Table(
    "stream",  # one outbox of one gateway; `applied_seq` is the inbox's high-water mark
    metadata,
    Column("id", Integer, primary_key=True),
    Column("site", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("epoch", Text, nullable=False),
    Column("applied_seq", BigInteger, nullable=False),
    Column("seen_us", BigInteger, nullable=False),
    UniqueConstraint("site", "source", "epoch", name="stream_identity"),
)

event = Table(
    "event",
    metadata,
    Column("id", BigId, primary_key=True),  # order of application
    Column("stream", Integer, ForeignKey("stream.id"), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("uuid", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),  # applied | held | rejected
    Column("code", Text, nullable=True),
    Column("scanner", Text, nullable=False),
    Column("occurred_us", BigInteger, nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    UniqueConstraint("stream", "seq", name="event_identity"),
)
_partial("event_held", "status = 'held'", event.c.code)

entry = Table(
    "entry",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("stream", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("line", Integer, nullable=False),
    Column("item", Integer, ForeignKey("item.id"), nullable=False),
    Column("lot", Text, nullable=False),
    Column("from_loc", Integer, ForeignKey("location.id"), nullable=False),
    Column("to_loc", Integer, ForeignKey("location.id"), nullable=False),
    Column("qty", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("ref", Text, nullable=True),
    Column("occurred_us", BigInteger, nullable=False),
    Column("reverses", BigInteger, nullable=True),
    UniqueConstraint("stream", "seq", "line", name="entry_identity"),
    CheckConstraint("qty > 0", name="entry_qty_positive"),
    CheckConstraint("from_loc <> to_loc", name="entry_moves"),
)
Index("entry_item_time", entry.c.item, entry.c.occurred_us)
# An entry is undone at most once, whoever tries.
_partial("entry_reversed", "reverses IS NOT NULL", entry.c.reverses, unique=True)

stock = Table(
    "stock",
    metadata,
    Column("item", Integer, ForeignKey("item.id"), primary_key=True),
    Column("loc", Integer, ForeignKey("location.id"), primary_key=True),
    Column("lot", Text, primary_key=True),
    Column("qty", BigInteger, nullable=False),
    Column("count_us", BigInteger, nullable=True),  # when a person last counted this row
)
_partial("stock_counted", "count_us IS NOT NULL", stock.c.item)

avail = Table(
    "avail",
    metadata,
    Column("item", Integer, ForeignKey("item.id"), primary_key=True),
    Column("site", Integer, ForeignKey("site.id"), primary_key=True),
    Column("on_hand", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("safety", BigInteger, nullable=False),
    Column("ver", BigInteger, nullable=False),
    CheckConstraint("reserved >= 0", name="avail_reserved_not_negative"),
)

reservation = Table(
    "reservation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("req_hash", Text, nullable=False),
    Column("site", Integer, ForeignKey("site.id"), nullable=False),
    Column("state", Text, nullable=False),  # held committed done released expired rejected
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("order_ref", Text, nullable=True),
    Column("answer", Text, nullable=False),
    UniqueConstraint("channel", "key", name="reservation_key"),
)
Index("reservation_due", reservation.c.state, reservation.c.expires_us)

reservation_line = Table(
    "reservation_line",
    metadata,
    Column("res", Integer, ForeignKey("reservation.id"), primary_key=True),
    Column("item", Integer, ForeignKey("item.id"), primary_key=True),
    Column("qty", BigInteger, nullable=False),
    Column("done", BigInteger, nullable=False),
    # The availability row right after the grant: proof that nothing was oversold at that moment.
    Column("g_on_hand", BigInteger, nullable=False),
    Column("g_reserved", BigInteger, nullable=False),
    Column("g_safety", BigInteger, nullable=False),
    Column("g_ver", BigInteger, nullable=False),
    CheckConstraint("done >= 0 AND done <= qty", name="line_done_within"),
    CheckConstraint("qty > 0", name="line_qty_positive"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("channel", Text, nullable=False),  # availability | alert
    Column("agg_key", Text, nullable=False),  # site and SKU, or the alert's id
    Column("body", Text, nullable=False),
    Column("feed_seq", BigInteger, nullable=True),  # given by the one relay, dense
    Column("created_us", BigInteger, nullable=False),
)
_partial("outbox_feed", "feed_seq IS NOT NULL", outbox.c.feed_seq, unique=True)
_partial("outbox_waiting", "feed_seq IS NULL", outbox.c.id)

alert = Table(
    "alert",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("site", Text, nullable=True),
    Column("count", Integer, nullable=False),
    Column("opened_us", BigInteger, nullable=False),
    Column("closed_us", BigInteger, nullable=True),
)
_partial("alert_open", "closed_us IS NULL", alert.c.kind, alert.c.ref, unique=True)

quarantine = Table(
    "quarantine",  # messages nobody could understand, with their bytes
    metadata,
    Column("id", Integer, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    Column("received_us", BigInteger, nullable=False),
)

lease = Table(
    "lease",  # who does what, where several processes share the database: central/leases.py
    metadata,
    Column("name", Text, primary_key=True),  # relay | gateways/00 to 15 | central/<a process>
    Column("owner", Text, nullable=False),  # the process that holds it; empty when nobody does
    Column("epoch", BigInteger, nullable=False),  # how often it changed hands
    Column("until_us", BigInteger, nullable=False),  # by the database's clock
)
