"""Alerts and exceptions as a table, the most urgent first. Pure."""

from collections.abc import Hashable, Iterable
from typing import Any

from monitor.alert_lines import SEVERITY
from monitor.board import Board, Heard
from monitor.listing import Sheet
from monitor.sheet import ALWAYS, Column
from monitor.spans import Span, Tone
from wire.events import Alert


class AlertSheet(Sheet[Heard[Alert]]):
    """Every open alert; those somebody takes care of come last."""

    name = "alerts"
    urgent_word = "not taken"
    columns = (
        Column("severity", "Urgency", 9, 7),
        Column("opened", "Age", 5, 8, "moment"),
        Column("title", "What", 24, ALWAYS, widest=70),
        Column("count", "Times", 6, 5, "number"),
        Column("taken", "Taken by", 10, 6),
        Column("site", "Site", 8, 4),
        Column("kind", "Kind", 16, 3),
        Column("ref", "About", 16, 2, widest=30),
    )
    first_order = ("severity", False)
    extra = frozenset({"kind", "ref"})

    def __init__(self, board: Board) -> None:
        self._board = board

    def items(self) -> Iterable[Heard[Alert]]:
        """Return every open alert."""
        return self._board.alerts_by_urgency()

    def key(self, item: Heard[Alert]) -> Hashable:
        """Return its id."""
        return item.name

    def value(self, item: Heard[Alert], key: str) -> Any:
        """Return a field of an alert."""
        alert = item.state
        if key == "opened":
            return alert.opened.timestamp()
        if key == "taken":
            return alert.acknowledged_by or ""
        if key == "severity" and not self._board.is_confirmed(item):
            return "may be over"
        return getattr(alert, key)

    def rank(self, item: Heard[Alert], key: str) -> Any:
        """Sort by urgency."""
        return self._board.urgency(item) if key == "severity" else self.value(item, key)

    def mark(self, item: Heard[Alert]) -> Span:
        """Return its sign."""
        if not self._board.is_confirmed(item):
            return Span("◌", "muted")
        if item.state.acknowledged_by:
            return Span("✓", "muted")
        return Span(*SEVERITY[item.state.severity])

    def is_urgent(self, item: Heard[Alert]) -> bool:
        """Return whether nobody takes care of it yet."""
        return item.state.acknowledged_by is None

    def tone(self, item: Heard[Alert], key: str) -> Tone:
        """Colour what nobody takes care of."""
        if not self.is_urgent(item):
            return "muted"
        if key == "severity":
            return SEVERITY[item.state.severity][1]
        return "title" if key == "title" else "muted"

    def copied(self, item: Heard[Alert]) -> str:
        """Return what it is about, such as the barcode."""
        return item.state.ref or item.name
