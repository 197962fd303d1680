"""What just happened, as a table: one row a scan, the newest first. Pure."""

from collections.abc import Hashable, Iterable
from typing import Any

from monitor import figures
from monitor.board import Board, Scan
from monitor.listing import Sheet
from monitor.scan_lines import OUTCOME
from monitor.sheet import ALWAYS, Column
from monitor.spans import Span, Tone


class ActivitySheet(Sheet[tuple[int, Scan]]):
    """The live feed as far back as it is kept; each line has a number."""

    name = "activity"
    urgent_word = "not booked"
    columns = (
        Column("at", "Time", 8, 9, "moment"),
        Column("outcome", "Outcome", 8, 6),
        Column("kind", "Kind", 10, 8),
        Column("quantity", "Qty", 6, 7, "number"),
        Column("sku", "SKU", 12, ALWAYS, widest=24),
        Column("location", "From", 8, 5, widest=14),
        Column("to_location", "To", 8, 5, widest=14),
        Column("scanner", "Scanner", 10, 4, widest=20),
        Column("gateway", "Gateway", 8, 3, widest=16),
        Column("operator", "Person", 8, 4, widest=16),
        Column("document", "Document", 10, 2, widest=20),
        Column("text", "What", 12, 7, widest=50),
        Column("site", "Site", 8, 1),
    )
    first_order = ("number", True)

    def __init__(self, board: Board) -> None:
        self._board = board

    def stamp(self) -> int:
        """Return how many scans were heard."""
        return self._board.scans_heard

    def items(self) -> Iterable[tuple[int, Scan]]:
        """Return the scans that are kept, numbered as they came."""
        scans = self._board.scans
        return enumerate(scans, self._board.scans_heard - len(scans))

    def key(self, item: tuple[int, Scan]) -> Hashable:
        """Return its number."""
        return item[0]

    def value(self, item: tuple[int, Scan], key: str) -> Any:
        """Return a field of the line."""
        number, scan = item
        match key:
            case "number":
                return number
            case "site":
                return scan.site
            case "at":
                return scan.line.at.timestamp()
            case _:
                return getattr(scan.line, key)

    def text(self, item: tuple[int, Scan], column: Column, now: float, width: int) -> str:
        """Show when it happened as a time of day."""
        if column.key == "at":
            return figures.clock(self.value(item, "at"))
        return super().text(item, column, now, width)

    def mark(self, item: tuple[int, Scan]) -> Span:
        """Return its sign."""
        return Span(*OUTCOME[item[1].line.outcome])

    def is_urgent(self, item: tuple[int, Scan]) -> bool:
        """Return whether a person is needed."""
        return item[1].line.outcome != "applied"

    def tone(self, item: tuple[int, Scan], key: str) -> Tone:
        """Colour what was not booked."""
        if self.is_urgent(item) and key in {"outcome", "text"}:
            return OUTCOME[item[1].line.outcome][1]
        return "plain" if key in {"sku", "kind", "quantity"} else "muted"

    def copied(self, item: tuple[int, Scan]) -> str:
        """Return the SKU, or what there is instead of one."""
        line = item[1].line
        return line.sku or line.text
