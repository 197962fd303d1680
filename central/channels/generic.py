"""Signed events of any shop or label printer (Standard Webhooks). Pure.

`{"type": "order.approved", "timestamp": "2026-05-13T15:40:10Z", "data": {"order": "1001", "lines":
[{"sku": "A", "quantity": 2}]}}` with the types below; without lines a step is about all that the
order has left. `timestamp` is when it happened and may be left out.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from central import signing
from central.channels.order_events import (
    REFERENCE_LENGTH_MAX,
    OrderEvent,
    OrderStep,
    Unsigned,
    Unusable,
    lines_of,
    text_of,
)
from wire.events import QUANTITY_MAX
from wire.ids import NAME_LENGTH_MAX

STEPS: dict[str, OrderStep] = {
    "order.approved": "approved",
    "order.cancelled": "cancelled",
    "shipment.label_created": "shipped",
    "return.received": "returned",
}


_Model = TypeVar("_Model", bound=BaseModel)


class _Line(BaseModel):
    sku: Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX)]
    quantity: Annotated[int, Field(ge=1, le=QUANTITY_MAX)]


class _Data(BaseModel):
    order: Annotated[str, Field(min_length=1, max_length=REFERENCE_LENGTH_MAX)]
    lines: Annotated[list[_Line], Field(max_length=500)] = []


class _Body(BaseModel):
    type: str
    timestamp: AwareDatetime | None = None
    data: dict[str, Any] = {}


def read(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now_s: float
) -> list[OrderEvent]:
    """Return what an event says; raise Unsigned or Unusable. Other types say nothing."""
    try:
        identity = signing.verify(secrets, headers, body, now_s)
    except signing.BadSignature as error:
        raise Unsigned(str(error)) from error
    event = _checked(_Body, body, "")
    if event.type not in STEPS:
        return []
    said = _checked(_Data, json.dumps(event.data).encode(), "data.")
    lines = lines_of((line.sku, line.quantity, None) for line in said.lines)
    at_us = None if event.timestamp is None else round(event.timestamp.timestamp() * 1e6)
    order = text_of(said.order)
    return [OrderEvent(identity, STEPS[event.type], order, lines, at_us=at_us, label=order)]


def _checked(model: type[_Model], body: bytes, inside: str) -> _Model:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = inside + ".".join(str(part) for part in first["loc"])
        raise Unusable(f"{where or 'the body'}: {first['msg']}") from error
