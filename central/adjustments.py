"""What people and programs say about goods by hand: corrections, counts, transfers, reversals.

Each is a command for the writer, done once for each key of its client, and an event in the journal.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from central import posting, schema
from central.catalogue import has_location
from central.records import record
from central.requests import Answer, Caller, once, problem
from central.rules import ABSORBED, Outside, Reason
from central.writer import Transaction
from wire.events import QUANTITY_MAX


@dataclass(frozen=True, slots=True)
class Adjustment:
    """More (quantity above zero) or less of an item at a place, and why."""

    site: str
    location: str
    sku: str
    quantity: int
    reason: Reason
    lot: str = ""
    note: str | None = None
    ref: str | None = None  # the URI of its cause: po:123, order:shopify/555
    at: datetime | None = None  # when it happened, if that was not now


@dataclass(frozen=True, slots=True)
class Count:
    """What a person saw at a place. `expected` is what that person believed to be booked there."""

    site: str
    location: str
    sku: str
    quantity: int
    expected: int | None = None
    reason: Reason = Reason.CYCLE_COUNT
    lot: str = ""
    note: str | None = None
    ref: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Transfer:
    """Goods that were moved, also to another site; to SCRAP they are gone."""

    site: str
    location: str
    to_location: str
    sku: str
    quantity: int
    to_site: str | None = None
    reason: Reason = Reason.TRANSFER
    lot: str = ""
    note: str | None = None
    ref: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reversal:
    """An entry to take back, by its number."""

    entry: int
    note: str | None = None
    ref: str | None = None


def adjust(tx: Transaction, caller: Caller, request: Adjustment) -> Answer:
    """Post a correction against ADJUST."""

    def command() -> Answer:
        if request.quantity == 0:
            return problem(422, "quantity_zero", "a correction by 0 changes nothing")
        if request.location in Outside.__members__:
            return _outside(request.location)
        more = request.quantity > 0
        ends = {"to_location" if more else "location": request.location}
        return _post(tx, caller, request, "adjust", abs(request.quantity), ends)

    return once(tx, caller, request, command)


def count(
    tx: Transaction, caller: Caller, request: Count,
    refuse: Callable[[], Answer | None] = lambda: None,
) -> Answer:  # fmt: skip
    """Set a place to what was seen there, unless something else than expected is booked there.

    `refuse` may find another reason not to; it is not asked about a repetition.
    """

    def command() -> Answer:
        if request.location in Outside.__members__:
            return _outside(request.location)
        ends = {"location": request.location}
        wrong = refuse() or _expected(tx, request)
        return wrong or _post(tx, caller, request, "count", request.quantity, ends)

    return once(tx, caller, request, command)


def transfer(tx: Transaction, caller: Caller, request: Transfer) -> Answer:
    """Move goods from place to place."""

    def command() -> Answer:
        ends = {"location": request.location, "to_location": request.to_location}
        other_site = request.to_site not in {None, request.site}
        apart = other_site and request.location not in Outside.__members__
        if request.location == request.to_location and not apart:
            return problem(422, "same_place", "a transfer needs two different places")
        if request.quantity == 0:
            return problem(422, "quantity_zero", "a transfer of 0 moves nothing")
        if other_site:
            ends["to_site"] = str(request.to_site)
        return _post(tx, caller, request, "move", request.quantity, ends)

    return once(tx, caller, request, command)


def reverse(tx: Transaction, caller: Caller, request: Reversal) -> Answer:
    """Take an entry back, at most once; the entry of a count takes the whole count back."""
    return once(tx, caller, request, lambda: _reverse(tx, caller, request))


def _reverse(tx: Transaction, caller: Caller, request: Reversal) -> Answer:
    entry, stream, item = schema.entry, schema.stream, schema.item
    tx.books.flush_entries()
    row = tx.connection.execute(
        select(entry, stream.c.site, item.c.sku)
        .join(stream, stream.c.id == entry.c.stream)
        .join(item, item.c.id == entry.c.item)
        .where(entry.c.id == request.entry)
        .with_for_update(of=entry)  # of two processes that reverse it, one waits for the other
    ).first()
    if row is None:
        return problem(404, "no_such_entry", f"there is no entry {request.entry}")
    if row.reason == ABSORBED:
        detail = "a count had seen these goods; take back the count or the scan, not this entry"
        return problem(409, "not_reversible", detail)
    counted = tx.books.counts.made_by(row.stream, row.seq)
    tx.books.counts.prepare([row.item], [row.item] if counted else [])
    if not posting.still_standing(tx.books, [row]):  # also where its scanner was faster meanwhile
        return problem(409, "reversed", f"entry {row.id} is a reversal, or is reversed already")
    done = record(
        tx, caller.client, row.site, "adjust", row.sku, min(row.qty, QUANTITY_MAX),
        lot=row.lot, reason=Reason.UNDO, note=request.note, document=request.ref,
    )  # fmt: skip
    if counted is not None:
        tx.books.take_back_count(done.cause, counted)
    else:
        posting.reverse(tx.books, done.cause, row)
    return Answer(201, _recorded(done) | {"reverses": row.id})


def _post(
    tx: Transaction, caller: Caller, request: Any, kind: str, quantity: int, ends: dict[str, str]
) -> Answer:
    item = tx.books.catalogue.by_sku(tx.connection, request.sku)
    if item is None:
        return problem(404, "no_such_item", f"there is no item {request.sku}")
    to_site = ends.get("to_site", request.site)
    sites = {"location": request.site, "to_location": to_site}
    for end, site in sites.items():
        if end in ends and not has_location(tx.connection, site, ends[end]):
            return problem(
                404, "no_such_location", f"there is no location {ends[end]} in use at {site}"
            )
    tx.books.counts.prepare([item.id], [item.id] if kind == "count" else [])
    done = record(
        tx, caller.client, request.site, kind, request.sku, quantity, lot=request.lot,
        at=request.at, reason=request.reason, note=request.note, document=request.ref, **ends,
    )  # fmt: skip
    why = posting.post(tx.books, done, item)
    assert why is None, f"{kind} was checked, but: {why}"
    return Answer(201, _recorded(done))


def _outside(location: str) -> Answer:
    return problem(422, "outside", f"{location} is not a place in the house: use a transfer")


def _recorded(done: posting.Posting) -> dict[str, Any]:
    event = done.event
    return {"event": str(event.id), "seq": done.seq, "kind": event.kind}


def _expected(tx: Transaction, request: Count) -> Answer | None:
    if request.expected is None:
        return None
    item = tx.books.catalogue.by_sku(tx.connection, request.sku)
    if item is None or not has_location(tx.connection, request.site, request.location):
        return None  # which _post explains
    site = tx.books.catalogue.site(tx.connection, request.site)
    place = tx.books.catalogue.place(tx.connection, site, request.location)
    tx.books.counts.prepare([item.id], [item.id])
    booked = tx.books.balance((item.id, place, request.lot))
    if booked == request.expected:
        return None
    detail = f"{booked} are booked there, not {request.expected}; look again, then count again"
    return problem(409, "stale_quantity", detail, expected=request.expected, booked=booked)
