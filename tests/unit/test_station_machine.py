"""Any sequence of scans, labels, bounces, retransmits, power cuts: nothing lost, nothing twice."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dock import Bench, Shelf, counted
from gateway import labels, unit
from gateway.decision import Decision, DockScan, Known, Refuse, Store, Told
from gateway.framing import Frame
from gateway.labels import Label

EANS = (b"]E05901234123457", b"]E04006381333931")
UNITS = (b"]C100340123450000000000", b"]C1010590123412345721SER", b"[)>\x1e06\x1d1JUN1\x1e\x04")
WHOLE = (b"]C1010590123412345710LOT-1", b"]C102059012341234573724", b"]C0TEXT", b"12345670")
PARTS = (b"]C110LOT-1", b"]C110LOT-2", b"]C10205901234123457", b"]C13724", b"]C117271231")
BAD = (b"]E05901234123450", b"\xff\x00", b"]C1010590123412345737510123")
GOODS = EANS + UNITS + WHOLE + PARTS + BAD
COMMANDS = ("RECEIVE", "PUTAWAY", "COUNT", "MOVE", "END")
CONTROL = (
    *(Label("command", name) for name in COMMANDS),
    Label("location", "A"),
    Label("location", "B"),
    Label("operator", "MIKA"),
    Label("quantity", "5"),
)
LABELS = (
    *(labels.text_of(label).encode() for label in CONTROL),
    b"%DT-broken",
    b"]C191DOCKTALLY-GS\x1d92OK",
    b"]C191DOCKTALLY-GS92OK",
)
UNDO = labels.text_of(Label("command", "UNDO")).encode()
GAPS_MS = st.sampled_from([0, 50, 299, 300, 500, 3_000, 10_000, 31_000, 61_000])
CONFIGURED = st.sampled_from([(), ("gtin", "lot"), ("gtin", "count", "lot")])
WHO = st.sampled_from(["left", "right"])


class Dock(RuleBasedStateMachine):
    """Two scanners of one gateway, and everything that may happen to them."""

    @initialize(label=CONFIGURED, window_ms=st.sampled_from([0, 300, 10_000]))
    def begin(self, label: tuple[str, ...], window_ms: int) -> None:
        """Start with an empty disk."""
        shelf = Shelf()
        self.shelf = shelf
        self.benches = {
            name: Bench(shelf, label=label, repeat_window_ms=window_ms)
            for name in ("left", "right")
        }
        #: The frame before at each scanner, what became of it, and when it came.
        self.before: dict[str, tuple[Frame, Decision, int]] = {}
        self.parts_taken: Counter[bytes] = Counter()

    @rule(who=WHO, data=st.sampled_from(GOODS), gap_ms=GAPS_MS)
    def scan(self, who: str, data: bytes, gap_ms: int) -> None:
        """Goods, parts of labels, and codes that nobody can read."""
        self.take(who, Frame(data), gap_ms)

    @rule(who=WHO, data=st.sampled_from(LABELS), gap_ms=GAPS_MS)
    def tell(self, who: str, data: bytes, gap_ms: int) -> None:
        """Control labels, damaged ones, and the separator test: never an event of their own."""
        events = len(self.shelf.events)
        decision = self.take(who, Frame(data), gap_ms)
        fresh = self.shelf.events[events:]
        assert all(scan.kind == "unreadable" and data not in scan.joined for scan in fresh)
        assert not (isinstance(decision, Store) and decision.own)

    @rule(who=WHO, gap_ms=GAPS_MS)
    def undo(self, who: str, gap_ms: int) -> None:
        """UNDO takes back one scan, or drops what waits, or is refused."""
        before = len(counted(self.shelf.events))
        waited = self.benches[who].state.waiting
        decision = self.take(who, Frame(UNDO), gap_ms)
        after = len(counted(self.shelf.events))
        obeyed = isinstance(decision, Store) and decision.scan.kind == "undo"
        assert after == before - obeyed
        assert not (waited and obeyed)

    @rule(who=WHO, data=st.sampled_from(GOODS), gap_ms=GAPS_MS)
    def break_off(self, who: str, data: bytes, gap_ms: int) -> None:
        """A plug comes out: kept as unreadable, whatever the bytes look like."""
        decision = self.take(who, Frame(data, "incomplete"), gap_ms)
        assert isinstance(decision, Known) or decision.scan.kind == "unreadable"

    @rule(who=WHO, gap_ms=st.sampled_from([0, 100, 250]))
    def bounce(self, who: str, gap_ms: int) -> None:
        """The frame before, if it was whole, comes again within the window: it never counts."""
        bench = self.benches[who]
        if who in self.before:
            frame, _, at_ms = self.before[who]
            before = len(counted(self.shelf.events))
            decision = self.take(who, Frame(frame.data, frame.problem), gap_ms)
            soon = bench.now_ms - at_ms < bench.settings.repeat_window_ms
            bounced = soon and frame.problem is None
            assert isinstance(decision, Known) == bounced
            assert not bounced or len(counted(self.shelf.events)) == before

    @rule(who=WHO, gap_ms=st.sampled_from([0, 2_000, 9_000]), crash=st.booleans())
    def send_again(self, who: str, gap_ms: int, crash: bool) -> None:
        """The scanner heard no answer, perhaps because the gateway was killed before it spoke."""
        if who in self.before:
            frame, first, at_ms = self.before[who]
            before = len(counted(self.shelf.events))
            if crash:
                self.restart(who, None)
            decision = self.take(who, Frame(frame.data, frame.problem, again=True), gap_ms)
            if self.benches[who].now_ms - at_ms <= 10_000 and not _is_refused(first):
                assert isinstance(decision, Known)
                assert decision.good
                assert len(counted(self.shelf.events)) == before

    @rule(who=WHO, boot=st.sampled_from([None, "boot-2", "boot-3"]))
    def restart(self, who: str, boot: str | None) -> None:
        """The program is killed, or the power goes: what is on the disk goes on."""
        bench = self.benches[who]
        kept = bench.state
        bench.restart(boot=boot)
        refused = who in self.before and isinstance(self.before[who][1], Refuse)
        assert refused or bench.state == kept
        if boot is not None or refused:
            self.before.pop(who, None)

    def take(self, who: str, frame: Frame, gap_ms: int) -> Decision:
        """Let a scanner send a frame, and hold what becomes of it against the promises."""
        bench = self.benches[who]
        for other in self.benches.values():
            other.now_ms += gap_ms
        booked, events = len(counted(self.shelf.events)), len(self.shelf.events)
        waited = bench.state.waiting.raws if bench.state.waiting else ()
        decision = bench.take(frame, 0)
        waits = bench.state.waiting.raws if bench.state.waiting else ()
        dropped = isinstance(decision, Store) and not decision.own
        self.parts_taken.update(waits if dropped else set(waits) - set(waited))
        fresh = self.shelf.events[events:]
        match decision:
            case Store(own=True, scan=scan):
                assert fresh == [scan]
                assert scan.raw == frame.data
                assert scan.kind == "unreadable" or scan.joined == waited
            case Store(scan=DockScan(kind="undo")):
                assert frame.data == UNDO
            case Store(scan=scan):
                assert (*scan.joined, scan.raw) == waited
                assert _is_refused(decision) or frame.data == UNDO
            case Told():
                assert not fresh
                assert frame.data in LABELS or frame.data in waits
            case Known(scan=scan):
                assert fresh == ([] if scan is None else [scan])
                assert scan is None or scan.raw == frame.data
                assert scan is None or frame.data not in (*LABELS, UNDO)
            case Refuse():
                assert not fresh
                assert waits == waited
        more = len(counted(self.shelf.events)) - booked
        books = isinstance(decision, Store) and decision.scan.undoable
        assert more == books or frame.data == UNDO
        assert not (books and _is_refused(decision))
        if not isinstance(decision, Known):
            self.before[who] = (frame, decision, bench.now_ms)
        return decision

    @invariant()
    def no_part_is_lost_or_used_twice(self) -> None:
        """Each barcode that waited is in one event, or waits still."""
        found: Counter[bytes] = Counter()
        for scan in self.shelf.events if hasattr(self, "shelf") else ():
            found.update(scan.joined)
            if (scan.reason or "").startswith("incomplete_label"):
                found[scan.raw] += 1
        for bench in self.benches.values() if hasattr(self, "benches") else ():
            found.update(bench.state.waiting.raws if bench.state.waiting else ())
        assert found == getattr(self, "parts_taken", found)

    @invariant()
    def no_unit_counts_twice_for_one_step(self) -> None:
        """Between two counts of a labelled unit for one step lies another step, or an UNDO."""
        steps: dict[str, tuple[int, str]] = {}
        for seq, scan in enumerate(self.shelf.events if hasattr(self, "shelf") else (), 1):
            if scan.unit is not None and scan.kind != "count":
                step = unit.step_of(scan, None)
                assert steps.get(scan.unit, (0, ""))[1] != step
                steps[scan.unit] = (seq, step)
            elif scan.unit is not None:
                steps.pop(scan.unit, None)
            steps = {name: kept for name, kept in steps.items() if kept[0] != scan.undo_of}

    @invariant()
    def no_lot_comes_from_elsewhere(self) -> None:
        """A lot that is booked is the only one in this event's own bytes."""
        for scan in self.shelf.events if hasattr(self, "shelf") else ():
            lot = scan.identifiers.lot
            raws = (scan.raw, *scan.joined) if scan.undoable else ()
            assert lot is None or not raws or any(lot.encode() in raw for raw in raws)
            assert len({raw for raw in raws if raw.startswith(b"]C110")}) <= 1


def _is_refused(decision: Decision) -> bool:
    match decision:
        case Refuse():
            return True
        case Store():
            return decision.refused is not None
        case Told():
            return decision.refused
        case Known():
            return decision.good is False
    raise AssertionError(decision)


Dock.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestDock = Dock.TestCase
