"""Correcting a stock by hand, with a reason."""

import re
from typing import Any

from textual import work

from monitor.answers import ItemStock, Problem
from monitor.desk import Desk
from monitor.spans import Line, Span, cell, printable
from monitor.widgets.form import Field, Form

#: Why stock is corrected: central's closed list, so that reports add up. A note says the rest.
REASONS = (
    "correction",
    "cycle_count",
    "damaged",
    "shrinkage",
    "received",
    "restock",
    "return",
    "promotion",
    "expired",
    "other",
)
_QUANTITY = re.compile(r"[+-]?\d{1,9}")


class Adjust(Form):
    """Where, how many more or fewer, and why."""

    def __init__(self, desk: Desk, site: str, sku: str, name: str) -> None:
        super().__init__(
            desk,
            f"Adjust {printable(sku)} {printable(name)} @ {printable(site)}",
            (
                Field("location", "location", hint="where; arrows choose below", offered=True),
                Field("lot", "lot", hint="only if the lot matters", offered=True),
                Field("quantity", "quantity", hint="+3 found three more, -2 two are missing"),
                Field("reason", "reason", hint="why; arrows choose below", choices=REASONS),
                Field("note", "note", hint="what happened, for whoever asks later"),
            ),
        )
        self._site, self._sku = site, sku
        self._places: list[tuple[str, str, int]] = []
        self._at = -1

    def opened(self) -> None:
        """Look where the item lies."""
        self._look()

    @work(exclusive=True, group="places")
    async def _look(self) -> None:
        found = await self.desk.api.places(self._sku)
        if isinstance(found, ItemStock):
            here = [place for place in found.locations if place.site == self._site]
            self._places = [(place.location, place.lot, place.quantity) for place in here]
            if not self._places:
                self.say("It lies nowhere at this site.", "muted")
            self.show()
        else:
            self.say(found.sentence, "bad")

    def choose(self, lines: int) -> None:
        """Take a place into the fields."""
        if not self._places:
            return
        self._at = max(0, min(self._at + lines, len(self._places) - 1))
        self.answer("location").value, self.answer("lot").value, _ = self._places[self._at]

    def problem(self, values: dict[str, str]) -> tuple[str, str] | None:
        """Everything but lot and note must be said."""
        if not values["location"]:
            return "location", "Say at which location."
        if not _QUANTITY.fullmatch(values["quantity"]) or int(values["quantity"]) == 0:
            return "quantity", "Quantity: a number above or below zero, such as +3 or -2."
        if values["reason"] not in REASONS:
            return "reason", f"Reason: one of {', '.join(REASONS)}."
        return None

    def summary(self, values: dict[str, str]) -> str:
        """Say what will be booked."""
        quantity = int(values["quantity"])
        lot = f" of lot {values['lot']}" if values["lot"] else ""
        word = "more" if quantity > 0 else "fewer"
        return (
            f"Book {abs(quantity):,} {word} {self._sku}{lot} at {values['location']},"
            f" {self._site}: {values['reason']}."
        )

    async def send(self, values: dict[str, str]) -> tuple[bool, str]:
        """Tell central."""
        wanted: dict[str, Any] = {
            "site": self._site,
            "sku": self._sku,
            "location": values["location"],
            "quantity": int(values["quantity"]),
            "reason": values["reason"],
            "note": f"{values['note']} ({self.desk.person})".strip(),
        }
        if values["lot"]:
            wanted["lot"] = values["lot"]
        answer = await self.desk.api.adjust(wanted, self.key)
        if isinstance(answer, Problem):
            return False, answer.sentence
        return True, f"{self._sku}: {int(values['quantity']):+,} at {values['location']} booked"

    def offers(self) -> tuple[list[Line], int]:
        """Return the places where the item lies."""
        lines: list[Line] = [
            [
                Span("▌ " if at == self._at else "  ", "accent"),
                Span(f"{quantity:>9,}  {cell(printable(location), 20)} "),
                Span(f"lot {printable(lot)}" if lot else "", "muted"),
            ]
            for at, (location, lot, quantity) in enumerate(self._places)
        ]
        return lines, self._at
