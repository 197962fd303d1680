"""The stock table: draws the few lines that are seen, whatever the number of rows.

It keeps no copy of the stock. Ten times a second `flush` repaints the visible lines whose rows
changed, and only these.
"""

import time
from typing import ClassVar

from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from monitor.board import Board
from monitor.columns import Column, heads, layout, row_line
from monitor.spans import Line, Span
from monitor.view import SortKey, View
from monitor.widgets.painted import OneLine, Painted


class ColumnHeads(OneLine):
    """The titles above the table; a click sorts."""

    class Picked(Message):
        """A title was clicked."""

        def __init__(self, key: SortKey) -> None:
            super().__init__()
            self.key = key

    columns: tuple[Column, ...] = ()

    def on_click(self, event: Click) -> None:
        """Sort by the column below the pointer."""
        for column in self.columns:
            if column.x <= event.x <= column.x + column.width:
                self.post_message(self.Picked(column.key))


class StockTable(Painted, ScrollView, can_focus=True):
    """Rows of stock with a cursor that stays on its item."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"stock-table--cursor"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False),
        Binding("g,home", "edge(0)", "First", show=False),
        Binding("G,end", "edge(1)", "Last", show=False),
    ]

    class Opened(Message):
        """A row was double-clicked."""

    def __init__(self, board: Board, column_heads: ColumnHeads) -> None:
        super().__init__(id="table")
        self.board = board
        self.view = View(board.stock)
        #: What to say while there is no row to show.
        self.empty: list[Line] = []
        self._heads = column_heads
        self._cursor: int | None = None  # a row id; None until the cursor was moved
        self._cursor_line = 0

    @property
    def paused(self) -> bool:
        """True while the table shows a moment of the past."""
        return self.view.stock is not self.board.stock

    @property
    def cursor_row(self) -> int | None:
        """The row under the cursor, None in an empty table."""
        rows = self.view.rows
        return rows[min(self._cursor_line, len(rows) - 1)] if rows else None

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that fit now."""
        stock = self.view.stock
        return layout(
            self.scrollable_content_region.width,
            stock.sku_width,
            many_sites=len(stock.sites) > 1,
            safety=stock.has_safety,
        )

    def flush(self) -> None:
        """Take in what changed since the last call and repaint the lines that show it."""
        changed = self.board.stock.take_changed()
        if self.paused or not changed:
            return
        if self.view.update(changed):
            self.contents_changed()
            return
        top = self.scroll_offset.y
        visible = self.view.rows[top : top + self.size.height]
        regions = _regions([y for y, row in enumerate(visible) if row in changed], self.size.width)
        if regions:
            self.refresh(*regions)

    def tick(self) -> None:
        """Once a second: ages grow, fresh rows find their place."""
        if not self.paused and self.view.place():
            self.contents_changed()
        self.show_heads()
        self.refresh()

    def show_heads(self) -> None:
        """Word the titles anew."""
        self._heads.columns = self.columns
        self._heads.show(heads(self.columns, self.view))

    def contents_changed(self) -> None:
        """Draw another list of rows: the cursor stays on its item and, if it can, on its line."""
        rows = self.view.rows
        offset = self._cursor_line - self.scroll_offset.y
        if self._cursor is not None and self._cursor in self.view:
            self._cursor_line = rows.index(self._cursor)
        else:
            self._cursor_line = max(0, min(self._cursor_line, len(rows) - 1))
        self.virtual_size = Size(0, len(rows))
        if self._cursor is not None:
            self.scroll_to(y=self._cursor_line - offset, animate=False, force=True)
        self.show_heads()
        self.refresh()

    def pause(self) -> None:
        """Stand still at this moment, or go on with the present."""
        self.flush()
        stock = self.board.stock
        self.view.show(stock if self.paused else stock.frozen())
        self.contents_changed()

    def put_cursor(self, line: int) -> None:
        """Move the cursor to a line of the table, as near as there is one."""
        rows = self.view.rows
        if not rows:
            return
        self._cursor_line = max(0, min(line, len(rows) - 1))
        self._cursor = rows[self._cursor_line]
        self._keep_in_sight()
        self.refresh()

    def action_move(self, lines: int) -> None:
        """Move the cursor by lines."""
        self.put_cursor(self._cursor_line + lines)

    def action_page(self, pages: int) -> None:
        """Move the cursor by what is seen at once."""
        self.put_cursor(self._cursor_line + pages * max(1, self.size.height - 1))

    def action_edge(self, last: int) -> None:
        """Move the cursor to the first or the last row."""
        self.put_cursor(len(self.view.rows) - 1 if last else 0)

    def on_click(self, event: Click) -> None:
        """Put the cursor under the pointer; open the item on a double click."""
        line = event.y + self.scroll_offset.y
        if line < len(self.view.rows):
            self.put_cursor(line)
            if event.chain == 2:
                self.post_message(self.Opened())

    def on_resize(self) -> None:
        """Fit the columns to the new width."""
        self._keep_in_sight()
        self.show_heads()

    def render_line(self, y: int) -> Strip:
        """Return one painted line, read from the board now."""
        width = self.size.width
        rows = self.view.rows
        line = self.scroll_offset.y + y
        if not rows:
            return self.paint(self.empty[y - 1] if 0 < y <= len(self.empty) else [], width)
        if line >= len(rows):
            return self.paint([], width)
        row, here = rows[line], line == self._cursor_line
        spans = row_line(
            self.view.stock,
            row,
            self.columns,
            time.time(),
            live=self.board.row_is_live(row),
            here=here and self.has_focus,
        )
        return self.paint(spans, width, self._cursor_style() if here else None)

    def _keep_in_sight(self) -> None:
        top, height = self.scroll_offset.y, self.size.height
        if self._cursor_line < top:
            self.scroll_to(y=self._cursor_line, animate=False, force=True)
        elif self._cursor_line >= top + height:
            self.scroll_to(y=self._cursor_line - height + 1, animate=False, force=True)

    def _cursor_style(self) -> Style:
        style = self.get_component_rich_style("stock-table--cursor")
        return Style(color=style.color, bgcolor=style.bgcolor)


def _regions(lines: list[int], width: int) -> list[Region]:
    """Return the drawn lines as few rectangles: neighbours go together."""
    regions: list[Region] = []
    for line in lines:
        if regions and regions[-1].bottom == line:
            regions[-1] = regions[-1].grow((0, 0, 1, 0))
        else:
            regions.append(Region(0, line, width, 1))
    return regions


def sentence(*parts: str) -> list[Line]:
    """Return lines for an empty table: what it waits for."""
    return [[Span("  " + part, "muted" if index else "plain")] for index, part in enumerate(parts)]
