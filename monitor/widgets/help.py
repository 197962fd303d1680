"""What the keys and the marks mean."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from monitor.spans import Line, Span
from monitor.widgets.painted import Panel

_KEYS = (
    ("/", "filter as you type; Enter keeps it, Esc clears it"),
    ("s S", "sort by the next column; the other way round"),
    ("r", "sort again: the order is held while figures move"),
    ("l", "only what is low or sold out"),
    ("Space", "pause the table; nothing is lost, it goes on from the present"),
    ("j k g G", "down, up, first, last; also arrows, PgUp, PgDn and the mouse"),
    ("Enter", "everything about the item"),
    ("1 2 3 4", "all, or only docks, alerts, scans; looking at alerts makes them seen"),
    ("y", "copy the SKU, over ssh too"),
    ("e", "export what is shown, as CSV"),
    ("^p", "commands and colour themes"),
    ("q", "quit"),
)
_MARKS = (
    ("● ◌", "live; not live: the broker's stored copy or from before a lost connection"),
    ("▲ ▼", "available rose or fell just now"),
    ("! ✖", "low; none left"),
    ("✓ ◐ ✖", "a scan was applied, held for a person, refused"),
    ("✖ ▲ ○", "an alert is critical, a warning, for information; * nobody looked at it yet"),
)


class HelpScreen(ModalScreen[None]):
    """Keys and marks, until a key closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q,question_mark,space", "dismiss", "Close")
    ]

    def compose(self) -> ComposeResult:
        """Yield the one panel."""
        panel = Panel("Keys and marks", id="help")
        panel.border_subtitle = "Esc closes"
        yield panel

    def on_mount(self) -> None:
        """Fill it."""
        self.query_one(Panel).show([*_lines(_KEYS), [], *_lines(_MARKS)])


def _lines(table: tuple[tuple[str, str], ...]) -> list[Line]:
    return [[Span(f"{sign:>8}  ", "accent"), Span(words)] for sign, words in table]
