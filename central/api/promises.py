"""Reservations: hold, commit, extend, release, ship."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from central import combiner, reservations, schema, shipping
from central.api.access import channel_of
from central.api.door import Door, IdempotencyKey
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


def routes(door: Door) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/v1/reservations", tags=["reservations"])
    may = door.access.need("reserve")

    async def act(number: int, caller: Caller, command: Callable[..., Answer]) -> JSONResponse:
        return await door.do(lambda tx: _foreign(tx, number, caller) or command(tx, number))

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

    @router.post("/{number}/ship", response_model=None)
    async def ship(number: Number, caller: Annotated[Caller, may]) -> JSONResponse:
        """Record that the order's label is printed and its goods are gone."""
        return await act(number, caller, shipping.ship)

    return router


def _foreign(tx: Transaction, number: int, caller: Caller) -> Answer | None:
    """Return a refusal when the reservation belongs to a channel that is not the caller's."""
    if caller.channel is None:
        return None
    table = schema.reservation
    row = tx.connection.execute(select(table.c.channel).where(table.c.id == number)).first()
    if row is None or row.channel == caller.channel:
        return None
    return problem(404, "no_such_reservation", f"there is no reservation {number}")
