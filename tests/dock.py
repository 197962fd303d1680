"""One gateway's stations without disk and scanners: frames in, decisions and events out."""

from dataclasses import dataclass, field
from datetime import date

from gateway import deciding, labels, station, station_state, unit
from gateway.config import Scanner
from gateway.decision import Decision, DockScan, Known, Refuse, Store, Told
from gateway.framing import Frame
from gateway.labels import Label
from gateway.station_state import Moment, State
from gateway.unit import Unit

TODAY = date(2026, 1, 1)
GTIN = "]E05901234123457"


@dataclass
class Shelf:
    """What all stations of a gateway share: events by seq, and labelled units."""

    events: list[DockScan] = field(default_factory=list)
    units: dict[str, Unit] = field(default_factory=dict)

    def store(self, scan: DockScan, state: State) -> int:
        """Keep an event and what it says of its labelled unit; return its seq."""
        self.events.append(scan)
        seq = len(self.events)
        if scan.unit is not None:
            self.units[scan.unit] = Unit(seq, unit.step_of(scan, state.session))
        self.units = {n: u for n, u in self.units.items() if u.seq != scan.undo_of}
        return seq


class Bench:
    """A station that keeps what it decides to keep, with a clock that only the test moves."""

    def __init__(self, shelf: Shelf | None = None, **settings: object) -> None:
        self.settings = Scanner(name="left", port="x", **{"repeat_window_ms": 300, **settings})
        self.shelf = shelf or Shelf()
        self.state = State()
        self.disk = station_state.encode(self.state)
        self.now_ms = 1_000_000
        self.boot = "boot-1"

    @property
    def events(self) -> list[DockScan]:
        """All events of the gateway."""
        return self.shelf.events

    def send(self, data: bytes, *, again: bool = False, after_ms: int = 1_000) -> Decision:
        """Scan bytes and take the decision over, as a reader does."""
        return self.take(Frame(data, again=again), after_ms)

    def take(self, frame: Frame, after_ms: int = 1_000) -> Decision:
        """Take a frame over, as a reader does."""
        self.now_ms += after_ms
        at = Moment(self.boot, self.now_ms * 1_000)
        decision = deciding.decide(self.settings, self.state, frame, at, TODAY)
        if isinstance(decision, Store) and decision.scan.unit is not None:
            known = self.shelf.units.get(decision.scan.unit)
            decision = station.unless_counted(decision, known)
        match decision:
            case Store():
                self._keep(decision.scan, decision.state)
            case Known(scan=DockScan() as scan):
                self._keep(scan, self.state)
            case Told():
                self.state = decision.state
                self.disk = station_state.encode(self.state)
            case Refuse():
                self.state = decision.state
            case _:
                pass
        return decision

    def _keep(self, scan: DockScan, state: State) -> None:
        seq = self.shelf.store(scan, state)
        self.state = state.after(seq, undoable=scan.undoable)
        self.disk = station_state.encode(self.state)

    def scan(self, text: str, **how: int) -> Decision:
        """Scan the text of a barcode or a label."""
        return self.send(text.encode(), **how)

    def tell(self, kind: str, value: str) -> None:
        """Scan a control label that must be accepted."""
        decision = self.scan(labels.text_of(Label(kind, value)))
        assert isinstance(decision, Told), decision
        assert not decision.refused

    def item(self, text: str = GTIN, **how: int) -> DockScan:
        """Scan an item that must be stored."""
        decision = self.scan(text, **how)
        assert isinstance(decision, Store), decision
        return decision.scan

    def undo(self) -> Decision:
        """Scan UNDO."""
        return self.scan(labels.text_of(Label("command", "UNDO")))

    def restart(self, *, boot: str | None = None) -> None:
        """Go on with what was kept on the disk."""
        self.state = station_state.decode(self.disk)
        self.boot = boot or self.boot

    def set(self, **settings: object) -> None:
        """Change the configuration."""
        self.settings = Scanner.model_validate({**self.settings.model_dump(), **settings})


def counted(events: list[DockScan]) -> list[DockScan]:
    """Return the events that are booked, without those that were undone."""
    undone = {scan.undo_of for scan in events}
    return [scan for seq, scan in enumerate(events, 1) if scan.undoable and seq not in undone]
