"""What people say about goods: corrections, counts, transfers, held scans; one or many at once."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from central import adjustments, requests, settling
from central.adjustments import Adjustment, Count, Reversal, Transfer
from central.api import answers, batches, stock, tags
from central.api.answers import says
from central.api.door import Door, IdempotencyKey
from central.rules import Reason
from central.tokens import Caller
from wire.events import QUANTITY_MAX, Name, Text, Utc

Id = Annotated[int, Field(ge=1, le=2**31 - 1)]
Quantity = Annotated[int, Field(ge=0, le=QUANTITY_MAX, description="eaches: single pieces")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Said(_Body):
    """What every word about goods has. `ref` is the URI of its cause, as po:123."""

    site: Name
    location: Annotated[Name, Field(description="code of the place within the site")]
    sku: Name
    lot: Annotated[Text, Field(description="empty: goods without a lot")] = ""
    note: Annotated[Text | None, Field(description="in your own words")] = None
    ref: Annotated[Text | None, Field(description="URI of its cause, such as po:123")] = None
    at: Annotated[Utc | None, Field(description="when it happened, if that was not now")] = None


class AdjustmentBody(_Said):
    """More (quantity above zero) or less of an item at a place, and why."""

    quantity: Annotated[
        int,
        Field(ge=-QUANTITY_MAX, le=QUANTITY_MAX, description="eaches more, or below zero, less"),
    ]
    reason: Reason


class CountBody(_Said):
    """What was seen. With `expected`, another figure in the books refuses the count."""

    quantity: Quantity
    expected: Annotated[
        int | None,
        Field(
            description="eaches that you believe are booked there; 409 when it is another number"
        ),
    ] = None
    reason: Reason = Reason.CYCLE_COUNT


class TransferBody(_Said):
    """Goods that were moved, also to another site; to SCRAP they are gone."""

    to_location: Annotated[Name, Field(description="SCRAP: the goods are gone")]
    to_site: Annotated[Name | None, Field(description="left out: within the site")] = None
    quantity: Quantity
    reason: Reason = Reason.TRANSFER


class AdjustmentsBody(_Body):
    """Several corrections."""

    lines: Annotated[list[AdjustmentBody], Field(min_length=1, max_length=batches.LINES_MAX)]


class CountsBody(_Body):
    """Several counts."""

    lines: Annotated[list[CountBody], Field(min_length=1, max_length=batches.LINES_MAX)]


class TransfersBody(_Body):
    """Several transfers."""

    lines: Annotated[list[TransferBody], Field(min_length=1, max_length=batches.LINES_MAX)]


class ReversalBody(_Body):
    """Why an entry is taken back."""

    note: Text | None = None
    ref: Text | None = None


class ResolveBody(_Body):
    """What a person puts right in a held scan; what is left out stays as it was scanned."""

    location: Name | None = None
    to_location: Name | None = None
    to_site: Name | None = None
    quantity: Quantity | None = None
    sku: Name | None = None
    lot: Text | None = None
    reason: Reason | None = None
    note: Text = ""


class DismissBody(_Body):
    """Why a held scan was nothing."""

    note: Text = ""


@dataclass(frozen=True, slots=True)
class _Once:
    """A request that must be the same when its key is used again."""

    what: str
    body: dict[str, Any]


def routes(door: Door) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/v1", tags=["corrections"])
    may = door.access.need("adjust")

    async def post(command: Any, wanted: Any, caller: Caller, key: str) -> JSONResponse:
        who = requests.Caller(caller.name, key)
        return await door.do(lambda tx: command(tx, who, wanted))

    @router.post("/adjustments", **says(answers.Recorded, 201))
    async def adjust(
        body: AdjustmentBody, idempotency_key: IdempotencyKey, caller: Annotated[Caller, may]
    ) -> JSONResponse:
        """Correct a stock by hand."""
        wanted = Adjustment(**body.model_dump())
        return await post(adjustments.adjust, wanted, caller, idempotency_key)

    @router.post("/counts", **says(answers.Recorded, 201))
    async def count(
        body: CountBody,
        idempotency_key: IdempotencyKey,
        caller: Annotated[Caller, may],
        if_match: tags.IfMatch = None,
    ) -> JSONResponse:
        """Set a place to what was seen there.

        So that nobody overwrites what he does not know: `expected` names the eaches that are booked
        there, `If-Match` the ETag that /v1/stock/{sku} had.
        """
        who, wanted = requests.Caller(caller.name, idempotency_key), Count(**body.model_dump())
        return await door.do(
            lambda tx: adjustments.count(
                tx, who, wanted, lambda: stock.stale(tx, wanted.sku, if_match)
            )
        )

    @router.post("/transfers", **says(answers.Recorded, 201))
    async def transfer(
        body: TransferBody, idempotency_key: IdempotencyKey, caller: Annotated[Caller, may]
    ) -> JSONResponse:
        """Move goods from place to place."""
        wanted = Transfer(**body.model_dump())
        return await post(adjustments.transfer, wanted, caller, idempotency_key)

    @router.post("/entries/{entry}/reverse", **says(answers.Recorded, 201))
    async def reverse(
        entry: Id,
        body: ReversalBody,
        idempotency_key: IdempotencyKey,
        caller: Annotated[Caller, may],
    ) -> JSONResponse:
        """Take an entry back, at most once; the entry of a count takes the whole count back."""
        wanted = Reversal(entry, body.note, body.ref)
        return await post(adjustments.reverse, wanted, caller, idempotency_key)

    _many(door, router)
    _settling(door, router)
    return router


def _many(door: Door, router: APIRouter) -> None:
    may = door.access.need("adjust")

    @router.post("/adjustments/batch", **says(answers.BatchResult))
    async def adjust_many(
        body: AdjustmentsBody, idempotency_key: IdempotencyKey, caller: Annotated[Caller, may]
    ) -> JSONResponse:
        """Make up to 500 corrections; each line is answered by itself."""
        lines = [Adjustment(**line.model_dump()) for line in body.lines]
        return await batches.run(door, caller.name, idempotency_key, lines, adjustments.adjust)

    @router.post("/counts/batch", **says(answers.BatchResult))
    async def count_many(
        body: CountsBody, idempotency_key: IdempotencyKey, caller: Annotated[Caller, may]
    ) -> JSONResponse:
        """Set up to 500 places to what was seen there; each line is answered by itself."""
        lines = [Count(**line.model_dump()) for line in body.lines]
        return await batches.run(door, caller.name, idempotency_key, lines, adjustments.count)

    @router.post("/transfers/batch", **says(answers.BatchResult))
    async def transfer_many(
        body: TransfersBody, idempotency_key: IdempotencyKey, caller: Annotated[Caller, may]
    ) -> JSONResponse:
        """Make up to 500 transfers; each line is answered by itself."""
        lines = [Transfer(**line.model_dump()) for line in body.lines]
        return await batches.run(door, caller.name, idempotency_key, lines, adjustments.transfer)


def _settling(door: Door, router: APIRouter) -> None:
    may = door.access.need("adjust")

    @router.post("/events/{number}/resolve", **says(answers.Settled))
    async def resolve(
        number: Id,
        body: ResolveBody,
        idempotency_key: IdempotencyKey,
        caller: Annotated[Caller, may],
    ) -> JSONResponse:
        """Apply a held scan with what a person put right; the scan itself stays as it was."""
        fields = body.model_dump(exclude_unset=True, exclude={"note"}, mode="json")
        wanted = _Once(f"resolve {number}", fields)
        return await door.once(
            caller, idempotency_key, wanted,
            lambda tx: settling.resolve_held(tx, number, fields, f"api:{caller.name}", body.note),
        )  # fmt: skip

    @router.post("/events/{number}/dismiss", **says(answers.Settled))
    async def dismiss(
        number: Id,
        body: DismissBody,
        idempotency_key: IdempotencyKey,
        caller: Annotated[Caller, may],
    ) -> JSONResponse:
        """Say that nothing moved: a held scan ends without posting anything."""
        return await door.once(
            caller, idempotency_key, _Once(f"dismiss {number}", {}),
            lambda tx: settling.dismiss_held(tx, number, f"api:{caller.name}", body.note),
        )  # fmt: skip
