"""The tables, for queries. The numbered migrations make them; a test keeps the two equal.

Quantities are eaches, times are microseconds since 1970 UTC. The journal is `event`, `settlement`
and `entry`: append-only (triggers in the migrations refuse UPDATE and DELETE). `stock`, `avail`,
`counted` and `held` are drawn from it and move in the same transaction; `avail` is the only row a
promise touches.
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
    Table,
    Text,
    UniqueConstraint,
)

import central.shop_schema  # noqa: F401  its tables are part of the same metadata
from central import schema_base

metadata, BigId, _partial = schema_base.metadata, schema_base.BigId, schema_base.partial


def _numbers(*names: str) -> list[Column[Any]]:
    return [Column(name, BigInteger, nullable=False) for name in names]


meta = Table(
    "meta", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False)
)

item = Table(
    "item",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sku", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False, server_default=""),
    Column("active", Integer, nullable=False, server_default="1"),  # 0: promised to nobody
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
    # Where a request that names no site is tried first: the lowest number, then the oldest site.
    Column("priority", Integer, nullable=False, server_default="0"),
)

location = Table(
    "location",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("site", Integer, ForeignKey("site.id"), nullable=True),  # NULL: virtual, of no site
    Column("code", Text, nullable=False),
    Column("kind", Text, nullable=False),  # bin | dock | quarantine | damaged | transit | virtual
    Column("sellable", Integer, nullable=False),
    Column("active", Integer, nullable=False, server_default="1"),  # 0: empty, in use no more
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
    Column("latest_us", BigInteger, nullable=False, server_default="0"),  # of its newest event
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
    # What became of it on arrival: applied | held | rejected. How a held one ended: `settlement`.
    Column("status", Text, nullable=False),
    Column("code", Text, nullable=True),
    Column("scanner", Text, nullable=False),
    Column("occurred_us", BigInteger, nullable=False),  # as the ledger orders it: arrivals.moment
    Column("received_us", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    UniqueConstraint("stream", "seq", name="event_identity"),
)

settlement = Table(
    "settlement",  # how a held event ended: once, and by whom
    metadata,
    Column("stream", Integer, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("status", Text, nullable=False),  # applied | dismissed | undone
    Column("who", Text, nullable=False),
    Column("fields", Text, nullable=False),  # JSON: what a person corrected
    Column("note", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)

held = Table(
    "held",  # the events that wait for a person, a row for each code that would free them
    metadata,
    Column("stream", Integer, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("key", Text, primary_key=True),  # as catalogue.keys_of gives it; '' when none would help
    Column("code", Text, nullable=False),
    Column("ref", Text, nullable=False),  # of the alert that is open meanwhile
)
Index("held_key", held.c.key)
Index("held_ref", held.c.ref)

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
    Column("recorded_us", BigInteger, nullable=False, server_default="0"),
    Column("reverses", BigInteger, nullable=True),
    Column("res", Integer, nullable=True),  # the reservation that it ships
    UniqueConstraint("stream", "seq", "line", name="entry_identity"),
    CheckConstraint("qty > 0", name="entry_qty_positive"),
    CheckConstraint("from_loc <> to_loc", name="entry_moves"),
)
Index("entry_item_time", entry.c.item, entry.c.occurred_us)
# An entry is undone at most once, whoever tries.
_partial("entry_reversed", "reverses IS NOT NULL", entry.c.reverses, unique=True)
_partial("entry_shipped", "res IS NOT NULL", entry.c.res)

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

counted = Table(
    "counted",  # every count that stands; an undone one is gone
    metadata,
    Column("item", Integer, primary_key=True),
    Column("loc", Integer, primary_key=True),
    Column("lot", Text, primary_key=True),
    Column("at_us", BigInteger, primary_key=True),
    Column("stream", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("trusted", Integer, nullable=False),  # 0: by a clock that nothing had set
)
Index("counted_by", counted.c.stream, counted.c.seq)

lot = Table(
    "lot",
    metadata,
    Column("item", Integer, ForeignKey("item.id"), primary_key=True),
    Column("lot", Text, primary_key=True),
    Column("expires", Text, nullable=False),  # 2027-05-31
)
Index("lot_expires", lot.c.expires)

avail = Table(
    "avail",
    metadata,
    Column("item", Integer, ForeignKey("item.id"), primary_key=True),
    Column("site", Integer, ForeignKey("site.id"), primary_key=True),
    *_numbers("on_hand", "reserved", "safety", "ver"),
    Column("low_stock", BigInteger, nullable=True),  # a person is told at or below this
    # 1: nothing can be sold, and that was told; for the message when there is something again.
    Column("sold_out", Integer, nullable=False, server_default="0"),
    CheckConstraint("reserved >= 0", name="avail_reserved_not_negative"),
)

level = Table(
    "level",  # what people want kept back, and told; upkeep carries it over to `avail`
    metadata,
    Column("item", Integer, ForeignKey("item.id"), primary_key=True),
    Column("site", Integer, ForeignKey("site.id"), primary_key=True),
    Column("safety", BigInteger, nullable=False),
    Column("low_stock", BigInteger, nullable=True),
    CheckConstraint("safety >= 0", name="level_safety_not_negative"),
)

channel_item = Table(
    "channel_item",  # what one channel may promise of an item at a site; without a row, all
    metadata,
    Column("item", Integer, ForeignKey("item.id"), primary_key=True),
    Column("site", Integer, ForeignKey("site.id"), primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("buffer", BigInteger, nullable=False),  # kept back from this channel
    Column("oversell", BigInteger, nullable=False),  # may be promised beyond what is there
    Column("cap", BigInteger, nullable=True),  # the most that may ever be promised
    Column("used", BigInteger, nullable=False),  # promised so far, less what was given back
    CheckConstraint("used >= 0", name="channel_item_used_not_negative"),
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
_partial("reservation_order", "order_ref IS NOT NULL", reservation.c.order_ref)

reservation_line = Table(
    "reservation_line",
    metadata,
    Column("res", Integer, ForeignKey("reservation.id"), primary_key=True),
    Column("item", Integer, ForeignKey("item.id"), primary_key=True),
    Column("qty", BigInteger, nullable=False),
    Column("done", BigInteger, nullable=False),
    # The availability row right after the grant: proof that nothing was oversold at that moment.
    *_numbers("g_on_hand", "g_reserved", "g_safety", "g_ver"),
    Column("g_buffer", BigInteger, nullable=False, server_default="0"),
    Column("g_oversell", BigInteger, nullable=False, server_default="0"),
    Column("capped", Integer, nullable=False, server_default="0"),  # 1: counts in channel_item.used
    CheckConstraint("done >= 0 AND done <= qty", name="line_done_within"),
    CheckConstraint("qty > 0", name="line_qty_positive"),
)
_partial("line_open", "done < qty", reservation_line.c.item, reservation_line.c.res)

answer = Table(
    "answer",  # what a client was told under its Idempotency-Key
    metadata,
    Column("client", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("req_hash", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False, index=True),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("channel", Text, nullable=False),  # availability | alert | reservation | ...
    Column("agg_key", Text, nullable=False),  # what it is about: site and SKU, the alert's id ...
    Column("body", Text, nullable=False),
    Column("feed_seq", BigInteger, nullable=True),  # given by the one relay, dense
    Column("created_us", BigInteger, nullable=False),
)
_partial("outbox_feed", "feed_seq IS NOT NULL", outbox.c.feed_seq, unique=True)
_partial("outbox_waiting", "feed_seq IS NULL", outbox.c.id)

told = Table(
    "told",  # what the last announcement said of a row, once that has left the feed
    metadata,
    Column("agg_key", Text, primary_key=True),  # as in the outbox
    *_numbers("on_hand", "reserved", "safety", "ver"),
)

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
    Column("ack_by", Text, nullable=True),  # the person who takes care of it
    Column("ack_us", BigInteger, nullable=True),
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

token = Table(
    "token",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("hash", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("scopes", Text, nullable=False),  # JSON list
    Column("channel", Text, nullable=True),
    Column("created_us", BigInteger, nullable=False),
    Column("revoked_us", BigInteger, nullable=True),
)

webhook = Table(
    "webhook",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("url", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("old_secret", Text, nullable=True),  # still signs until old_secret_until_us
    Column("old_secret_until_us", BigInteger, nullable=False, server_default="0"),
    Column("types", Text, nullable=False),  # JSON list of message types; empty: all
    Column("site", Text, nullable=True),  # NULL: all sites
    Column("state", Text, nullable=False),  # active | disabled
    Column("note", Text, nullable=False, server_default=""),  # why it is disabled
    # Failures in a row that say something about the endpoint, not about one message.
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("next_us", BigInteger, nullable=False, server_default="0"),
    Column("created_us", BigInteger, nullable=False),
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("webhook", Integer, ForeignKey("webhook.id"), nullable=False),
    Column("key", Text, nullable=False),  # messages of one key arrive in order
    Column("level", Integer, nullable=False),  # 1: a newer one of the same key replaces it
    Column("feed_seq", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", Text, nullable=False),  # waiting | done | failed
    Column("attempt", Integer, nullable=False),
    Column("next_us", BigInteger, nullable=False),
    Column("status", Integer, nullable=True),  # of the last answer
    Column("note", Text, nullable=False),  # what the endpoint said, or what went wrong
    Column("took_ms", Integer, nullable=True),
    Column("created_us", BigInteger, nullable=False),
    Column("done_us", BigInteger, nullable=True),
)
_partial("delivery_waiting", "state = 'waiting'", delivery.c.webhook, delivery.c.feed_seq)
_partial(
    "delivery_level", "state = 'waiting' AND level = 1", delivery.c.webhook, delivery.c.key,
    unique=True,
)  # fmt: skip
_partial("delivery_past", "state <> 'waiting'", delivery.c.done_us)
