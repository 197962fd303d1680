"""What people say about goods: corrections, counts, transfers, barcodes, held scans."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from central import adjustments, catalogue, requests, settling
from central.adjustments import Adjustment, Count, Reversal, Transfer
from central.api.door import Door, IdempotencyKey
from central.rules import Reason
from central.tokens import Caller
from wire.events import QUANTITY_MAX, Name, Text, Utc

Id = Annotated[int, Field(ge=1, le=2**31 - 1)]
Quantity = Annotated[int, Field(ge=0, le=QUANTITY_MAX)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Said(_Body):
    """What every word about goods has. `ref` is the URI of its cause, as po:123."""

    site: Name
    location: Name
    sku: Name
    lot: Text = ""
    note: Text | None = None
    ref: Text | None = None
    at: Annotated[Utc | None, Field(description="when it happened, if that was not now")] = None


class AdjustmentBody(_Said):
    """More (quantity above zero) or less of an item at a place, and why."""

    quantity: Annotated[int, Field(ge=-QUANTITY_MAX, le=QUANTITY_MAX)]
    reason: Reason


class CountBody(_Said):
    """What was seen. With `expected`, another figure in the books refuses the count."""

    quantity: Quantity
    expected: int | None = None
    reason: Reason = Reason.CYCLE_COUNT


class TransferBody(_Said):
    """Goods that were moved, also to another site; to SCRAP they are gone."""

    to_location: Name
    to_site: Name | None = None
    quantity: Quantity
    reason: Reason = Reason.TRANSFER


class ReversalBody(_Body):
    """Why an entry is taken back."""

    note: Text | None = None
    ref: Text | None = None


class BarcodeBody(_Body):
    """What a barcode stands for: so many eaches of an item."""

    code: Text
    sku: Name
    each_per: Annotated[int, Field(ge=1, le=catalogue.EACH_PER_MAX)] = 1


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

    @router.post("/adjustments", response_model=None, status_code=201)
    async def adjust(
        body: AdjustmentBody, idempotency_key: IdempotencyKey, caller: Annotated[Caller, may]
    ) -> JSONResponse:
        """Correct a stock by hand."""
        wanted = Adjustment(**body.model_dump())
        return await post(adjustments.adjust, wanted, caller, idempotency_key)

    @router.post("/counts", response_model=None, status_code=201)
    async def count(
        body: CountBody, idempotency_key: IdempotencyKey, caller: Annotated[Caller, may]
    ) -> JSONResponse:
        """Set a place to what was seen there."""
        return await post(adjustments.count, Count(**body.model_dump()), caller, idempotency_key)

    @router.post("/transfers", response_model=None, status_code=201)
    async def transfer(
        body: TransferBody, idempotency_key: IdempotencyKey, caller: Annotated[Caller, may]
    ) -> JSONResponse:
        """Move goods from place to place."""
        wanted = Transfer(**body.model_dump())
        return await post(adjustments.transfer, wanted, caller, idempotency_key)

    @router.post("/entries/{entry}/reverse", response_model=None, status_code=201)
    async def reverse(
        entry: Id,
        body: ReversalBody,
        idempotency_key: IdempotencyKey,
        caller: Annotated[Caller, may],
    ) -> JSONResponse:
        """Take an entry back, at most once; the entry of a count takes the whole count back."""
        wanted = Reversal(entry, body.note, body.ref)
        return await post(adjustments.reverse, wanted, caller, idempotency_key)

    _settling(door, router)
    return router


def _settling(door: Door, router: APIRouter) -> None:
    may = door.access.need("adjust")

    @router.post("/barcodes", response_model=None)
    async def map_barcode(
        body: BarcodeBody, idempotency_key: IdempotencyKey, caller: Annotated[Caller, may]
    ) -> JSONResponse:
        """Say what a barcode stands for. The scans that wait for it are applied, as of their time.

        `applied` were applied at once; what is still `waiting` follows by itself.
        """
        who = f"api:{caller.name}"
        return await door.once(
            caller, idempotency_key, _Once("barcode", body.model_dump()),
            lambda tx: settling.map_barcode(tx, body.code, body.sku, body.each_per, who),
        )  # fmt: skip

    @router.post("/events/{number}/resolve", response_model=None)
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

    @router.post("/events/{number}/dismiss", response_model=None)
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
