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
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from central import database, driver, lookups
from central.schema import (  # fmt: skip
    avail,
    channel_item,
    counted,
    entry,
    event,
    item,
    location,
    outbox,
    reservation,
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
_ADD_RESERVATIONS = insert(reservation)
_ADD_AND_NUMBER: Insert = _ADD_RESERVATIONS.returning(
    reservation.c.id, reservation.c.channel, reservation.c.key
)


def parts(rows: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """Return the rows in pieces that fit into one statement."""
    return (rows[start : start + ROWS_MAX] for start in range(0, len(rows), ROWS_MAX))


def take_available(connection: Connection, rows: Sequence[Mapping[str, int]]) -> int:
    """Promise i, s, q, n (item, site, eaches, requests) where m are available; count the rows."""
    if connection.dialect.name == "postgresql":
        columns = [[row[key] for row in rows] for key in "qnism"]
        return len(driver.ask(connection, _TAKE_UNNESTED, columns)())
    return connection.execute(_TAKE, list(map(dict, rows))).rowcount


def add_reservations(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> driver.Rows:
    """Add reservations; return id, channel and key of each."""
    if connection.dialect.name == "sqlite":
        write(connection, _ADD_RESERVATIONS, rows)
        return lookups.ask_used_keys(connection, [(row["channel"], row["key"]) for row in rows])()
    columns = tuple(rows[0])
    values = [[row[key] for row in rows] for key in columns]
    return driver.ask(connection, _unnested(_ADD_AND_NUMBER, columns), values)()


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

_TAKE_UNNESTED = (
    "UPDATE avail SET reserved = avail.reserved + t.q, ver = avail.ver + t.n FROM (SELECT "
    "unnest(%b::bigint[]) AS q, unnest(%b::bigint[]) AS n, unnest(%b::integer[]) AS i, "
    "unnest(%b::integer[]) AS s, unnest(%b::bigint[]) AS m) t WHERE avail.item = t.i "
    "AND avail.site = t.s AND avail.on_hand - avail.reserved - avail.safety >= t.m "
    "RETURNING avail.item"
)
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
