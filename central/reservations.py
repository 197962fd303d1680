"""Promises. One conditional UPDATE on one row decides, so nothing is ever promised twice.

Each function is a command for the writer: it refuses by returning, never by raising.
"""

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from central import schema
from central.books import Cause
from central.catalogue import Item
from central.rules import Outside
from central.writer import Transaction
from wire.events import Clock, Event, Identifiers

#: Holds given back by one sweep; the next sweep takes the rest.
EXPIRED_PER_SWEEP_MAX = 200
API_SITE_SOURCE = "api"
_EPOCH_KEY = "api_epoch"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One line of a request."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Request:
    """A request to reserve. `key` makes a repeated request one request, for ever."""

    channel: str
    key: str
    site: str
    ttl_s: int
    lines: tuple[Wanted, ...]
    order_ref: str | None = None

    def content(self) -> str:
        """Return what must be the same when the key is used again."""
        lines = sorted((line.sku, line.quantity) for line in self.lines)
        text = json.dumps([self.site, self.ttl_s, lines, self.order_ref])
        return hashlib.sha256(text.encode()).hexdigest()

    def demand(self) -> dict[str, int]:
        """Return eaches by SKU: two lines of one SKU are one demand, or each would pass alone."""
        quantities: dict[str, int] = {}
        for line in self.lines:
            quantities[line.sku] = quantities.get(line.sku, 0) + line.quantity
        return quantities

    def granted(self, now_us: int) -> "Answer":
        """Return what to tell when all is held, but for the number."""
        lines = [{"sku": sku, "quantity": n} for sku, n in sorted(self.demand().items())]
        expires = _rfc3339(now_us + self.ttl_s * 1_000_000)
        return Answer(201, {"state": "held", "expires": expires, "lines": lines})

    def row(self, site: int, answer: "Answer", now_us: int) -> dict[str, Any]:
        """Return its row: the answer decides the state, and has no number yet."""
        stored = json.dumps({"status": answer.status, "body": answer.body})
        state = "held" if answer.status == 201 else "rejected"
        return {
            "channel": self.channel, "key": self.key, "req_hash": self.content(), "site": site,
            "state": state, "created_us": now_us,
            "expires_us": now_us + self.ttl_s * 1_000_000, "order_ref": self.order_ref,
            "answer": stored,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """What to tell the storefront: an HTTP status and a JSON body."""

    status: int
    body: dict[str, Any]


def problem(status: int, code: str, detail: str, **more: Any) -> Answer:
    """Return a refusal in the form of RFC 9457."""
    title = code.replace("_", " ")
    body = {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail}
    return Answer(status, body | more)


def reserve(tx: Transaction, request: Request) -> Answer:
    """Hold all lines or none. A repeated key gets the first answer again, refusals included."""
    table = schema.reservation
    known = tx.connection.execute(
        select(table).where(table.c.channel == request.channel, table.c.key == request.key)
    ).first()
    if known is not None:
        if known.req_hash != request.content():
            return problem(422, "key_reused", "this Idempotency-Key was used for another request")
        stored = json.loads(known.answer)
        body = stored["body"]
        return Answer(
            stored["status"], {"id": known.id, **body} if known.state != "rejected" else body
        )
    expire(tx)
    tx.books.flush()
    site = tx.books.catalogue.site(tx.connection, request.site)
    quantities = request.demand()
    found = tx.books.catalogue.find(tx.connection, [f"sku:{sku}" for sku in quantities])
    items = {item.sku: item for item in found.values()}
    granted, short = _take(tx, site, quantities, items)
    if short:
        for row, quantity in granted:
            _give_back(tx, row.item, row.site, quantity)
        answer = problem(409, "out_of_stock", "not enough available", lines=short)
        _store(tx, request, site, answer)
        return answer
    tx.books.announce([(row.item, row.site) for row, _ in granted])
    answer = request.granted(tx.now_us)
    number = _store(tx, request, site, answer, granted)
    return Answer(201, {"id": number, **answer.body})


def commit(tx: Transaction, number: int) -> Answer:
    """Make a hold an order. Needs no stock again; done twice it is done once."""
    return _turn(tx, number, ("held",), "committed")


def release(tx: Transaction, number: int) -> Answer:
    """Give back what is not shipped yet. Never refused for lack of stock; done twice, done once."""
    answer = _turn(tx, number, ("held", "committed"), "released")
    if answer.body.get("changed"):
        _return_lines(tx, number)
    return answer


def expire(tx: Transaction) -> int:
    """Give back holds whose time is over; return how many."""
    table = schema.reservation
    due = (
        select(table.c.id)
        .where(table.c.state == "held", table.c.expires_us < tx.now_us)
        .order_by(table.c.id)
        .limit(EXPIRED_PER_SWEEP_MAX)
        .with_for_update(skip_locked=True)  # another process gives those back
    )
    numbers = tx.connection.execute(due).scalars().all()
    for number in numbers:
        if _turn(tx, number, ("held",), "expired").body.get("changed"):
            _return_lines(tx, number)
    return len(numbers)


def ship(tx: Transaction, number: int) -> Answer:
    """Post what is left of an order as shipped, from where there is most of it."""
    row = _reservation(tx, number, alone=True)
    if row is None:
        return _unknown(number)
    if row.state == "done":
        return _state(row, "done")
    if row.state not in {"held", "committed"}:
        return problem(409, "not_shippable", f"reservation {number} is {row.state}")
    tx.books.flush()
    line, item = schema.reservation_line, schema.item
    lines = tx.connection.execute(
        select(line, item.c.sku).join(item, item.c.id == line.c.item).where(line.c.res == number)
        .order_by(line.c.item)
    ).all()  # fmt: skip
    tx.books.prepare(each.item for each in lines)
    for each in lines:
        _ship_line(tx, row, each)
    tx.connection.execute(update(line).where(line.c.res == number).values(done=line.c.qty))
    return _turn(tx, number, ("held", "committed"), "done")


def _ship_line(tx: Transaction, row: Row[Any], line: Row[Any]) -> None:
    left = line.qty - line.done
    site = _site_code(tx, row.site)
    order = row.order_ref or f"reservation:{row.id}"
    customer = tx.books.catalogue.place(tx.connection, row.site, Outside.CUSTOMER)
    cause = record(tx, site, "ship", line.sku, left, order)
    for place, lot, quantity in _pick(tx, row.site, line.item, left):
        tx.books.post(cause, line.item, lot, (place, customer), quantity, "ship")
    tx.books.reserve(line.item, row.site, -left, "ship")


def _pick(tx: Transaction, site: int, item: int, wanted: int) -> list[tuple[int, str, int]]:
    """Return (location, lot, quantity) to take: the fullest bin first, then the docks.

    The label is printed and the goods are gone: what no place has is taken from the fullest one
    below zero, which opens an alert, rather than refused.
    """
    stock, place = schema.stock, schema.location
    rows = tx.connection.execute(
        select(stock.c.loc, stock.c.lot, stock.c.qty)
        .join(place, place.c.id == stock.c.loc)
        .where(stock.c.item == item, place.c.site == site, place.c.sellable == 1)
        .order_by(place.c.kind != "bin", stock.c.qty.desc(), stock.c.loc, stock.c.lot)
    ).all()
    taken: list[tuple[int, str, int]] = []
    for row in rows:
        if wanted and row.qty > 0:
            taken.append((row.loc, row.lot, min(wanted, row.qty)))
            wanted -= taken[-1][2]
    if wanted:  # rows there are: nothing was ever promised of an item that had no place
        taken.append((rows[0].loc, rows[0].lot, wanted))
    return taken


def record(
    tx: Transaction, site: str, kind: Any, sku: str, quantity: int, document: str | None
) -> Cause:
    """Write an event that came by HTTP, with a seq like any gateway's; return its cause."""
    stream = tx.ledger.stream(tx.connection, (site, API_SITE_SOURCE, _epoch(tx)), tx.now_us)
    stream.applied_seq += 1
    tx.ledger.move_mark(tx.connection, tx.now_us, [stream])
    event = Event(
        seq=stream.applied_seq,
        id=uuid.uuid4(),
        kind=kind,
        event_time=datetime.fromtimestamp(tx.now_us / 1e6, UTC),
        clock=Clock(boot_id="central", monotonic_us=0, synced=True),
        scanner=API_SITE_SOURCE,
        document=document,
        quantity=quantity,
        identifiers=Identifiers(sku=sku),
        raw=b"",
    )
    tx.connection.execute(
        insert(schema.event).values(
            stream=stream.id,
            seq=event.seq,
            uuid=str(event.id),
            kind=kind,
            status="applied",
            scanner=event.scanner,
            occurred_us=tx.now_us,
            received_us=tx.now_us,
            body=event.model_dump_json(exclude_none=True),
        )
    )
    return Cause(stream.id, event.seq, tx.now_us, document)


def _take(
    tx: Transaction, site: int, quantities: dict[str, int], items: dict[str, Item]
) -> tuple[list[tuple[Row[Any], int]], list[dict[str, Any]]]:
    """Try every line in key order, so that two requests never wait for each other in a circle."""
    avail = schema.avail
    granted: list[tuple[Row[Any], int]] = []
    short: list[dict[str, Any]] = []
    for sku in sorted(quantities, key=lambda sku: items[sku].id if sku in items else 0):
        quantity, item = quantities[sku], items.get(sku)
        mine = (avail.c.item == (item.id if item else -1), avail.c.site == site)
        row = tx.connection.execute(
            update(avail)
            .where(*mine, avail.c.on_hand - avail.c.reserved - avail.c.safety >= quantity)
            .values(reserved=avail.c.reserved + quantity, ver=avail.c.ver + 1)
            .returning(avail)
        ).first()
        if row is not None:
            granted.append((row, quantity))
            continue
        left = tx.connection.execute(
            select(avail.c.on_hand - avail.c.reserved - avail.c.safety).where(*mine)
        ).scalar()
        available = max(left or 0, 0)
        short.append({"sku": sku, "requested": quantity, "available": available})
    return granted, short


def _give_back(tx: Transaction, item: int, site: int, quantity: int) -> None:
    avail = schema.avail
    tx.connection.execute(
        update(avail)
        .where(avail.c.item == item, avail.c.site == site)
        .values(reserved=avail.c.reserved - quantity, ver=avail.c.ver + 1)
    )
    tx.books.announce([(item, site)])


def _store(
    tx: Transaction, request: Request, site: int, answer: Answer,
    granted: Sequence[tuple[Row[Any], int]] = (),
) -> int:  # fmt: skip
    table = schema.reservation
    number = tx.connection.execute(
        insert(table).values(request.row(site, answer, tx.now_us)).returning(table.c.id)
    ).scalar_one()
    if granted:
        tx.connection.execute(
            insert(schema.reservation_line),
            [
                {
                    "res": number, "item": row.item, "qty": quantity, "done": 0,
                    "g_on_hand": row.on_hand, "g_reserved": row.reserved,
                    "g_safety": row.safety, "g_ver": row.ver,
                }
                for row, quantity in granted
            ],
        )  # fmt: skip
    return int(number)


def _turn(tx: Transaction, number: int, states: Sequence[str], new: str) -> Answer:
    """Change the state if it is one of `states`; exactly one caller ever succeeds."""
    table = schema.reservation
    turned = tx.connection.execute(
        update(table)
        .where(table.c.id == number, table.c.state.in_(states))
        .values(state=new)
        .returning(table.c.id)
    ).first()
    row = _reservation(tx, number)
    if row is None:
        return _unknown(number)
    if turned is None and row.state != new:
        return problem(409, f"is_{row.state}", f"reservation {number} is {row.state}, not {new}")
    return _state(row, new, changed=turned is not None)


def _return_lines(tx: Transaction, number: int) -> None:
    line, table = schema.reservation_line, schema.reservation
    rows = tx.connection.execute(
        select(line.c.item, table.c.site, (line.c.qty - line.c.done).label("left"))
        .join(table, table.c.id == line.c.res)
        .where(line.c.res == number)
        .order_by(line.c.item)
    ).all()
    tx.books.flush()
    for row in rows:
        _give_back(tx, row.item, row.site, row.left)


def _reservation(tx: Transaction, number: int, *, alone: bool = False) -> Row[Any] | None:
    """Return its row; with `alone`, no other process changes it until we have committed."""
    query = select(schema.reservation).where(schema.reservation.c.id == number)
    return tx.connection.execute(query.with_for_update() if alone else query).first()


def _site_code(tx: Transaction, number: int) -> str:
    return str(
        tx.connection.execute(
            select(schema.site.c.code).where(schema.site.c.id == number)
        ).scalar_one()
    )


def _epoch(tx: Transaction) -> str:
    """Return the epoch of central's own events: of this process, or of an unshared database."""
    if tx.ledger.run is not None:
        return tx.ledger.run
    meta = schema.meta
    epoch = tx.connection.execute(select(meta.c.value).where(meta.c.key == _EPOCH_KEY)).scalar()
    if epoch is None:
        epoch = str(uuid.uuid4())
        tx.connection.execute(insert(meta).values(key=_EPOCH_KEY, value=epoch))
    return str(epoch)


def _state(row: Row[Any], state: str, *, changed: bool = False) -> Answer:
    return Answer(
        200, {"id": row.id, "state": state, "order_ref": row.order_ref, "changed": changed}
    )


def _unknown(number: int) -> Answer:
    return problem(404, "no_such_reservation", f"there is no reservation {number}")


def _rfc3339(moment_us: int) -> str:
    return datetime.fromtimestamp(moment_us / 1e6, UTC).isoformat().replace("+00:00", "Z")
