"""The main view: stock, and around it docks, alerts, live scans and the item under the cursor."""

from itertools import islice
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from monitor import item_card
from monitor.alert_lines import alert_lines, alerts_title
from monitor.desk import Desk
from monitor.dock_health import dock_lines, docks_in_trouble
from monitor.scan_lines import scan_line
from monitor.spans import Line
from monitor.stock_listing import StockListing
from monitor.widgets.adjust import Adjust
from monitor.widgets.details import DetailScreen
from monitor.widgets.item import ItemScreen
from monitor.widgets.page import Page, muted
from monitor.widgets.painted import Panel

#: Lines of the live feed worded at each change.
_SCANS_MAX = 40


class StockPage(Page):
    """Everything at a glance."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "plus",
            "adjust",
            "Adjust",
            key_display="+",
            priority=True,
            tooltip="book more or fewer, with a reason",
        )
    ]

    listing: StockListing

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, StockListing(desk.board), "Stock")
        self.docks = Panel("Docks", id="docks-pane")
        self.alerts = Panel("Alerts", id="alerts-pane")
        self.scans = Panel("Live scans", id="scans-pane")
        self._scans_shown = -1

    def compose(self) -> ComposeResult:
        """Yield the parts, in the order of the grid in monitor.tcss."""
        yield self.frame
        yield self.docks
        yield self.alerts
        yield self.scans
        yield self.details

    def flush(self) -> None:
        """Show stock, scans, and the item as it is now."""
        super().flush()
        self._show_scans(self.desk.clock())
        self.show_details()

    def tick(self) -> None:
        """Show docks and alerts, too; all ages have grown."""
        super().tick()
        board, now = self.desk.board, self.desk.clock()
        trouble = docks_in_trouble(board)
        self.docks.show(
            dock_lines(board, now, self.docks.line_width) or muted("No dock has reported yet."),
            f"Docks and scanners{f', ▲ {trouble}' if trouble else ''}",
        )
        self.alerts.show(alert_lines(board, now) or muted("No alert is open."), alerts_title(board))
        self._scans_shown = -1
        self._show_scans(now)

    def card(self, row: Any, now: float, width: int, height: int) -> tuple[str, list[Line]]:
        """Tell about the item."""
        stock = self.listing.stock
        lines = item_card.card(self.desk.board, stock, row, now, width, height)
        return item_card.title(stock, row), lines

    def detail_screen(self, row: Any) -> DetailScreen:
        """Return the screen with everything about an item."""
        return ItemScreen(self, row)

    def action_adjust(self) -> None:
        """Correct the stock of the item under the cursor."""
        row = self.table.cursor_row
        if row is not None:
            stock = self.listing.stock
            form = Adjust(self.desk, stock.site[row], stock.sku[row], stock.name[row])
            self.app.push_screen(form)

    def title(self) -> str:
        """The first line of the screen says how many."""
        return self.words

    def empty(self) -> tuple[str, ...]:
        """Say what the stock waits for."""
        desk = self.desk
        broker, site = desk.config.broker, desk.config.site
        if len(self.listing.stock):
            return super().empty()
        if desk.replay is not None:
            return ("The recording holds no stock up to here.",)
        if not desk.board.link.up:
            return (
                f"Waiting for the broker at {broker}.",
                "The screen fills by itself as soon as the broker answers.",
                "Another broker: docktally monitor --broker host:port",
            )
        return (
            f"Connected to the broker at {broker}; it holds no stock"
            + (f" of site {site}." if site else "."),
            "Rows appear as soon as central announces its first item.",
            f"Listening below {desk.config.topic_root}. Is `docktally central` running,"
            " and may this account read there?",
        )

    def _show_scans(self, now: float) -> None:
        heard = self.desk.board.scans_heard
        if self.listing.paused or heard == self._scans_shown or not self.scans.display:
            return
        self._scans_shown = heard
        newest = islice(reversed(self.desk.board.scans), _SCANS_MAX)
        self.scans.show([scan_line(scan, now) for scan in newest] or muted("No scan seen yet."))
