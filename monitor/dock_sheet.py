"""Docks and scanners as a table: one row a scanner, with what its gateway says. Pure."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from monitor.board import Board, Heard
from monitor.dock_health import is_current, problems, severity
from monitor.listing import Sheet
from monitor.sheet import ALWAYS, Column
from monitor.spans import Span, Tone
from wire.events import GatewayState, NewScanner, ScannerState

_MARKS: dict[int, Span] = {
    0: Span("●", "good"),
    1: Span("▲", "warn"),
    2: Span("✖", "bad"),
    3: Span("◌", "warn"),
}
_UNHEARD = 3


@dataclass(frozen=True, slots=True)
class Dock:
    """A scanner of a gateway, configured or just plugged in; neither for a gateway without any."""

    gateway: Heard[GatewayState]
    scanner: ScannerState | None
    new: NewScanner | None
    level: int
    state: str


class DockSheet(Sheet[Dock]):
    """Every scanner, those in trouble first."""

    name = "docks"
    urgent_word = "trouble"
    columns = (
        Column("state", "State", 12, 9, widest=30),
        Column("gateway", "Gateway", 10, ALWAYS, widest=20),
        Column("scanner", "Scanner", 12, ALWAYS, widest=24),
        Column("site", "Site", 8, 3),
        Column("mode", "Mode", 8, 6),
        Column("location", "Location", 10, 5, widest=16),
        Column("scans", "Scans", 7, 4, "number"),
        Column("unreadable", "Unread", 6, 4, "number"),
        Column("refused", "Refused", 7, 4, "number"),
        Column("last_scan", "Last", 4, 8, "moment"),
        Column("pending", "Waits", 6, 7, "number"),
        Column("room", "Room", 9, 2, "number"),
        Column("source", "Port", 20, 1),
    )
    first_order = ("state", False)
    extra = frozenset({"source"})

    def __init__(self, board: Board) -> None:
        self._board = board

    def items(self) -> Iterable[Dock]:
        """Return every scanner of every gateway."""
        for gateway in self._board.gateways.values():
            state = gateway.state
            for scanner in state.scanners:
                yield self._dock(gateway, scanner)
            for new in state.new_scanners:
                yield Dock(gateway, None, new, 1, "new")
            if not (state.scanners or state.new_scanners):
                yield self._dock(gateway, None)

    def key(self, item: Dock) -> Hashable:
        """Return site, gateway and scanner."""
        which = item.new.port if item.new else self.value(item, "scanner")
        return item.gateway.site, item.gateway.name, item.new is not None, which

    def value(self, item: Dock, key: str) -> Any:
        """Return what a scanner or its gateway says."""
        gateway, scanner = item.gateway, item.scanner
        match key:
            case "state":
                return item.state
            case "gateway":
                return gateway.name
            case "site":
                return gateway.site
            case "pending":
                return gateway.state.outbox.pending
            case "room":
                return gateway.state.outbox.capacity_left
            case "scanner" if item.new is not None:
                return f"+ {item.new.product}"
            case "source" if item.new is not None:
                return item.new.port
            case "scanner":
                return scanner.name if scanner else ""
            case "last_scan":
                return scanner.last_scan.timestamp() if scanner and scanner.last_scan else None
            case _:
                return getattr(scanner, key) if scanner else None

    def rank(self, item: Dock, key: str) -> Any:
        """Sort states by how bad they are, and what is equally bad by name."""
        if key == "state":
            return -item.level, item.gateway.site, item.gateway.name, self.value(item, "scanner")
        return self.value(item, key)

    def mark(self, item: Dock) -> Span:
        """Return its sign."""
        return Span("+", "accent") if item.new else _MARKS[item.level]

    def is_urgent(self, item: Dock) -> bool:
        """Return whether something is wrong."""
        return item.level > 0

    def tone(self, item: Dock, key: str) -> Tone:
        """Colour what is wrong."""
        if key == "state":
            return _MARKS[item.level].tone
        if key in {"unreadable", "refused", "pending"} and self.value(item, key):
            return "warn"
        return "plain" if key in {"gateway", "scanner"} else "muted"

    def copied(self, item: Dock) -> str:
        """Return the scanner's name, of a new one the port to configure."""
        return item.new.port if item.new else str(self.value(item, "scanner") or item.gateway.name)

    def _dock(self, gateway: Heard[GatewayState], scanner: ScannerState | None) -> Dock:
        state = gateway.state
        if not is_current(self._board, gateway):
            return Dock(gateway, scanner, None, _UNHEARD, "not heard")
        if not state.online:
            return Dock(gateway, scanner, None, 2, "OFFLINE")
        if scanner is not None and not scanner.online:
            return Dock(gateway, scanner, None, 2, "UNPLUGGED")
        level = severity(self._board, gateway)
        words = next(problems(state), None) if level else None
        trouble = words.text.lstrip("✖▲ ") if words else None
        if scanner is not None and scanner.problem:
            trouble, level = scanner.problem, max(level, 1)
        # A gateway is as bad as its worst scanner; the others of it may be in order.
        return Dock(gateway, scanner, None, level if trouble else 0, trouble or "in order")
