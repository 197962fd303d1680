"""Orders by the shop's own reference: approve, cancel, ship; and what became of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Query
from fastapi.responses import JSONResponse

from central import orders
from central.api import answers, promised
from central.api.access import channel_of, only_channel
from central.api.answers import says
from central.api.door import Door, IdempotencyKey
from central.api.promises import ORDER_REF_LENGTH_MAX
from central.requests import Answer
from central.statements import OPEN_STATES
from central.tokens import Caller
from central.writer import Transaction
from wire.ids import NAME_LENGTH_MAX

OrderRef = Annotated[
    str,
    Path(min_length=1, max_length=ORDER_REF_LENGTH_MAX, description="the shop's own reference"),
]
Channel = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=NAME_LENGTH_MAX,
        description="whose order; may be left out by a token that is bound to a channel",
    ),
]
#: Reservations of one order that are looked at: one for each site is usual.
_RESERVATIONS_MAX = 1_000
Step = Literal["approve", "cancel", "ship"]
_COMMANDS: dict[Step, Callable[[Transaction, str, str], Answer]] = {
    "approve": orders.approved,
    "cancel": orders.cancelled,
    "ship": orders.label_created,
}


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A request that must be the same when its key is used again."""

    step: str
    channel: str
    order_ref: str


def routes(door: Door) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/v1/orders", tags=["orders"])

    @router.get("/{order_ref:path}", **says(answers.Order))
    def order(
        order_ref: OrderRef,
        caller: Annotated[Caller, door.access.need("stock:read", "reserve")],
        channel: Channel = None,
    ) -> dict[str, Any]:
        """Return what was granted for an order, and what of it is shipped."""
        only = only_channel(caller, channel)
        wanted = promised.Filter(channel=only, order_ref=order_ref)
        found = promised.page(door.reader, wanted, "", _RESERVATIONS_MAX)["items"]
        granted = [each for each in found if each["state"] != "rejected"]
        if not granted:
            raise HTTPException(404, f"nothing was granted for order {order_ref}")
        return _summed_up(order_ref, granted)

    async def act(
        step: Step, order_ref: str, key: str, caller: Caller, channel: str | None
    ) -> JSONResponse:
        whose = channel_of(caller, channel)
        wanted = _Wanted(step, whose, order_ref)
        return await door.once(
            caller, key, wanted, lambda tx: _COMMANDS[step](tx, whose, order_ref)
        )

    may = door.access.need("reserve")

    @router.post("/{order_ref:path}/approve", **says(answers.OrderTurned))
    async def approve(
        order_ref: OrderRef,
        idempotency_key: IdempotencyKey,
        caller: Annotated[Caller, may],
        channel: Channel = None,
    ) -> JSONResponse:
        """Commit what is held for an order: it does not expire any more."""
        return await act("approve", order_ref, idempotency_key, caller, channel)

    @router.post("/{order_ref:path}/cancel", **says(answers.OrderTurned))
    async def cancel(
        order_ref: OrderRef,
        idempotency_key: IdempotencyKey,
        caller: Annotated[Caller, may],
        channel: Channel = None,
    ) -> JSONResponse:
        """Release what is not shipped of an order."""
        return await act("cancel", order_ref, idempotency_key, caller, channel)

    @router.post("/{order_ref:path}/ship", **says(answers.OrderTurned))
    async def ship(
        order_ref: OrderRef,
        idempotency_key: IdempotencyKey,
        caller: Annotated[Caller, may],
        channel: Channel = None,
    ) -> JSONResponse:
        """Ship all that is left of an order: its label is printed. In parcels: per reservation."""
        return await act("ship", order_ref, idempotency_key, caller, channel)

    return router


def _summed_up(order_ref: str, granted: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the order: of a reservation that ended, only what was shipped counts."""
    totals: dict[str, list[int]] = {}
    for each in granted:
        is_open = each["state"] in OPEN_STATES
        for line in each["lines"]:
            total = totals.setdefault(line["sku"], [0, 0])
            total[0] += line["quantity"] if is_open else line["shipped"]
            total[1] += line["shipped"]
    return {
        "order_ref": order_ref,
        "open": any(each["state"] in OPEN_STATES for each in granted),
        "lines": [
            {"sku": sku, "promised": p, "shipped": s, "open": p - s}
            for sku, (p, s) in sorted(totals.items())
        ],
        "reservations": granted,
    }
