"""What of the stock is shown, and in which order. Pure.

The order is held while figures move, so that a line does not jump away under the eye; `sort` puts
it right. Which rows are in is always exact: a row that becomes low enters the low list by itself.
"""

from collections.abc import Callable, Iterable
from typing import Any, Literal

from monitor.stock import Stock

SortKey = Literal["sku", "name", "site", "on_hand", "reserved", "safety", "available", "as_of"]
SORT_KEYS: tuple[SortKey, ...] = (
    "sku", "name", "site", "on_hand", "reserved", "safety", "available", "as_of",
)  # fmt: skip
#: Keys that never change: a row has one right place among the others.
_FIXED: frozenset[SortKey] = frozenset({"sku", "site"})


class View:
    """Row ids that pass the filter, in a held order."""

    def __init__(self, stock: Stock) -> None:
        self.stock = stock
        self.rows: list[int] = []
        self.key: SortKey = "sku"
        self.reverse = False
        self.low_only = False
        self.words: tuple[str, ...] = ()
        #: True when something changed that may give another order than the one held.
        self.held = False
        self._members: set[int] = set()
        self._order: list[int] = []
        self._rank: list[int] = []
        self._unplaced = False
        self.sort()

    def __contains__(self, row: object) -> bool:
        return row in self._members

    def show(self, stock: Stock) -> None:
        """Look at another state of the stock, for instance a frozen one."""
        self.stock = stock
        self._adopt_new_rows()
        self._select()

    def filter(self, text: str, *, low_only: bool) -> None:
        """Show rows that hold every word of `text`, and of these only the low ones if asked."""
        self.words = tuple(text.casefold().split())
        self.low_only = low_only
        self._select()

    def sort(self, key: SortKey | None = None, *, reverse: bool | None = None) -> None:
        """Put all rows in order now; without arguments by the key they are sorted by."""
        self.key = key or self.key
        self.reverse = self.reverse if reverse is None else reverse
        self._adopt_new_rows()
        order = self._order
        if len(self.stock.sites) > 1:
            order.sort(key=self.stock.site.__getitem__)
        order.sort(key=self.stock.sku.__getitem__)
        if self.key != "sku" or self.reverse:
            order.sort(key=self._value(), reverse=self.reverse)
        for rank, row in enumerate(order):
            self._rank[row] = rank
        self.held = self._unplaced = False
        self._select()

    def update(self, changed: Iterable[int]) -> bool:
        """Take in changed rows, new ones at the end; True when other rows are shown than before."""
        arrived = [row for row in self._adopt_new_rows() if self.matches(row)]
        self.rows.extend(arrived)
        self._members.update(arrived)
        swapped = False
        for row in changed:
            if (row in self._members) != self.matches(row):
                (self._members.discard if row in self._members else self._members.add)(row)
                swapped = True
            self.held = self.held or self.key not in _FIXED
        if swapped:
            self.rows = sorted(self._members, key=self._rank.__getitem__)
        return swapped or bool(arrived)

    def place(self) -> bool:
        """Give new rows their place if the order allows no other; True when lines have moved."""
        if not (self._unplaced and self.key in _FIXED):
            return False
        self.sort()
        return True

    def matches(self, row: int) -> bool:
        """Return whether the filter lets a row pass."""
        stock = self.stock
        if row in stock.gone or (self.low_only and row not in stock.low):
            return False
        search = stock.search[row]
        return all(word in search for word in self.words)

    def _adopt_new_rows(self) -> range:
        new = range(len(self._rank), len(self.stock.sku))
        self._rank.extend(new)
        self._order.extend(new)
        self._unplaced = self._unplaced or bool(new)
        return new

    def _select(self) -> None:
        if self.words or self.low_only or self.stock.gone:
            self.rows = [row for row in self._order if self.matches(row)]
        else:
            self.rows = list(self._order)
        self._members = set(self.rows)

    def _value(self) -> Callable[[int], Any]:
        if self.key == "as_of":
            as_of = self.stock.as_of
            return lambda row: -as_of[row]  # sorted by age: the youngest first
        column: list[Any] = getattr(self.stock, self.key)
        return column.__getitem__
