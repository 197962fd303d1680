"""Which columns a table shows."""

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Click
from textual.screen import ModalScreen

from monitor.listing import Listing
from monitor.sheet import ALWAYS
from monitor.spans import Line, Span
from monitor.widgets.painted import Panel


class Ticks(Panel):
    """Lines to tick. The sign says what is ticked, not its colour."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("space", "tick", "Tick", show=False),
    ]

    def __init__(self, choices: list[tuple[str, str, bool]]) -> None:
        super().__init__("Columns", id="choice")
        self.border_subtitle = Content("Space ticks, Enter takes, Esc leaves")
        self._choices = choices
        self._at = 0

    @property
    def ticked(self) -> list[str]:
        """The keys of the ticked lines."""
        return [key for key, _, ticked in self._choices if ticked]

    def on_mount(self) -> None:
        """Draw it."""
        self.styles.height = len(self._choices) + 2
        self._draw()

    def action_move(self, lines: int) -> None:
        """Move the cursor."""
        self._at = max(0, min(self._at + lines, len(self._choices) - 1))
        self.scroll_to(y=max(0, self._at - self.size.height + 1), animate=False)
        self._draw()

    def action_tick(self) -> None:
        """Tick the line, or not."""
        key, words, ticked = self._choices[self._at]
        self._choices[self._at] = key, words, not ticked
        self._draw()

    def on_click(self, event: Click) -> None:
        """Tick the line below the pointer."""
        line = event.y - 1 + self.scroll_offset.y
        if 0 <= line < len(self._choices):
            self._at = line
            self.action_tick()

    def _draw(self) -> None:
        lines: list[Line] = [
            [
                Span("▌" if at == self._at else " ", "accent"),
                Span("[x] " if ticked else "[ ] ", "accent" if ticked else "muted"),
                Span(words, "title" if at == self._at else "plain"),
            ]
            for at, (_, words, ticked) in enumerate(self._choices)
        ]
        self.show(lines)


class ColumnChoice(ModalScreen[list[str] | None]):
    """A list to tick; what does not fit the screen is left out by itself."""

    AUTO_FOCUS = "Ticks"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "Take", priority=True),
        Binding("escape,q", "dismiss", "Leave as it was"),
    ]

    def __init__(self, listing: Listing[Any]) -> None:
        super().__init__()
        self._listing = listing

    def compose(self) -> ComposeResult:
        """Yield the one list."""
        listing = self._listing
        yield Ticks(
            [
                (column.key, column.title, listing.is_shown(column))
                for column in listing.columns
                if column.rank < ALWAYS
            ]
        )

    def action_take(self) -> None:
        """Show the ticked columns."""
        self.dismiss(self.query_one(Ticks).ticked)
