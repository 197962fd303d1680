"""`docktally sim check`: does central's ledger say what really happened?"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from firmware_sim import catalog, oracle, orders, truth
from firmware_sim.central_api import CentralApi
from firmware_sim.oracle import Fact, Laid, StockKey

_NOT_SELLABLE = frozenset({catalog.QUARANTINE, catalog.DAMAGED})
#: Problems printed; the number of all of them is always said.
_SHOWN_MAX = 50
_SETTLE_POLL_S = 0.5


@dataclass
class Verdict:
    """What was compared, and every difference as a sentence that says where to look."""

    problems: list[str] = field(default_factory=list)
    kinds: dict[str, int] = field(default_factory=dict)
    presses: int = 0
    beeps: dict[str, int] = field(default_factory=dict)
    silent_stored: int = 0
    silent_absent: int = 0
    unreadable_kept: int = 0
    unknown_held: int = 0
    elsewhere: int = 0
    orders: dict[str, int] = field(default_factory=dict)
    stock_places: int = 0
    stock_eaches: int = 0
    beep_ms: dict[str, float] = field(default_factory=dict)

    @property
    def equal(self) -> bool:
        """True when truth and ledger say the same."""
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        """Return all of it for programs."""
        return {"equal": self.equal, **asdict(self)}

    def as_text(self) -> str:
        """Return it for a person."""
        kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(self.kinds.items())) or "none"
        beeps = ", ".join(f"{n} {beep}" for beep, n in sorted(self.beeps.items()))
        lines = [
            f"presses         {self.presses} ({beeps})",
            f"in the ledger   {kinds}",
            f"without a beep  {self.silent_stored} stored, {self.silent_absent} not (both right)",
            f"kept, held      {self.unreadable_kept} unreadable, {self.unknown_held} unknown goods",
            f"stock           {self.stock_eaches} eaches in {self.stock_places} places",
        ]
        if self.beep_ms:
            times = ", ".join(f"{name} {ms:.1f} ms" for name, ms in self.beep_ms.items())
            lines.append(f"press to beep   {times}")
        if self.orders:
            states = ", ".join(f"{n} {state}" for state, n in sorted(self.orders.items()))
            lines.append(f"orders          {states}")
        if self.elsewhere:
            lines.append(f"other events    {self.elsewhere}, taken as central has them")
        lines += self.problems[:_SHOWN_MAX]
        if self.problems:
            lines.append(f"NOT EQUAL: {len(self.problems)} differences")
        else:
            lines.append("EQUAL: the ledger says what happened")
        return "\n".join(lines)


def check(
    entries: Sequence[truth.Line],
    shop: Mapping[str, orders.Order] | None,
    api: CentralApi,
    *,
    allow_others: bool = False,
) -> Verdict:
    """Compare journals with central; `allow_others` accepts events of unknown scanners."""
    verdict = Verdict()
    facts = api.facts()
    laid = _scans(verdict, entries, facts, allow_others=allow_others)
    if laid is None:
        return verdict
    _stock(verdict, oracle.stock(laid, facts), api, shop)
    if shop is not None:
        verdict.orders = dict(Counter(order.state for order in shop.values()))
        verdict.problems += orders.differences(shop, facts)
    return verdict


def _scans(
    verdict: Verdict, entries: Sequence[truth.Line], facts: Sequence[Fact], *, allow_others: bool
) -> list[Laid] | None:
    expected = oracle.expectations(entries)
    _beeps(verdict, entries)
    by_scanner: dict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        if not fact.by_http:
            by_scanner[fact.scanner].append(fact)
    known = {e.scanner for e in entries if isinstance(e, truth.Press)}
    for scanner in sorted(set(by_scanner) - known):
        strangers = by_scanner.pop(scanner)
        verdict.elsewhere += len(strangers)
        if not allow_others:
            verdict.problems.append(
                f"EXTRA: {len(strangers)} events of scanner {scanner!r}, which is in no journal"
            )
    parts = []
    for scanner in sorted(known):
        laid = oracle.lay(expected[scanner], by_scanner[scanner])
        if laid is None:
            verdict.problems.append(
                f"{scanner}: more than {oracle.DIFFERENCES_MAX} differences between "
                f"{len(expected[scanner])} presses and {len(by_scanner[scanner])} events; are "
                "journal and ledger of the same run?"
            )
            continue
        parts.append(laid)
        verdict.problems += oracle.differences(laid)
    _count(verdict, parts, entries)
    return parts if len(parts) == len(known) else None


def _beeps(verdict: Verdict, entries: Sequence[truth.Line]) -> None:
    tally = truth.tally(entries)
    verdict.presses = tally.pop("presses")
    verdict.beeps = tally
    waits = sorted(heard.after_ms for heard in truth.beeps(entries).values())
    if waits:
        verdict.beep_ms = {
            "median": waits[len(waits) // 2],
            "99 %": waits[len(waits) * 99 // 100],
            "longest": waits[-1],
        }


def _count(verdict: Verdict, parts: Sequence[Laid], entries: Sequence[truth.Line]) -> None:
    beeped = truth.beeps(entries)
    pairs = [pair for laid in parts for pair in laid.pairs]
    verdict.kinds = dict(Counter(fact.kind for _, fact in pairs))
    verdict.silent_stored = sum(press.n not in beeped for press, _ in pairs)
    verdict.silent_absent = sum(len(laid.silent) for laid in parts)
    verdict.unreadable_kept = verdict.kinds.get("unreadable", 0)
    verdict.unknown_held = sum(press.meaning.outcome == "held" for press, _ in pairs)


def _stock(
    verdict: Verdict,
    expected: Mapping[StockKey, int],
    api: CentralApi,
    shop: Mapping[str, orders.Order] | None,
) -> None:
    promised, perhaps = orders.promised(shop or {})
    on_hand: Counter[str] = Counter()
    for (sku, place, _), quantity in expected.items():
        on_hand[sku] += 0 if place in _NOT_SELLABLE else quantity
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in api.items("/v1/stock"):
        rows[row["sku"]].append(row)
        if row["available"] != row["on_hand"] - row["reserved"] - row["safety"]:
            verdict.problems.append(f"STOCK: available is not on hand - reserved - safety: {row}")
    actual: dict[StockKey, int] = {}
    for sku in sorted(set(rows) | set(on_hand)):
        actual |= api.locations(sku)
        said = sum(row["on_hand"] for row in rows[sku])
        if said != on_hand[sku]:
            verdict.problems.append(f"STOCK: {sku}: {said} on hand, {on_hand[sku]} in truth")
        reserved = sum(row["reserved"] for row in rows[sku])
        if shop is not None and not 0 <= reserved - promised[sku] <= perhaps[sku]:
            verdict.problems.append(
                f"STOCK: {sku}: {reserved} reserved, {promised[sku]} promised in truth"
            )
    for key in sorted(actual.keys() | expected.keys()):
        if actual.get(key, 0) != expected.get(key, 0):
            sku, place, lot = key
            verdict.problems.append(
                f"STOCK: {sku} at {place} lot {lot or '-'}: central has {actual.get(key, 0)}, "
                f"the truth is {expected.get(key, 0)}"
            )
    verdict.stock_places = len(expected)
    verdict.stock_eaches = sum(expected.values())


def settled(compare: Callable[[], Verdict], wait_s: float) -> Verdict:
    """Compare until truth and ledger are equal, or `wait_s` is over; return the last verdict."""
    end = time.monotonic() + wait_s
    verdict = compare()
    while not verdict.equal and time.monotonic() < end:
        time.sleep(_SETTLE_POLL_S)
        verdict = compare()
    return verdict
