"""Double-entry bookkeeping inside one transaction: entries, and the sums that move with them.

Everything that changes stock goes through `Books`. Nothing is written before `flush`, which writes
each row once, in key order, whatever number of scans touched it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, Row, case, func, or_, select

from central import lots, schema, statements, turns
from central.alerts import Alerts, Announcement, Concern
from central.catalogue import Catalogue
from central.counts import Counts, StockKey
from central.movements import Movements
from central.rules import ABSORBED, Outside
from central.watch import Watch, place_ref
from wire.events import Activity, Availability

AvailKey = tuple[int, int]  # item, site
#: Lines of the live feed per transaction; the feed is for eyes, the ledger is the record.
ACTIVITY_LINES_MAX = 20


@dataclass(frozen=True, slots=True)
class Cause:
    """Which event an entry comes from, and when that happened.

    `trusted` is false when the moment is by a clock that nothing had set.
    """

    stream: int
    seq: int
    occurred_us: int
    ref: str | None = None
    trusted: bool = True


@dataclass
class Books:
    """The open pages of one transaction."""

    connection: Connection
    catalogue: Catalogue
    alerts: Alerts
    now_us: int
    announcements: list[Announcement] = field(default_factory=list)
    _entries: list[dict[str, Any]] = field(default_factory=list)
    _lines: dict[tuple[int, int], int] = field(default_factory=dict)
    _stock: dict[StockKey, int] = field(default_factory=dict)
    _avail: dict[AvailKey, tuple[int, int]] = field(default_factory=dict)  # on hand, reserved
    _outflow: set[StockKey] = field(default_factory=set)
    _why: dict[AvailKey, str] = field(default_factory=dict)  # rows to announce, and their cause
    _labels: dict[lots.LotKey, date] = field(default_factory=dict)
    _told: int = 0

    def __post_init__(self) -> None:
        self.watch = Watch(self.connection, self.alerts, self.now_us, self.announcements)
        self.counts = Counts(self.connection)
        self.movements = Movements(self.connection, self.catalogue)

    def post(
        self, cause: Cause, item: int, lot: str, ends: tuple[int, int], qty: int, reason: str,
        *, res: int | None = None,
    ) -> None:  # fmt: skip
        """Move `qty` eaches from `ends[0]` to `ends[1]`; `counts.prepare` was told of the item.

        What happened before a count of either place is already in that count: it is posted, and
        taken back against ADJUST when the count was made, so that a late scan never counts twice.
        `res` names the reservation that the movement ships.
        """
        self._enter(cause, item, lot, ends, qty, reason, res=res)
        self._move(cause, item, lot, ends, qty)

    def reverse(self, cause: Cause, row: Row[Any]) -> None:
        """Take back a movement's entry: the same goods the other way, citing it.

        At its own time: a count since then has already seen what really is there.
        """
        ends = (row.to_loc, row.from_loc)
        then = replace(cause, occurred_us=row.occurred_us)
        self._enter(then, row.item, row.lot, ends, row.qty, "undo", reverses=row.id, res=row.res)
        self._move(then, row.item, row.lot, ends, row.qty)

    def count(
        self, cause: Cause, item: int, lot: str, place: int, qty: int, reason: str = "cycle_count"
    ) -> None:
        """Set a place to what a person saw there; `counts.prepare` was told of the counting."""
        key = (item, place, lot)
        then_us = self.counts.add(
            key, cause.occurred_us, cause.stream, cause.seq, trusted=cause.trusted
        )
        change = qty - (self.balance(key) - self._moved_after(key, then_us))
        then = replace(cause, occurred_us=then_us)
        self._change(then, key, change, reason)
        self._absorb(then, key, change, then_us)
        self._stock.setdefault(key, 0)  # the row carries the time of the count, changed or not
        newest = self.counts.newest[key] == then_us
        if not cause.trusted and self._others_after(key, then):
            self.watch.late_count(key)
        elif cause.trusted and newest:
            self.watch.settle("late_count", place_ref(*key))

    def take_back_count(self, cause: Cause, count: Row[Any]) -> None:
        """Undo a count: what it and the late scans before it posted at its moment goes back."""
        key = (count.item, count.loc, count.lot)
        then = replace(cause, occurred_us=count.at_us)
        change = 0
        for row in self._entries_of_count(count):
            ends = (row.to_loc, row.from_loc)
            self._enter(then, row.item, row.lot, ends, row.qty, "undo", reverses=row.id)
            change += row.qty if row.from_loc == count.loc else -row.qty
        self.counts.remove(key, count.at_us)
        self._absorb(then, key, change, count.at_us)

    def balance(self, key: StockKey) -> int:
        """Return what is in a place, this transaction included."""
        stock = schema.stock
        stored = self.connection.execute(
            select(stock.c.qty).where(
                stock.c.item == key[0], stock.c.loc == key[1], stock.c.lot == key[2]
            )
        ).scalar()
        return (stored or 0) + self._stock.get(key, 0)

    def promise(self, item: int, site: int, delta: int, why: str) -> None:
        """Change what is promised, together with what is on hand, in one row update at the end."""
        on_hand, reserved = self._avail.get((item, site), (0, 0))
        self._avail[item, site] = (on_hand, reserved + delta)
        self._why[item, site] = why

    def offer(self, item: int, site: int, delta: int, why: str) -> None:
        """Change what is on hand without a movement: a place begins to sell, or ends."""
        on_hand, reserved = self._avail.get((item, site), (0, 0))
        self._avail[item, site] = (on_hand + delta, reserved)
        self._why[item, site] = why

    def label(self, item: int, lot: str, expires: date) -> None:
        """Note when a label says that a lot expires."""
        if self._labels.setdefault((item, lot), expires) != expires:
            self._flush_labels()
            self._labels[item, lot] = expires

    def changed(self, item: int, site: int, why: str) -> None:
        """Say that an availability row was changed by a statement of its own: it is announced."""
        self._why[item, site] = why

    def _move(self, cause: Cause, item: int, lot: str, ends: tuple[int, int], qty: int) -> None:
        origin, target = ends
        # What happens in the very microsecond of a count is before it.
        self._absorb(cause, (item, origin, lot), -qty, cause.occurred_us - 1)
        self._absorb(cause, (item, target, lot), qty, cause.occurred_us - 1)

    def _absorb(self, cause: Cause, key: StockKey, change: int, after_us: int) -> None:
        """Cancel a change of a place at the first count after it, which has seen its goods."""
        count = self.counts.after(key, after_us)
        if count is None or not change:
            return
        self._change(replace(cause, occurred_us=count.at_us), key, -change, ABSORBED)
        if not (cause.trusted and count.trusted) and cause.stream != count.stream:
            self.watch.late_count(key)

    def _change(self, cause: Cause, key: StockKey, change: int, reason: str) -> None:
        """Change one place against ADJUST."""
        item, place, lot = key
        adjust = self.catalogue.place(self.connection, 0, Outside.ADJUST)
        if change:
            ends = (adjust, place) if change > 0 else (place, adjust)
            self._enter(cause, item, lot, ends, abs(change), reason)

    def _enter(
        self, cause: Cause, item: int, lot: str, ends: tuple[int, int], qty: int, reason: str,
        *, reverses: int | None = None, res: int | None = None,
    ) -> None:  # fmt: skip
        line = self._lines.get((cause.stream, cause.seq), 0)
        self._lines[cause.stream, cause.seq] = line + 1
        origin, target = ends
        self._entries.append(
            {
                "stream": cause.stream, "seq": cause.seq, "line": line, "item": item, "lot": lot,
                "from_loc": origin, "to_loc": target, "qty": qty, "reason": reason,
                "ref": cause.ref, "occurred_us": cause.occurred_us, "recorded_us": self.now_us,
                "reverses": reverses, "res": res,
            }
        )  # fmt: skip
        self.movements.add(ends, item, lot, qty, reason, cause.ref, res, is_undo=bool(reverses))
        self._outflow.add((item, origin, lot))
        for place, change in ((origin, -qty), (target, qty)):
            key = (item, place, lot)
            self._stock[key] = self._stock.get(key, 0) + change
            site = self.catalogue.sellable_site(self.connection, place)
            if site is not None:
                self.offer(item, site, change, reason)

    def _moved_after(self, key: StockKey, moment_us: int) -> int:
        """Return the net change of a place by what happened after `moment_us`."""
        self.flush_entries()
        entry = schema.entry
        net = func.sum(case((entry.c.to_loc == key[1], entry.c.qty), else_=-entry.c.qty))
        moved = self.connection.execute(
            select(net).where(*_touching(key), entry.c.occurred_us > moment_us)
        ).scalar()
        return int(moved or 0)

    def _others_after(self, key: StockKey, cause: Cause) -> bool:
        entry = schema.entry
        other = select(entry.c.id).where(
            *_touching(key),
            entry.c.occurred_us > cause.occurred_us,
            entry.c.stream != cause.stream,
        )
        return self.connection.execute(other.limit(1)).first() is not None

    def _entries_of_count(self, count: Row[Any]) -> Sequence[Row[Any]]:
        """Return what stands at a count's moment: its own entry, and what was absorbed by it."""
        self.flush_entries()
        entry = schema.entry
        undone = select(entry.c.reverses).where(entry.c.reverses.is_not(None))
        return self.connection.execute(
            select(entry)
            .where(
                *_touching((count.item, count.loc, count.lot)),
                entry.c.occurred_us == count.at_us,
                or_(
                    entry.c.reason == ABSORBED,
                    (entry.c.stream == count.stream) & (entry.c.seq == count.seq),
                ),
                entry.c.id.not_in(undone.where(entry.c.item == count.item)),
            )
            .order_by(entry.c.id)
        ).all()

    def abandon(self, announced: int) -> None:
        """Forget what is pending and all but the first `announced` announcements.

        The caller has rolled back to a savepoint, so whatever was learned since may not exist.
        """
        for pending in (
            self._entries, self._lines, self._stock, self._avail, self._outflow, self._labels
        ):  # fmt: skip
            pending.clear()
        self.counts.forget()
        self.movements.abandon()
        del self.announcements[announced:]
        self.alerts.forget()
        self.catalogue.forget()
        self.catalogue.refresh(self.connection)

    def flush_entries(self) -> None:
        """Write the entries so far, for whoever must query them in this transaction."""
        if self._entries:
            statements.write(self.connection, statements.ADD_ENTRIES, self._entries)
            self._entries.clear()

    def flush(self) -> None:
        """Write everything that is pending, each table in key order (so that nobody deadlocks)."""
        self.flush_entries()
        self._flush_labels()
        self._flush_stock()
        self._flush_avail()
        self.movements.keep()

    def close(self) -> None:
        """Write everything, and tell what changed: once for each row, however often it did."""
        self.flush()
        keys = sorted(self._why)
        for part in _chunks(keys):
            rows = self.connection.execute(statements.AVAILABLE_OF, {"keys": part}).all()
            for row in rows:
                cause = self._why[row.item, row.site]
                self.announcements.append(announcement(row, self.now_us, cause))
            self.watch.availability(rows)
            turns.tell(self.connection, rows, self.announcements)
        self._why.clear()
        self.announcements += self.movements.told(self.now_us)

    def _flush_labels(self) -> None:
        if self._labels:
            lots.learn(self.connection, self.watch, self._labels)
            self._labels.clear()

    def _flush_stock(self) -> None:
        if not self._stock:
            return
        newest = self.counts.newest
        rows = [
            {"item": i, "loc": loc, "lot": lot, "qty": qty, "count_us": newest.get((i, loc, lot))}
            for (i, loc, lot), qty in sorted(self._stock.items())
        ]
        dialect = self.connection.dialect.name
        statements.write(self.connection, statements.add_stock(dialect), rows)
        inside = sorted(key for key in self._stock if not self.catalogue.is_outside(key[1]))
        self.watch.look("negative_bin", (place_ref(*key) for key in inside))
        suspects = [
            key
            for key in inside
            if key in self._outflow or self.watch.is_open("negative_bin", place_ref(*key))
        ]
        for part in _chunks(suspects):
            for row in self.connection.execute(statements.STOCK_OF, {"keys": part}).all():
                self.watch.place(row)
        self._stock.clear()
        self._outflow.clear()

    def _flush_avail(self) -> None:
        changes = sorted(self._avail.items())
        if not changes:
            return
        ver = self.catalogue.version_floor + 1
        # Only a row that exists can have promises; the others may be new.
        promised = [{"i": i, "s": s, "h": h, "r": r} for (i, s), (h, r) in changes if r]
        ver = self.catalogue.version_floor + 1
        others = [
            {"item": i, "site": s, "on_hand": h, "reserved": 0, "safety": 0, "ver": ver}
            for (i, s), (h, r) in changes
            if not r
        ]
        if promised:
            statements.write(self.connection, statements.CHANGE_PROMISES, promised)
        if others:
            add = statements.add_availability(self.connection.dialect.name)
            statements.write(self.connection, add, others)
        self._avail.clear()

    def tell(self, site: str, name: str, line: Activity) -> None:
        """Put a line into the live feed after the commit; `name` tells it from the others."""
        self._told += 1
        if self._told <= ACTIVITY_LINES_MAX:
            body = line.model_dump_json(exclude_none=True).encode()
            self.announcements.append(Announcement("activity", (site, name), body))

    def raise_alert(self, concern: Concern) -> None:
        """Open an alert, or count it once more."""
        self.watch.raise_alert(concern)

    def settle(self, kind: str, ref: str) -> None:
        """Close an alert, when it is open."""
        self.watch.settle(kind, ref)


def announcement(row: Any, now_us: int, cause: str) -> Announcement:
    """Return what to tell about an availability row joined with its item and site."""
    message = Availability(
        sku=row.sku,
        site=row.code,
        name=row.name,
        version=row.ver,
        on_hand=row.on_hand,
        reserved=row.reserved,
        safety=row.safety,
        available=turns.sellable(row),
        as_of=datetime.fromtimestamp(now_us / 1e6, UTC),
        cause=cause,
    )
    return Announcement("availability", (row.code, row.sku), message.model_dump_json().encode())


def _touching(key: StockKey) -> tuple[Any, ...]:
    item, place, lot = key
    entry = schema.entry
    return (
        entry.c.item == item,
        entry.c.lot == lot,
        or_(entry.c.from_loc == place, entry.c.to_loc == place),
    )


def _chunks(rows: Sequence[Any]) -> Iterable[Sequence[Any]]:
    size = statements.ROWS_MAX
    return (rows[start : start + size] for start in range(0, len(rows), size))
