"""The line to type a filter into, and beside it how the table is sorted."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Static

from monitor.spans import Line, Span
from monitor.view import SortKey, View
from monitor.widgets.painted import OneLine

_TITLES: dict[SortKey, str] = {"name": "description", "as_of": "age", "sku": "SKU"}


class FilterInput(Input):
    """Filters while you type. Enter keeps the filter, Esc clears it."""

    # Priority, so that the keyboard is back at the table before the next key is even looked at:
    # everything typed or scanned in one burst goes where it belongs.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,down", "keep", "Keep filter", priority=True),
        Binding("escape", "clear", "Clear filter", priority=True),
    ]

    def action_keep(self) -> None:
        """Go back to the table with the filter on."""
        self.screen.set_focus(self.screen.query_one("#table"))

    def action_clear(self) -> None:
        """Go back to the table without a filter."""
        self.value = ""
        self.action_keep()


class FilterBar(Horizontal):
    """Filter and order, one line."""

    def compose(self) -> ComposeResult:
        """Yield the parts."""
        yield Static("/", id="slash")
        yield FilterInput(
            placeholder="filter: words in SKU, description or site",
            select_on_focus=False,
            compact=True,
            id="filter",
        )
        yield OneLine(id="order", shrink=True)

    def show(self, view: View) -> None:
        """Word how the table is sorted and what is left out."""
        self.query_one("#order", OneLine).show(order_line(view))


def order_line(view: View) -> Line:
    """Return the order in words, with what a person can do about a held one."""
    line = [Span("! low only ", "warn")] if view.low_only else []
    title = _TITLES.get(view.key, view.key.replace("_", " "))
    line.append(Span(f"{title} {'▼' if view.reverse else '▲'}", "accent"))
    line.append(Span(" order held, r re-sorts" if view.held else " sorted", "muted"))
    return line
