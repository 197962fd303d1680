"""The view of alerts, and what a person does about them."""

from typing import Any, ClassVar, cast

from textual import work
from textual.binding import Binding, BindingType

from monitor import alert_card
from monitor.alert_card import UNKNOWN_BARCODE
from monitor.alert_sheet import AlertSheet
from monitor.answers import Problem
from monitor.board import Heard
from monitor.desk import Desk
from monitor.listing import ShortList
from monitor.spans import Line
from monitor.widgets.map_barcode import MapBarcode
from monitor.widgets.page import ShortPage


class AlertsPage(ShortPage):
    """Every open alert; beside it what to do."""

    worst_first = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "a", "take", "Acknowledge", priority=True, tooltip="say that you take care of the alert"
        ),
        Binding(
            "m",
            "map",
            "Map barcode",
            priority=True,
            tooltip="say what an unknown barcode stands for",
        ),
        Binding("x", "close", "Close", priority=True, tooltip="the alert was dealt with"),
        Binding(
            "A",
            "take_all",
            "All",
            show=False,
            priority=True,
            tooltip="acknowledge all that are shown",
        ),
    ]

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

    def action_take(self) -> None:
        """Say that this person takes care of the alert."""
        row = self.table.cursor_row
        if row is not None:
            self.deliberately(lambda: self._take([row]))

    def action_take_all(self) -> None:
        """Take every alert that is shown and that nobody has, if that was meant."""
        is_urgent = self.listing.sheet.is_urgent
        rows = [row for row in self.listing.rows if is_urgent(self.item(row))]
        if rows:
            question = f"Acknowledge {len(rows):,} alerts as {self.desk.person}?"
            self.confirm(question, "takes them all", lambda: self._take(rows))

    def action_close(self) -> None:
        """Say that the alert was dealt with, if that was meant."""
        row = self.table.cursor_row
        if row is not None:
            question = (
                f"Close “{self.item(row).state.title}”? It opens again when its cause recurs."
            )
            self.confirm(question, "closes it", lambda: self._close(row))

    def action_map(self) -> None:
        """Say what an unknown barcode stands for."""
        row = self.table.cursor_row
        if row is None:
            return
        alert = self.item(row).state
        if alert.kind == UNKNOWN_BARCODE and alert.ref:
            self.app.push_screen(MapBarcode(self.desk, alert.ref))
        else:
            self.notify("This alert is not about an unknown barcode.", severity="warning")

    @work(group="alerts")
    async def _take(self, rows: list[str]) -> None:
        for row in rows:
            answer = await self.desk.api.acknowledge(row, self.desk.person)
            if isinstance(answer, Problem):
                self.tell(answer)
                return
        word = "1 alert is yours" if len(rows) == 1 else f"{len(rows):,} alerts are yours"
        self.notify(word)

    @work(group="alerts")
    async def _close(self, row: str) -> None:
        answer = await self.desk.api.close(row)
        if isinstance(answer, Problem):
            self.tell(answer)
        else:
            self.notify("Closed")
