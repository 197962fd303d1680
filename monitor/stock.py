"""The availability of every item at every site, as columns. Pure; 100,000 rows are its usual size.

A row id is an index into every column and never changes, so a view is a list of row ids.
"""

import copy
from array import array
from collections.abc import Callable
from typing import Any, Literal

from monitor.spans import printable
from monitor.trail import Trails
from wire.events import Availability

Level = Literal["", "low", "out"]

_COLUMNS = (
    "sku", "site", "name", "on_hand", "reserved", "safety", "available", "version", "as_of",
    "cause", "generation", "moved", "moved_at", "search",
)  # fmt: skip


class Stock:
    """Columns of stock; `apply` costs the same whatever the size.

    `changed` collects the rows touched since it was last taken. `generation` of a row is the link
    generation that last heard it: an older one was not heard since the link came back.
    """

    def __init__(self, low_limit: int, opened: float = 0.0) -> None:
        self.low_limit = low_limit
        self.opened = opened
        self.sku: list[str] = []
        self.site: list[str] = []
        self.name: list[str] = []
        # Figures are arrays: a third of the memory, and nothing for the garbage collector to visit.
        self.on_hand = array("q")
        self.reserved = array("q")
        self.safety = array("q")
        self.available = array("q")
        self.version = array("q")
        self.as_of = array("d")
        self.cause: list[str] = []
        self.generation = array("l")
        #: +1 when the last change raised `available`, -1 when it lowered it, and when.
        self.moved = array("b")
        self.moved_at = array("d")
        #: What the filter looks into.
        self.search: list[str] = []
        self.gone: set[int] = set()
        self.low: set[int] = set()
        self.out: set[int] = set()
        self.changed: set[int] = set()
        self.sites: set[str] = set()
        #: True once any item held back a safety stock: only then is the column worth its room.
        self.has_safety = False
        self.trails = Trails(opened)
        self.sku_width = 0
        #: How many updates were taken since the start.
        self.applied = 0
        self._index: dict[tuple[str, str], int] = {}

    def __len__(self) -> int:
        return len(self.sku) - len(self.gone)

    def apply(self, item: Availability, now: float, generation: int) -> bool:
        """Take an availability; False when its version is not newer than what is known."""
        row = self._index.get((item.site, item.sku))
        if row is None:
            self._append(item, generation)
            return True
        if row in self.gone:
            self.gone.discard(row)
        elif item.version <= self.version[row]:
            if item.version == self.version[row] and self.generation[row] != generation:
                self.generation[row] = generation
                self.changed.add(row)
            return False
        else:
            self._move(row, item.available, now)
        self.on_hand[row] = item.on_hand
        self.reserved[row] = item.reserved
        self.safety[row] = item.safety
        self.has_safety = self.has_safety or item.safety > 0
        self.available[row] = item.available
        self.version[row] = item.version
        self.as_of[row] = item.as_of.timestamp()
        self.cause[row] = item.cause
        self.generation[row] = generation
        if item.name != self.name[row]:
            self.name[row] = item.name
            self.search[row] = f"{item.sku}\n{item.name}\n{item.site}".casefold()
        self._taken(row)
        return True

    def row(self, site: str, sku: str) -> int | None:
        """Return the row of an item at a site, None when it has none."""
        row = self._index.get((site, sku))
        return None if row is None or row in self.gone else row

    def remove(self, site: str, sku: str) -> bool:
        """Take an item away whose topic was cleared; False when it is not there."""
        row = self._index.get((site, sku))
        if row is None or row in self.gone:
            return False
        self.gone.add(row)
        self.low.discard(row)
        self.out.discard(row)
        self.changed.add(row)
        return True

    def level(self, row: int) -> Level:
        """Return whether a row is sold out, low, or neither: the one rule of list and marks."""
        return "out" if row in self.out else "low" if row in self.low else ""

    def take_changed(self) -> set[int]:
        """Return the rows touched since the last call."""
        changed, self.changed = self.changed, set()
        return changed

    def words_of(self) -> Callable[[int], str]:
        """Return what finds all text of a row, casefolded."""
        return self.search.__getitem__

    def value_of(self, key: str) -> Callable[[int], Any]:
        """Return what finds the value of a row in a column."""
        found: Callable[[int], Any] = getattr(self, key).__getitem__
        return found

    def frozen(self) -> "Stock":
        """Return a copy that stands still while this one goes on; only the trails go on in both."""
        twin = copy.copy(self)
        for column in _COLUMNS:
            setattr(twin, column, getattr(self, column)[:])
        twin.gone, twin.low, twin.out = set(self.gone), set(self.low), set(self.out)
        twin.sites, twin.changed = set(self.sites), set()
        return twin

    def _append(self, item: Availability, generation: int) -> None:
        row = self._index[item.site, item.sku] = len(self.sku)
        self.sku.append(item.sku)
        self.site.append(item.site)
        self.name.append(item.name)
        self.on_hand.append(item.on_hand)
        self.reserved.append(item.reserved)
        self.safety.append(item.safety)
        self.available.append(item.available)
        self.version.append(item.version)
        self.as_of.append(item.as_of.timestamp())
        self.cause.append(item.cause)
        self.generation.append(generation)
        self.moved.append(0)
        self.moved_at.append(0.0)
        self.search.append(f"{item.sku}\n{item.name}\n{item.site}".casefold())
        self.sites.add(item.site)
        self.has_safety = self.has_safety or item.safety > 0
        if len(item.sku) > self.sku_width:
            self.sku_width = max(self.sku_width, len(printable(item.sku)))
        self._taken(row)

    def _move(self, row: int, available: int, now: float) -> None:
        before = self.available[row]
        if available == before:
            return
        self.moved[row] = 1 if available > before else -1
        self.moved_at[row] = now
        since = min(max(self.opened, self.as_of[row]), now)
        self.trails.add(row, now, available, (since, before))

    def _taken(self, row: int) -> None:
        available = self.available[row]
        (self.out.add if available <= 0 else self.out.discard)(row)
        (self.low.add if available <= self.low_limit else self.low.discard)(row)
        self.changed.add(row)
        self.applied += 1
