"""The stock as a table: its columns and marks, in an order that is held as figures move. Pure."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from monitor import figures
from monitor.board import Board
from monitor.listing import Listing, Records
from monitor.query import parse
from monitor.sheet import ALWAYS, Column, Placed
from monitor.spans import Line, Span, Tone, cell, printable
from monitor.stock import Stock
from monitor.view import View

#: A change of `available` shows its direction for this long.
MOVED_SHOWN_S = 5.0
_SKU_WIDTH_MAX, _SKU_WIDTH_MIN = 24, 8
_LEVEL: dict[str, tuple[str, Tone]] = {
    "": (" ", "plain"),
    "low": ("!", "warn"),
    "out": ("✖", "bad"),
}
_DIRECTION = {-1: "▼", 0: " ", 1: "▲"}
COLUMNS = (
    Column("sku", "SKU", _SKU_WIDTH_MIN, ALWAYS),
    Column("name", "Description", 12, 9, widest=48),
    Column("site", "Site", 10, 8),
    Column("on_hand", "On hand", 9, 7, "number"),
    Column("reserved", "Reserved", 9, 6, "number"),
    Column("safety", "Safety", 7, 2, "number"),
    Column("available", "Available", 12, ALWAYS, "number", marks=2),
    Column("as_of", "Age", 5, 5, "moment"),
    Column("cause", "Cause", 12, 3),
    Column("version", "Version", 9, 1, "number"),
)
#: Shown only when asked for.
_EXTRA = frozenset({"cause", "version"})


class StockListing(Listing[int]):
    """Rows of stock: row ids of the board's stock, or of its frozen copy while paused."""

    name = "stock"
    urgent_word = "low"
    columns = COLUMNS

    def __init__(self, board: Board) -> None:
        super().__init__()
        self._board = board
        self._paused_at = 0
        self.view = View(board.stock)

    def __contains__(self, row: object) -> bool:
        return row in self.view

    @property
    def stock(self) -> Stock:
        """The stock that is shown: the present one, or that of the moment of the pause."""
        return self.view.stock

    @property
    def rows(self) -> list[int]:
        """The rows that pass, in the order that is held."""
        return self.view.rows

    @property
    def order(self) -> tuple[str, bool]:
        """The column they are sorted by, and whether the other way round."""
        return self.view.key, self.view.reverse

    @property
    def held(self) -> bool:
        """True when figures moved since the rows were put in order."""
        return self.view.held

    @property
    def paused(self) -> bool:
        """True while the table shows a moment of the past."""
        return self.view.stock is not self._board.stock

    @property
    def waiting(self) -> int:
        """Updates since the pause."""
        return self._board.stock.applied - self._paused_at if self.paused else 0

    def worth_showing(self, key: str) -> bool:
        """Leave out sites and safety stock where they say nothing."""
        if key == "site":
            return len(self.stock.sites) > 1
        if key == "safety":
            return self.stock.has_safety
        return key not in _EXTRA

    def placed(self, width: int) -> tuple[Placed, ...]:
        """Return the columns that fit, the SKU as wide as the longest if that is not too much."""
        sku = max(_SKU_WIDTH_MIN, min(_SKU_WIDTH_MAX, self.stock.sku_width, width // 3))
        if sku != self.columns[0].width:
            self.columns = (replace(COLUMNS[0], width=sku), *COLUMNS[1:])
        return super().placed(width)

    def flush(self, now: float) -> Collection[int] | None:
        """Take in the rows that changed."""
        changed = self._board.stock.take_changed()
        if self.paused or not changed:
            return ()
        return None if self.view.update(changed, now) else changed

    def tick(self, now: float) -> bool:
        """Let fresh rows find their place, and those come and go that a condition on ages names."""
        return not self.paused and (self.view.place() or self.view.grow_older(now))

    def filter(self, text: str, *, urgent_only: bool, now: float) -> None:
        """Show what passes."""
        self.text, self.urgent_only = text, urgent_only
        self.view.filter(parse(text, self.columns), low_only=urgent_only, now=now)

    def sort(self, key: str | None = None, *, reverse: bool | None = None) -> None:
        """Put the order right."""
        self.view.sort(key, reverse=reverse)

    def pause(self, now: float) -> None:
        """Stand still at this moment, or go on with the present."""
        self.flush(now)
        stock = self._board.stock
        self._paused_at = stock.applied
        self.view.show(stock if self.paused else stock.frozen())

    def mark(self, row: int) -> Span:
        """Return ◌ for what is not live."""
        return Span(" " if self._board.row_is_live(row) else "◌", "muted")

    def cells(self, row: int, placed: Placed, now: float) -> Line:
        """Return a row in a column."""
        stock, width = self.stock, placed.width
        tone: Tone = "plain" if self._board.row_is_live(row) else "muted"
        match placed.key:
            case "available":
                return self._available(row, width, now, tone)
            case "sku":
                return [Span(cell(printable(stock.sku[row]), width), tone)]
            case "name" | "site" | "cause":
                text = printable(getattr(stock, placed.key)[row])
                return [Span(cell(text, width), "muted")]
            case "as_of":
                text = figures.list_age(now - stock.as_of[row])
                return [Span(cell(text, width, right=True), "muted")]
            case _:
                text = figures.number(getattr(stock, placed.key)[row], width)
                shown = tone if placed.key == "on_hand" else "muted"
                return [Span(cell(text, width, right=True), shown)]

    def records(self, placed: Sequence[Placed]) -> Records:
        """Yield what is shown; an age as the moment it counts from, and whether the row is live."""
        stock, rows = self.stock.frozen(), list(self.rows)
        live = {row for row in rows if self._board.row_is_live(row)}
        return _records(stock, rows, [each.key for each in placed], live)

    def copied(self, row: int) -> str:
        """Return the SKU."""
        return self.stock.sku[row]

    def _available(self, row: int, width: int, now: float, tone: Tone) -> Line:
        stock = self.stock
        room = width - 2
        text = cell(figures.number(stock.available[row], room), room, right=True)
        moved = stock.moved[row] if now - stock.moved_at[row] < MOVED_SHOWN_S else 0
        mark, mark_tone = _LEVEL[stock.level(row)]
        figure_tone = mark_tone if mark != " " and tone == "plain" else tone
        return [
            Span(text, figure_tone),
            Span(_DIRECTION[moved], "good" if moved > 0 else "warn"),
            Span(mark, mark_tone if tone == "plain" else "muted"),
        ]


def _records(
    stock: Stock, rows: list[int], keys: list[str], live: set[int]
) -> Iterator[list[object]]:
    yield [*keys, "live"]
    for row in rows:
        yield [
            *(
                datetime.fromtimestamp(stock.as_of[row], UTC).isoformat()
                if key == "as_of"
                else getattr(stock, key)[row]
                for key in keys
            ),
            "yes" if row in live else "no",
        ]
