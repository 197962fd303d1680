"""What the keys and the marks mean."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen

from monitor.spans import Line, Span, wrapped
from monitor.widgets.painted import Panel

#: Every key of the screens; a test holds this list against what they really take.
KEYS = (
    ("1 2 3 4 5", "stock, docks and scanners, orders, alerts, activity"),
    ("j k g G", "down, up, first, last; also arrows, PgUp, PgDn and the mouse"),
    ("Enter", "everything about the row"),
    ("/", "filter as you type; Enter keeps it, Esc clears it"),
    ("s S", "sort by the next column; the other way round; or click a title"),
    ("r", "sort again: the order of the stock is held while figures move"),
    ("l", "only what needs a look: low stock, docks in trouble, alerts nobody has"),
    ("Space", "pause; nothing is lost, it goes on from the present"),
    ("c", "choose columns"),
    ("y e E", "copy, over ssh too; export what is shown as CSV; the screen as a picture"),
    ("+", "stock: book more or fewer of the item, with a reason"),
    ("i R", "docks: let the scanner beep; have its gateway send its journal again"),
    ("a A m x", "alerts: acknowledge one, all; map an unknown barcode; close"),
    ("t ^p", "next colours; all commands"),
    ("q", "quit"),
)
_SIGN_WIDTH = 11
_FILTERS = (
    ("valve m8", "both words, in any column of text"),
    ("site:ber", "a column has it; site=ber: it is all of it"),
    ("avail<10", "figures: < <= > >= =, of any column"),
    ("age>5m", "ages in s m h d"),
)
_MARKS = (
    ("● ◌", "live; not live: a stored copy, or from before a lost connection"),
    ("▲ ▼", "available rose or fell just now"),
    ("! ✖", "low; none left"),
    ("✓ ◐ ✖", "a scan was booked, is held for a person, was refused"),
    ("✖ ▲ ○ ✓", "an alert is critical, a warning, for information; somebody takes care of it"),
)


class HelpScreen(ModalScreen[None]):
    """Keys and marks, until a key closes it."""

    AUTO_FOCUS = "Panel"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q,question_mark,space", "dismiss", "Close")
    ]

    def compose(self) -> ComposeResult:
        """Yield the one panel."""
        panel = Panel("Keys and marks", id="help")
        panel.border_subtitle = Content("Esc closes")
        yield panel

    def on_mount(self) -> None:
        """Fill it once its width is known."""
        self.call_after_refresh(self._fill)

    def on_resize(self) -> None:
        """Fit the new width."""
        self.call_after_refresh(self._fill)

    def _fill(self) -> None:
        panel = self.query_one(Panel)
        width = panel.line_width - _SIGN_WIDTH
        tables = (_lines(table, width) for table in (KEYS, _FILTERS, _MARKS))
        panel.show([line for table in tables for line in (*table, [])][:-1])


def _lines(table: tuple[tuple[str, str], ...], width: int) -> list[Line]:
    lines: list[Line] = []
    for sign, words in table:
        for text in wrapped(words, width):
            lines.append([Span(f"{sign:>9}  ", "accent"), *text])
            sign = ""  # noqa: PLW2901  once is enough
    return lines
