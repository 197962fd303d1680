"""What the ledger must hold, worked out from the truth journal alone. Pure.

A scan that beeped good must be there exactly once and in its scanner's order; one without a beep
may be there once; one that was refused must not, save that unreadable bytes are kept. Which of the
silent ones are there is found by the cheapest way to lay the journal over the ledger, and the stock
follows from that. A `repeat` moves nothing: a bouncing trigger sent it beside its scan, or somebody
pressed again who did not hear that the first press was stored.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from firmware_sim import truth
from firmware_sim.truth import Press

#: Places that central invents for the other end of a movement.
OUTSIDE = frozenset({"SUPPLIER", "CUSTOMER", "ADJUST", "SCRAP"})
#: With more differences than this, journal and ledger are not of the same run.
DIFFERENCES_MAX = 100
#: What central calls events that came by its HTTP door.
_API = "api"

StockKey = tuple[str, str, str]  # sku, location, lot


@dataclass(frozen=True, slots=True)
class Posting:
    """One entry of the ledger, in eaches."""

    sku: str
    lot: str
    origin: str
    target: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Fact:
    """One event as central recorded it; facts come in the order of their application."""

    gateway: str
    epoch: str
    seq: int
    scanner: str
    kind: str
    status: str
    raw: bytes
    event_time: datetime
    quantity: int
    undo_of: int | None = None
    document: str | None = None
    postings: tuple[Posting, ...] = ()

    @property
    def by_http(self) -> bool:
        """True for what a storefront or a person did through the API."""
        return self.gateway == _API or self.gateway.startswith(_API + ":")

    def __str__(self) -> str:
        """Return everything needed to find it in the ledger."""
        return (
            f"{self.gateway} {self.epoch[:8]} seq {self.seq} {self.scanner} {self.kind} "
            f"{self.status} x{self.quantity} raw {self.raw.hex()}"
        )


@dataclass(frozen=True, slots=True)
class Expected:
    """A press that has to be in the ledger, or may be when it was silent.

    `echo`: what a bouncing trigger sent a second time, which may be kept as a repeat.
    """

    press: Press
    must: bool
    echo: bool = False

    def fits(self, fact: Fact) -> bool:
        """Return whether `fact` can be what became of this press."""
        raw = fact.raw.rstrip(b"\r\n")
        if self.echo or fact.kind == "repeat":
            again = self.echo or self.press.again_of is not None
            return again and fact.kind == "repeat" and raw == self.press.sent
        if self.press.cut:
            return bool(raw) and self.press.sent.startswith(raw) and not fact.postings
        return raw == self.press.sent


@dataclass
class Laid:
    """One scanner's journal laid over its part of the ledger."""

    pairs: list[tuple[Press, Fact]] = field(default_factory=list)
    lost: list[Press] = field(default_factory=list)
    silent: list[Press] = field(default_factory=list)
    extra: list[Fact] = field(default_factory=list)


def expectations(entries: Sequence[truth.Line]) -> dict[str, list[Expected]]:
    """Return per scanner what the ledger is expected to hold, in the order of the presses."""
    heard = truth.beeps(entries)
    presses = [entry for entry in entries if isinstance(entry, Press)]
    refused = {n for n, answer in heard.items() if answer.beep == "refused"}
    # A gateway that cannot store refuses everything; one that can refuses the unreadable only in
    # sound, so that a person looks at the label, and keeps its bytes.
    full = any(press.n in refused and press.meaning.outcome == "goods" for press in presses)
    expected: dict[str, list[Expected]] = defaultdict(list)
    for press in presses:
        outcome = press.meaning.outcome
        if outcome in {"label", "bad_label"} and not press.cut:
            continue
        if outcome == "unreadable" and press.n in refused:
            expected[press.scanner].append(Expected(press, must=not full))
        elif press.n not in refused:
            expected[press.scanner].append(Expected(press, must=press.n in heard))
            if press.bounced:
                expected[press.scanner].append(Expected(press, must=False, echo=True))
    return expected


def lay(expected: Sequence[Expected], facts: Sequence[Fact]) -> Laid | None:
    """Lay presses over facts with the fewest differences; None when there are too many.

    A breadth-first search over (presses used, facts used), in which only a lost scan and an extra
    event cost anything.
    """
    start, goal = (0, 0), (len(expected), len(facts))
    came: dict[tuple[int, int], tuple[int, int]] = {}
    queue = deque([(start, start, 0)])
    while queue:
        at, before, cost = queue.popleft()
        if at in came:
            continue
        came[at] = before
        if at == goal:
            return _walk(expected, facts, came)
        if cost > DIFFERENCES_MAX:
            return None
        i, j = at
        if j < goal[1]:
            queue.append(((i, j + 1), at, cost + 1))
        if i < goal[0]:
            if expected[i].must:
                queue.append(((i + 1, j), at, cost + 1))
            else:
                queue.appendleft(((i + 1, j), at, cost))
            if j < goal[1] and expected[i].fits(facts[j]):
                queue.appendleft(((i + 1, j + 1), at, cost))
    raise AssertionError("the goal is always reachable")


def _walk(
    expected: Sequence[Expected],
    facts: Sequence[Fact],
    came: dict[tuple[int, int], tuple[int, int]],
) -> Laid:
    laid = Laid()
    at = (len(expected), len(facts))
    while at != (0, 0):
        i, j = came[at]
        if at == (i + 1, j + 1):
            laid.pairs.append((expected[i].press, facts[j]))
        elif at == (i, j + 1):
            laid.extra.append(facts[j])
        elif not expected[i].echo:
            (laid.lost if expected[i].must else laid.silent).append(expected[i].press)
        at = (i, j)
    for part in (laid.pairs, laid.lost, laid.silent, laid.extra):
        part.reverse()
    return laid


def differences(laid: Laid) -> list[str]:
    """Return what is wrong with one scanner's part of the ledger, a sentence each."""
    found = [
        f"LOST: press {p.n} at {p.scanner} beeped but is not in the ledger: {_say(p)}"
        for p in laid.lost
    ]
    found += [f"EXTRA: nobody pressed this, or not that often: {fact}" for fact in laid.extra]
    seqs: dict[tuple[str, str], int] = {}
    undoable: list[Fact] = []
    counted: list[Press] = []
    for press, fact in laid.pairs:
        stream = (fact.gateway, fact.epoch)
        if fact.seq <= seqs.get(stream, 0):
            found.append(f"ORDER: {fact} was applied after seq {seqs[stream]}")
        seqs[stream] = fact.seq
        repeat = fact.kind == "repeat"
        reason = _wrong_repeat(press, fact, counted) if repeat else _wrong(press, fact, undoable)
        if reason:
            found.append(f"WRONG: {reason}; press {press.n}: {_say(press)}; ledger: {fact}")
        if fact.kind == press.meaning.kind:
            counted.append(press)
        if fact.kind == "undo":
            del undoable[-1:]
        elif fact.kind not in {"unreadable", "repeat"}:
            undoable.append(fact)
    return found


def _say(press: Press) -> str:
    meaning = press.meaning
    return (
        f"{meaning.kind} {meaning.units} x {meaning.text or meaning.sku} ({meaning.eaches} eaches "
        f"of {meaning.sku}) from {meaning.origin} to {meaning.target}, raw {press.raw}"
    )


def _wrong_repeat(press: Press, fact: Fact, counted: Sequence[Press]) -> str | None:
    if fact.postings:
        return "a repeat moved stock"
    for earlier in reversed(counted):
        if earlier is press or (press.again_of is not None and earlier.raw == press.raw):
            return None
    return "it is kept as a repeat of a scan that is not there"


def _wrong(press: Press, fact: Fact, undoable: Sequence[Fact]) -> str | None:
    meaning = press.meaning
    if press.cut:
        return None
    if fact.kind != meaning.kind:
        return f"it was a {meaning.kind}, not a {fact.kind}"
    match meaning.outcome:
        case "undo":
            target = undoable[-1].seq if undoable else None
            return None if fact.undo_of == target else f"it takes back {fact.undo_of}, not {target}"
        case "unreadable":
            return "an unreadable scan moved stock" if fact.postings else None
        case "held":
            if fact.postings:
                return "unknown goods moved stock"
            return None if fact.status == "held" else f"unknown goods are {fact.status}, not held"
        case _:
            return _wrong_goods(meaning, fact)


def _wrong_goods(meaning: truth.Meaning, fact: Fact) -> str | None:
    if fact.status != "applied":
        return f"known goods are {fact.status}"
    if fact.quantity != meaning.units:
        return f"{meaning.units} units were scanned, not {fact.quantity}"
    if meaning.kind == "count":
        return None  # what a count posts depends on what was there; the stock tells
    right = any(
        (p.sku, p.lot, p.quantity) == (meaning.sku, meaning.lot, meaning.eaches)
        and _same_place(p.origin, meaning.origin)
        and _same_place(p.target, meaning.target)
        for p in fact.postings
    )
    return None if right else f"it posted {list(fact.postings)}"


def _same_place(posted: str, meant: str | None) -> bool:
    return posted in OUTSIDE if meant is None else posted == meant


@dataclass(frozen=True, slots=True)
class _Effect:
    at: datetime
    press: Press | None
    fact: Fact


def stock(laid: Iterable[Laid], facts: Sequence[Fact]) -> dict[StockKey, int]:
    """Return the quantity of each (sku, location, lot) that is not zero.

    A count says what was there at its own time, however late it arrives, so everything is done in
    the order in which it happened. Only events without a press are taken from central's word.
    """
    press_of = {id(fact): press for part in laid for press, fact in part.pairs}
    effects: list[_Effect] = []
    latest: dict[str, datetime] = {}
    for fact in facts:
        # A clock that was set back does not change the order of one scanner's scans.
        at = max(fact.event_time, latest.get(fact.scanner, fact.event_time))
        latest[fact.scanner] = at
        effects.append(_Effect(at, press_of.get(id(fact)), fact))
    effects.sort(key=lambda effect: effect.at)
    books: Counter[StockKey] = Counter()
    done: dict[tuple[str, str, int], dict[StockKey, int]] = {}
    for effect in effects:
        fact = effect.fact
        change = _change(effect, books, done)
        done[fact.gateway, fact.epoch, fact.seq] = change
        for key, quantity in change.items():
            books[key] += quantity
    return {key: quantity for key, quantity in books.items() if quantity}


def _change(
    effect: _Effect,
    books: Counter[StockKey],
    done: dict[tuple[str, str, int], dict[StockKey, int]],
) -> dict[StockKey, int]:
    press, fact = effect.press, effect.fact
    if press is None:
        return _as_posted(fact)
    meaning = press.meaning
    if fact.kind == "repeat":
        return {}
    if meaning.outcome == "undo" and fact.undo_of is not None:
        taken_back = done.get((fact.gateway, fact.epoch, fact.undo_of), {})
        return {key: -quantity for key, quantity in taken_back.items()}
    if meaning.outcome != "goods" or meaning.sku is None or press.cut:
        return {}
    ends = ((meaning.origin, -meaning.eaches), (meaning.target, meaning.eaches))
    if meaning.kind == "count":
        key = (meaning.sku, meaning.target or "", meaning.lot)
        return {key: meaning.eaches - books[key]}
    return {(meaning.sku, place, meaning.lot): quantity for place, quantity in ends if place}


def _as_posted(fact: Fact) -> dict[StockKey, int]:
    change: Counter[StockKey] = Counter()
    for posting in fact.postings:
        for place, quantity in (
            (posting.origin, -posting.quantity),
            (posting.target, posting.quantity),
        ):
            if place not in OUTSIDE:
                change[posting.sku, place, posting.lot] += quantity
    return dict(change)
