"""What goes out: rows written in the transaction that makes them true, numbered for the feed.

`feed_seq` is dense and only ever grows. It is given by one writer at a time, never by the serial of
whoever inserts: with several writers a reader's cursor could pass a row that commits later. Rows up
to `feed_floor` may be gone, so a cursor below it has to begin anew.
"""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, text

from central import database, schema, statements, told
from central.alerts import Announcement

#: Rows numbered, or removed, by one transaction.
ROWS_MAX = 5_000
FLOOR_KEY = "feed_floor"

#: What the relay listens for: statements.ADD_AND_WAKE.
WAITING = "docktally_outbox"
#: What every process listens for: readers of its change feed wait for it.
NUMBERED = "docktally_feed"
_TELL_READERS = select(func.pg_notify(NUMBERED, ""))
_NUMBER = text(
    "UPDATE outbox SET feed_seq = n.place FROM (SELECT id, CAST(:newest AS bigint) + row_number() "
    "OVER (ORDER BY id) AS place FROM outbox WHERE feed_seq IS NULL ORDER BY id LIMIT :max) n "
    "WHERE outbox.id = n.id RETURNING outbox.feed_seq, outbox.channel, outbox.agg_key, outbox.body"
)


def latest(announcements: Sequence[Announcement]) -> list[Announcement]:
    """Return only the last announcement of each key: nobody needs the values in between."""
    return list({(a.channel, a.key): a for a in announcements}.values())


def keep(connection: Connection, announcements: Sequence[Announcement], now_us: int) -> None:
    """Write announcements, in the transaction that makes them true, and wake the relay.

    The live feed is not among them: whoever misses a line of it has the journal.
    """
    announcements = [each for each in announcements if each.channel != "activity"]
    if not announcements:
        return
    rows = [(a.channel, "/".join(a.key), a.body.decode(), now_us) for a in announcements]
    is_shared = connection.dialect.name == "postgresql"
    add = statements.ADD_AND_WAKE if is_shared else statements.ADD_ANNOUNCEMENTS
    statements.add(connection, add, statements.OUTBOX, rows)


def tell_readers(connection: Connection) -> None:
    """Wake the readers of all processes once this transaction, which numbers rows, is committed."""
    connection.execute(_TELL_READERS)


def newest(connection: Connection) -> int:
    """Return the highest number given so far."""
    seq = schema.outbox.c.feed_seq
    given = connection.execute(select(func.max(seq)).where(seq.is_not(None))).scalar()
    return max(given or 0, floor(connection))


def floor(connection: Connection) -> int:
    """Return up to which number rows may be gone."""
    meta = schema.meta
    value = connection.execute(select(meta.c.value).where(meta.c.key == FLOOR_KEY)).scalar()
    return int(value or 0)


def raise_floor(connection: Connection, number: int) -> None:
    """Remember that rows up to this number may be gone."""
    row = {"key": FLOOR_KEY, "value": str(number)}
    replace = database.upsert(
        connection.dialect.name, schema.meta, ["key"], lambda new: {"value": new.value}
    )
    connection.execute(replace, row)


def is_waiting(connection: Connection) -> bool:
    """Return whether there are rows without a number."""
    unnumbered = schema.outbox.c.feed_seq.is_(None)
    query = select(schema.outbox.c.id).where(unnumbered).limit(1)
    return connection.execute(query).first() is not None


def number(connection: Connection) -> list[Announcement]:
    """Number the rows that wait for it, at most ROWS_MAX, and return them in order."""
    rows = connection.execute(_NUMBER, {"newest": newest(connection), "max": ROWS_MAX})
    return [_announcement(row) for row in sorted(rows, key=lambda row: row.feed_seq)]


def _announcement(row: Row[Any]) -> Announcement:
    key: tuple[str, ...] = (row.agg_key,)
    if row.channel == "availability":  # either name may have a slash of its own
        body = json.loads(row.body)
        key = (body["site"], body["sku"])
    return Announcement(row.channel, key, row.body.encode())


def prune(connection: Connection, before_us: int) -> int:
    """Remove numbered rows made before a moment, oldest first; return how many, at most ROWS_MAX.

    The newest row stays: its number must not be given again.
    """
    outbox = schema.outbox
    oldest = (
        select(outbox.c.feed_seq, outbox.c.created_us)
        .where(outbox.c.feed_seq.is_not(None))
        .order_by(outbox.c.feed_seq)
        .limit(ROWS_MAX)
        .subquery()
    )
    last = connection.execute(
        select(func.max(oldest.c.feed_seq)).where(
            oldest.c.created_us < before_us, oldest.c.feed_seq < newest(connection)
        )
    ).scalar()
    if last is None:
        return 0
    raise_floor(connection, last)
    levels = select(outbox.c.agg_key, outbox.c.body).where(
        outbox.c.feed_seq <= last, outbox.c.channel == "availability"
    )
    told.remember(connection, connection.execute(levels.order_by(outbox.c.feed_seq)).all())
    return connection.execute(delete(outbox).where(outbox.c.feed_seq <= last)).rowcount
