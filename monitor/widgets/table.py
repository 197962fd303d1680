"""A table that draws the few lines that are seen, whatever the number of rows.

It keeps no copy of the rows. Ten times a second `flush` takes in what changed and repaints the
visible lines that say something else than before, and only these: a calm screen sends nothing over
a slow line.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, ClassVar

from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from monitor.listing import Listing
from monitor.sheet import Placed, heads
from monitor.spans import Line
from monitor.widgets.painted import OneLine, Painted


class ColumnHeads(OneLine):
    """The titles above the table; a click sorts."""

    class Picked(Message):
        """A title was clicked."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    placed: tuple[Placed, ...] = ()

    def on_click(self, event: Click) -> None:
        """Sort by the column below the pointer."""
        for each in self.placed:
            if each.x <= event.x <= each.x + each.width:
                self.post_message(self.Picked(each.key))


class Table(Painted, ScrollView, can_focus=True):
    """Rows of a listing with a cursor that stays on its row."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"table--cursor"}
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

    class Moved(Message):
        """The cursor is on another row, or its row says something else."""

    def __init__(
        self,
        listing: Listing[Any],
        column_heads: ColumnHeads,
        clock: Callable[[], float],
        *,
        worst_first: bool = False,
    ) -> None:
        super().__init__(classes="table")
        self.listing = listing
        #: What comes in on top is what matters most: it is never scrolled away, and the cursor is
        #: on a row of its own from the start, so that a key means the row that was looked at.
        self._worst_first = worst_first
        #: What to say while there is no row to show.
        self.empty: list[Line] = []
        self._heads = column_heads
        self._clock = clock
        self._cursor: Hashable | None = None  # a row; None until the cursor was moved
        self._cursor_line = 0
        self._drawn: dict[int, Line] = {}  # what stands on each line of the screen

    @property
    def cursor_row(self) -> Any:
        """The row under the cursor, None in an empty table."""
        rows = self.listing.rows
        return rows[min(self._cursor_line, len(rows) - 1)] if rows else None

    @property
    def placed(self) -> tuple[Placed, ...]:
        """The columns that fit now."""
        return self.listing.placed(self.scrollable_content_region.width)

    def flush(self) -> None:
        """Take in what changed since the last call."""
        changed = self.listing.flush(self._clock())
        if changed is None:
            self.contents_changed()
        elif changed:
            top = self.scroll_offset.y
            visible = self.listing.rows[top : top + self.size.height]
            self._repaint(y for y, row in enumerate(visible) if row in changed)

    def tick(self) -> None:
        """Once a second: ages grow, fresh rows find their place."""
        if self.listing.tick(self._clock()):
            self.contents_changed()
        else:
            self.show_heads()
            self._repaint(range(self.size.height))

    def show_heads(self) -> None:
        """Word the titles anew."""
        self._heads.placed = self.placed
        key, reverse = self.listing.order
        self._heads.show(heads(self._heads.placed, key, reverse=reverse))

    def contents_changed(self) -> None:
        """Draw another list of rows: the cursor stays on its row and, if it can, on its line."""
        rows = self.listing.rows
        offset = self._cursor_line - self.scroll_offset.y
        line = None if self._cursor is None else _index(rows, self._cursor)
        if line is not None:
            self._cursor_line = line
        else:
            self._cursor_line = max(0, min(self._cursor_line, len(rows) - 1))
            if self._worst_first:
                self._cursor = self.cursor_row
        self.virtual_size = Size(0, len(rows))
        if self._worst_first and self.scroll_offset.y == 0:
            self._keep_in_sight()
        elif self._cursor is not None:
            self.scroll_to(y=self._cursor_line - offset, animate=False, force=True)
        self.show_heads()
        self._drawn.clear()
        self.refresh()
        self.post_message(self.Moved())

    def put_cursor(self, line: int) -> None:
        """Move the cursor to a line of the table, as near as there is one."""
        rows = self.listing.rows
        if not rows:
            return
        self._cursor_line = max(0, min(line, len(rows) - 1))
        self._cursor = rows[self._cursor_line]
        self._keep_in_sight()
        self.refresh()
        self.post_message(self.Moved())

    def go_to(self, row: Hashable) -> bool:
        """Move the cursor to a row; False when the filter leaves it out."""
        if row not in self.listing:
            return False
        self.put_cursor(self.listing.rows.index(row))
        return True

    def action_move(self, lines: int) -> None:
        """Move the cursor by lines."""
        self.put_cursor(self._cursor_line + lines)

    def action_page(self, pages: int) -> None:
        """Move the cursor by what is seen at once."""
        self.put_cursor(self._cursor_line + pages * max(1, self.size.height - 1))

    def action_edge(self, last: int) -> None:
        """Move the cursor to the first or the last row."""
        self.put_cursor(len(self.listing.rows) - 1 if last else 0)

    def on_click(self, event: Click) -> None:
        """Put the cursor under the pointer; open the row on a double click."""
        line = event.y + self.scroll_offset.y
        if line < len(self.listing.rows):
            self.put_cursor(line)
            if event.chain == 2:
                self.post_message(self.Opened())

    def on_resize(self) -> None:
        """Fit the columns to the new width."""
        self._keep_in_sight()
        self.show_heads()

    def render_line(self, y: int) -> Strip:
        """Return one painted line, read from the listing now."""
        line = self._drawn[y] = self._line(y)
        style = self._cursor_style() if self._is_cursor(y) else None
        return self.paint(line, self.size.width, style)

    def _repaint(self, lines: Iterable[int]) -> None:
        """Draw those of the visible lines that say something else now."""
        stale = [y for y in lines if self._line(y) != self._drawn.get(y)]
        if stale:
            self.refresh(*_regions(stale, self.size.width))
            if self._cursor_line - self.scroll_offset.y in stale:
                self.post_message(self.Moved())

    def _line(self, y: int) -> Line:
        rows, at = self.listing.rows, self.scroll_offset.y + y
        if not rows:
            return self.empty[y - 1] if 0 < y <= len(self.empty) else []
        if at >= len(rows):
            return []
        here = self._is_cursor(y) and self.has_focus
        return self.listing.line(rows[at], self.placed, self._clock(), here=here)

    def _is_cursor(self, y: int) -> bool:
        return self.scroll_offset.y + y == self._cursor_line and bool(self.listing.rows)

    def _keep_in_sight(self) -> None:
        top, height = self.scroll_offset.y, self.size.height
        if self._cursor_line < top:
            self.scroll_to(y=self._cursor_line, animate=False, force=True)
        elif self._cursor_line >= top + height:
            self.scroll_to(y=self._cursor_line - height + 1, animate=False, force=True)

    def _cursor_style(self) -> Style:
        style = self.get_component_rich_style("table--cursor")
        return Style(color=style.color, bgcolor=style.bgcolor)


def _index(rows: Sequence[Hashable], row: Hashable) -> int | None:
    """Return on which line a row is; to look once is quicker than to index 100,000 rows."""
    try:
        return rows.index(row)
    except ValueError:
        return None


def _regions(lines: list[int], width: int) -> list[Region]:
    """Return the drawn lines as few rectangles: neighbours go together."""
    regions: list[Region] = []
    for line in lines:
        if regions and regions[-1].bottom == line:
            regions[-1] = regions[-1].grow((0, 0, 1, 0))
        else:
            regions.append(Region(0, line, width, 1))
    return regions
