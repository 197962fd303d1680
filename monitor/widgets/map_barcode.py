"""Saying what an unknown barcode stands for; the scans that wait for it are booked then."""

import asyncio

from textual import work
from textual.widgets import Input

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
                Field("search", "item", hint="search as you type: SKU or words; arrows choose"),
                Field("each_per", "eaches", "1", "how many eaches one code stands for"),
            ),
        )
        self._code = code
        self._found: tuple[Item, ...] = ()
        self._at = 0
        self._chosen: Item | None = None

    def on_input_changed(self, event: Input.Changed) -> None:
        """Search for what was typed."""
        if event.input.id == "search":
            self._chosen, self._found = None, ()
            if event.value.strip():
                self._search(event.value.strip())

    @work(exclusive=True, group="search")
    async def _search(self, words: str) -> None:
        await asyncio.sleep(_TYPED_S)
        found = await self.desk.api.find_items(words)
        if isinstance(found, Problem):
            self.say(found.sentence, "bad")
            return
        self._found, self._at = found.items, 0
        self._show()

    def choose(self, lines: int) -> None:
        """Move among the items that were found."""
        if self._found:
            self._at = max(0, min(self._at + lines, len(self._found) - 1))
            self._show()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the chosen item, then go on."""
        if event.input.id == "search":
            if not self._found:
                self.say("Choose an item: type a part of its SKU or name.", "bad")
                return
            self._chosen = self._found[self._at]
            self._show()
        super().on_input_submitted(event)

    def problem(self, values: dict[str, str]) -> str | None:
        """An item must be chosen, and the pack be a number."""
        if self._chosen is None:
            return "Choose an item first."
        each = values["each_per"]
        if not each.isdigit() or not 1 <= int(each) <= _EACH_PER_MAX:
            return f"Eaches: a number from 1 to {_EACH_PER_MAX:,}."
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
        return True, f"{self._code} is {item.sku}: {answer.applied:,} scans booked{left}"

    def _show(self) -> None:
        lines: list[Line] = []
        for at, item in enumerate(self._found):
            here = at == self._at
            mark = "✓" if item is self._chosen else "▌" if here else " "
            lines.append(
                [
                    Span(f"{mark} ", "accent"),
                    Span(f"{cell(printable(item.sku), 20)} ", "title" if here else "plain"),
                    Span(printable(item.name), "muted"),
                ]
            )
        self.about.show(lines or [[Span("No item has all these words.", "muted")]])
        self.about.scroll_to(y=max(0, self._at - self.about.size.height + 1), animate=False)
