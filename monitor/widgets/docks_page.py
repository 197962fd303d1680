"""The view of docks and scanners, and what a person asks of them."""

from typing import Any

from monitor import gateway_card
from monitor.desk import Desk
from monitor.dock_sheet import DockSheet
from monitor.listing import ShortList
from monitor.spans import Line
from monitor.widgets.page import ShortPage


class DocksPage(ShortPage):
    """Every scanner; beside it its gateway."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, ShortList(DockSheet(desk.board)), "Docks and scanners")

    def card(self, row: Any, now: float, width: int, height: int) -> tuple[str, list[Line]]:
        """Tell about the scanner's gateway."""
        del height
        gateway = self.item(row).gateway
        lines = gateway_card.card(self.desk.board, gateway, now, width)
        return gateway_card.title(gateway), lines

    def total(self) -> int:
        """Return how many scanners there are."""
        return sum(1 for _ in self.listing.sheet.items())

    def nothing(self) -> tuple[str, ...]:
        """No gateway was heard."""
        return (
            "No dock has reported yet.",
            "A gateway appears by itself once it runs.",
        )
