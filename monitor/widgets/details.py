"""Everything about one row, live, above the screen."""

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen

from monitor.spans import Line
from monitor.widgets.painted import Panel

_LINES_MAX = 400
_FOLLOW_S = 0.5


class DetailScreen(ModalScreen[None]):
    """The lines of a card, until a key closes it. Subclasses say more and take more keys."""

    AUTO_FOCUS = "Panel"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q,space", "dismiss", "Close"),
        Binding("y", "copy", "Copy"),
    ]
    #: What the lower edge says about keys.
    keys = "Esc closes, y copies"

    def __init__(self, page: Any, row: Any) -> None:
        super().__init__()
        self.page = page
        self.desk = page.desk
        self.row = row
        self.panel = Panel("", id="detail")

    def compose(self) -> ComposeResult:
        """Yield the one panel."""
        self.panel.border_subtitle = Content(self.keys)
        yield self.panel

    def on_mount(self) -> None:
        """Show it now and follow it live."""
        self.call_after_refresh(self.show)
        self.set_interval(_FOLLOW_S, self.show)
        self.opened()

    def opened(self) -> None:
        """Do what else is due; not in on_mount, which Textual calls in every class."""

    def on_resize(self) -> None:
        """Fit the lines to the new width."""
        self.call_after_refresh(self.show)

    def action_copy(self) -> None:
        """Put what names the row into the terminal's clipboard."""
        if self.row in self.page.listing:
            self.app.copy_to_clipboard(self.page.listing.copied(self.row))
            self.notify("Copied")

    def show(self) -> None:
        """Draw the lines as of now; what is gone from the list stays as it was."""
        if self.row in self.page.listing:
            title, lines = self.lines(self.desk.clock(), self.panel.line_width)
            self.panel.show(lines, title)

    def lines(self, now: float, width: int) -> tuple[str, list[Line]]:
        """Return a title and the lines."""
        title, lines = self.page.card(self.row, now, width, _LINES_MAX)
        return title, lines
