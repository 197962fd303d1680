"""Double-entry bookkeeping inside one transaction: entries, and the sums that move with them.

Everything that changes stock goes through `Books.post`. Nothing is written before `flush`, which
writes each row once, in key order, whatever number of scans touched it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, case, func, or_, select

from central import schema, statements
from central.alerts import Alerts, Announcement, Concern
from central.catalogue import Catalogue
from central.rules import Outside
from wire.events import Availability

StockKey = tuple[int, int, str]  # item, location, lot
AvailKey = tuple[int, int]  # item, site
#: Rows named in one statement: below SQLite's limit on parameters.
_CHUNK = 400


@dataclass(frozen=True, slots=True)
class Cause:
    """Which event an entry comes from, and when that happened."""

    stream: int
    seq: int
    occurred_us: int
    ref: str | None = None


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
    _counted: dict[StockKey, int | None] = field(default_factory=dict)
    _counted_items: set[int] = field(default_factory=set)
    _outflow: set[StockKey] = field(default_factory=set)
    _why: dict[AvailKey, str] = field(default_factory=dict)

    def prepare(self, items: Iterable[int]) -> None:
        """Look up when these items' places were last counted; `post` needs it for what it posts.

        Where other processes post too they wait from here on, until this transaction has ended: a
        count and the scans around it must see each other.
        """
        new = sorted(set(items) - self._counted_items)
        self._counted_items.update(new)
        for part in _chunks(new):
            if self.alerts.shared:
                self.connection.execute(statements.LOCK_ITEMS, {"items": part})
            rows = self.connection.execute(statements.COUNTED, {"items": part})
            self._counted.update({(r.item, r.loc, r.lot): r.count_us for r in rows})

    def post(
        self, cause: Cause, item: int, lot: str, ends: tuple[int, int], qty: int, reason: str
    ) -> None:
        """Move `qty` eaches from `ends[0]` to `ends[1]`.

        What happened before a count of either place is already in that count: it is posted, and
        taken back at once against ADJUST, so that a late scan never counts twice.
        """
        self._enter(cause, item, lot, *ends, qty, reason, None)
        self._absorb(cause, item, lot, ends, qty)

    def _absorb(self, cause: Cause, item: int, lot: str, ends: tuple[int, int], qty: int) -> None:
        origin, target = ends
        adjust = self.catalogue.place(self.connection, 0, Outside.ADJUST)
        for place, back in ((origin, (adjust, origin)), (target, (target, adjust))):
            counted_us = self._counted.get((item, place, lot))
            if counted_us is not None and cause.occurred_us < counted_us:
                self._enter(cause, item, lot, *back, qty, "absorbed", None)

    def reverse(self, cause: Cause, row: Any) -> None:
        """Take back an entry's row: the same goods the other way, citing it."""
        ends = (row.to_loc, row.from_loc)
        self._enter(cause, row.item, row.lot, *ends, row.qty, "undo", row.id)
        self._absorb(cause, row.item, row.lot, ends, row.qty)

    def count(self, cause: Cause, item: int, lot: str, place: int, qty: int) -> bool:
        """Set a place to what a person saw there; return False when a newer count is known."""
        key = (item, place, lot)
        counted_us = self._counted.get(key)
        if counted_us is not None and cause.occurred_us < counted_us:
            return False
        should = qty + self._moved_after(key, cause.occurred_us)
        difference = should - self.balance(key)
        adjust = self.catalogue.place(self.connection, 0, Outside.ADJUST)
        if difference:
            ends = (adjust, place) if difference > 0 else (place, adjust)
            self._enter(cause, item, lot, *ends, abs(difference), "cycle_count", None)
        self._counted[key] = cause.occurred_us
        self._stock.setdefault(key, 0)
        self.flush_entries()
        return True

    def balance(self, key: StockKey) -> int:
        """Return what is in a place, this transaction included."""
        stock = schema.stock
        stored = self.connection.execute(
            select(stock.c.qty).where(
                stock.c.item == key[0], stock.c.loc == key[1], stock.c.lot == key[2]
            )
        ).scalar()
        return (stored or 0) + self._stock.get(key, 0)

    def reserve(self, item: int, site: int, delta: int, why: str) -> None:
        """Change what is promised, together with what is on hand, in one row update at the end."""
        on_hand, reserved = self._avail.get((item, site), (0, 0))
        self._avail[item, site] = (on_hand, reserved + delta)
        self._why[item, site] = why

    def _enter(
        self, cause: Cause, item: int, lot: str, origin: int, target: int, qty: int, reason: str,
        reverses: int | None,
    ) -> None:  # fmt: skip
        line = self._lines.get((cause.stream, cause.seq), 0)
        self._lines[cause.stream, cause.seq] = line + 1
        self._entries.append(
            {
                "stream": cause.stream, "seq": cause.seq, "line": line, "item": item, "lot": lot,
                "from_loc": origin, "to_loc": target, "qty": qty, "reason": reason,
                "ref": cause.ref, "occurred_us": cause.occurred_us, "reverses": reverses,
            }
        )  # fmt: skip
        self._outflow.add((item, origin, lot))
        for place, change in ((origin, -qty), (target, qty)):
            key = (item, place, lot)
            self._stock[key] = self._stock.get(key, 0) + change
            site = self.catalogue.sellable_site(self.connection, place)
            if site is not None:
                on_hand, reserved = self._avail.get((item, site), (0, 0))
                self._avail[item, site] = (on_hand + change, reserved)
                self._why[item, site] = reason

    def _moved_after(self, key: StockKey, moment_us: int) -> int:
        """Return the net change of a place by what happened after `moment_us`."""
        self.flush_entries()
        item, place, lot = key
        entry = schema.entry
        net = func.sum(case((entry.c.to_loc == place, entry.c.qty), else_=-entry.c.qty))
        moved = self.connection.execute(
            select(net).where(
                entry.c.item == item,
                entry.c.occurred_us > moment_us,
                entry.c.lot == lot,
                or_(entry.c.from_loc == place, entry.c.to_loc == place),
            )
        ).scalar()
        return int(moved or 0)

    def abandon(self, announced: int) -> None:
        """Forget what is pending and all but the first `announced` announcements.

        The caller has rolled back to a savepoint, so whatever was learned since may not exist.
        """
        for pending in (self._entries, self._lines, self._stock, self._avail, self._outflow):
            pending.clear()
        self._counted.clear()
        self._counted_items.clear()
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
        self._flush_stock()
        self._flush_avail()

    def _flush_stock(self) -> None:
        if not self._stock:
            return
        rows = [
            {
                "item": i,
                "loc": loc,
                "lot": lot,
                "qty": qty,
                "count_us": self._counted.get((i, loc, lot)),
            }
            for (i, loc, lot), qty in sorted(self._stock.items())
        ]
        dialect = self.connection.dialect.name
        statements.write(self.connection, statements.add_stock(dialect), rows)
        outside = self.catalogue.is_outside
        self._watch_below_zero([key for key in self._stock if not outside(key[1])])
        self._stock.clear()
        self._outflow.clear()

    def _watch_below_zero(self, keys: Sequence[StockKey]) -> None:
        refs = [_ref(key) for key in keys if key not in self._outflow]
        self.alerts.look(self.connection, "negative_bin", refs)
        suspects = [
            key
            for key in keys
            if key in self._outflow
            or self.alerts.is_open(self.connection, "negative_bin", _ref(key))
        ]
        for part in _chunks(sorted(suspects)):
            rows = self.connection.execute(statements.STOCK_OF, {"keys": part}).all()
            for row in rows:
                self._judge_bin(row)

    def _judge_bin(self, row: Any) -> None:
        ref = _ref((row.item, row.loc, row.lot))
        if row.qty >= 0:
            self.settle("negative_bin", ref)
        elif not self.alerts.is_open(self.connection, "negative_bin", ref):
            self.raise_alert(
                Concern(
                    "negative_bin",
                    ref,
                    "warning",
                    f"{row.sku} is below zero at {row.code}: {row.qty}",
                    "More was taken than was ever put there: count the place.",
                )
            )

    def raise_alert(self, concern: Concern) -> None:
        """Open an alert, or count it once more."""
        self.announcements.append(self.alerts.open(self.connection, self.now_us, concern))

    def settle(self, kind: str, ref: str) -> None:
        """Close an alert, when it is open."""
        closed = self.alerts.close(self.connection, self.now_us, kind, ref)
        if closed is not None:
            self.announcements.append(closed)

    def _flush_avail(self) -> None:
        changes = sorted(self._avail.items())
        if not changes:
            return
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
        self.announce([key for key, _ in changes])
        self._avail.clear()

    def announce(self, keys: Sequence[AvailKey]) -> None:
        """Tell everybody the current availability of these rows."""
        for part in _chunks(keys):
            rows = self.connection.execute(statements.AVAILABLE_OF, {"keys": part}).all()
            self.alerts.look(self.connection, "shortage", [_promise_ref(row) for row in rows])
            for row in rows:
                cause = self._why.get((row.item, row.site), "reservation")
                self.announcements.append(announcement(row, self.now_us, cause))
                self._judge_promises(row)

    def _judge_promises(self, row: Any) -> None:
        ref = _promise_ref(row)
        if row.on_hand >= row.reserved:
            self.settle("shortage", ref)
        elif not self.alerts.is_open(self.connection, "shortage", ref):
            self.raise_alert(
                Concern(
                    "shortage",
                    ref,
                    "critical",
                    f"{row.sku}: {row.reserved} promised, {row.on_hand} on hand",
                    "Orders are waiting for goods that are not there: count, restock or cancel.",
                    row.code,
                )
            )


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
        available=row.on_hand - row.reserved - row.safety,
        as_of=datetime.fromtimestamp(now_us / 1e6, UTC),
        cause=cause,
    )
    return Announcement("availability", (row.code, row.sku), message.model_dump_json().encode())


def _promise_ref(row: Any) -> str:
    return f"{row.sku}@{row.code}"


def _ref(key: StockKey) -> str:
    return ":".join(map(str, key))


def _chunks(rows: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK))
