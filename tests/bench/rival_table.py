"""The least monitor on Textual's own DataTable, with our feed: what ours is compared with.

It keeps the same stock true and shows it in one table, ten times a second, each row that changed
once: python rival_table.py PORT. No filter, no other view.
"""

import sys
import time

from textual.app import App, ComposeResult
from textual.widgets import DataTable, Static

from monitor.board import Board
from monitor.config import Config
from monitor.feed import Feed
from wire.broker import Broker

COLUMNS = ("sku", "name", "on_hand", "reserved", "available")
_WIDTHS = (12, 30, 9, 9, 9)


class Rival(App[None]):
    """A table and how many rows it has."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.board = Board(10, time.time())
        self.feed = Feed(Config(broker=Broker(port=port)), self.board)
        self.rows = 0

    def compose(self) -> ComposeResult:
        """Yield the parts."""
        yield Static("0 SKUs", id="count")
        yield DataTable(cursor_type="row")

    def on_mount(self) -> None:
        """Begin to listen."""
        table = self.query_one(DataTable)
        for column, width in zip(COLUMNS, _WIDTHS, strict=True):
            table.add_column(column, key=column, width=width)
        self.run_worker(self.feed.run())
        self.set_interval(0.1, self.flush)
        table.focus()

    def flush(self) -> None:
        """Show what changed since the last look."""
        table, stock = self.query_one(DataTable), self.board.stock
        for row in sorted(stock.take_changed()):
            cells = [str(getattr(stock, column)[row]) for column in COLUMNS]
            if row >= self.rows:
                table.add_row(*cells, key=str(row))
                self.rows = row + 1
            else:
                for column, cell in zip(COLUMNS, cells, strict=True):
                    table.update_cell(str(row), column, cell)
        self.query_one("#count", Static).update(f"{self.rows:,} SKUs")


if __name__ == "__main__":
    Rival(int(sys.argv[1])).run()
