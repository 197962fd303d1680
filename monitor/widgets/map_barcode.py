"""Saying what an unknown barcode stands for; the scans that wait for it are booked then."""

import asyncio

from textual import work

from monitor.answers import Item, Problem
from monitor.desk import Desk
from monitor.spans import Line, Span, cell, printable
from monitor.widgets.form import Field, Form

#: So many eaches in a pack are a slip of the finger.
_EACH_PER_MAX = 100_000
#: Typing that pauses this long is asked about.
_TYPED_S = 0.2


class MapBarcode(Form):
    """A search for the item, and how many eaches the code stands for."""

    def __init__(self, desk: Desk, code: str) -> None:
        super().__init__(
            desk,
            f"What is {printable(code)}?",
            (
                Field(
                    "search",
                    "item",
                    offered=True,
                    hint="search as you type: SKU or words; arrows choose",
                ),
                Field(
                    "each_per", "eaches", "1", "how many eaches one code stands for", offered=True
                ),
            ),
        )
        self._code = code
        self._found: tuple[Item, ...] = ()
        self._at = 0

    def typed(self, key: str, text: str) -> None:
        """Search for what was typed."""
        if key == "search":
            self._found, self._at = (), 0
            self.workers.cancel_group(self, "search")
            if text:
                self._search(text)

    @work(exclusive=True, group="search")
    async def _search(self, words: str) -> None:
        await asyncio.sleep(_TYPED_S)
        found = await self.desk.api.find_items(words)
        if isinstance(found, Problem):
            self.say(found.sentence, "bad")
            return
        self._found, self._at = found.items, 0
        if not found.items:
            self.say("No item has all these words.", "muted")
        self.show()

    def choose(self, lines: int) -> None:
        """Move among the items that were found."""
        self._at = max(0, min(self._at + lines, len(self._found) - 1))

    @property
    def _chosen(self) -> Item | None:
        """The item that the arrows are on."""
        return self._found[self._at] if self._found else None

    def problem(self, values: dict[str, str]) -> tuple[str, str] | None:
        """An item must be chosen, and the pack be a number."""
        if self._chosen is None:
            return "search", "Choose an item: type a part of its SKU or name."
        each = values["each_per"]
        if not each.isdigit() or not 1 <= int(each) <= _EACH_PER_MAX:
            return "each_per", f"Eaches: a number from 1 to {_EACH_PER_MAX:,}."
        return None

    def summary(self, values: dict[str, str]) -> str:
        """Say what the code will stand for."""
        item = self._chosen or Item(sku="")
        each = int(values["each_per"])
        return (
            f"From now on {self._code} stands for {each:,} of {item.sku} {item.name}."
            " The scans that wait for it are booked."
        )

    async def send(self, values: dict[str, str]) -> tuple[bool, str]:
        """Tell central."""
        item = self._chosen or Item(sku="")
        answer = await self.desk.api.map_barcode(
            self._code, item.sku, int(values["each_per"]), self.key
        )
        if isinstance(answer, Problem):
            return False, answer.sentence
        left = f", {answer.waiting:,} still wait" if answer.waiting else ""
        return True, f"{self._code} is {item.sku}: {_scans(answer.applied)} booked{left}"

    def offers(self) -> tuple[list[Line], int]:
        """Return the items that were found."""
        lines: list[Line] = [
            [
                Span("▌ " if at == self._at else "  ", "accent"),
                Span(f"{cell(printable(item.sku), 20)} ", "title" if at == self._at else "plain"),
                Span(printable(item.name), "muted"),
            ]
            for at, item in enumerate(self._found)
        ]
        return lines, self._at


def _scans(count: int) -> str:
    return f"{count:,} scan{'' if count == 1 else 's'}"
