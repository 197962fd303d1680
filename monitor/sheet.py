"""Columns of a table: which of them fit a width, where each begins, what stands above. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from monitor.spans import Line, Span, cell

#: What a column holds: words, a figure, or a moment in seconds since 1970 that is shown as an age.
Kind = Literal["text", "number", "moment"]

#: Cells in front of each row: the cursor, one mark, a blank.
GUTTER = 3
#: A column with this rank is never left out.
ALWAYS = 100


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `rank` says how long it stays when there is no room: the lowest goes first.

    `width` is its least width in cells, `widest` what it may grow to, `marks` how many cells of
    signs stand behind its figure.
    """

    key: str
    title: str
    width: int
    rank: int
    kind: Kind = "text"
    widest: int = 0
    marks: int = 0

    @property
    def right(self) -> bool:
        """True when it is aligned to the right."""
        return self.kind != "text"


@dataclass(frozen=True, slots=True)
class Placed:
    """A column with its place: `x` cells from the left, `width` cells wide."""

    column: Column
    x: int
    width: int

    @property
    def key(self) -> str:
        """The column's key."""
        return self.column.key


def place(columns: Iterable[Column], width: int) -> tuple[Placed, ...]:
    """Return those columns that fit `width` cells, in their order; spare room makes some wider."""
    kept = list(columns)
    room = width - GUTTER
    while sum(column.width + 1 for column in kept) > room:
        first = min(kept, key=lambda column: column.rank)
        if first.rank >= ALWAYS:
            break
        kept.remove(first)
    spare = room - sum(column.width + 1 for column in kept)
    placed, x = [], GUTTER
    for column in kept:
        more = max(0, min(spare, column.widest - column.width))
        spare -= more
        placed.append(Placed(column, x, column.width + more))
        x += column.width + more + 1
    return tuple(placed)


def heads(placed: Iterable[Placed], key: str, *, reverse: bool) -> Line:
    """Return the titles, the sorted one with its direction."""
    line = [Span(" " * GUTTER)]
    for each in placed:
        column = each.column
        is_sorted = column.key == key
        title = column.title + ("▼" if reverse else "▲") if is_sorted else column.title
        text = cell(title, each.width - column.marks, right=column.right) + " " * column.marks
        line += [Span(text, "accent" if is_sorted else "title"), Span(" ")]
    return line


def named(columns: Collection[Column], word: str) -> Column | None:
    """Return the column that a person means by a word of the filter: its key or title begins so."""
    wanted = _bare(word)
    for column in columns:
        if wanted in {_bare(column.key), _bare(column.title)}:
            return column
    for column in columns:
        if wanted and (_bare(column.title).startswith(wanted) or column.key.startswith(wanted)):
            return column
    return None


def _bare(name: str) -> str:
    return name.casefold().replace(" ", "").replace("_", "")
