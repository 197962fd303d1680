"""What a shop tells about an order, whatever shop it is. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

OrderStep = Literal["approved", "cancelled", "shipped", "returned"]


class Unsigned(Exception):
    """A request that does not prove to come from the shop; the message says what is missing."""


class Unusable(Exception):
    """A request from the shop that cannot be understood; the message says which part."""


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One step of an order. `lines` maps SKU to eaches; empty means all that the order has left.

    `id` is the same when the shop says the same thing again.
    """

    id: str
    step: OrderStep
    order_ref: str
    lines: Mapping[str, int]


def lines_of(found: list[tuple[str | None, object]]) -> dict[str, int]:
    """Return eaches per SKU; raise Unusable for a line that names no SKU or no quantity."""
    lines: dict[str, int] = {}
    for sku, quantity in found:
        if not sku:
            raise Unusable("a line has no SKU: give every product of the shop the SKU it has here")
        if not isinstance(quantity, int) or isinstance(quantity, bool) or quantity < 0:
            raise Unusable(f"the quantity of {sku} is {quantity!r}, which is no number of pieces")
        if quantity:
            lines[sku] = lines.get(sku, 0) + quantity
    return lines
