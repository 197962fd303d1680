"""An honest little ledger for tests of the simulator: truth in, central's answers out."""

import base64
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from firmware_sim import catalog, scenarios, truth
from firmware_sim.oracle import OUTSIDE, Fact, Posting

CATALOGUE = catalog.build(seed=7)
_BEGIN = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)


def play(
    presses: int, seed: int = 1, scanners: tuple[str, ...] = ("s1",), scenario: str = "shift"
) -> list[Any]:
    """Return the journal of a run in which every press is answered as it should be."""
    rng = random.Random(seed)
    stations = [
        scenarios.Station(name, "DOCK-1", index, len(scanners))
        for index, name in enumerate(scanners)
    ]
    scripts = [scenarios.play(scenario, CATALOGUE, one, rng) for one in stations]
    entries: list[Any] = []
    for number in range(presses):
        station = stations[number % len(stations)]
        for step in islice(scripts[number % len(stations)], 1):
            for each in (*step.first, step):
                entries += answered(len(entries), station.scanner, each)
    return entries


def answered(n: int, scanner: str, step: scenarios.Step, beep: str | None = None) -> list[Any]:
    """Return a press and its beep."""
    at = _BEGIN + timedelta(seconds=n)
    right = "refused" if step.meaning.outcome == "bad_label" else "good"
    return [
        truth.Press(n=n, at=at, scanner=scanner, raw=step.raw.hex(), meaning=step.meaning),
        truth.Heard(n=n, at=at, beep=beep or right, after_ms=5.0),
    ]


@dataclass
class Ledger:
    """What an honest central has: facts, and the stock that follows from their postings."""

    facts: list[Fact] = field(default_factory=list)

    @classmethod
    def of(cls, entries: list[Any]) -> "Ledger":
        """Apply everything that beeped good."""
        ledger = cls()
        refused = {e.n for e in entries if isinstance(e, truth.Heard) and e.beep == "refused"}
        for entry in entries:
            stores = isinstance(entry, truth.Press) and entry.meaning.outcome not in {
                "label", "bad_label",
            }  # fmt: skip
            if stores and entry.n not in refused:
                ledger.append(entry)
        return ledger

    def append(self, press: truth.Press) -> Fact:
        """Apply one press and return what was recorded."""
        meaning = press.meaning
        mine = [f for f in self.facts if f.scanner == press.scanner]
        undone = {f.undo_of for f in mine}
        undo_of = None
        if meaning.outcome == "undo":
            open_ = [
                f for f in mine if f.kind not in {"undo", "unreadable"} and f.seq not in undone
            ]
            undo_of = open_[-1].seq
        held = meaning.outcome == "held"
        self.facts.append(
            Fact(
                gateway="g1", epoch="e1", seq=len(self.facts) + 1, scanner=press.scanner,
                kind=meaning.kind or "", status="held" if held else "applied", raw=press.sent,
                event_time=press.at, quantity=meaning.units, undo_of=undo_of,
                postings=self._postings(meaning, undo_of),
            )
        )  # fmt: skip
        return self.facts[-1]

    def _postings(self, meaning: truth.Meaning, undo_of: int | None) -> tuple[Posting, ...]:
        if undo_of is not None:
            return tuple(
                replace(p, origin=p.target, target=p.origin)
                for fact in self.facts
                if fact.seq == undo_of
                for p in fact.postings
            )
        if meaning.outcome != "goods" or meaning.sku is None:
            return ()
        if meaning.kind == "count":
            assert meaning.target is not None
            there = self.stock()[meaning.sku, meaning.target, meaning.lot]
            more = meaning.eaches - there
            ends = ("ADJUST", meaning.target) if more > 0 else (meaning.target, "ADJUST")
            return (Posting(meaning.sku, meaning.lot, *ends, abs(more)),) if more else ()
        ends = (meaning.origin or "SUPPLIER", meaning.target or "CUSTOMER")
        return (Posting(meaning.sku, meaning.lot, *ends, meaning.eaches),)

    def stock(self) -> Counter[tuple[str, str, str]]:
        """Return the sum of all postings by (sku, location, lot)."""
        books: Counter[tuple[str, str, str]] = Counter()
        for fact in self.facts:
            for p in fact.postings:
                books[p.sku, p.origin, p.lot] -= p.quantity
                books[p.sku, p.target, p.lot] += p.quantity
        return books

    def item_rows(self) -> list[dict[str, Any]]:
        """Return the rows of GET /v1/stock."""
        on_hand: Counter[str] = Counter()
        for (sku, place, _), quantity in self.stock().items():
            on_hand[sku] += 0 if place in {*OUTSIDE, "DAMAGED"} else quantity
        return [
            {"sku": sku, "site": "main", "on_hand": n, "reserved": 0, "safety": 0, "available": n}
            for sku, n in sorted(on_hand.items())
        ]

    def event_rows(self) -> list[dict[str, Any]]:
        """Return the rows of GET /v1/events."""
        return [
            {
                "gateway": f.gateway, "epoch": f.epoch, "seq": f.seq, "scanner": f.scanner,
                "kind": f.kind, "status": f.status,
                "event": {
                    "raw": base64.b64encode(f.raw).decode(), "quantity": f.quantity,
                    "event_time": f.event_time.isoformat(), "undo_of": f.undo_of,
                },
                "entries": [
                    {"sku": p.sku, "lot": p.lot, "from": p.origin, "to": p.target,
                     "quantity": p.quantity}
                    for p in f.postings
                ],
            }
            for f in self.facts
        ]  # fmt: skip

    def location_rows(self, sku: str) -> list[dict[str, Any]]:
        """Return the locations of GET /v1/stock/{sku}."""
        return [
            {"location": place, "lot": lot, "quantity": quantity}
            for (each, place, lot), quantity in self.stock().items()
            if each == sku and place not in OUTSIDE
        ]


@dataclass
class LedgerApi:
    """The ledger's answers as CentralApi gives them, without the HTTP."""

    ledger: Ledger

    def facts(self) -> list[Fact]:
        """Return every event."""
        return self.ledger.facts

    def items(self, _path: str) -> list[dict[str, Any]]:
        """Return the rows of a list, which can only be the stock."""
        return self.ledger.item_rows()

    def locations(self, sku: str) -> dict[tuple[str, str, str], int]:
        """Return the quantities of one SKU, without the zeros."""
        rows = self.ledger.location_rows(sku)
        return {(sku, r["location"], r["lot"]): r["quantity"] for r in rows if r["quantity"]}
