"""Double-entry bookkeeping inside one transaction: entries, and the sums that move with them.

Everything that changes stock goes through `Books`. Nothing is written before `flush`, which writes
each row once, in key order, whatever number of scans touched it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, case, func, or_, select

from central import lookups, lots, names, schema, statements, turns
from central.alerts import Alerts, Announcement, Concern
from central.catalogue import Catalogue
from central.counts import Counts, StockKey
from central.movements import Movements
from central.rules import ABSORBED, Outside, sellable
from central.watch import Watch, place_ref
from wire.events import Activity

AvailKey = tuple[int, int]  # item, site
#: Lines of the live feed per transaction; the feed is for eyes, the ledger is the record.
ACTIVITY_LINES_MAX = 20


class Cause(NamedTuple):
    """Which event an entry comes from, and when that happened.

    `trusted` is false when the moment is by a clock that nothing had set.
    """

    stream: int
    seq: int
    occurred_us: int
    ref: str | None = None
    trusted: bool = True


class Mark(NamedTuple):
    """Where a transaction can go back to: announcements made, rows to announce and to judge."""

    announced: int
    why: dict[AvailKey, str]
    touched: set[StockKey]
    outflow: set[StockKey]


@dataclass
class Books:
    """The open pages of one transaction."""

    connection: Connection
    catalogue: Catalogue
    alerts: Alerts
    now_us: int
    announcements: list[Announcement] = field(default_factory=list)
    _entries: list[tuple[Any, ...]] = field(default_factory=list)  # statements.ENTRY
    _lines: dict[tuple[int, int], int] = field(default_factory=dict)
    _stock: dict[StockKey, int] = field(default_factory=dict)
    _on_hand: dict[AvailKey, int] = field(default_factory=dict)  # changes of it
    _reserved: dict[AvailKey, int] = field(default_factory=dict)
    _outflow: set[StockKey] = field(default_factory=set)  # places that something left
    _touched: set[StockKey] = field(default_factory=set)
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
        if self.counts.newest:
            self._move(cause, item, lot, ends, qty)

    def reverse(self, cause: Cause, row: Row[Any]) -> None:
        """Take back a movement's entry: the same goods the other way, citing it.

        At its own time: a count since then has already seen what really is there.
        """
        ends = (row.to_loc, row.from_loc)
        then = cause._replace(occurred_us=row.occurred_us)
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
        then = cause._replace(occurred_us=then_us)
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
        then = cause._replace(occurred_us=count.at_us)
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
        self._reserved[item, site] = self._reserved.get((item, site), 0) + delta
        self._why[item, site] = why

    def offer(self, item: int, site: int, delta: int, why: str) -> None:
        """Change what is on hand without a movement: a place begins to sell, or ends."""
        self._on_hand[item, site] = self._on_hand.get((item, site), 0) + delta
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
        self._change(cause._replace(occurred_us=count.at_us), key, -change, ABSORBED)
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
        stream, seq, occurred_us, ref, _ = cause
        line = self._lines.get((stream, seq), 0)
        self._lines[stream, seq] = line + 1
        origin, target = ends
        self._entries.append((
            stream, seq, line, item, lot, origin, target, qty, reason, ref, occurred_us,
            self.now_us, reverses, res,
        ))  # fmt: skip
        self.movements.add(ends, item, lot, qty, reason, ref, res, is_undo=reverses is not None)
        self._outflow.add((item, origin, lot))
        stock = self._stock
        for place, change in ((origin, -qty), (target, qty)):
            key = (item, place, lot)
            stock[key] = stock.get(key, 0) + change
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

    def mark(self) -> Mark:
        """Return what is known now, for `abandon`; the caller makes a savepoint, nothing pends."""
        return Mark(
            len(self.announcements), self._why.copy(), self._touched.copy(), self._outflow.copy()
        )

    def abandon(self, mark: Mark) -> None:
        """Forget what came after a mark.

        The caller has rolled back to a savepoint, so whatever was learned since may not exist.
        """
        for pending in (
            self._entries, self._lines, self._stock, self._on_hand, self._reserved, self._labels
        ):  # fmt: skip
            pending.clear()
        self.counts.forget()
        self.movements.abandon()
        self._why, self._touched, self._outflow = mark.why, mark.touched, mark.outflow
        del self.announcements[mark.announced :]
        self.alerts.forget()
        self.catalogue.forget()
        self.catalogue.refresh(self.connection)

    def flush_entries(self) -> None:
        """Write the entries so far, for whoever must query them in this transaction."""
        if self._entries:
            statements.add(self.connection, statements.ADD_ENTRIES, statements.ENTRY, self._entries)
            self._entries.clear()

    def flush(self) -> None:
        """Write everything that is pending, each table in key order (so that nobody deadlocks)."""
        self.flush_entries()
        self._flush_labels()
        self._flush_stock()
        self._flush_avail()
        self.movements.keep()

    def close(self) -> None:
        """Write everything, judge it, and tell what changed: once for each row."""
        self.flush()
        keys = sorted(self._why)
        labels = self.catalogue.names.of(self.connection, keys)
        places = [key for key in self._touched if not self.catalogue.is_outside(key[1])]
        levels = lookups.ask_levels(self.connection, keys)  # nobody waits for these until
        self.watch.learn(places, labels)  # all is asked for
        below = self.watch.below_zero(places, self._outflow)
        as_of = names.moment(self.now_us)
        judged, turned = [], []
        low, short = self.alerts.known("low_stock"), self.alerts.known("shortage")
        for label, row in zip(labels, sorted(levels()), strict=True):
            item, site, on_hand, reserved, safety, ver, low_stock, sold_out = row
            cause = self._why[item, site]
            body = names.message(label, on_hand, reserved, safety, ver, as_of, cause)
            self.announcements.append(Announcement("availability", label.key, body))
            if low_stock is not None or on_hand < reserved or low or short:
                judged.append(names.level(row, label))
            if (sellable(on_hand, reserved, safety, label.active) <= 0) != bool(sold_out):
                turned.append(names.level(row, label))
        self.watch.places(below)
        self.watch.availability(judged)
        turns.tell(self.connection, turned, self.announcements)
        self.announcements += self.movements.told(self.now_us)
        for done in (self._why, self._touched, self._outflow):
            done.clear()

    def _flush_labels(self) -> None:
        if self._labels:
            lots.learn(self.connection, self.watch, self._labels)
            self._labels.clear()

    def _flush_stock(self) -> None:
        if not self._stock:
            return
        dialect, newest = self.connection.dialect.name, self.counts.newest
        changes = sorted(self._stock.items())
        rows: list[tuple[Any, ...]]
        if newest:
            rows = [(*key, qty, newest.get(key)) for key, qty in changes]
            add = statements.add_counted(dialect)
            statements.add(self.connection, add, statements.COUNTED, rows)
        else:
            rows = [(*key, qty) for key, qty in changes]
            add = statements.add_uncounted(dialect)
            statements.add(self.connection, add, statements.UNCOUNTED, rows)
        self._touched.update(self._stock)
        self._stock.clear()

    def _flush_avail(self) -> None:
        if self._reserved:
            # Only a row that exists can have promises; the others may be new.
            promised = [
                {"i": i, "s": s, "h": self._on_hand.pop((i, s), 0), "r": r}
                for (i, s), r in sorted(self._reserved.items())
            ]
            statements.write(self.connection, statements.CHANGE_PROMISES, promised)
            self._reserved.clear()
        if self._on_hand:
            ver = self.catalogue.version_floor + 1
            rows = [(i, s, h, 0, 0, ver) for (i, s), h in sorted(self._on_hand.items())]
            add = statements.add_availability(self.connection.dialect.name)
            statements.add(self.connection, add, statements.AVAIL, rows)
            self._on_hand.clear()

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


def _touching(key: StockKey) -> tuple[Any, ...]:
    item, place, lot = key
    entry = schema.entry
    return (
        entry.c.item == item,
        entry.c.lot == lot,
        or_(entry.c.from_loc == place, entry.c.to_loc == place),
    )
