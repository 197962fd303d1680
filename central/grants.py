"""Takes what a request wants at one site: all of it, or nothing.

The conditional UPDATE is the verdict: no row means not enough. Nothing is read before it, so there
is nothing that could be out of date.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, bindparam, select, update

from central import promises, schema, statements
from central.books import Books
from central.catalogue import Item

_avail, _share = schema.avail, schema.channel_item

#: A channel keeps `buffer` back, and may promise `over` more than there is.
_TAKE = (
    update(_avail)
    .where(
        _avail.c.item == bindparam("i"),
        _avail.c.site == bindparam("s"),
        _avail.c.on_hand - _avail.c.reserved - _avail.c.safety - bindparam("buffer")
        + bindparam("over") >= bindparam("q"),
    )
    .values(reserved=_avail.c.reserved + bindparam("q"), ver=_avail.c.ver + 1)
    .returning(_avail.c.on_hand, _avail.c.reserved, _avail.c.safety, _avail.c.ver)
)  # fmt: skip
_LEFT = select(_avail.c.on_hand - _avail.c.reserved - _avail.c.safety).where(
    _avail.c.item == bindparam("i"), _avail.c.site == bindparam("s")
)
TAKE_SHARE = (
    update(_share)
    .where(
        _share.c.item == bindparam("i"),
        _share.c.site == bindparam("s"),
        _share.c.channel == bindparam("c"),
        (_share.c.cap.is_(None)) | (_share.c.used + bindparam("q") <= _share.c.cap),
    )
    .values(used=_share.c.used + bindparam("q"))
)
_SHARES = select(_share).where(
    _share.c.channel == bindparam("c"),
    _share.c.site == bindparam("s"),
    _share.c.item.in_(bindparam("items", expanding=True)),
)


@dataclass(frozen=True, slots=True)
class Line:
    """The demand for one item. `item` is None when the catalogue does not know it."""

    sku: str
    quantity: int
    item: Item | None


def grant(
    books: Books, channel: str, site: int, number: int, lines: Sequence[Line]
) -> list[dict[str, Any]]:
    """Take every line for a reservation, or none; return the short ones.

    `lines` name each item once, in the order of its number, so that two never wait in a circle.
    """
    books.flush()
    shares = _shares(books, channel, site, lines)
    rows: list[dict[str, Any]] = []
    failed: set[str] = set()
    for line in lines:
        row = _take(books, number, site, line, shares)
        if row is None:
            failed.add(line.sku)
        else:
            rows.append(row)
    taken: list[dict[str, Any]] = []
    for row in rows if shares and not failed else ():
        share = {"i": row["item"], "s": site, "c": channel, "q": row["qty"]}
        if row["capped"] and books.connection.execute(TAKE_SHARE, share).rowcount:
            taken.append(share)
        elif row["capped"]:
            failed |= {line.sku for line in lines if line.item and line.item.id == row["item"]}
    if failed:
        _put_back(books, site, rows, taken)
        return _shortages(books, site, lines, shares, failed)
    statements.write(books.connection, statements.ADD_LINES, rows)
    for row in rows:
        books.changed(row["item"], site, "reservation")
    return []


def left_for(books: Books, channel: str, site: int, lines: Sequence[Line]) -> dict[str, int]:
    """Return how many eaches of each line a channel could have now; only `grant` promises them."""
    books.flush()
    shares = _shares(books, channel, site, lines)
    return {line.sku: _available(books, site, line, shares) for line in lines}


def _shares(books: Books, channel: str, site: int, lines: Iterable[Line]) -> dict[int, Row[Any]]:
    """Return what this channel may have of the items; without a row, it is all that there is."""
    if not books.catalogue.has_shares(channel):
        return {}
    items = [line.item.id for line in lines if line.item]
    rows = books.connection.execute(_SHARES, {"c": channel, "s": site, "items": items})
    return {row.item: row for row in rows}


def _take(
    books: Books, number: int, site: int, line: Line, shares: dict[int, Row[Any]]
) -> dict[str, Any] | None:
    """Take one line; return its row, None when there is not enough."""
    if line.item is None:
        return None
    share = shares.get(line.item.id)
    buffer, over = (share.buffer, share.oversell) if share else (0, 0)
    wanted = {"i": line.item.id, "s": site, "q": line.quantity, "buffer": buffer, "over": over}
    row = books.connection.execute(_TAKE, wanted).first()
    if row is None:
        return None
    # The availability row right after the grant: proof that nothing was oversold at that moment.
    return {
        "res": number, "item": line.item.id, "qty": line.quantity, "done": 0,
        "g_on_hand": row.on_hand, "g_reserved": row.reserved, "g_safety": row.safety,
        "g_ver": row.ver, "g_buffer": buffer, "g_oversell": over, "capped": int(share is not None),
    }  # fmt: skip


def _put_back(
    books: Books, site: int, rows: Iterable[dict[str, Any]], shares: Iterable[dict[str, Any]]
) -> None:
    for row in rows:
        books.promise(row["item"], site, -row["qty"], "reservation")
    books.flush()
    for share in shares:
        books.connection.execute(promises.GIVE_BACK_SHARE, share)


def _shortages(
    books: Books, site: int, lines: Iterable[Line], shares: dict[int, Row[Any]], failed: set[str]
) -> list[dict[str, Any]]:
    """Return every line that there is not enough for, with what this channel could have."""
    short = []
    for line in lines:
        available = _available(books, site, line, shares)
        if line.sku in failed or available < line.quantity:
            short.append({"sku": line.sku, "requested": line.quantity, "available": available})
    return short


def _available(books: Books, site: int, line: Line, shares: dict[int, Row[Any]]) -> int:
    if line.item is None:
        return 0
    wanted = {"i": line.item.id, "s": site}
    left = books.connection.execute(_LEFT, wanted).scalar() or 0
    share = shares.get(line.item.id)
    if share is not None:
        left += share.oversell - share.buffer
        left = left if share.cap is None else min(left, share.cap - share.used)
    return int(max(left, 0))
