"""Applies arrived events: each exactly once, in order per gateway, in one transaction.

The caller commits. Nothing here talks to the broker; what to tell it is returned.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from types import NoneType
from typing import Any

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import SQLAlchemyError

from central import catalogue, database, held, leases, posting, rules, schema, statements
from central.alerts import Concern
from central.arrivals import Applied, Arrival, StreamKey, activity_line, body_of, id_in, moment
from central.books import ACTIVITY_LINES_MAX, Books
from central.posting import Posting, Why
from wire.events import Activity, Event, Origin, Rejected

_STATUS = {NoneType: "applied", rules.Held: "held", rules.Refused: "rejected"}


@dataclass(slots=True)
class _Stream:
    id: int
    applied_seq: int
    latest_us: int


@dataclass
class Ledger:
    """The one door for events. Keeps the high-water marks of all outboxes in memory.

    Where several processes write, `run` names this one: it is the epoch of what it records by
    itself, since nobody else numbers those events. With `is_fenced` it is also the owner of leases,
    and applies only what belongs to them.
    """

    run: str | None = None
    is_fenced: bool = False
    _epochs: dict[str, int] = field(default_factory=dict)
    _streams: dict[StreamKey, _Stream] = field(default_factory=dict)

    def forget(self) -> None:
        """Read the high-water marks again; after a rollback the ones in memory are wrong."""
        self._streams.clear()

    def apply(
        self,
        books: Books,
        arrivals: Sequence[Arrival],
        *,
        carefully: bool = False,
        borrowing: bool = False,
    ) -> list[Applied]:
        """Apply what is new. `carefully` gives each event a savepoint, so that one bad event,
        which a database or a rule cannot digest, is parked instead of stopping its gateway. What
        belongs to another process is left out; `borrowing` takes it all the same, for arrivals of
        one gateway in a transaction of their own.
        """
        page = _Page(self, books)
        if self.is_fenced and borrowing:
            self.forget()  # only under a lease of ours are the marks ours alone
            self._epochs.clear()
            leases.borrow(books.connection, leases.of_gateway(arrivals[0].site, arrivals[0].source))
        elif self.is_fenced:
            arrivals = self._still_ours(books.connection, arrivals)
        return (
            [page.take(arrival) for arrival in arrivals] if carefully else page.take_all(arrivals)
        )

    def _still_ours(self, connection: Connection, arrivals: Sequence[Arrival]) -> list[Arrival]:
        """Return what our leases cover; nobody takes those before this transaction has ended."""
        names = {leases.of_gateway(arrival.site, arrival.source) for arrival in arrivals}
        held = leases.fence(connection, self.run or "", names)
        if any(self._epochs.get(name) != epoch for name, epoch in held.items()):
            self.forget()  # another process may have moved the marks since we last had it
            self._epochs.update(held)
        return [a for a in arrivals if leases.of_gateway(a.site, a.source) in held]

    def stream(self, connection: Connection, key: StreamKey, now_us: int) -> _Stream:
        """Return an outbox's row, made when this is its first message."""
        known = self._known(connection, key)
        if known is None:
            table, (site, source, epoch) = schema.stream, key
            number = connection.execute(
                insert(table)
                .values(site=site, source=source, epoch=epoch, applied_seq=0, seen_us=now_us)
                .returning(table.c.id)
            ).scalar_one()
            known = self._streams[key] = _Stream(number, 0, 0)
        return known

    def mark(self, connection: Connection, key: StreamKey) -> int:
        """Return the high-water mark of an outbox, 0 when nothing of it ever arrived."""
        known = self._known(connection, key)
        return known.applied_seq if known else 0

    def _known(self, connection: Connection, key: StreamKey) -> _Stream | None:
        if key not in self._streams:
            table, (site, source, epoch) = schema.stream, key
            row = connection.execute(
                select(table.c.id, table.c.applied_seq, table.c.latest_us).where(
                    table.c.site == site, table.c.source == source, table.c.epoch == epoch
                )
            ).first()
            if row is None:
                return None
            self._streams[key] = _Stream(row.id, row.applied_seq, row.latest_us)
        return self._streams[key]

    def move_mark(self, connection: Connection, now_us: int, streams: Iterable[_Stream]) -> None:
        """Store the high-water marks."""
        rows = [
            {"i": s.id, "seq": s.applied_seq, "now": now_us, "latest": s.latest_us}
            for s in sorted(streams, key=lambda s: s.id)
        ]
        if rows:
            statements.write(connection, statements.MOVE_MARK, rows)


@dataclass
class _Page:
    """The work on some arrivals inside one transaction."""

    ledger: Ledger
    books: Books
    rows: list[tuple[Any, ...]] = field(default_factory=list)  # statements.EVENT
    held: list[dict[str, Any]] = field(default_factory=list)
    activity_left: int = ACTIVITY_LINES_MAX
    #: What each event (by its identity in memory) is about.
    items: dict[int, catalogue.Item | None] = field(default_factory=dict)

    def take_all(self, arrivals: Sequence[Arrival]) -> list[Applied]:
        events = [event for arrival in arrivals for event in arrival.events]
        self.look_up(events)
        touched: dict[int, _Stream] = {}
        results = [self._apply(arrival, touched) for arrival in arrivals]
        self._write(touched.values())
        return results

    def take(self, arrival: Arrival) -> Applied:
        """Apply one arrival event by event, parking what fails."""
        connection = self.books.connection
        stream = self.ledger.stream(connection, arrival.key, self.books.now_us)
        rejected: list[Rejected] = []
        fresh = 0
        for event in arrival.events:
            if event.seq != stream.applied_seq + 1:
                continue
            mark, latest_us = self.books.mark(), stream.latest_us
            alone = Arrival(arrival.site, arrival.source, arrival.epoch, event.seq, (event,))
            try:
                with connection.begin_nested():
                    result = self.take_all([alone])[0]
                    self.books.flush()
            except (SQLAlchemyError, ArithmeticError, ValueError) as error:
                if database.is_passing(error):
                    raise
                self.books.abandon(mark)
                self.rows.clear()
                self.held.clear()
                stream.applied_seq, stream.latest_us = event.seq - 1, latest_us
                result = self._park(alone, f"{type(error).__name__}: {error}")
            fresh += result.fresh
            rejected.extend(result.rejected)
        hole = bool(arrival.events) and arrival.events[-1].seq > stream.applied_seq
        return Applied(arrival.key, stream.applied_seq, hole, fresh, tuple(rejected))

    def _park(self, alone: Arrival, reason: str) -> Applied:
        event = alone.events[0]
        text = event.model_dump_json(exclude_none=True).encode("ascii", "backslashreplace").decode()
        parked = Arrival(
            alone.site, alone.source, alone.epoch, event.seq, (), ((event.seq, text, reason),)
        )
        return self.take_all([parked])[0]

    def look_up(self, events: Sequence[Event]) -> None:
        books = self.books
        keys = [catalogue.keys_of(e) if rules.names_goods(e) else () for e in events]
        known = books.catalogue.find(books.connection, set().union(*keys))
        self.items = {}
        for event, names in zip(events, keys, strict=True):
            item = None
            for name in names:
                item = known.get(name)
                if item is not None:
                    break
            self.items[id(event)] = item
        counting = (self.items[id(event)] for event in events if event.kind == "count")
        books.counts.prepare(
            {item.id for item in known.values()}, {item.id for item in counting if item}
        )

    def _apply(self, arrival: Arrival, touched: dict[int, _Stream]) -> Applied:
        books = self.books
        stream = self.ledger.stream(books.connection, arrival.key, books.now_us)
        if arrival.first_seq > stream.applied_seq + 1:
            return Applied(arrival.key, stream.applied_seq, hole=True)
        self._compare_repeats(arrival, stream)
        before = stream.applied_seq
        rejected: list[Rejected] = []
        activity: list[Activity] = []
        broken = {seq: (text, reason) for seq, text, reason in arrival.broken}
        events = {event.seq: event for event in arrival.events}
        site = books.catalogue.site(books.connection, arrival.site)
        while True:
            seq = stream.applied_seq + 1
            if seq in events:
                said = self._one(stream, site, arrival, events[seq], activity)
            elif seq in broken:
                said = self._keep_broken(stream.id, arrival, seq, *broken[seq])
            else:
                break
            if said is not None:
                rejected.append(said)
            stream.applied_seq = seq
            touched[stream.id] = stream
        fresh = stream.applied_seq - before
        return Applied(
            arrival.key, stream.applied_seq, False, fresh, tuple(rejected), tuple(activity)
        )

    def _one(
        self, stream: _Stream, site: int, arrival: Arrival, event: Event, activity: list[Activity]
    ) -> Rejected | None:
        item = self.items[id(event)]
        occurred_us = moment(event, stream.latest_us, self.books.now_us)
        if not event.recorded_late:
            stream.latest_us = occurred_us
        why: Why | None = None
        status, code = "rejected", "booked_before"
        if event.salvaged_from is None or not self._booked_before(arrival, event.salvaged_from):
            why = self._post(Posting(stream.id, event.seq, site, occurred_us, event), item)
            status, code = _STATUS[type(why)], why.code if why else ""
        body = body_of(event)
        self.rows.append((
            stream.id, event.seq, id_in(body), event.kind, status, code or None, event.scanner,
            occurred_us, self.books.now_us, body,
        ))  # fmt: skip
        if isinstance(why, rules.Held):
            self.held += held.hold(self.books, stream.id, arrival.site, arrival.source, event, why)
        if self.activity_left > 0:
            self.activity_left -= 1
            activity.append(activity_line(arrival.source, event, item, why))
        return Rejected(seq=event.seq, code=why.code, message=why.message) if why else None

    def _booked_before(self, arrival: Arrival, origin: Origin) -> bool:
        """Return whether a salvaged event was applied under its old number."""
        old = (arrival.site, arrival.source, str(origin.epoch))
        return origin.seq <= self.ledger.mark(self.books.connection, old)

    def _post(self, here: Posting, item: catalogue.Item | None) -> Why | None:
        event, books = here.event, self.books
        if item is None and rules.names_goods(event):
            return held.unknown(event)
        if event.kind == "undo" and event.undo_of is not None:
            self._write_events()
            if held.undo(books, here.stream, event.undo_of, event.scanner):
                return None
        return posting.post(books, here, item)

    def _keep_broken(
        self, stream: int, arrival: Arrival, seq: int, text: str, reason: str
    ) -> Rejected:
        now_us = self.books.now_us
        self.rows.append(
            (stream, seq, "", "malformed", "rejected", "malformed", "", now_us, now_us, text)
        )
        self.books.raise_alert(
            Concern(
                "malformed_event",
                ":".join(arrival.key),
                "critical",
                f"event {seq} of {arrival.source} cannot be understood",
                reason,
                arrival.site,
            )
        )
        return Rejected(seq=seq, code="malformed", message=reason)

    def _compare_repeats(self, arrival: Arrival, stream: _Stream) -> None:
        """Raise an alarm when a seq comes again with other content: two gateways share a name."""
        repeats = {e.seq: str(e.id) for e in arrival.events if e.seq <= stream.applied_seq}
        if not repeats:
            return
        self._write_events()
        event = schema.event
        stored = self.books.connection.execute(
            select(event.c.seq, event.c.uuid).where(
                event.c.stream == stream.id, event.c.seq.between(min(repeats), max(repeats))
            )
        )
        different = sorted(row.seq for row in stored if row.uuid and repeats[row.seq] != row.uuid)
        if different:
            self.books.raise_alert(
                Concern(
                    "seq_reuse",
                    ":".join(arrival.key),
                    "critical",
                    f"{arrival.source} sent event {different[0]} again with other content",
                    "Two gateways may run with one name or one copied data folder. "
                    "The first content stands; nothing was overwritten.",
                    arrival.site,
                )
            )

    def _write_events(self) -> None:
        if self.rows:
            statements.add(
                self.books.connection, statements.ADD_EVENTS, statements.EVENT, self.rows
            )
            self.rows.clear()
        held.write(self.books.connection, self.held)
        self.held.clear()

    def _write(self, touched: Iterable[_Stream]) -> None:
        self._write_events()
        self.ledger.move_mark(self.books.connection, self.books.now_us, touched)
