"""The line to type a filter into, and beside it how the table is sorted."""

from collections.abc import Callable
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Static

from monitor.listing import Listing
from monitor.spans import Line, Span
from monitor.widgets.painted import OneLine


class FilterInput(Input):
    """Filters while you type. Enter keeps the filter, Esc clears it."""

    # Priority, so that the keyboard is back at the table before the next key is even looked at:
    # everything typed or scanned in one burst goes where it belongs.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,down", "keep", "Keep filter", key_display="Enter", priority=True),
        Binding("escape", "clear", "Clear filter", key_display="Esc", priority=True),
    ]

    def __init__(self, leave: Callable[[], None]) -> None:
        super().__init__(
            placeholder="filter: words, or conditions like available<10 site:ber age<5m",
            select_on_focus=False,
            compact=True,
            id="filter",
        )
        self._leave = leave

    def action_keep(self) -> None:
        """Go back to the table with the filter on."""
        self._leave()

    def action_clear(self) -> None:
        """Go back to the table without a filter."""
        self.value = ""
        self.action_keep()


class FilterBar(Horizontal):
    """Filter and order, one line. `leave` gives the keyboard back to the table, at once."""

    def __init__(self, leave: Callable[[], None]) -> None:
        super().__init__(id="bar")
        self._leave = leave

    def compose(self) -> ComposeResult:
        """Yield the parts."""
        yield Static("/", id="slash")
        yield FilterInput(self._leave)
        yield OneLine(id="order", shrink=True)

    def show(self, listing: Listing[Any]) -> None:
        """Word how the table is sorted and what is left out."""
        self.query_one("#order", OneLine).show(order_line(listing))


def order_line(listing: Listing[Any]) -> Line:
    """Return the order in words, with what a person can do about a held one."""
    line = [Span(f"! {listing.urgent_word} only ", "warn")] if listing.urgent_only else []
    key, reverse = listing.order
    title = next((column.title for column in listing.columns if column.key == key), None)
    if title is None:
        return [*line, Span("newest first", "accent")]
    line.append(Span(f"{title} {'▼' if reverse else '▲'}", "accent"))
    line.append(Span(" order held, r re-sorts" if listing.held else " sorted", "muted"))
    return line
