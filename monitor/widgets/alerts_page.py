"""The view of alerts, and what a person does about them."""

from typing import Any, cast

from monitor import alert_card
from monitor.alert_sheet import AlertSheet
from monitor.board import Heard
from monitor.desk import Desk
from monitor.listing import ShortList
from monitor.spans import Line
from monitor.widgets.page import ShortPage


class AlertsPage(ShortPage):
    """Every open alert; beside it what to do."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, ShortList(AlertSheet(desk.board)), "Alerts")

    def card(self, row: Any, now: float, width: int, height: int) -> tuple[str, list[Line]]:
        """Tell about the alert."""
        del height
        alert = cast("Heard[Any]", self.item(row))
        return alert_card.title(alert), alert_card.card(self.desk.board, alert, now, width)

    def total(self) -> int:
        """Return how many are open."""
        return len(self.desk.board.alerts)

    def nothing(self) -> tuple[str, ...]:
        """All is well."""
        return ("No alert is open.",)
