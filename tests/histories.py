"""Random histories of one item: the order of happening, and any order of arrival.

The model knows nothing of the ledger: it takes the scans that stand, sorts them by when they
happened, and adds and sets. Whatever order they arrive in, the ledger must say the same, at every
moment.
"""

import random
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, insert, select

from central import outbox, schema, settling
from central.alerts import Alerts
from central.arrivals import Arrival
from central.books import Books
from central.catalogue import Catalogue, bump
from central.ledger import Ledger
from central.writer import Transaction
from ledgers import NOON, SELLABLE, scan
from wire.events import Event, Identifiers

PLACES = ("DOCK-1", "A-1")
LOTS = ("", "L1")
SPOTS = tuple((place, lot) for place in PLACES for lot in LOTS)
GATEWAYS = 3
_NOON_US = int(NOON.timestamp()) * 1_000_000


Spot = tuple[str, str]  # place, lot
Lies = Counter[Spot]  # what lies where


@dataclass(frozen=True)
class Happened:
    """One scan: what a gateway's clock said, and what it was."""

    gateway: int
    seq: int
    said_s: int
    kind: str
    quantity: int
    place: str
    lot: str
    unknown: bool
    undo_of: int | None


@dataclass
class History:
    """What three gateways scan of one item. One barcode of it is unknown for a while."""

    rng: random.Random
    name: str
    scans: list[Happened] = field(default_factory=list)

    @classmethod
    def make(cls, rng: random.Random, name: str) -> "History":
        """Return the history that chance gives; `rng` goes on to decide how it arrives."""
        history = cls(rng, name)
        clocks = [0] * GATEWAYS
        seqs = [0] * GATEWAYS
        for _ in range(history.rng.randint(2, 12)):
            gateway = history.rng.randrange(GATEWAYS)
            seqs[gateway] += 1
            # Clocks run apart and are sometimes set back; no two gateways share a second.
            clocks[gateway] += history.rng.choice((1, 1, 2, 5, -3))
            said_s = clocks[gateway] * GATEWAYS + gateway
            history.scans.append(history._scan(gateway, seqs[gateway], said_s))
        return history

    def _scan(self, gateway: int, seq: int, said_s: int) -> Happened:
        rng = self.rng
        kind = rng.choice(("receive", "receive", "ship", "move", "count", "count", "undo"))
        undo_of = rng.randint(1, seq - 1) if kind == "undo" and seq > 1 else None
        if kind == "undo" and undo_of is None:
            kind = "receive"
        quantity = rng.randint(0 if kind == "count" else 1, 9)
        return Happened(
            gateway, seq, said_s, kind, quantity, rng.choice(PLACES), rng.choice(LOTS),
            rng.randrange(4) == 0, undo_of,
        )  # fmt: skip

    def moments(self) -> dict[tuple[int, int], int]:
        """Return when each scan happened, microseconds: of one gateway, its seq decides."""
        latest = [-(10**9)] * GATEWAYS
        found = {}
        for each in self.scans:
            at = max(_NOON_US + each.said_s * 1_000_000, latest[each.gateway] + 1)
            latest[each.gateway] = found[each.gateway, each.seq] = at
        return found

    def truth(self) -> Iterator[tuple[int, Lies]]:
        """Yield each moment with what lies where after it, in the order of happening."""
        kinds = {(each.gateway, each.seq): each.kind for each in self.scans}
        undone = {
            (each.gateway, each.undo_of)
            for each in self.scans
            if each.kind == "undo" and kinds[each.gateway, each.undo_of or 0] != "undo"
        }
        moments = self.moments()
        lies: Lies = Counter()
        for each in sorted(self.scans, key=lambda each: moments[each.gateway, each.seq]):
            if (each.gateway, each.seq) not in undone:
                _happen(lies, each)
            yield moments[each.gateway, each.seq], Counter({spot: lies[spot] for spot in SPOTS})

    def arrivals(self) -> Iterator[list[Happened]]:
        """Yield the messages: each gateway's in order, in pieces, some again; gateways at will."""
        rng = self.rng
        waiting = {g: [each for each in self.scans if each.gateway == g] for g in range(GATEWAYS)}
        sent: dict[int, list[Happened]] = {g: [] for g in range(GATEWAYS)}
        while any(waiting.values()):
            gateway = rng.choice([g for g, scans in waiting.items() if scans])
            size = rng.randint(1, len(waiting[gateway]))
            fresh, waiting[gateway] = waiting[gateway][:size], waiting[gateway][size:]
            again = sent[gateway][-rng.randint(0, 2) :] if rng.randrange(3) == 0 else []
            sent[gateway] += fresh
            yield (again if again and again[-1].seq == fresh[0].seq - 1 else []) + fresh


def _happen(lies: Lies, each: Happened) -> None:
    here, there = (each.place, each.lot), (_other(each.place), each.lot)
    match each.kind:
        case "receive":
            lies[here] += each.quantity
        case "ship":
            lies[here] -= each.quantity
        case "move":
            lies[here] -= each.quantity
            lies[there] += each.quantity
        case "count":
            lies[here] = each.quantity
        case _:
            pass


def _other(place: str) -> str:
    return PLACES[1 - PLACES.index(place)]


def play(connection: Connection, history: History) -> None:
    """Let a history arrive in the open transaction, in one of its orders."""
    catalogue, alerts, ledger = (
        Catalogue(frozenset(SELLABLE)),
        Alerts(shared=_is_shared(connection)),
        Ledger(),
    )
    item = connection.execute(
        insert(schema.item).values(sku=history.name).returning(schema.item.c.id)
    ).scalar_one()
    _add_barcode(connection, f"K-{history.name}", item)
    epochs = [uuid.uuid4() for _ in range(GATEWAYS)]
    messages = list(history.arrivals())
    mapped_after = history.rng.randint(0, len(messages))
    for number in range(len(messages) + 1):
        catalogue.refresh(connection)
        books = Books(connection, catalogue, alerts, _NOON_US + 10**12)
        if number == mapped_after:
            _add_barcode(connection, f"U-{history.name}", item)
            catalogue.forget()
            catalogue.refresh(connection)
            settling.apply_waiting(Transaction(connection, books, ledger, books.now_us))
        if number < len(messages):
            events = tuple(_event(each, history.name) for each in messages[number])
            gateway = messages[number][0].gateway
            name = f"{history.name}-{gateway}"
            ledger.apply(books, [Arrival("main", name, epochs[gateway], events[0].seq, events)])
        books.close()
        outbox.keep(connection, outbox.latest(books.announcements), books.now_us)


def _is_shared(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


def _add_barcode(connection: Connection, code: str, item: int) -> None:
    connection.execute(insert(schema.barcode).values(code=code, item=item, each_per=1))
    bump(connection)


def _event(each: Happened, name: str) -> Event:
    code = f"{'U' if each.unknown else 'K'}-{name}"
    return scan(
        each.seq,
        each.kind,
        quantity=each.quantity,
        event_time=NOON + timedelta(seconds=each.said_s),
        location=each.place,
        to_location=_other(each.place) if each.kind == "move" else None,
        identifiers=Identifiers()
        if each.kind == "undo"
        else Identifiers(text=code, lot=each.lot or None),
        undo_of=each.undo_of,
    )


Said = tuple[int, int, str, str, str]  # moment, eaches, from, to, lot


def said(connection: Connection, name: str) -> list[Said]:
    """Return an item's entries."""
    entry, origin, target = schema.entry, *(schema.location.alias(n) for n in ("o", "t"))
    rows: Any = connection.execute(
        select(entry.c.occurred_us, entry.c.qty, origin.c.code, target.c.code, entry.c.lot)
        .join(schema.item, schema.item.c.id == entry.c.item)
        .join(origin, origin.c.id == entry.c.from_loc)
        .join(target, target.c.id == entry.c.to_loc)
        .where(schema.item.c.sku == name)
    )
    return [tuple(row) for row in rows]


def at(entries: list[Said], moment_us: int) -> Lies:
    """Return what the entries up to a moment say lies where."""
    lies: Lies = Counter(dict.fromkeys(SPOTS, 0))
    for occurred_us, quantity, origin, target, lot in entries:
        if occurred_us <= moment_us:
            for place, change in ((origin, -quantity), (target, quantity)):
                if place in PLACES:
                    lies[place, lot] += change
    return lies


def stocked(connection: Connection, name: str) -> Lies:
    """Return what the stock's rows say lies where now."""
    stock, place = schema.stock, schema.location
    rows = connection.execute(
        select(place.c.code, stock.c.lot, stock.c.qty)
        .join(place, place.c.id == stock.c.loc)
        .join(schema.item, schema.item.c.id == stock.c.item)
        .where(schema.item.c.sku == name, place.c.code.in_(PLACES))
    )
    lies: Lies = Counter(dict.fromkeys(SPOTS, 0))
    lies.update({(code, lot): qty for code, lot, qty in rows})
    return lies
