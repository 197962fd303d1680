"""What of the stock is shown, and in which order. Pure.

The order is held while figures move, so that a line does not jump away under the eye; `sort` puts
it right. Which rows are in is always exact: a row that becomes low enters the low list by itself.
"""

from collections.abc import Iterable

from monitor.query import Query
from monitor.stock import Stock

#: Keys that never change: a row has one right place among the others.
_FIXED = frozenset({"sku", "site"})


class View:
    """Row ids that pass the filter, in a held order."""

    def __init__(self, stock: Stock) -> None:
        self.stock = stock
        self.rows: list[int] = []
        self.key = "sku"
        self.reverse = False
        self.low_only = False
        self.query = Query()
        #: True when something changed that may give another order than the one held.
        self.held = False
        self._now = 0.0
        self._found: set[int] | None = None  # what is in rows, made when somebody asks
        # All rows by SKU and site, mostly sorted, so that every other order takes one sort only.
        self._base: list[int] = []
        self._order: list[int] = []
        self._base_is_sorted = True
        self._rank: list[int] = []  # of each row in _order; empty until it is needed
        self._unplaced = False
        self.sort()

    def __contains__(self, row: object) -> bool:
        return row in self._members()

    def show(self, stock: Stock) -> None:
        """Look at another state of the stock, for instance a frozen one."""
        self.stock = stock
        self._adopt_new_rows()
        self._select()

    def filter(self, query: Query, *, low_only: bool, now: float = 0.0) -> None:
        """Show what passes a query at `now`, and of these only the low ones if asked."""
        self.query, self.low_only, self._now = query, low_only, now
        self._select()

    def sort(self, key: str | None = None, *, reverse: bool | None = None) -> None:
        """Put all rows in order now; without arguments by the key they are sorted by."""
        self.key = key or self.key
        self.reverse = self.reverse if reverse is None else reverse
        self._adopt_new_rows()
        if not self._base_is_sorted:
            sku, site = self.stock.sku, self.stock.site
            self._base.sort(key=lambda row: (sku[row], site[row]))
            self._base_is_sorted = True
        plain = self.key == "sku" and not self.reverse
        backwards = self.reverse != (self.key == "as_of")  # sorted by age: the youngest first
        self._order = (
            list(self._base)
            if plain
            else sorted(self._base, key=self.stock.value_of(self.key), reverse=backwards)
        )
        self._rank = []
        self.held = self._unplaced = False
        self._select()

    def update(self, changed: Iterable[int], now: float = 0.0) -> bool:
        """Take in changed rows, new ones at the end; True when other rows are shown than before."""
        self._now = now
        new = self._adopt_new_rows()
        arrived = [row for row in new if self.matches(row)]
        self.rows.extend(arrived)
        members = self._members()
        members.update(arrived)
        moves = self.key not in _FIXED
        swapped = False
        for row in changed:
            if row not in new and (row in members) != self.matches(row):
                (members.discard if row in members else members.add)(row)
                swapped = True
            self.held = self.held or moves
        if swapped:
            self.rows = sorted(members, key=self._ranks().__getitem__)
        return swapped or bool(arrived)

    def place(self) -> bool:
        """Give new rows their place if the order allows no other; True when lines have moved."""
        if not (self._unplaced and self.key in _FIXED):
            return False
        self.sort()
        return True

    def grow_older(self, now: float) -> bool:
        """Let rows come and go that a condition on ages is about; True when some did."""
        self._now = now
        if not self.query.ages:
            return False
        before = self.rows
        self._select()
        return before != self.rows

    def matches(self, row: int) -> bool:
        """Return whether the filter lets a row pass."""
        if row in self.stock.gone or (self.low_only and row not in self.stock.low):
            return False
        return not self.query or self.query.matches(row, self.stock, self._now)

    def _adopt_new_rows(self) -> range:
        new = range(len(self._order), len(self.stock.sku))
        self._base.extend(new)
        self._order.extend(new)
        if self._rank:
            self._rank.extend(new)
        self._unplaced = self._unplaced or bool(new)
        self._base_is_sorted = self._base_is_sorted and not new
        return new

    def _ranks(self) -> list[int]:
        if not self._rank:
            self._rank = [0] * len(self._order)
            for rank, row in enumerate(self._order):
                self._rank[row] = rank
        return self._rank

    def _select(self) -> None:
        stock, rows = self.stock, self._order
        if self.low_only:
            rows = [row for row in rows if row in stock.low]
        if stock.gone:
            rows = [row for row in rows if row not in stock.gone]
        self.rows = self.query.select(rows, stock, self._now)
        self._found = None

    def _members(self) -> set[int]:
        if self._found is None:
            self._found = set(self.rows)
        return self._found
