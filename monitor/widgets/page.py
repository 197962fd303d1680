"""One view of the screen: a table, and what is known of the row under the cursor."""

from collections.abc import Callable
from typing import Any, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Vertical
from textual.content import Content

from monitor.answers import Problem
from monitor.desk import Desk
from monitor.listing import Listing, ShortList
from monitor.spans import Line, Span, wrapped
from monitor.terminal_line import TerminalApp
from monitor.widgets.details import DetailScreen
from monitor.widgets.form import Confirm
from monitor.widgets.painted import Panel
from monitor.widgets.table import ColumnHeads, Table


class Page(Container):
    """A view. What it shows comes from `listing`; `words` names the view."""

    BINDINGS: ClassVar[list[BindingType]] = []
    #: True where the first rows are those that a person must see.
    worst_first: ClassVar[bool] = False

    def __init__(self, desk: Desk, listing: Listing[Any], words: str) -> None:
        super().__init__(id=listing.name, classes="page")
        self.desk = desk
        self.listing = listing
        self.words = words
        self._title = ""
        self.heads = ColumnHeads(classes="heads")
        self.table = Table(listing, self.heads, desk.clock, worst_first=self.worst_first)
        self.frame = Vertical(self.heads, self.table, classes="frame")
        self.details = Panel("", id=f"{listing.name}-details")

    def compose(self) -> ComposeResult:
        """Yield the table above its details."""
        yield self.frame
        yield self.details

    def flush(self) -> None:
        """Ten times a second, while this view is seen."""
        self.table.flush()

    def tick(self) -> None:
        """Once a second, while this view is seen."""
        self.show_words()
        self.table.tick()
        self.show_details()

    def show_words(self) -> None:
        """Word the title, and what stands there instead of rows."""
        if not self.listing.rows:
            self.table.empty = _sentences(self.empty(), self.table.size.width - 2)
        title = self.title()
        if title != self._title:
            self._title = title
            self.frame.border_title = Content(title)

    def on_table_moved(self) -> None:
        """Tell about the row that the cursor is on now."""
        self.show_details()

    def show_details(self) -> None:
        """Say what is known of the row under the cursor."""
        row = self.table.cursor_row
        panel = self.details
        if not panel.display:
            return
        if row is None:
            panel.show([], "")
            return
        size = panel.scrollable_content_region
        title, lines = self.card(row, self.desk.clock(), size.width, size.height)
        panel.show(lines, title)

    def card(self, row: Any, now: float, width: int, height: int) -> tuple[str, list[Line]]:
        """Return a title and the lines about a row; `height` is what can be seen without moving."""
        del row, now, width, height
        return "", []

    def detail_screen(self, row: Any) -> DetailScreen:
        """Return the screen with everything about a row."""
        return DetailScreen(self, row)

    def opened(self) -> None:
        """Do what is due when a person turns to this view."""

    def deliberately(self, deed: Callable[[], object]) -> None:
        """Do what a key asks for, unless it came with others."""
        cast("TerminalApp", self.app).deliberately(deed)

    def confirm(self, question: str, yes: str, deed: Callable[[], object]) -> None:
        """Do it when a person says yes to the question."""

        def answered(*sure: bool | None) -> None:
            if sure == (True,):
                deed()

        self.app.push_screen(Confirm(question, yes), answered)

    def tell(self, problem: Problem) -> None:
        """Say why something was not done."""
        self.notify(problem.sentence, severity="error", timeout=12, markup=False)

    def title(self) -> str:
        """Return the title above the table."""
        listing, total = self.listing, self.total()
        shown = len(listing.rows)
        counted = f"{shown:,}" if shown == total else f"{shown:,} of {total:,}"
        return f"{self.words} {counted}"

    def total(self) -> int:
        """Return how many rows there would be without any filter."""
        return len(self.listing.rows)

    def empty(self) -> tuple[str, ...]:
        """Return what to say, sentence by sentence, while there is no row."""
        if self.listing.text:
            return (
                "Nothing passes this filter.",
                "Esc clears it.",
            )
        if self.listing.urgent_only:
            return (
                f"Nothing is {self.listing.urgent_word}.",
                "l shows everything again.",
            )
        return self.nothing()

    def nothing(self) -> tuple[str, ...]:
        """Return what to say when there is nothing at all."""
        return ("Nothing to show.",)


class ShortPage(Page):
    """A view of a short list."""

    listing: ShortList[Any]

    def item(self, row: Any) -> Any:
        """Return the item of a row."""
        return self.listing.items[row]


def muted(text: str) -> list[Line]:
    """Return a line for a panel that has nothing to say."""
    return [[Span(text, "muted")]]


def _sentences(parts: tuple[str, ...], width: int) -> list[Line]:
    """Return sentences in lines of at most `width`, the first the brightest."""
    lines: list[Line] = []
    for index, part in enumerate(parts):
        lines += wrapped(f"  {part}", width, "muted" if index else "plain", 2)
    return lines
