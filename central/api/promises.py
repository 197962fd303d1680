"""Reservations: hold, look, commit, extend, release, ship."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from central import combiner, reservations, shipping
from central.api import answers, promised, tags
from central.api.access import channel_of, only_channel
from central.api.answers import says
from central.api.door import KEY_LENGTH_MAX, Door, IdempotencyKey
from central.api.pages import Cursor, Limit
from central.requests import Answer
from central.shipping import Parcel
from central.tokens import Caller
from central.writer import Transaction
from wire.events import QUANTITY_MAX, Text
from wire.ids import NAME_LENGTH_MAX

#: A promise that is never paid for gives its goods back after this long, at the longest.
TTL_MAX_S = 7 * 24 * 3600
LINES_MAX = 500
ORDER_REF_LENGTH_MAX = 200
Name = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX)]
Number = Annotated[int, Field(ge=1, le=2**31 - 1)]
Eaches = Annotated[int, Field(ge=1, le=QUANTITY_MAX, description="eaches: single pieces")]
Ttl = Annotated[
    int, Field(ge=1, le=TTL_MAX_S, description="seconds from now until the hold gives back")
]
OrderRef = Annotated[
    str,
    Field(max_length=ORDER_REF_LENGTH_MAX, description="the shop's own reference, such as 1001"),
]


class Line(BaseModel):
    """So many eaches of one SKU."""

    model_config = ConfigDict(extra="forbid")
    sku: Name
    quantity: Eaches


class ReservationRequest(BaseModel):
    """All lines are held, or none. The channel may be left out by a token that is bound to one."""

    model_config = ConfigDict(extra="forbid")
    channel: Annotated[Name | None, Field(description="who sells, such as webshop")] = None
    site: Annotated[Name, Field(description="code of a site; any: the first that has all")]
    ttl_s: Ttl = 900
    order_ref: OrderRef | None = None
    lines: Annotated[list[Line], Field(min_length=1, max_length=LINES_MAX)]


class Extension(BaseModel):
    """How much longer a hold lasts, from now."""

    model_config = ConfigDict(extra="forbid")
    ttl_s: Ttl


class ParcelBody(BaseModel):
    """Eaches of one SKU that leave."""

    model_config = ConfigDict(extra="forbid")
    sku: Name
    quantity: Eaches
    location: Annotated[
        Name | None, Field(description="where they were taken; left out: where most lies")
    ] = None
    lot: Annotated[Text | None, Field(description="left out: any lot")] = None


class Shipment(BaseModel):
    """What leaves now."""

    model_config = ConfigDict(extra="forbid")
    parcels: Annotated[
        list[ParcelBody],
        Field(max_length=LINES_MAX, description="empty: all that the reservation has left"),
    ] = []


@dataclass(frozen=True, slots=True)
class _Step:
    """A request that must be the same when its key is used again."""

    what: str
    number: int
    more: Any = None


def routes(door: Door) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/v1/reservations", tags=["reservations"])

    async def reserve(
        request: ReservationRequest,
        idempotency_key: IdempotencyKey,
        caller: Annotated[Caller, door.access.need("reserve")],
    ) -> JSONResponse:
        """Hold goods for an order. The same Idempotency-Key always gets the first answer again."""
        return await _hold(door, request, idempotency_key, caller)

    router.add_api_route(
        "",
        reserve,
        methods=["POST"],
        route_class_override=_lean(door),
        **says(answers.Granted, 201),
    )
    may_look = door.access.need("stock:read", "reserve")

    @router.get("", **says(answers.Page[answers.Reservation]))
    def reservations_of(
        caller: Annotated[Caller, may_look],
        state: Annotated[
            Literal["open", "any"] | answers.State, Query(description="open is held or committed")
        ] = "open",
        channel: Annotated[str | None, Query(description="only of this channel")] = None,
        site: Annotated[str | None, Query(description="only at this site")] = None,
        order_ref: Annotated[str | None, Query(description="only for this order")] = None,
        after: Cursor = "",
        limit: Limit = 100,
    ) -> dict[str, Any]:
        """List reservations, the newest first."""
        only = only_channel(caller, channel)
        wanted = promised.Filter(None if state == "any" else state, only, site, order_ref)
        return promised.page(door.reader, wanted, after, limit)

    @router.get("/{number}", **says(answers.Reservation, tagged=True))
    def reservation(
        number: Number,
        caller: Annotated[Caller, may_look],
        if_none_match: tags.IfNoneMatch = None,
    ) -> Response:
        """Look at one reservation: its state, what is shipped of each line, when a hold ends."""
        with door.reader.begin() as connection:
            found = promised.one(connection, number, caller.channel)
        if found is None:
            raise HTTPException(404, f"there is no reservation {number}")
        return tags.shown(found, if_none_match)

    _steps(door, router)
    return router


async def _hold(door: Door, request: ReservationRequest, key: str, caller: Caller) -> JSONResponse:
    wanted = reservations.Request(
        channel_of(caller, request.channel),
        key,
        request.site,
        request.ttl_s,
        tuple(reservations.Wanted(line.sku, line.quantity) for line in request.lines),
        request.order_ref,
    )
    return await door.tell(door.writer.combine(combiner.reserve_all, wanted))


def _lean(door: Door) -> type[APIRoute]:
    """Return the kind of route that takes a flash sale: it reads a plain good request by itself.

    FastAPI takes three times as long for one. It gets all others: it knows what is wrong with them.
    """

    class Lean(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            careful = super().get_route_handler()

            async def handle(request: Request) -> Response:
                headers = request.headers
                key = headers.get("idempotency-key", "")
                caller = door.access.bearer(headers.get("authorization", ""), "reserve")
                if (
                    caller is None
                    or not 0 < len(key) <= KEY_LENGTH_MAX
                    or headers.get("content-type") != "application/json"
                ):
                    return await careful(request)
                try:
                    wanted = ReservationRequest.model_validate_json(await request.body())
                except ValidationError:
                    return await careful(request)
                return await _hold(door, wanted, key, caller)

            return handle

    return Lean


def _steps(door: Door, router: APIRouter) -> None:
    may = door.access.need("reserve")

    async def act(
        step: _Step, caller: Caller, key: str, command: Callable[[Transaction, int], Answer]
    ) -> JSONResponse:
        return await door.once(
            caller, key, step,
            lambda tx: promised.foreign(tx, step.number, caller) or command(tx, step.number),
        )  # fmt: skip

    @router.post("/{number}/commit", **says(answers.Turned))
    async def commit(
        number: Number, idempotency_key: IdempotencyKey, caller: Annotated[Caller, may]
    ) -> JSONResponse:
        """Turn a hold into an order that does not expire."""
        step = _Step("commit", number)
        return await act(step, caller, idempotency_key, reservations.commit)

    @router.post("/{number}/release", **says(answers.Turned))
    async def release(
        number: Number, idempotency_key: IdempotencyKey, caller: Annotated[Caller, may]
    ) -> JSONResponse:
        """Give back what is not shipped yet."""
        step = _Step("release", number)
        return await act(step, caller, idempotency_key, reservations.release)

    @router.post("/{number}/extend", **says(answers.Turned))
    async def extend(
        number: Number,
        body: Extension,
        idempotency_key: IdempotencyKey,
        caller: Annotated[Caller, may],
    ) -> JSONResponse:
        """Let a hold last until `ttl_s` seconds from now."""
        step = _Step("extend", number, body.ttl_s)
        longer = body.ttl_s
        return await act(
            step, caller, idempotency_key, lambda tx, n: reservations.extend(tx, n, longer)
        )

    @router.post("/{number}/ship", **says(answers.Turned))
    async def ship(
        number: Number,
        idempotency_key: IdempotencyKey,
        caller: Annotated[Caller, may],
        body: Shipment | None = None,
    ) -> JSONResponse:
        """Record that goods are gone: the label is printed. Without parcels, all that is left."""
        parcels = tuple(Parcel(**each.model_dump()) for each in body.parcels) if body else ()
        step = _Step("ship", number, [each.model_dump() for each in body.parcels] if body else [])
        return await act(step, caller, idempotency_key, lambda tx, n: shipping.ship(tx, n, parcels))
