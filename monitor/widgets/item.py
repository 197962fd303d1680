"""One item in full, live, above the screen."""

import time
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from monitor import item_card
from monitor.board import Board
from monitor.widgets.painted import Panel

_LINES_MAX = 40


class ItemScreen(ModalScreen[None]):
    """Figures, history and latest scans of one row, until a key closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q,space", "dismiss", "Close"),
        Binding("y", "copy", "Copy SKU"),
    ]

    def __init__(self, board: Board, row: int) -> None:
        super().__init__()
        self._board = board
        self._row = row

    def compose(self) -> ComposeResult:
        """Yield the one panel."""
        panel = Panel(item_card.title(self._board.stock, self._row), id="item")
        panel.border_subtitle = "Esc closes, y copies the SKU"
        yield panel

    def on_mount(self) -> None:
        """Show it now and follow it live."""
        self.call_after_refresh(self._show)
        self.set_interval(0.5, self._show)

    def on_resize(self) -> None:
        """Fit the lines to the new width."""
        self._show()

    def action_copy(self) -> None:
        """Put the SKU into the terminal's clipboard."""
        self.app.copy_to_clipboard(self._board.stock.sku[self._row])
        self.notify("SKU copied")

    def _show(self) -> None:
        panel = self.query_one(Panel)
        stock = self._board.stock
        panel.show(
            item_card.card(self._board, stock, self._row, time.time(), panel.line_width, _LINES_MAX)
        )
