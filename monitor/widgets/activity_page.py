"""The view of what just happened."""

from typing import Any

from monitor import scan_card
from monitor.activity_sheet import ActivitySheet
from monitor.board import Scan
from monitor.desk import Desk
from monitor.listing import ShortList
from monitor.spans import Line
from monitor.widgets.page import ShortPage


class ActivityPage(ShortPage):
    """The latest scans; beside them all about one."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, ShortList(ActivitySheet(desk.board)), "Activity")

    def card(self, row: Any, now: float, width: int, height: int) -> tuple[str, list[Line]]:
        """Tell about the scan."""
        del height
        scan: Scan = self.item(row)[1]
        return scan_card.title(scan), scan_card.card(self.desk.board, scan, now, width)

    def total(self) -> int:
        """Return how many lines are kept."""
        return len(self.desk.board.scans)

    def nothing(self) -> tuple[str, ...]:
        """Nothing was scanned since the start."""
        return ("No scan seen yet.",)
