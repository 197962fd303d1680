"""When each place was counted. A count is what a person saw; it divides what moved there.

Everything before a count is in it. What is posted before it later than the count itself is
therefore taken back at the moment of the next count after it, so that the sum of all entries up to
any moment is what the order of happening gives, whatever order the scans arrive in.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from central import database, lookups, schema, statements

StockKey = tuple[int, int, str]  # item, location, lot


@dataclass
class Counts:
    """The counts that stand, as one transaction sees them; `newest` is filled by `prepare`."""

    connection: Connection
    newest: dict[StockKey, int] = field(default_factory=dict)
    _items: set[int] = field(default_factory=set)
    _counting: set[int] = field(default_factory=set)

    def prepare(self, items: Iterable[int], counting: Iterable[int] = ()) -> None:
        """Look up when the places of these items were last counted.

        Where several processes write, nobody else posts to the `counting` items until the end.
        """
        mine = set(counting) - self._counting
        new = sorted(set(items) - self._items)
        database.lock_items(self.connection, set(new) - mine, mine)
        self._counting.update(mine)
        self._items.update(new)
        for item, place, lot, at_us in lookups.counted_among(self.connection, new):
            self.newest[item, place, lot] = at_us

    def after(self, key: StockKey, moment_us: int) -> Row[Any] | None:
        """Return the first count of a place after a moment."""
        newest = self.newest.get(key)
        if newest is None or newest <= moment_us:
            return None
        return self.connection.execute(
            statements.COUNT_AFTER, _named(key) | {"moment_us": moment_us}
        ).first()

    def add(self, key: StockKey, moment_us: int, stream: int, seq: int, *, trusted: bool) -> int:
        """Note a count; return its moment, moved on by a microsecond where that one is taken."""
        table = schema.counted
        taken = select(table.c.at_us).where(*_of(key), table.c.at_us >= moment_us)
        for other in self.connection.execute(taken.order_by(table.c.at_us)).scalars():
            if other > moment_us:
                break
            moment_us += 1
        self.connection.execute(
            insert(table).values(
                **_named(key), at_us=moment_us, stream=stream, seq=seq, trusted=int(trusted)
            )
        )
        self.newest[key] = max(moment_us, self.newest.get(key, moment_us))
        return moment_us

    def made_by(self, stream: int, seq: int) -> Row[Any] | None:
        """Return the count that an event stands for."""
        table = schema.counted
        return self.connection.execute(
            select(table).where(table.c.stream == stream, table.c.seq == seq)
        ).first()

    def remove(self, key: StockKey, moment_us: int) -> None:
        """Forget a count that was taken back; the one before it is the newest again."""
        table, stock = schema.counted, schema.stock
        self.connection.execute(delete(table).where(*_of(key), table.c.at_us == moment_us))
        newest = self.connection.execute(select(func.max(table.c.at_us)).where(*_of(key))).scalar()
        self.connection.execute(
            update(stock)
            .where(stock.c.item == key[0], stock.c.loc == key[1], stock.c.lot == key[2])
            .values(count_us=newest)
        )
        self.newest.pop(key, None)
        if newest is not None:
            self.newest[key] = newest

    def forget(self) -> None:
        """Look everything up again; after a rollback it may be wrong."""
        self.newest.clear()
        self._items.clear()
        self._counting.clear()


def _named(key: StockKey) -> dict[str, Any]:
    return {"item": key[0], "loc": key[1], "lot": key[2]}


def _of(key: StockKey) -> tuple[Any, ...]:
    table = schema.counted
    return (table.c.item == key[0], table.c.loc == key[1], table.c.lot == key[2])
