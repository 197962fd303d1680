"""Settles held events: a barcode is mapped, or a person completes a scan or says it was nothing.

Each ends once, at its own place in time: a count since then absorbs it as it does any late scan.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Row, and_, exists, func, or_, select
from sqlalchemy.exc import SQLAlchemyError

from central import catalogue, database, held, posting, rules, schema
from central.arrivals import activity_line
from central.catalogue import Item
from central.posting import Posting
from central.requests import Answer, problem
from central.writer import Transaction
from wire.events import Event

#: Held events that one transaction applies: scans that arrive meanwhile wait some 50 ms.
PORTION = 300
#: What a person may put right; the rest of an event is evidence.
CORRECTABLE = frozenset({"location", "to_location", "to_site", "quantity", "sku", "lot", "reason"})
_CENTRAL = "central"
#: Never waits for its code again: it would be tried for ever.
_NAMELESS = rules.Held("indigestible", "its code is known, but names no item")

_held, _event, _stream = schema.held, schema.event, schema.stream
_EVENTS = select(_event, _stream.c.site, _stream.c.source).join(
    _stream, _stream.c.id == _event.c.stream
)


def map_barcode(tx: Transaction, code: str, sku: str, each_per: int, who: str) -> Answer:
    """Say what a barcode stands for, and apply the first scans that wait for it.

    More than a portion is applied by upkeep, a portion a transaction, also after a crash.
    """
    key = catalogue.barcode_key(code)
    no_code = not code or code.startswith(catalogue.SKU_PREFIX)
    if no_code or not 1 <= each_per <= catalogue.EACH_PER_MAX:
        detail = f"a barcode and an each_per of 1 to {catalogue.EACH_PER_MAX} are needed"
        return problem(422, "bad_barcode", detail)
    item = tx.books.catalogue.by_sku(tx.connection, sku)
    owner = tx.books.catalogue.find(tx.connection, [key]).get(key)
    if item is None:
        return problem(404, "no_such_item", f"there is no item {sku}")
    if owner is not None and owner.sku != sku:
        return problem(409, "barcode_taken", f"barcode {code} already belongs to {owner.sku}")
    tx.books.catalogue.map(tx.connection, key, item.id, each_per)
    applied = apply_waiting(tx, who)
    waiting = tx.connection.execute(
        select(func.count()).select_from(_held).where(_held.c.key == key)
    ).scalar_one()
    return Answer(
        200, {"code": key, "sku": sku, "each_per": each_per, "applied": applied, "waiting": waiting}
    )


def apply_waiting(tx: Transaction, who: str = _CENTRAL) -> int:
    """Apply one portion of the held events whose code is known by now; return how many there were.

    One that the database or a rule cannot digest is held again, and the others go on.
    """
    rows = _known_by_now(tx)
    if not rows:
        return 0
    books = tx.books
    books.flush()
    mark = books.mark()
    try:
        with tx.connection.begin_nested():
            _settle(tx, rows, who)
            books.flush()
    except (SQLAlchemyError, ArithmeticError, ValueError) as error:
        if database.is_passing(error):
            raise
        books.abandon(mark)
        for row in rows:
            _alone(tx, row, who)
    return len(rows)


def _known_by_now(tx: Transaction) -> Sequence[Any]:
    item, barcode = schema.item, schema.barcode
    sku = func.substr(_held.c.key, len(catalogue.SKU_PREFIX) + 1)
    known = or_(
        exists().where(barcode.c.code == _held.c.key),
        and_(
            func.substr(_held.c.key, 1, len(catalogue.SKU_PREFIX)) == catalogue.SKU_PREFIX,
            exists().where(item.c.sku == sku),
        ),
    )
    free = select(_held.c.stream, _held.c.seq).where(_held.c.key != "", known).distinct().subquery()
    mine = and_(free.c.stream == _event.c.stream, free.c.seq == _event.c.seq)
    return tx.connection.execute(
        _EVENTS.join(free, mine).order_by(_event.c.id).limit(PORTION)
    ).all()


def _alone(tx: Transaction, row: Row[Any], who: str) -> None:
    mark = tx.books.mark()
    try:
        with tx.connection.begin_nested():
            _settle(tx, [row], who)
            tx.books.flush()
    except (SQLAlchemyError, ArithmeticError, ValueError) as error:
        if database.is_passing(error):
            raise
        tx.books.abandon(mark)
        taken = held.take(tx.connection, [(row.stream, row.seq)])
        _hold_again(tx, row, rules.Held("indigestible", f"{type(error).__name__}: {error}"))
        held.close_alerts(tx.books, taken)


def _settle(tx: Transaction, rows: Sequence[Any], who: str) -> None:
    events = [Event.model_validate_json(row.body) for row in rows]
    keys = {key for event in events for key in catalogue.keys_of(event)}
    items = tx.books.catalogue.find(tx.connection, keys)
    found = [_item(event, items) for event in events]
    tx.books.counts.prepare(
        (item.id for item in found if item),
        {
            item.id
            for item, event in zip(found, events, strict=True)
            if item and event.kind == "count"
        },
    )
    taken = held.take(tx.connection, [(row.stream, row.seq) for row in rows])
    for row, event, item in zip(rows, events, found, strict=True):
        if (row.stream, row.seq) in taken:
            _apply(tx, row, event, item, who, {})
    held.close_alerts(tx.books, taken)


def _item(event: Event, items: Mapping[str, Item]) -> Item | None:
    return next((items[key] for key in catalogue.keys_of(event) if key in items), None)


def _apply(
    tx: Transaction, row: Row[Any], event: Event, item: Item | None, who: str,
    fields: Mapping[str, Any], note: str = "",
) -> posting.Why | None:  # fmt: skip
    """Post an event that was just taken off the list; hold it again when something is missing."""
    site = tx.books.catalogue.site(tx.connection, row.site)
    here = Posting(row.stream, row.seq, site, row.occurred_us, event)
    why = posting.post(tx.books, here, item) if item else _NAMELESS
    if why is None:
        held.end(tx.books, (row.stream, row.seq), "applied", who, fields, note)
    else:
        _hold_again(tx, row, rules.Held(why.code, why.message))
    line = activity_line(row.source, event, item, why)
    tx.books.tell(row.site, f"{row.stream}:{row.seq}", line)
    return why


def _hold_again(tx: Transaction, row: Row[Any], why: rules.Held) -> None:
    event = Event.model_validate_json(row.body)
    held.write(tx.connection, held.hold(tx.books, row.stream, row.site, row.source, event, why))


def resolve_held(
    tx: Transaction, number: int, fields: Mapping[str, Any], who: str, note: str = ""
) -> Answer:
    """Apply held event `number` with what a person put right; the event itself stays as it was.

    With `sku` its quantity counts eaches, as no barcode says what a label stands for.
    """
    wrong = sorted(set(fields) - CORRECTABLE)
    if wrong:
        detail = f"{wrong[0]} cannot be put right; only {', '.join(sorted(CORRECTABLE))} can"
        return problem(422, "not_correctable", detail)
    row = _find(tx, number)
    if isinstance(row, Answer):
        return row
    try:
        event = _corrected(Event.model_validate_json(row.body), fields)
    except ValidationError as error:
        first = error.errors()[0]
        return problem(422, "invalid_request", f"{first['loc'][-1]}: {first['msg']}")
    for name, site in (("location", row.site), ("to_location", event.to_site or row.site)):
        if name in fields and not catalogue.has_location(tx.connection, site, fields[name]):
            detail = f"there is no location {fields[name]} in use at {site}"
            return problem(404, "no_such_location", detail)
    item = _item(event, tx.books.catalogue.find(tx.connection, catalogue.keys_of(event)))
    if item is None:
        why: object = held.unknown(event)
    else:
        why = rules.decide(event, item.each_per)
    if item is not None and not isinstance(why, rules.Held):
        tx.books.counts.prepare([item.id], [item.id] if event.kind == "count" else [])
        taken = held.take(tx.connection, [(row.stream, row.seq)])
        why = _apply(tx, row, event, item, who, fields, note)
        held.close_alerts(tx.books, taken)
    if isinstance(why, rules.Held):
        return problem(409, "still_held", why.message, reason=why.code)
    return Answer(200, {"event": number, "state": "applied"})


def dismiss_held(tx: Transaction, number: int, who: str, note: str = "") -> Answer:
    """End held event `number` without posting anything: nothing really moved."""
    row = _find(tx, number)
    if isinstance(row, Answer):
        return row
    taken = held.take(tx.connection, [(row.stream, row.seq)])
    held.end(tx.books, (row.stream, row.seq), "dismissed", who, note=note)
    held.close_alerts(tx.books, taken)
    return Answer(200, {"event": number, "state": "dismissed"})


def _find(tx: Transaction, number: int) -> Row[Any] | Answer:
    row = tx.connection.execute(_EVENTS.where(_event.c.id == number)).first()
    if row is None:
        return problem(404, "no_such_event", f"there is no event {number}")
    waits = exists().where(_held.c.stream == row.stream, _held.c.seq == row.seq)
    if not tx.connection.execute(select(waits)).scalar():
        return problem(409, "not_held", f"event {number} does not wait for anybody")
    return row


def _corrected(event: Event, fields: Mapping[str, Any]) -> Event:
    names = {name: fields[name] for name in ("sku", "lot") if name in fields}
    others = {name: value for name, value in fields.items() if name not in names}
    identifiers = event.identifiers.model_dump() | names
    return Event.model_validate(event.model_dump() | others | {"identifiers": identifiers})
