"""The columns of the stock table: which fit a width, and what a row says in them. Pure."""

from dataclasses import dataclass
from functools import lru_cache

from monitor import figures
from monitor.spans import Line, Span, Tone, cell, printable
from monitor.stock import Stock
from monitor.view import SortKey, View

#: A change of `available` shows its direction for this long.
MOVED_SHOWN_S = 5.0
#: Width of the mark in front of each row.
GUTTER = 2
_SKU_WIDTH_MAX, _SKU_WIDTH_MIN = 24, 8
_NAME_WIDTH_MIN, _NAME_WIDTH_MAX = 12, 48
#: The marks behind the figure of `available`: its direction, its level.
_MARKS_WIDTH = 2
_LEVEL: dict[str, tuple[str, Tone]] = {
    "": (" ", "plain"),
    "low": ("!", "warn"),
    "out": ("✖", "bad"),
}
_DIRECTION = {-1: "▼", 0: " ", 1: "▲"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column as placed: its key, its words, where it begins and how wide it is."""

    key: SortKey
    title: str
    width: int
    right: bool
    x: int = 0


#: Key, title, width, right-aligned; the order on the screen.
_ALL = (
    Column("sku", "SKU", 0, right=False),
    Column("name", "Description", 0, right=False),
    Column("site", "Site", 10, right=False),
    Column("on_hand", "On hand", 9, right=True),
    Column("reserved", "Reserved", 9, right=True),
    Column("safety", "Safety", 7, right=True),
    Column("available", "Available", 10 + _MARKS_WIDTH, right=True),
    Column("as_of", "Age", 7, right=True),
)
#: What goes first when there is no room; SKU and Available never go.
_DROP_ORDER: tuple[SortKey, ...] = ("safety", "as_of", "reserved", "on_hand", "site", "name")


@lru_cache(maxsize=32)
def layout(
    width: int, sku_width: int, *, many_sites: bool = False, safety: bool = False
) -> tuple[Column, ...]:
    """Return the columns that fit `width` cells; `sku_width` is that of the longest SKU.

    Site and safety are shown only where they say something.
    """
    sku = max(_SKU_WIDTH_MIN, min(_SKU_WIDTH_MAX, sku_width, width // 3))
    fixed = {column.key: column.width for column in _ALL}
    fixed |= {"sku": sku, "name": _NAME_WIDTH_MIN}
    if not many_sites:
        del fixed["site"]
    if not safety:
        del fixed["safety"]
    room = width - GUTTER
    for key in _DROP_ORDER:
        if sum(fixed.values()) + len(fixed) <= room:
            break
        fixed.pop(key, None)
    if "name" in fixed:
        spare = room - sum(fixed.values()) - len(fixed)
        fixed["name"] = max(_NAME_WIDTH_MIN, min(_NAME_WIDTH_MAX, _NAME_WIDTH_MIN + spare))
    placed, x = [], GUTTER
    for column in _ALL:
        if column.key in fixed:
            placed.append(Column(column.key, column.title, fixed[column.key], column.right, x))
            x += fixed[column.key] + 1
    return tuple(placed)


def heads(columns: tuple[Column, ...], view: View) -> Line:
    """Return the titles, the sorted one with its direction."""
    line = [Span(" " * GUTTER)]
    for column in columns:
        is_sorted = column.key == view.key
        title = column.title + ("▼" if view.reverse else "▲") if is_sorted else column.title
        if column.key == "available":
            text = cell(title, column.width - _MARKS_WIDTH, right=True) + " " * _MARKS_WIDTH
        else:
            text = cell(title, column.width, right=column.right)
        line += [Span(text, "accent" if is_sorted else "title"), Span(" ")]
    return line


def row_line(
    stock: Stock, row: int, columns: tuple[Column, ...], now: float, *, live: bool, here: bool
) -> Line:
    """Return what a row says; `here` marks the cursor, a row that is not live says so by ◌."""
    tone: Tone = "plain" if live else "muted"
    line = [Span("▌" if here else " ", "accent"), Span(" " if live else "◌", "muted")]
    for column in columns:
        match column.key:
            case "available":
                line += _available(stock, row, column.width, now, tone)
            case "sku":
                line.append(Span(cell(printable(stock.sku[row]), column.width), tone))
            case "name" | "site":
                text = printable(getattr(stock, column.key)[row])
                line.append(Span(cell(text, column.width), "muted"))
            case "as_of":
                text = figures.coarse_age(now - stock.as_of[row])
                line.append(Span(cell(text, column.width, right=True), "muted"))
            case _:
                text = figures.number(getattr(stock, column.key)[row], column.width)
                shown = tone if column.key == "on_hand" else "muted"
                line.append(Span(cell(text, column.width, right=True), shown))
        line.append(Span(" "))
    return line


def _available(stock: Stock, row: int, width: int, now: float, tone: Tone) -> Line:
    room = width - _MARKS_WIDTH
    text = cell(figures.number(stock.available[row], room), room, right=True)
    moved = stock.moved[row] if now - stock.moved_at[row] < MOVED_SHOWN_S else 0
    mark, mark_tone = _LEVEL[stock.level(row)]
    figure_tone = mark_tone if mark != " " and tone == "plain" else tone
    return [
        Span(text, figure_tone),
        Span(_DIRECTION[moved], "good" if moved > 0 else "warn"),
        Span(mark, mark_tone if tone == "plain" else "muted"),
    ]
