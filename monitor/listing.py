"""What a table shows: rows under a filter, in an order, in columns, moving or paused. Pure.

`ShortList` is for a few thousand rows and always in order. The stock, which may have 100,000 rows
and holds its order, is in stock_listing.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Generic, TypeVar

from monitor import figures
from monitor.query import Query, parse
from monitor.sheet import ALWAYS, Column, Placed, place
from monitor.spans import Line, Span, Tone, cell, printable

Row = TypeVar("Row", bound=Hashable)
Item = TypeVar("Item")
Records = Iterator[list[object]]
_placed = lru_cache(maxsize=32)(place)


class Listing(ABC, Generic[Row]):
    """Rows as a table shows them."""

    #: What the rows are called, for titles and names of exported files.
    name: str
    #: What `urgent_only` leaves, in a word.
    urgent_word: str
    columns: tuple[Column, ...]

    def __init__(self) -> None:
        self.text = ""
        self.urgent_only = False
        self._chosen: dict[str, bool] = {}

    @property
    @abstractmethod
    def rows(self) -> Sequence[Row]:
        """The rows that pass, in their order."""

    @property
    @abstractmethod
    def order(self) -> tuple[str, bool]:
        """The column they are sorted by, and whether the other way round."""

    @property
    @abstractmethod
    def held(self) -> bool:
        """True when figures moved since the rows were put in order."""

    @property
    @abstractmethod
    def paused(self) -> bool:
        """True while a moment of the past is shown."""

    @property
    @abstractmethod
    def waiting(self) -> int:
        """Updates that a pause holds back, 0 where nobody counts them."""

    @abstractmethod
    def __contains__(self, row: object) -> bool: ...

    @abstractmethod
    def flush(self, now: float) -> Collection[Row] | None:
        """Take in what changed; return the rows that may look different now.

        None means that other rows or another order are to be shown.
        """

    @abstractmethod
    def tick(self, now: float) -> bool:
        """Once a second: return whether time brought other rows or another order."""

    @abstractmethod
    def filter(self, text: str, *, urgent_only: bool, now: float) -> None:
        """Show what passes the text of a filter, and of these only the urgent rows if asked."""

    @abstractmethod
    def sort(self, key: str | None = None, *, reverse: bool | None = None) -> None:
        """Put the rows in order now; without arguments in the order they are in."""

    @abstractmethod
    def pause(self, now: float) -> None:
        """Stand still at this moment, or go on with the present."""

    @abstractmethod
    def mark(self, row: Row) -> Span:
        """Return the sign in front of a row, one cell."""

    @abstractmethod
    def cells(self, row: Row, placed: Placed, now: float) -> Line:
        """Return what a row says in a column, exactly as wide as that."""

    @abstractmethod
    def records(self, placed: Sequence[Placed]) -> Records:
        """Yield headings and rows as shown now, for a file; whatever happens meanwhile."""

    @abstractmethod
    def copied(self, row: Row) -> str:
        """Return what names the row elsewhere."""

    def worth_showing(self, key: str) -> bool:
        """Return whether a column is shown without being asked for."""
        del key
        return True

    def is_shown(self, column: Column) -> bool:
        """Return whether a column is shown when there is room."""
        return self._chosen.get(column.key, self.worth_showing(column.key))

    def choose(self, keys: Iterable[str]) -> None:
        """Show these columns and no others, except those that are always there."""
        wanted = set(keys)
        self._chosen = {
            column.key: column.key in wanted or column.rank >= ALWAYS for column in self.columns
        }

    def placed(self, width: int) -> tuple[Placed, ...]:
        """Return the columns that fit `width` cells."""
        return _placed(tuple(filter(self.is_shown, self.columns)), width)

    def line(self, row: Row, placed: Sequence[Placed], now: float, *, here: bool) -> Line:
        """Return what a row says; `here` marks the cursor."""
        line = [Span("▌" if here else " ", "accent"), self.mark(row), Span(" ")]
        for each in placed:
            line += self.cells(row, each, now)
            line.append(Span(" "))
        return line


class Sheet(ABC, Generic[Item]):
    """One kind of rows for a ShortList: which there are and what they say."""

    name: str
    urgent_word: str
    columns: tuple[Column, ...]
    #: The key and direction of the order to begin with.
    first_order: tuple[str, bool]
    #: Columns that are shown only when asked for.
    extra: frozenset[str] = frozenset()

    @abstractmethod
    def items(self) -> Iterable[Item]:
        """Return all items, as values that stay what they are."""

    @abstractmethod
    def key(self, item: Item) -> Hashable:
        """Return what identifies an item from one moment to the next."""

    @abstractmethod
    def value(self, item: Item, key: str) -> Any:
        """Return what an item has in a column: text, a number, a moment or None."""

    @abstractmethod
    def mark(self, item: Item) -> Span:
        """Return its sign, one cell."""

    @abstractmethod
    def is_urgent(self, item: Item) -> bool:
        """Return whether a person should look at it."""

    def rank(self, item: Item, key: str) -> Any:
        """Return what an item is sorted by in a column."""
        return self.value(item, key)

    def stamp(self) -> int | None:
        """Return how many changes there were so far; None when only a look can tell."""
        return None

    def tone(self, item: Item, key: str) -> Tone:
        """Return how a cell is meant."""
        del item, key
        return "plain"

    def text(self, item: Item, column: Column, now: float, width: int) -> str:
        """Return what stands in a cell."""
        value = self.value(item, column.key)
        if value is None:
            return ""
        if column.kind == "moment":
            return figures.list_age(now - value)
        return figures.number(value, width) if column.kind == "number" else str(value)

    def copied(self, item: Item) -> str:
        """Return what names the item elsewhere."""
        return str(self.value(item, self.columns[0].key) or "")


class ShortList(Listing[Hashable], Generic[Item]):
    """The items of a sheet that pass the filter, always in order."""

    def __init__(self, sheet: Sheet[Item]) -> None:
        super().__init__()
        self.sheet = sheet
        self.name, self.urgent_word, self.columns = sheet.name, sheet.urgent_word, sheet.columns
        self.items: dict[Hashable, Item] = {}
        self._rows: list[Hashable] = []
        self._order = sheet.first_order
        self._all: list[Item] = []
        self._query = Query()
        self._stamp: int | None = None
        self._paused = False

    def __contains__(self, row: object) -> bool:
        return row in self.items

    @property
    def rows(self) -> list[Hashable]:
        """The keys of the items that pass, in order."""
        return self._rows

    @property
    def order(self) -> tuple[str, bool]:
        """The column they are sorted by, and whether the other way round."""
        return self._order

    @property
    def held(self) -> bool:
        """A short list is always in order."""
        return False

    @property
    def paused(self) -> bool:
        """True while a moment of the past is shown."""
        return self._paused

    @property
    def waiting(self) -> int:
        """Updates since the pause, where the sheet counts them."""
        return (self.sheet.stamp() or 0) - (self._stamp or 0) if self._paused else 0

    def worth_showing(self, key: str) -> bool:
        """Return whether a column is shown without being asked for."""
        return key not in self.sheet.extra

    def flush(self, now: float) -> Collection[Hashable] | None:
        """Take in what changed, if the sheet can tell that something did."""
        if self.sheet.stamp() == self._stamp:
            return ()
        return None if self.tick(now) else self.items

    def tick(self, now: float) -> bool:
        """Look at all items again."""
        if self._paused:
            return False
        before = self._rows
        self._select(now)
        return before != self._rows

    def filter(self, text: str, *, urgent_only: bool, now: float) -> None:
        """Show what passes."""
        self.text, self.urgent_only = text, urgent_only
        self._query = parse(text, self.columns)
        self._select(now)

    def sort(self, key: str | None = None, *, reverse: bool | None = None) -> None:
        """Put the rows in another order."""
        before, way = self._order
        self._order = (key or before, way if reverse is None else reverse)
        self._arrange()

    def pause(self, now: float) -> None:
        """Stand still, or go on."""
        self._paused = not self._paused
        if not self._paused:
            self._select(now)

    def mark(self, row: Hashable) -> Span:
        """Return the sign of a row."""
        return self.sheet.mark(self.items[row])

    def cells(self, row: Hashable, placed: Placed, now: float) -> Line:
        """Return a row in a column."""
        item, column = self.items[row], placed.column
        text = printable(self.sheet.text(item, column, now, placed.width))
        tone = self.sheet.tone(item, column.key)
        return [Span(cell(text, placed.width, right=column.right), tone)]

    def records(self, placed: Sequence[Placed]) -> Records:
        """Yield what is shown; a moment in full."""
        rows = [[self._record(self.items[row], each) for each in placed] for row in self.rows]
        return iter([[each.key for each in placed], *rows])

    def copied(self, row: Hashable) -> str:
        """Return what names the row."""
        return self.sheet.copied(self.items[row])

    def words_of(self) -> Callable[[Item], str]:
        """Return what finds all text of an item, casefolded."""
        return self._words

    def value_of(self, key: str) -> Callable[[Item], Any]:
        """Return what finds the value of an item in a column."""
        return lambda item: self.sheet.value(item, key)

    def _words(self, item: Item) -> str:
        values = (self.sheet.value(item, c.key) for c in self.columns if c.kind == "text")
        return "\n".join(str(value) for value in values if value is not None).casefold()

    def _record(self, item: Item, placed: Placed) -> object:
        value = self.sheet.value(item, placed.key)
        if value is not None and placed.column.kind == "moment":
            return datetime.fromtimestamp(value, UTC).isoformat()
        return value

    def _select(self, now: float) -> None:
        if not self._paused:
            self._stamp = self.sheet.stamp()
            self._all = list(self.sheet.items())
        items = [item for item in self._all if not self.urgent_only or self.sheet.is_urgent(item)]
        found = self._query.select(items, self, now)
        self.items = {self.sheet.key(item): item for item in found}
        self._arrange()

    def _arrange(self) -> None:
        first, first_reverse = self.sheet.first_order
        rows = self._sorted(list(self.items), first, reverse=first_reverse)
        if self._order != self.sheet.first_order:
            rows = self._sorted(rows, self._order[0], reverse=self._order[1])
        self._rows = rows

    def _sorted(self, rows: list[Hashable], key: str, *, reverse: bool) -> list[Hashable]:
        ages = any(column.key == key and column.kind == "moment" for column in self.columns)

        def rank(row: Hashable) -> Any:
            value = self.sheet.rank(self.items[row], key)
            if value is None:
                return (1, 0)
            return (0, -value if ages else value)  # by age: the youngest first

        return sorted(rows, key=rank, reverse=reverse)
