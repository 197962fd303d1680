"""The tables about shops: what they say of their orders, and what they confirmed of our stock."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from central.schema_base import BigId, metadata, partial

shop_order = Table(
    "shop_order",  # an order of a shop, from the first that was said of it; who settles it locks it
    metadata,
    Column("id", BigId, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("ref", Text, nullable=False),  # the shop's number of it, as reservation.order_ref
    Column("label", Text, nullable=False),  # what people call it, such as #1001
    Column("waits", Integer, nullable=False),  # 1: something said of it could not be done yet
    Column("why", Text, nullable=False),  # what it waits for, in a sentence
    Column("tried_us", BigInteger, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    UniqueConstraint("channel", "ref", name="shop_order_identity"),
)
partial("shop_order_waits", "waits = 1", shop_order.c.tried_us)

order_step = Table(
    "order_step",  # what a shop said of an order, each once; `id` is the order of arrival
    metadata,
    Column("id", BigId, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("delivery", Text, nullable=False),  # the same when the shop says the same again
    Column("shop_order", BigInteger, ForeignKey("shop_order.id"), nullable=False),
    Column("step", Text, nullable=False),  # approved | cancelled | shipped | returned
    Column("lines", Text, nullable=False),  # JSON: eaches by SKU; {} is all that the order has left
    Column("whole", Integer, nullable=False),  # 1: lines are all of the order, 0: one more part
    Column("at_us", BigInteger, nullable=True),  # when it happened, by the shop's clock
    Column("state", Text, nullable=False),  # waiting | done | dismissed
    Column("took", Text, nullable=False),  # JSON: eaches by SKU that moved without a promise
    Column("received_us", BigInteger, nullable=False),
    UniqueConstraint("channel", "delivery", name="order_step_identity"),
)
Index("order_step_of", order_step.c.shop_order)
partial("order_step_settled", "state <> 'waiting'", order_step.c.received_us)

order_missing = Table(
    "order_missing",  # what an order waits for; it is tried again when there is some of it
    metadata,
    Column("shop_order", BigInteger, ForeignKey("shop_order.id"), primary_key=True),
    Column("sku", Text, primary_key=True),
    Column("need", Text, primary_key=True),  # item: nobody knows the SKU | stock: too few
    Column("site", Text, nullable=False),
    Column("qty", BigInteger, nullable=False),
)
Index("order_missing_sku", order_missing.c.sku)

listing = Table(
    "listing",  # what a shop confirmed of an item
    metadata,
    Column("channel", Text, primary_key=True),
    Column("item", Integer, ForeignKey("item.id"), primary_key=True),
    Column("site", Integer, ForeignKey("site.id"), primary_key=True),
    Column("remote_id", Text, nullable=False),  # "": the shop has no such item
    Column("parent", Text, nullable=True),
    Column("known", BigInteger, nullable=True),  # the quantity there, if nobody changed it
    Column("ver", BigInteger, nullable=False),  # of the avail row that it confirmed
    Column("next_us", BigInteger, nullable=False),  # when to push it again; 0: when it changes
    Column("note", Text, nullable=False),
    # What changed at or before this moment is confirmed; what changed later may not be.
    Column("as_of_us", BigInteger, nullable=False, server_default="0"),
)
partial("listing_due", "next_us > 0", listing.c.channel, listing.c.next_us)
