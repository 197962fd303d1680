"""Signed events of any shop or label printer (Standard Webhooks). Pure.

`{"type": "order.approved", "data": {"order": "1001", "lines": [{"sku": "A", "quantity": 2}]}}` with
the types below; without lines a step is about all that the order has left.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from central import signing
from central.channels.order_events import OrderEvent, OrderStep, Unsigned, Unusable, lines_of
from wire.ids import NAME_LENGTH_MAX

STEPS: dict[str, OrderStep] = {
    "order.approved": "approved",
    "order.cancelled": "cancelled",
    "shipment.label_created": "shipped",
    "return.received": "returned",
}


class _Line(BaseModel):
    sku: Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX)]
    quantity: Annotated[int, Field(ge=1, le=10**9)]


class _Data(BaseModel):
    order: Annotated[str, Field(min_length=1, max_length=200)]
    lines: Annotated[list[_Line], Field(max_length=500)] = []


class _Body(BaseModel):
    type: str
    data: _Data


def read(
    headers: Mapping[str, str], body: bytes, secrets: list[str], now_s: float
) -> list[OrderEvent]:
    """Return what an event says; raise Unsigned or Unusable. Other types say nothing."""
    try:
        identity = signing.verify(secrets, headers, body, now_s)
    except signing.BadSignature as error:
        raise Unsigned(str(error)) from error
    try:
        event = _Body.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Unusable(f"{where or 'the body'}: {first['msg']}") from error
    if event.type not in STEPS:
        return []
    lines = lines_of([(line.sku, line.quantity) for line in event.data.lines])
    return [OrderEvent(identity, STEPS[event.type], event.data.order, lines)]
