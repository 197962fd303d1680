"""Reservations: hold, commit, extend, release, ship."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, Engine, select

from central import combiner, reservations, schema, shipping, statements
from central.api.access import channel_of
from central.api.door import Door, IdempotencyKey
from central.api.pages import Cursor, Limit, seal, unseal
from central.requests import Answer, problem
from central.tokens import Caller
from central.writer import Transaction
from wire.ids import NAME_LENGTH_MAX

#: A promise that is never paid for gives its goods back after this long, at the longest.
TTL_MAX_S = 7 * 24 * 3600
LINES_MAX = 500
Name = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX)]
Number = Annotated[int, Field(ge=1, le=2**31 - 1)]


class Line(BaseModel):
    """So many eaches of one SKU."""

    model_config = ConfigDict(extra="forbid")
    sku: Name
    quantity: Annotated[int, Field(ge=1, le=10**9)]


class ReservationRequest(BaseModel):
    """All lines are held, or none. The channel may be left out by a token that is bound to one."""

    model_config = ConfigDict(extra="forbid")
    channel: Name | None = None
    site: Name
    ttl_s: Annotated[int, Field(ge=1, le=TTL_MAX_S)] = 900
    order_ref: Annotated[str, Field(max_length=200)] | None = None
    lines: Annotated[list[Line], Field(min_length=1, max_length=LINES_MAX)]


class Extension(BaseModel):
    """How much longer a hold lasts, from now."""

    model_config = ConfigDict(extra="forbid")
    ttl_s: Annotated[int, Field(ge=1, le=TTL_MAX_S)]


def routes(door: Door) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/v1/reservations", tags=["reservations"])
    may = door.access.need("reserve")

    async def act(number: int, caller: Caller, command: Callable[..., Answer]) -> JSONResponse:
        return await door.do(lambda tx: _foreign(tx, number, caller) or command(tx, number))

    @router.get("")
    def reservations_of(
        caller: Annotated[Caller, door.access.need("stock:read")],
        state: Annotated[str, Query(description="open (held or committed), or one state")] = "open",
        after: Cursor = "",
        limit: Limit = 100,
    ) -> dict[str, Any]:
        """List reservations, the newest first."""
        return _list(door.reader, caller.channel, state, after, limit)

    @router.post("", response_model=None)
    async def reserve(
        request: ReservationRequest,
        idempotency_key: IdempotencyKey,
        caller: Annotated[Caller, may],
    ) -> JSONResponse:
        """Hold goods for an order. The same Idempotency-Key always gets the first answer again."""
        wanted = reservations.Request(
            channel_of(caller, request.channel),
            idempotency_key,
            request.site,
            request.ttl_s,
            tuple(reservations.Wanted(line.sku, line.quantity) for line in request.lines),
            request.order_ref,
        )
        return await door.tell(door.writer.combine(combiner.reserve_all, wanted))

    @router.post("/{number}/commit", response_model=None)
    async def commit(number: Number, caller: Annotated[Caller, may]) -> JSONResponse:
        """Turn a hold into an order that does not expire."""
        return await act(number, caller, reservations.commit)

    @router.post("/{number}/release", response_model=None)
    async def release(number: Number, caller: Annotated[Caller, may]) -> JSONResponse:
        """Give back what was held."""
        return await act(number, caller, reservations.release)

    @router.post("/{number}/extend", response_model=None)
    async def extend(
        number: Number, body: Extension, caller: Annotated[Caller, may]
    ) -> JSONResponse:
        """Let a hold last until `ttl_s` seconds from now."""
        return await act(number, caller, lambda tx, n: reservations.extend(tx, n, body.ttl_s))

    @router.post("/{number}/ship", response_model=None)
    async def ship(number: Number, caller: Annotated[Caller, may]) -> JSONResponse:
        """Record that the order's label is printed and its goods are gone."""
        return await act(number, caller, shipping.ship)

    return router


def _list(
    reader: Engine, channel: str | None, state: str, after: str, limit: int
) -> dict[str, Any]:
    table, site = schema.reservation, schema.site
    states = statements.OPEN_STATES if state == "open" else (state,)
    query = (
        select(table, site.c.code)
        .join(site, site.c.id == table.c.site)
        .where(table.c.state.in_(states))
        .order_by(table.c.id.desc())
        .limit(limit + 1)
    )
    if channel is not None:
        query = query.where(table.c.channel == channel)
    if after:
        query = query.where(table.c.id < unseal(after, int)[0])
    with reader.begin() as connection:
        rows = connection.execute(query).all()
        page = rows[:limit]
        lines = _lines(connection, [row.id for row in page])
    return {
        "items": [
            {
                "id": row.id,
                "state": row.state,
                "channel": row.channel,
                "site": row.code,
                "order_ref": row.order_ref,
                "created": reservations.rfc3339(row.created_us),
                "expires": reservations.rfc3339(row.expires_us) if row.state == "held" else None,
                "lines": lines.get(row.id, []),
            }
            for row in page
        ],
        "next": seal(page[-1].id) if len(rows) > limit else None,
    }


def _lines(connection: Connection, numbers: list[int]) -> dict[int, list[dict[str, Any]]]:
    line, item = schema.reservation_line, schema.item
    found: dict[int, list[dict[str, Any]]] = {}
    for start in range(0, len(numbers), statements.ROWS_MAX):
        part = numbers[start : start + statements.ROWS_MAX]
        for row in connection.execute(
            select(line.c.res, line.c.qty, line.c.done, item.c.sku)
            .join(item, item.c.id == line.c.item)
            .where(line.c.res.in_(part))
            .order_by(item.c.sku)
        ):
            told = {"sku": row.sku, "quantity": row.qty, "shipped": row.done}
            found.setdefault(row.res, []).append(told)
    return found


def _foreign(tx: Transaction, number: int, caller: Caller) -> Answer | None:
    """Return a refusal when the reservation belongs to a channel that is not the caller's."""
    if caller.channel is None:
        return None
    table = schema.reservation
    row = tx.connection.execute(select(table.c.channel).where(table.c.id == number)).first()
    if row is None or row.channel == caller.channel:
        return None
    return problem(404, "no_such_reservation", f"there is no reservation {number}")
