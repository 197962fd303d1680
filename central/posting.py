"""Posts what one event means: a scan's, a person's over HTTP, or one that was held until now."""

from typing import Any, NamedTuple

from sqlalchemy import Row, select

from central import promises, rules, schema
from central.arrivals import is_trusted
from central.books import Books, Cause
from central.catalogue import Item
from wire.events import Event


class Posting(NamedTuple):
    """An event in its place: which number of which outbox of which site, and when."""

    stream: int
    seq: int
    site: int
    occurred_us: int
    event: Event

    @property
    def cause(self) -> Cause:
        """What its entries say about where they come from."""
        event = self.event
        return Cause(self.stream, self.seq, self.occurred_us, event.document, is_trusted(event))


Why = rules.Held | rules.Refused


def post(books: Books, posting: Posting, item: Item | None) -> Why | None:
    """Post an event; return why not, when it is held or refused.

    `books.counts.prepare` was told of the item, and of the counting if it is a count.
    """
    event = posting.event
    lot = event.identifiers.lot or ""
    decision = rules.decide(event, item.each_per if item else 1)
    match decision:
        case rules.Held() | rules.Refused():
            return decision
        case rules.Undo(seq):
            return _undo(books, posting, seq)
        case rules.Counted(location, quantity, reason) if item:
            place = books.catalogue.place(books.connection, posting.site, location)
            books.count(posting.cause, item.id, lot, place, quantity, reason)
        case rules.Move() if item:
            ends = _ends(books, posting, decision)
            if ends[0] == ends[1]:
                places = f"from {decision.origin} to {decision.target}"
                return rules.Held("same_place", f"{event.kind} {places} moves nothing")
            _move(books, posting, item, lot, ends, decision)
        case _:
            return None
    if item and lot and event.identifiers.expiry:
        books.label(item.id, lot, event.identifiers.expiry)
    return None


def _ends(books: Books, posting: Posting, move: rules.Move) -> tuple[int, int]:
    catalogue, connection, other = books.catalogue, books.connection, posting.event.to_site
    site = posting.site if other is None else catalogue.site(connection, other)
    return (
        catalogue.place(connection, posting.site, move.origin),
        catalogue.place(connection, site, move.target),
    )


def _move(
    books: Books, posting: Posting, item: Item, lot: str, ends: tuple[int, int], move: rules.Move
) -> None:
    left = move.quantity
    if posting.event.kind == "ship" and posting.event.document:
        order = posting.event.document
        for res, part in promises.ship_order(books, posting.site, order, item.id, left):
            books.post(posting.cause, item.id, lot, ends, part, move.reason, res=res)
            left -= part
    if left:
        books.post(posting.cause, item.id, lot, ends, left, move.reason)


def _undo(books: Books, posting: Posting, seq: int) -> rules.Refused | None:
    if take_back(books, posting.cause, posting.stream, seq):
        return None
    return rules.Refused("nothing_to_undo", f"scan {seq} posted nothing, or is undone already")


def take_back(books: Books, cause: Cause, stream: int, seq: int) -> bool:
    """Reverse what an event posted and still stands; return whether there was something."""
    count = books.counts.made_by(stream, seq)
    if count is not None:
        books.counts.prepare([count.item], counting=[count.item])
        count = books.counts.made_by(stream, seq)  # another process may have been faster
        if count is not None:
            books.take_back_count(cause, count)
        return count is not None
    books.flush_entries()
    entry = schema.entry
    rows = books.connection.execute(
        select(entry)
        .where(entry.c.stream == stream, entry.c.seq == seq)
        .order_by(entry.c.line)
        .with_for_update()
    ).all()
    standing = still_standing(books, rows)
    books.counts.prepare({row.item for row in standing})
    for row in standing:
        reverse(books, cause, row)
    return bool(standing)


def still_standing(books: Books, rows: Any) -> list[Row[Any]]:
    """Return the movements among entries that can be reversed: not yet, and no reversals."""
    entry = schema.entry
    undone = set(
        books.connection.execute(
            select(entry.c.reverses).where(entry.c.reverses.in_([row.id for row in rows]))
        ).scalars()
    )
    return [
        row
        for row in rows
        if row.id not in undone and row.reverses is None and row.reason != rules.ABSORBED
    ]


def reverse(books: Books, cause: Cause, row: Row[Any]) -> None:
    """Take back one movement, and what it had fulfilled."""
    books.reverse(cause, row)
    if row.res is not None:
        promises.unship(books, row.res, row.item, row.qty)
