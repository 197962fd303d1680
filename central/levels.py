"""What people set: levels, shares of channels, the order of sites, the date of a lot."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select, update

from central import catalogue, database, schema
from central.books import Books
from central.catalogue import Item, LevelRow
from central.requests import Answer, problem
from central.writer import Transaction


@dataclass(frozen=True, slots=True)
class Level:
    """How many eaches of an item are kept back at a site, and at how few a person is told."""

    site: str
    sku: str
    safety: int = 0
    low_stock: int | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """What a channel may promise of an item at a site.

    It keeps `buffer` back, may promise `oversell` more than there is, and `cap` in all: raise it to
    give more. What was promised before the first share was set is not counted.
    """

    site: str
    sku: str
    channel: str
    buffer: int = 0
    oversell: int = 0
    cap: int | None = None


def set_level(tx: Transaction, level: Level) -> Answer:
    """Keep `safety` eaches back from promises; alert at or below `low_stock`, None: never."""
    ends = _item_and_site(tx, level.sku, level.site)
    if isinstance(ends, Answer):
        return ends
    if level.safety < 0 or (level.low_stock or 0) < 0:
        return problem(422, "negative", "safety and low_stock are counts of eaches, 0 or more")
    item, site = ends
    wanted = LevelRow(item.id, site, level.safety, level.low_stock)
    catalogue.write_levels(tx.connection, [wanted])
    apply_level(tx.books, wanted)
    return Answer(
        200,
        {
            "sku": level.sku,
            "site": level.site,
            "safety": level.safety,
            "low_stock": level.low_stock,
        },
    )


def apply_level(books: Books, wanted: LevelRow) -> None:
    """Let a level count from now on; the item's row at the site is made when it is new."""
    books.flush()
    avail = schema.avail
    change = database.upsert(
        books.connection.dialect.name,
        avail,
        ["item", "site"],
        lambda new: {"safety": new.safety, "low_stock": new.low_stock, "ver": avail.c.ver + 1},
    )
    ver = books.catalogue.version_floor + 1
    row = {**wanted._asdict(), "on_hand": 0, "reserved": 0, "ver": ver}
    books.connection.execute(change, row)
    books.changed(wanted.item, wanted.site, "level")


def set_share(tx: Transaction, share: Share) -> Answer:
    """Set what a channel may promise; promises that were made stand."""
    ends = _item_and_site(tx, share.sku, share.site)
    if isinstance(ends, Answer):
        return ends
    if min(share.buffer, share.oversell, share.cap or 0) < 0:
        return problem(422, "negative", "buffer, oversell and cap are counts of eaches, 0 or more")
    item, site = ends
    change = database.upsert(
        tx.connection.dialect.name,
        schema.channel_item,
        ["item", "site", "channel"],
        lambda new: {"buffer": new.buffer, "oversell": new.oversell, "cap": new.cap},
    ).returning(schema.channel_item.c.used)
    row = {
        "item": item.id, "site": site, "channel": share.channel, "buffer": share.buffer,
        "oversell": share.oversell, "cap": share.cap, "used": 0,
    }  # fmt: skip
    used = tx.connection.execute(change, row).scalar_one()
    catalogue.bump(tx.connection)
    tx.books.flush()
    avail = schema.avail
    mine = (avail.c.item == item.id, avail.c.site == site)
    if tx.connection.execute(update(avail).where(*mine).values(ver=avail.c.ver + 1)).rowcount:
        tx.books.changed(item.id, site, "share")  # the channel's shop hears of it
    body: dict[str, Any] = {
        "sku": share.sku, "site": share.site, "channel": share.channel, "buffer": share.buffer,
        "oversell": share.oversell, "cap": share.cap, "used": used,
    }  # fmt: skip
    return Answer(200, body)


def set_priority(tx: Transaction, site: str, priority: int) -> Answer:
    """Set how early a request for any site tries this one: the lowest number first."""
    table = schema.site
    done = tx.connection.execute(
        update(table).where(table.c.code == site).values(priority=priority)
    )
    if not done.rowcount:
        return problem(404, "no_such_site", f"there is no site {site}")
    return Answer(200, {"site": site, "priority": priority})


def set_expiry(tx: Transaction, sku: str, lot: str, expires: date) -> Answer:
    """Set when a lot expires, whatever its labels say; closes the alert that asked for it."""
    item = tx.books.catalogue.by_sku(tx.connection, sku)
    if item is None:
        return problem(404, "no_such_item", f"there is no item {sku}")
    change = database.upsert(
        tx.connection.dialect.name,
        schema.lot,
        ["item", "lot"],
        lambda new: {"expires": new.expires},
    )
    tx.connection.execute(change, {"item": item.id, "lot": lot, "expires": expires.isoformat()})
    tx.books.settle("lot_expiry", f"{sku}:{lot}")
    return Answer(200, {"sku": sku, "lot": lot, "expires": expires.isoformat()})


def _item_and_site(tx: Transaction, sku: str, site: str) -> tuple[Item, int] | Answer:
    item = tx.books.catalogue.by_sku(tx.connection, sku)
    if item is None:
        return problem(404, "no_such_item", f"there is no item {sku}")
    table = schema.site
    number = tx.connection.execute(select(table.c.id).where(table.c.code == site)).scalar()
    if number is None:
        return problem(404, "no_such_site", f"there is no site {site}")
    return item, number
