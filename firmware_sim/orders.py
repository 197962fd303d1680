"""A storefront's journal: what it asked central and what it was told. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from firmware_sim.oracle import OUTSIDE, Fact
from firmware_sim.truth import JournalError

Step = Literal["reserve", "commit", "release", "ship"]
#: `unsure`: central never answered, so it may have done what was asked or not.
State = Literal["refused", "held", "committed", "released", "shipped", "unsure"]
_AFTER: dict[Step, State] = {
    "reserve": "held", "commit": "committed", "release": "released", "ship": "shipped",
}  # fmt: skip
_SERVER_ERROR = 500


class Asked(BaseModel):
    """One line of the journal: written before asking (status None) and after the answer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: datetime
    order: str
    step: Step
    lines: dict[str, int]
    status: int | None = None
    answer: Any = None


@dataclass
class Order:
    """One customer's order as the storefront knows it."""

    ref: str
    lines: dict[str, int] = field(default_factory=dict)
    state: State = "unsure"
    asked: Step = "reserve"


def parse(lines: Iterable[str]) -> dict[str, Order]:
    """Return the orders of a journal by reference; a half last line was never acted on."""
    orders: dict[str, Order] = {}
    for number, line in enumerate(lines, 1):
        if not line.endswith("\n"):
            break
        try:
            asked = Asked.model_validate_json(line)
        except ValidationError as error:
            raise JournalError(f"storefront line {number}: {error.errors()[0]['msg']}") from error
        order = orders.setdefault(asked.order, Order(asked.order))
        _learn(order, asked)
    return orders


def _learn(order: Order, asked: Asked) -> None:
    order.lines, order.asked = asked.lines, asked.step
    if asked.status is None:
        order.state = "unsure"
    elif asked.status in {200, 201}:
        order.state = _AFTER[asked.step]
    elif asked.status < _SERVER_ERROR:
        # Refused later on, the promise was gone already: it expired.
        order.state = "refused" if asked.step == "reserve" else "released"


def promised(orders: Mapping[str, Order]) -> tuple[Counter[str], Counter[str]]:
    """Return the eaches per SKU that the shop still holds for sure, and those it perhaps holds."""
    sure, perhaps = Counter[str](), Counter[str]()
    for order in orders.values():
        if order.state in {"held", "committed"}:
            sure.update(order.lines)
        elif order.state == "unsure":
            perhaps.update(order.lines)
    return sure, perhaps


def differences(orders: Mapping[str, Order], facts: Sequence[Fact]) -> list[str]:
    """Return which orders were not shipped exactly as the shop was told, a sentence each."""
    shipped: dict[str, Counter[str]] = {}
    for fact in facts:
        if fact.by_http and fact.kind == "ship":
            left = shipped.setdefault(fact.document or "", Counter())
            for posting in fact.postings:
                if posting.target in OUTSIDE:
                    left[posting.sku] += posting.quantity
    found = [
        f"ORDER: {ref or 'no reference'} left the house, but no storefront asked for it"
        for ref in sorted(set(shipped) - set(orders))
    ]
    for ref, order in orders.items():
        lines = dict(shipped.get(ref, Counter()))
        may_ship = order.state == "shipped" or (order.state == "unsure" and order.asked == "ship")
        if lines and not may_ship:
            found.append(f"ORDER: {ref} is {order.state}, but central shipped {lines}")
        elif lines != order.lines and (lines or order.state == "shipped"):
            found.append(f"ORDER: {ref} ordered {order.lines}, central shipped {lines}")
    return found
