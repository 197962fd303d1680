"""The SQL of the hot path, built once: making a statement costs more than running it."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Connection,
    Insert,
    Select,
    Update,
    bindparam,
    func,
    insert,
    literal_column,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from central import database
from central.schema import (  # fmt: skip
    avail,
    barcode,
    channel_item,
    counted,
    entry,
    event,
    item,
    location,
    meta,
    outbox,
    reservation_line,
    site,
    stock,
    stream,
)

#: Rows named in one statement: below SQLite's limit on parameters.
ROWS_MAX = 400
#: States of a reservation that holds goods.
OPEN_STATES = ("held", "committed")
CATALOGUE_VERSION_KEY = "catalogue_version"

CATALOGUE_VERSION = select(meta.c.value).where(meta.c.key == CATALOGUE_VERSION_KEY)
#: Where several processes write: whoever changes the catalogue waits until we are done with it.
CATALOGUE_VERSION_SHARED = CATALOGUE_VERSION.with_for_update(read=True)

#: :codes -> the items that they stand for.
BARCODES = (
    select(barcode.c.code, item.c.id, item.c.sku, item.c.name, barcode.c.each_per, item.c.active)
    .join(item, item.c.id == barcode.c.item)
    .where(barcode.c.code.in_(bindparam("codes", expanding=True)))
)

#: :keys (item, site) -> their availability, which nobody else changes until we have committed.
LOCK_AVAILABILITY = (
    select(avail)
    .where(tuple_(avail.c.item, avail.c.site).in_(bindparam("keys", expanding=True)))
    .order_by(avail.c.item, avail.c.site)
    .with_for_update(key_share=True)
)

#: :keys (item, site, channel) -> what channels may promise, locked in the same way.
LOCK_SHARES = (
    select(channel_item)
    .where(
        tuple_(channel_item.c.item, channel_item.c.site, channel_item.c.channel).in_(
            bindparam("keys", expanding=True)
        )
    )
    .order_by(channel_item.c.item, channel_item.c.site, channel_item.c.channel)
    .with_for_update(key_share=True)
)

#: Promise :q eaches of an item at a site to :n requests at once, which need :m to be available.
_TAKE = (
    update(avail)
    .where(
        avail.c.item == bindparam("i"),
        avail.c.site == bindparam("s"),
        avail.c.on_hand - avail.c.reserved - avail.c.safety >= bindparam("m"),
    )
    .values(reserved=avail.c.reserved + bindparam("q"), ver=avail.c.ver + bindparam("n"))
)
_TAKE_UNNESTED = text(
    "UPDATE avail SET reserved = avail.reserved + t.q, ver = avail.ver + t.n FROM (SELECT "
    "unnest(CAST(:i AS integer[])) AS i, unnest(CAST(:s AS integer[])) AS s, "
    "unnest(CAST(:q AS bigint[])) AS q, unnest(CAST(:n AS bigint[])) AS n, "
    "unnest(CAST(:m AS bigint[])) AS m) t WHERE avail.item = t.i AND avail.site = t.s "
    "AND avail.on_hand - avail.reserved - avail.safety >= t.m"
)

#: :items -> the rows of theirs that a person has counted.
COUNTED = select(stock).where(
    stock.c.count_us.is_not(None), stock.c.item.in_(bindparam("items", expanding=True))
)

#: The first count of a place after :moment_us.
COUNT_AFTER = (
    select(counted)
    .where(
        counted.c.item == bindparam("item"),
        counted.c.loc == bindparam("loc"),
        counted.c.lot == bindparam("lot"),
        counted.c.at_us > bindparam("moment_us"),
    )
    .order_by(counted.c.at_us)
    .limit(1)
)

ADD_EVENTS = insert(event)
ADD_ENTRIES = insert(entry)
ADD_ANNOUNCEMENTS = insert(outbox)
ADD_LINES = insert(reservation_line)


def parts(rows: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """Return the rows in pieces that fit into one statement."""
    return (rows[start : start + ROWS_MAX] for start in range(0, len(rows), ROWS_MAX))


def take_available(connection: Connection, rows: Sequence[Mapping[str, int]]) -> int:
    """Promise i, s, q, n (item, site, eaches, requests) where m are available; count the rows."""
    if connection.dialect.name == "postgresql":
        columns = {key: [row[key] for row in rows] for key in "isqnm"}
        return connection.execute(_TAKE_UNNESTED, columns).rowcount
    return connection.execute(_TAKE, list(map(dict, rows))).rowcount


def write(
    connection: Connection, statement: Insert | Update, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Run a statement of this module for all rows, which have the same keys, in one go."""
    keys = tuple(rows[0])
    if connection.dialect.name == "postgresql" and isinstance(statement, Insert):
        columns = {key: [row[key] for row in rows] for key in keys}
        connection.exec_driver_sql(_unnested(statement, keys), columns)
        return
    sql, order = _compiled(statement, connection.dialect.name, keys)
    connection.exec_driver_sql(
        sql, [tuple(row[key] for key in order) for row in rows] if order else [*map(dict, rows)]
    )


@lru_cache
def _compiled(
    statement: Insert | Update, dialect: str, keys: tuple[str, ...]
) -> tuple[str, tuple[str, ...]]:
    """Return the SQL text, and the order of its parameters where they have no names."""
    driver: Any = postgresql.psycopg if dialect == "postgresql" else sqlite
    compiled = statement.compile(dialect=driver.dialect(), column_keys=list(keys))
    assert set(compiled.params) <= set(keys), "write constants as literal_column"
    return compiled.string, tuple(compiled.positiontup or ())


@lru_cache
def _unnested(statement: Insert, keys: tuple[str, ...]) -> str:
    """Return the SQL that inserts arrays, one for each column: 4x faster than row after row."""
    column = statement.table.c
    arrays = (func.unnest(bindparam(key, type_=postgresql.ARRAY(column[key].type))) for key in keys)
    rows = statement.from_select(list(keys), select(*arrays))
    driver: Any = postgresql.psycopg
    sql = str(rows.compile(dialect=driver.dialect()).string)
    for key in keys:  # in binary: psycopg writes an array of texts with a regular expression
        sql = sql.replace(f"%({key})s", f"%({key})b")
    return sql


MOVE_MARK = (
    update(stream)
    .where(stream.c.id == bindparam("i"))
    .values(applied_seq=bindparam("seq"), seen_us=bindparam("now"), latest_us=bindparam("latest"))
)

#: Goods and promises of an item at a site change together, so that available never blips.
CHANGE_PROMISES = (
    update(avail)
    .where(avail.c.item == bindparam("i"), avail.c.site == bindparam("s"))
    .values(
        on_hand=avail.c.on_hand + bindparam("h"),
        reserved=avail.c.reserved + bindparam("r"),
        ver=avail.c.ver + literal_column("1"),
    )
)

#: Note whether an item at a site was told to be sold out.
TURN = (
    update(avail)
    .where(avail.c.item == bindparam("i"), avail.c.site == bindparam("s"))
    .values(sold_out=bindparam("o"))
)

#: Availability rows with the names that people know them by.
AVAILABLE: Select[Any] = (
    select(avail, item.c.sku, item.c.name, item.c.active, site.c.code)
    .join(item, item.c.id == avail.c.item)
    .join(site, site.c.id == avail.c.site)
)

#: :keys (item, site) -> their availability.
AVAILABLE_OF = AVAILABLE.where(
    tuple_(avail.c.item, avail.c.site).in_(bindparam("keys", expanding=True))
)

#: :keys (item, location, lot) -> what lies there, with its names.
STOCK_OF = (
    select(stock, location.c.code, item.c.sku)
    .join(location, location.c.id == stock.c.loc)
    .join(item, item.c.id == stock.c.item)
    .where(tuple_(stock.c.item, stock.c.loc, stock.c.lot).in_(bindparam("keys", expanding=True)))
)


@lru_cache
def add_stock(dialect: str) -> Insert:
    """Add qty to a place's row, made when it is new; count_us is set when it is given."""
    return database.upsert(
        dialect,
        stock,
        ["item", "loc", "lot"],
        lambda new: {
            "qty": stock.c.qty + new.qty,
            "count_us": func.coalesce(new.count_us, stock.c.count_us),
        },
    )


@lru_cache
def add_availability(dialect: str) -> Insert:
    """Add to on_hand of an item at a site, as the next version; the row is made when it is new."""
    return database.upsert(
        dialect,
        avail,
        ["item", "site"],
        lambda new: {
            "on_hand": avail.c.on_hand + new.on_hand,
            "ver": avail.c.ver + literal_column("1"),
        },
    )
