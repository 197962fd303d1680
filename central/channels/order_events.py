"""What a shop tells about an order, whatever shop it is. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from wire.events import QUANTITY_MAX

OrderStep = Literal["approved", "cancelled", "shipped", "returned"]
#: Longest reference of an order, and longest name of what it is about.
REFERENCE_LENGTH_MAX = 200


class Unsigned(Exception):
    """A request that does not prove to come from the shop; the message says what is missing."""


class Unusable(Exception):
    """A request from the shop that cannot be understood; the message says which part."""


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One step of an order. `lines` maps SKU to eaches; empty means all that the order has left.

    `id` is the same when the shop says the same thing again. `whole` means that the lines are all
    of the order, else they are one more part of it. `at_us` is when it happened by the shop's
    clock, in microseconds since 1970; `label` is what people call the order.
    """

    id: str
    step: OrderStep
    order_ref: str
    lines: Mapping[str, int]
    whole: bool = False
    at_us: int | None = None
    label: str = ""


def lines_of(found: Iterable[tuple[str | None, object, str | None]]) -> dict[str, int]:
    """Return eaches per SKU of lines (SKU, quantity, name); raise Unusable for no quantity.

    A product without a SKU was sold all the same. It goes by its name: nobody here knows that, so
    the order waits for a person, who is told of it.
    """
    lines: dict[str, int] = {}
    for given, quantity, name in found:
        sku = text_of(given or f"(no SKU) {name or 'a product without a name'}")
        if not isinstance(quantity, int) or isinstance(quantity, bool) or quantity < 0:
            raise Unusable(f"the quantity of {sku} is {quantity!r}, which is no number of pieces")
        lines[sku] = lines.get(sku, 0) + quantity
        if lines[sku] > QUANTITY_MAX:
            raise Unusable(f"{lines[sku]} of {sku} are more than anybody can have")
    return {sku: quantity for sku, quantity in lines.items() if quantity}


def text_of(value: object) -> str:
    """Return text that a database can hold, and a person can read."""
    text = str(value).replace("\0", "\N{SYMBOL FOR NULL}")[:REFERENCE_LENGTH_MAX]
    return text.encode("utf-8", "replace").decode()


def number_of(value: object) -> str:
    """Return the number that a shop gave something, as text; raise Unusable when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise Unusable(f"{value!r} is no number of an order")
    return text_of(value)


def moment_of(text: object) -> int | None:
    """Return a shop's moment in microseconds since 1970; None when it says none. UTC if bare."""
    if not isinstance(text, str) or not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Unusable(f"{text!r} is no moment") from error
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1e6)
