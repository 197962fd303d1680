"""V10: the last announcement of each item and site says what its row says; no hole in the feed."""

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, text

from central import outbox

#: Rows read at once: a ledger may have a million of them.
_PAGE_ROWS = 5_000
_NUMBERS = "a.on_hand, a.reserved, a.safety, a.ver"
_LAST = (
    "(SELECT agg_key, MAX(id) AS id FROM outbox WHERE channel = 'availability' "
    "AND id > :outgoing GROUP BY agg_key) last"
)
_NAMES = "JOIN item i ON i.id = a.item JOIN site s ON s.id = a.site"
#: Every row with what was last said of it: in the feed, or before it begins.
_ALL = text(
    f"SELECT i.sku, s.code, {_NUMBERS}, o.body, t.on_hand, t.reserved, t.safety, t.ver "
    f"FROM avail a {_NAMES} LEFT JOIN {_LAST} ON last.agg_key = s.code || '/' || i.sku "
    "LEFT JOIN outbox o ON o.id = last.id "
    "LEFT JOIN told t ON t.agg_key = s.code || '/' || i.sku"
)
_NEW = text(f"SELECT o.body FROM {_LAST} JOIN outbox o ON o.id = last.id ORDER BY last.id")
_ROW = text(f"SELECT {_NUMBERS} FROM avail a {_NAMES} WHERE i.sku = :sku AND s.code = :site")
_FEED = text("SELECT COUNT(feed_seq), MAX(feed_seq) FROM outbox WHERE feed_seq > :floor")

Numbers = tuple[int, int, int, int]  # on hand, reserved, safety, version


def wrong(connection: Connection, outgoing: int | None) -> Iterator[str]:
    """Yield what is wrong, in sentences; `outgoing` is the last outgoing row that was proven.

    With None every availability row is looked at, else those that were announced since.
    """
    compared = _compare_all(connection) if outgoing is None else _compare_new(connection, outgoing)
    for sku, site, row, said in compared:
        if said is None:
            yield f"{sku} at {site}: its row says {_words(row)}, and nothing was ever announced"
        elif row is None:
            yield f"{sku} at {site}: {_words(said)} was announced, and there is no such row"
        elif row != said:
            yield f"{sku} at {site}: its row says {_words(row)}, announced was {_words(said)}"
    floor = outbox.floor(connection)
    count, newest = connection.execute(_FEED, {"floor": floor}).one()
    if newest is not None and count != newest - floor:
        yield f"the change feed goes from {floor + 1} to {newest}, but has {count} rows"


Compared = Iterator[tuple[str, str, Numbers | None, Numbers | None]]


def _compare_all(connection: Connection) -> Compared:
    rows = connection.execute(_ALL, {"outgoing": 0}, execution_options={"yield_per": _PAGE_ROWS})
    for row in rows:
        before: Numbers | None = None if row[10] is None else (row[7], row[8], row[9], row[10])
        said = before if row[6] is None else _said(json.loads(row[6]))
        yield row[0], row[1], (row[2], row[3], row[4], row[5]), said


def _compare_new(connection: Connection, outgoing: int) -> Compared:
    for (body,) in connection.execute(_NEW, {"outgoing": outgoing}).all():
        said = json.loads(body)
        names = {"sku": str(said.get("sku")), "site": str(said.get("site"))}
        row = connection.execute(_ROW, names).first()
        numbers = None if row is None else (row.on_hand, row.reserved, row.safety, row.ver)
        yield names["sku"], names["site"], numbers, _said(said)


def _said(body: dict[str, Any]) -> Numbers:
    on_hand, reserved, safety, ver = (
        body.get(name, -1) for name in ("on_hand", "reserved", "safety", "version")
    )
    return on_hand, reserved, safety, ver


def _words(numbers: Numbers | None) -> str:
    return (
        "nothing"
        if numbers is None
        else "{} on hand, {} reserved, {} safety, version {}".format(*numbers)
    )
