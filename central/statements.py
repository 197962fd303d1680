"""The SQL of the hot path, built once: making a statement costs more than running it."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
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

from central import database, driver
from central.schema import (  # fmt: skip
    avail,
    channel_item,
    counted,
    entry,
    event,
    item,
    location,
    outbox,
    reservation_line,
    site,
    stock,
    stream,
)

#: Rows named in one statement: below SQLite's limit on parameters.
ROWS_MAX = 400
#: So many rows are inserted one by one on PostgreSQL.
FEW_ROWS = 2
#: States of a reservation that holds goods.
OPEN_STATES = ("held", "committed")
CATALOGUE_VERSION_KEY = "catalogue_version"

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
#: The same where another connection, the relay's, waits to hear of them.
ADD_AND_WAKE: Insert = ADD_ANNOUNCEMENTS.returning(
    literal_column("pg_notify('docktally_outbox', '')")
)
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
    if connection.dialect.name == "postgresql" and isinstance(statement, Update):
        sql, _ = _compiled(statement, "postgresql", keys)
        driver.change(connection, sql, [*map(dict, rows)])
        return
    add(connection, statement, keys, [tuple(row[key] for key in keys) for row in rows])


def add(
    connection: Connection,
    statement: Insert | Update,
    columns: tuple[str, ...],
    rows: Sequence[tuple[Any, ...]],
) -> None:
    """Run a statement of this module for all rows, which have these columns, in one go."""
    if connection.dialect.name == "sqlite":
        sql, order = _compiled(statement, "sqlite", columns)
        driver.change(connection, sql, _reordered(rows, columns, order))
        return
    assert isinstance(statement, Insert)
    if len(rows) <= FEW_ROWS:
        sql, order = _in_rows(statement, columns)
        driver.change(connection, sql, _reordered(rows, columns, order))
    else:
        values = tuple(map(list, zip(*rows, strict=True)))
        driver.change(connection, _unnested(statement, columns), [values])


def _reordered(
    rows: Sequence[tuple[Any, ...]], columns: tuple[str, ...], order: tuple[str, ...]
) -> Sequence[tuple[Any, ...]]:
    if order == columns:
        return rows
    places = [columns.index(key) for key in order]
    return [tuple(row[place] for place in places) for row in rows]


@lru_cache
def _compiled(
    statement: Insert | Update, dialect: str, keys: tuple[str, ...]
) -> tuple[str, tuple[str, ...]]:
    """Return the SQL text, and the order of its parameters where they have no names."""
    made: Any = postgresql.psycopg if dialect == "postgresql" else sqlite
    compiled = statement.compile(dialect=made.dialect(), column_keys=list(keys))
    assert set(compiled.params) <= set(keys), "write constants as literal_column"
    return compiled.string, tuple(compiled.positiontup or ())


@lru_cache
def _in_rows(statement: Insert, columns: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return the SQL that inserts one row, and the order of its parameters.

    Arrays take longer for a few rows.
    """
    sql, _ = _compiled(statement, "postgresql", columns)
    order = tuple(sorted(columns, key=lambda key: sql.index(f"%({key})s")))
    for key in columns:
        assert sql.count(f"%({key})s") == 1
        sql = sql.replace(f"%({key})s", "%b")
    return sql, order


@lru_cache
def _unnested(statement: Insert, keys: tuple[str, ...]) -> str:
    """Return the SQL that inserts arrays, one for each column: 4x faster than row after row."""
    column = statement.table.c
    arrays = (func.unnest(bindparam(key, type_=postgresql.ARRAY(column[key].type))) for key in keys)
    rows = statement.from_select(list(keys), select(*arrays))
    made: Any = postgresql.psycopg
    sql = str(rows.compile(dialect=made.dialect()).string)
    for key in keys:  # in binary: psycopg writes an array of texts with a regular expression
        assert sql.count(f"%({key})s") == 1
        sql = sql.replace(f"%({key})s", "%b")
    return sql


#: Columns of the journal's rows, in the order of their tables.
EVENT = tuple(column.name for column in event.c if column.name != "id")
ENTRY = tuple(column.name for column in entry.c if column.name != "id")
UNCOUNTED = ("item", "loc", "lot", "qty")
COUNTED = (*UNCOUNTED, "count_us")
AVAIL = ("item", "site", "on_hand", "reserved", "safety", "ver")
OUTBOX = ("channel", "agg_key", "body", "created_us")

_VERSION = {
    "sqlite": "SELECT value FROM meta WHERE key = ?",
    # Where several processes write: whoever changes the catalogue waits until we are done with it.
    "postgresql": "SELECT value FROM meta WHERE key = %s FOR SHARE",
}
_ITEMS_OF = {
    "sqlite": "SELECT b.code, i.id, i.sku, i.name, b.each_per FROM json_each(?) j "
    "CROSS JOIN barcode b ON b.code = j.value JOIN item i ON i.id = b.item",
    "postgresql": "SELECT b.code, i.id, i.sku, i.name, b.each_per FROM barcode b "
    "JOIN item i ON i.id = b.item WHERE b.code = ANY(%b::text[])",
}
_ITEMS_CALLED = {
    "sqlite": "SELECT i.id, i.sku, i.name FROM json_each(?) j CROSS JOIN item i ON i.sku = j.value",
    "postgresql": "SELECT id, sku, name FROM item WHERE sku = ANY(%b::text[])",
}
_COUNTED = {
    "sqlite": "SELECT s.item, s.loc, s.lot, s.count_us FROM json_each(?) j CROSS JOIN stock s "
    "ON s.item = j.value WHERE s.count_us IS NOT NULL",
    "postgresql": "SELECT item, loc, lot, count_us FROM stock "
    "WHERE count_us IS NOT NULL AND item = ANY(%b::integer[])",
}
_LEVELS = {
    # Of one site.
    "sqlite": "SELECT a.item, a.site, a.on_hand, a.reserved, a.safety, a.ver, a.low_stock "
    "FROM json_each(?) j CROSS JOIN avail a ON a.item = j.value AND a.site = ?",
    "postgresql": "SELECT item, site, on_hand, reserved, safety, ver, low_stock FROM avail WHERE "
    "(item, site) IN (SELECT unnest(%b::integer[]), unnest(%b::integer[]))",
    "single": "SELECT item, site, on_hand, reserved, safety, ver, low_stock FROM avail "
    "WHERE item = %b AND site = %b",
}
_BELOW_ZERO = {
    "sqlite": "SELECT s.item, s.loc, s.lot FROM json_each(?) j CROSS JOIN stock s "
    "ON s.item = json_extract(j.value, '$[0]') AND s.loc = json_extract(j.value, '$[1]') "
    "AND s.lot = json_extract(j.value, '$[2]') WHERE s.qty < 0",
    "postgresql": "SELECT item, loc, lot FROM stock WHERE qty < 0 AND (item, loc, lot) IN "
    "(SELECT unnest(%b::integer[]), unnest(%b::integer[]), unnest(%b::text[]))",
}


def catalogue_version(connection: Connection) -> str:
    """Return the catalogue's version, which stays until the commit."""
    rows = driver.ask(connection, _VERSION[connection.dialect.name], [CATALOGUE_VERSION_KEY])()
    return str(rows[0][0]) if rows else "0"


def items_of(connection: Connection, codes: Sequence[str]) -> driver.Rows:
    """Return code, item, SKU, name and pack of the barcodes that the catalogue knows."""
    return _among(connection, _ITEMS_OF, codes)


def items_called(connection: Connection, skus: Sequence[str]) -> driver.Rows:
    """Return item, SKU and name of the SKUs that the catalogue knows."""
    return _among(connection, _ITEMS_CALLED, skus)


def counted_among(connection: Connection, items: Sequence[int]) -> driver.Rows:
    """Return item, location, lot and moment of the newest count of what was counted of items."""
    return _among(connection, _COUNTED, items)


def _among(connection: Connection, sql: Mapping[str, str], values: Sequence[Any]) -> driver.Rows:
    if not values:
        return []
    dialect = connection.dialect.name
    parameter = json.dumps(values) if dialect == "sqlite" else list(values)
    return driver.ask(connection, sql[dialect], [parameter])()


def ask_levels(
    connection: Connection, keys: Sequence[tuple[int, int]]
) -> Callable[[], driver.Rows]:
    """Ask for the availability rows of (item, site) keys, in any order."""
    if connection.dialect.name != "sqlite":
        return _ask_of(connection, _LEVELS, keys)
    by_site: dict[int, list[int]] = {}
    for number, place in keys:
        by_site.setdefault(place, []).append(number)
    rows = []
    for place, numbers in by_site.items():
        rows += driver.ask(connection, _LEVELS["sqlite"], (json.dumps(numbers), place))()
    return lambda: rows


def ask_below_zero(
    connection: Connection, keys: Sequence[tuple[int, int, str]]
) -> Callable[[], driver.Rows]:
    """Ask which of the (item, location, lot) keys are of places below zero."""
    return _ask_of(connection, _BELOW_ZERO, keys)


def _ask_of(
    connection: Connection, sql: Mapping[str, str], keys: Sequence[tuple[Any, ...]]
) -> Callable[[], driver.Rows]:
    if not keys:
        return list
    if len(keys) == 1 and "single" in sql and connection.dialect.name == "postgresql":
        return driver.ask(connection, sql["single"], keys[0])
    dialect = connection.dialect.name
    values = [json.dumps(keys)] if dialect == "sqlite" else [*map(list, zip(*keys, strict=True))]
    return driver.ask(connection, sql[dialect], values)


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

#: Availability rows with the names that people know them by.
AVAILABLE: Select[Any] = (
    select(avail, item.c.sku, item.c.name, site.c.code)
    .join(item, item.c.id == avail.c.item)
    .join(site, site.c.id == avail.c.site)
)

#: :keys (item, location, lot) -> what lies there, with its names.
STOCK_OF = (
    select(stock, location.c.code, item.c.sku)
    .join(location, location.c.id == stock.c.loc)
    .join(item, item.c.id == stock.c.item)
    .where(tuple_(stock.c.item, stock.c.loc, stock.c.lot).in_(bindparam("keys", expanding=True)))
)


@lru_cache
def add_counted(dialect: str) -> Insert:
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
def add_uncounted(dialect: str) -> Insert:
    """Add qty to a place's row, made when it is new."""
    return database.upsert(
        dialect, stock, ["item", "loc", "lot"], lambda new: {"qty": stock.c.qty + new.qty}
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
