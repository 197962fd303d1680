"""Promises. One conditional UPDATE on one row decides, so nothing is ever promised twice.

Each function is a command for the writer: it refuses by returning, never by raising.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, bindparam, exists, select, update

from central import database, grants, order_news, promises, schema, statements
from central.grants import Line
from central.requests import KEY_REUSED, Answer, fingerprint, problem
from central.writer import OthersDecide, Transaction

#: Holds given back by one sweep; the next sweep takes the rest.
EXPIRED_PER_SWEEP_MAX = 200
#: A request that names this site is granted by the first site that has all of it.
ANY_SITE = "any"

_reservation, _site = schema.reservation, schema.site

_IS_OVER = and_(_reservation.c.state == "held", _reservation.c.expires_us < bindparam("now"))
#: Whether any hold is over is asked for here: it must be known before anything is taken.
_ANYWHERE = select(_site.c.id, _site.c.code, exists().where(_IS_OVER).label("overdue"))
_SITES = _ANYWHERE.order_by(_site.c.priority, _site.c.id)
_SITE = _ANYWHERE.where(_site.c.code == bindparam("code"))
_DECIDE = (
    update(_reservation)
    .where(_reservation.c.id == bindparam("number"))
    .values(site=bindparam("at"), state=bindparam("new"), answer=bindparam("told"))
)
_TURN = (
    update(_reservation)
    .where(
        _reservation.c.id == bindparam("number"),
        _reservation.c.state.in_(bindparam("old", expanding=True)),
    )
    .values(state=bindparam("new"))
    .returning(_reservation, order_news.TOLD[-1])
)
#: :items -> holds of one of them.
_IS_OF = exists().where(
    schema.reservation_line.c.res == _reservation.c.id,
    schema.reservation_line.c.item.in_(bindparam("items", expanding=True)),
)


def _expiring(which: ColumnElement[bool]) -> Any:
    """Return the statement that ends holds; what another process has in hand is left to it."""
    return (
        update(_reservation)
        .where(
            _reservation.c.id.in_(
                select(_reservation.c.id)
                .where(which)
                .order_by(_reservation.c.expires_us)
                .limit(EXPIRED_PER_SWEEP_MAX)
                .with_for_update(skip_locked=True)
            )
        )
        .values(state="expired")
        .returning(*order_news.TOLD)
    )


_EXPIRE, _EXPIRE_OF = _expiring(_IS_OVER), _expiring(and_(_IS_OVER, _IS_OF))
_OVER_STILL = select(_reservation.c.id).where(_IS_OVER, _IS_OF).limit(1)


#: By dialect, made at the first use: making a statement costs more than running it.
_claims: dict[str, Any] = {}


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
        return fingerprint(self.site, self.ttl_s, lines, self.order_ref)


def reserve(tx: Transaction, request: Request) -> Answer:
    """Hold all lines at one site, or none. A repeated key gets the first answer again."""
    sites = _sites(tx, request.site)
    if not sites:
        return problem(404, "no_such_site", f"there is no site {request.site}")
    answer = granted(tx, request, sites[0].code)
    number = _claim(tx, request, sites[0].id, answer)
    if number is None:
        return _again(tx, request)
    lines = demand(tx, request)
    site, short = _grant_somewhere(tx, request, number, sites, lines)
    if short and sites[0].overdue:  # what is over may be just what is missing
        items = [line.item.id for line in lines if line.item]
        reclaim(tx, items)
        wait_for_others(tx, items)
        site, short = _grant_somewhere(tx, request, number, sites, lines)
    if short:
        answer = refused(site.code, short)
        _decide(tx, number, site.id, "rejected", answer)
        decided(tx, number, request, answer)
        return answer
    if site is not sites[0]:
        answer = granted(tx, request, site.code)
        _decide(tx, number, site.id, "held", answer)
    decided(tx, number, request, answer)
    return replace(answer, body={"id": number, **answer.body})


def decided(tx: Transaction, number: int, request: Request, answer: Answer) -> None:
    """Tell what was decided about a new request."""
    body = answer.body
    state, expires = body.get("state", "rejected"), body.get("expires")
    more = {"expires": expires} if expires else {}
    order_news.announce(
        tx.books, number, state, request.channel, body["site"], request.order_ref,
        lines=body["lines"], **more,
    )  # fmt: skip


def _sites(tx: Transaction, code: str) -> Sequence[Any]:
    if code == ANY_SITE:
        return tx.connection.execute(_SITES, {"now": tx.now_us}).all()
    return tx.connection.execute(_SITE, {"code": code, "now": tx.now_us}).all()


def granted(tx: Transaction, request: Request, site: str) -> Answer:
    """Return what to tell when all is held, but for the number."""
    expires = rfc3339(tx.now_us + request.ttl_s * 1_000_000)
    lines = [{"sku": sku, "quantity": n} for sku, n in sorted(_totals(request).items())]
    return Answer(201, {"state": "held", "site": site, "expires": expires, "lines": lines})


def _totals(request: Request) -> dict[str, int]:
    """Return the demand per SKU: two lines of one are one demand, or each would pass alone."""
    totals: dict[str, int] = {}
    for line in request.lines:
        totals[line.sku] = totals.get(line.sku, 0) + line.quantity
    return totals


def refused(site: str, short: Sequence[dict[str, Any]]) -> Answer:
    """Return what to tell when lines are short."""
    return problem(
        409, "out_of_stock", "not enough is available of what `lines` names", site=site, lines=short
    )


def row_of(tx: Transaction, request: Request, site: int, answer: Answer) -> dict[str, Any]:
    """Return the row of a reservation; the answer decides its state."""
    return {
        "channel": request.channel, "key": request.key, "req_hash": request.content(),
        "site": site, "state": "held" if answer.status < 400 else "rejected",
        "created_us": tx.now_us, "expires_us": tx.now_us + request.ttl_s * 1_000_000,
        "order_ref": request.order_ref, "answer": _stored(answer),
    }  # fmt: skip


def demand(tx: Transaction, request: Request) -> list[Line]:
    """Return the lines in key order, so that two requests never wait in a circle."""
    totals = _totals(request)
    found = tx.books.catalogue.find(tx.connection, [f"sku:{sku}" for sku in totals])
    sold = {key: item for key, item in found.items() if item.active}
    lines = [Line(sku, n, sold.get(f"sku:{sku}")) for sku, n in totals.items()]
    return sorted(lines, key=lambda line: (line.item.id if line.item else 0, line.sku))


def _claim(tx: Transaction, request: Request, site: int, answer: Answer) -> int | None:
    """Make the reservation's row; None when there is one with this key already."""
    dialect = tx.connection.dialect.name
    if dialect not in _claims:
        new = database.insert_or_ignore(tx.connection, _reservation)
        _claims[dialect] = new.returning(_reservation.c.id)
    row = row_of(tx, request, site, answer)
    return tx.connection.execute(_claims[dialect], row).scalar()


def _again(tx: Transaction, request: Request) -> Answer:
    known = tx.connection.execute(
        select(_reservation).where(
            _reservation.c.channel == request.channel, _reservation.c.key == request.key
        )
    ).one()
    if known.req_hash != request.content():
        return KEY_REUSED
    stored = json.loads(known.answer)
    granted = stored["status"] < 400
    body = {"id": known.id, **stored["body"]} if granted else stored["body"]
    return Answer(stored["status"], body)


def _decide(tx: Transaction, number: int, site: int, state: str, answer: Answer) -> None:
    row = {"number": number, "at": site, "new": state, "told": _stored(answer)}
    tx.connection.execute(_DECIDE, row)


def _stored(answer: Answer) -> str:
    return json.dumps({"status": answer.status, "body": answer.body})


def _grant_somewhere(
    tx: Transaction, request: Request, number: int, sites: Sequence[Any], lines: Sequence[Line]
) -> tuple[Any, list[dict[str, Any]]]:
    """Return the first site that granted all, or the one that comes closest and what is short."""
    refusals: list[tuple[Any, list[dict[str, Any]]]] = []
    for site in sites:
        short = grants.grant(tx.books, request.channel, site.id, number, lines)
        if not short:
            return site, short
        refusals.append((site, short))
    return min(
        refusals, key=lambda refusal: sum(s["requested"] - s["available"] for s in refusal[1])
    )


def commit(tx: Transaction, number: int) -> Answer:
    """Make a hold an order. Needs no stock again; done twice it is done once.

    The state decides, not the clock. Too late, the answer says what is available by now.
    """
    answer = turn(tx, number, ("held",), "committed")
    if answer.status == 409:
        return replace(answer, body={**answer.body, "lines": _left_now(tx, number)})
    return answer


def release(tx: Transaction, number: int) -> Answer:
    """Give back what is not shipped yet. Never refused for lack of stock; done twice, done once."""
    answer = turn(tx, number, statements.OPEN_STATES, "released")
    if answer.body.get("changed"):
        promises.give_back(tx.books, [number], "reservation")
    return answer


def extend(tx: Transaction, number: int, ttl_s: int) -> Answer:
    """Let a hold last until `ttl_s` from now."""
    row = tx.connection.execute(
        update(_reservation)
        .where(_reservation.c.id == number, _reservation.c.state == "held")
        .values(expires_us=tx.now_us + ttl_s * 1_000_000)
        .returning(_reservation)
    ).first()
    if row is not None:
        return state_of(row, changed=True)
    known = find(tx, number)
    if known is None:
        return unknown(number)
    return problem(409, f"is_{known.state}", f"reservation {number} is {known.state}, not held")


def expire(tx: Transaction) -> int:
    """Give back holds whose time is over; return how many, at most EXPIRED_PER_SWEEP_MAX."""
    return _expire(tx, _EXPIRE, {"now": tx.now_us})


def reclaim(tx: Transaction, items: Sequence[int]) -> None:
    """Give back all holds of these items whose time is over, but for what others have in hand."""
    while _expire(tx, _EXPIRE_OF, {"now": tx.now_us, "items": items}) == EXPIRED_PER_SWEEP_MAX:
        pass


def wait_for_others(tx: Transaction, items: Sequence[int]) -> None:
    """Raise OthersDecide while another process gives back, or pays, such holds of these items.

    After some tries nobody is waited for any more: the other one may hang.
    """
    values = {"now": tx.now_us, "items": items}
    if tx.may_begin_anew and tx.connection.execute(_OVER_STILL, values).first() is not None:
        raise OthersDecide


def _expire(tx: Transaction, statement: Any, values: dict[str, Any]) -> int:
    over = tx.connection.execute(statement, values).all()
    promises.give_back(tx.books, [row.id for row in over], "reservation")
    for row in over:
        order_news.tell(tx.books, row)
    return len(over)


def turn(tx: Transaction, number: int, states: Sequence[str], new: str) -> Answer:
    """Change the state if it is one of `states`; exactly one caller ever succeeds."""
    values = {"number": number, "old": states, "new": new}
    turned = tx.connection.execute(_TURN, values).first()
    if turned is not None:
        order_news.tell(tx.books, turned)
    row = turned or find(tx, number)
    if row is None:
        return unknown(number)
    if row.state != new:
        return problem(409, f"is_{row.state}", f"reservation {number} is {row.state}, not {new}")
    return state_of(row, changed=turned is not None)


def find(tx: Transaction, number: int, *, alone: bool = False) -> Row[Any] | None:
    """Return a reservation's row; with `alone`, no other process changes it until the commit."""
    query = select(_reservation).where(_reservation.c.id == number)
    return tx.connection.execute(query.with_for_update() if alone else query).first()


def _left_now(tx: Transaction, number: int) -> list[dict[str, Any]]:
    """Return what a promise that is over would find now."""
    tx.books.flush()
    line, item, avail = schema.reservation_line, schema.item, schema.avail
    rows = tx.connection.execute(
        select(item.c.sku, line.c.qty, avail.c.on_hand, avail.c.reserved, avail.c.safety)
        .join(item, item.c.id == line.c.item)
        .join(_reservation, _reservation.c.id == line.c.res)
        .join(avail, (avail.c.item == line.c.item) & (avail.c.site == _reservation.c.site))
        .where(line.c.res == number)
        .order_by(item.c.sku)
    ).all()
    return [
        {
            "sku": row.sku,
            "requested": row.qty,
            "available": max(row.on_hand - row.reserved - row.safety, 0),
        }
        for row in rows
    ]


def state_of(row: Row[Any], *, changed: bool = False) -> Answer:
    """Return a reservation's state as an answer; `changed` when this request made it so."""
    body = {"id": row.id, "state": row.state, "order_ref": row.order_ref, "changed": changed}
    if row.state == "held":
        body["expires"] = rfc3339(row.expires_us)
    return Answer(200, body)


def unknown(number: int) -> Answer:
    """Return the refusal of a number that never was."""
    return problem(404, "no_such_reservation", f"there is no reservation {number}")


def rfc3339(moment_us: int) -> str:
    """Return a moment as text, UTC."""
    return datetime.fromtimestamp(moment_us / 1e6, UTC).isoformat().replace("+00:00", "Z")
