"""The monitor's screen on a board that is fed by hand, at a moment that stands still."""

from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from monitor import screen as screen_module
from monitor.app import announced, wear
from monitor.board import Board
from monitor.central_api import CentralApi
from monitor.config import Config
from monitor.desk import Desk
from monitor.feed import Feed
from monitor.screen import MainScreen
from monitor.terminal_line import TerminalApp
from monitor.widgets.page import Page
from stock_messages import NOW, activity, alert, central, gateway, item
from wire.events import NewScanner, ScannerState

STYLES = Path(screen_module.__file__).parent / "monitor.tcss"
WIDE, NARROW, SMALL = (120, 40), (80, 24), (60, 18)


class ScreenApp(TerminalApp):
    """The screen without a feed. Only `settled` and keys repaint it."""

    CSS_PATH = STYLES

    def __init__(self, board: Board, config: Config | None = None) -> None:
        super().__init__()
        self.moment = NOW
        config = config or Config()
        clock = lambda: self.moment  # noqa: E731
        api = CentralApi(config.central, lambda: announced(board))
        self.desk = Desk(config, board, clock, api, Feed(config, board, clock=clock))
        self.main = MainScreen(self.desk)

    def get_default_screen(self) -> MainScreen:
        """Return the screen under test."""
        return self.main

    def on_mount(self) -> None:
        """Wear what the configuration says."""
        wear(self, self.desk.config.monitor.theme)

    @property
    def page(self) -> Page:
        """The view that is seen."""
        return self.main.page

    @property
    def rows(self) -> list[Any]:
        """What the view that is seen shows, in order."""
        return list(self.page.listing.rows)

    @property
    def drawn(self) -> str:
        """What stands on the whole screen now."""
        return "\n".join(strip.text for strip in self.screen._compositor.render_strips())

    @property
    def skus(self) -> list[str]:
        """The SKUs that the first view shows, in order."""
        listing: Any = self.main.pages[0].listing
        return [listing.stock.sku[row] for row in listing.rows]


async def settled(pilot: Pilot[None]) -> None:
    """Let the screen draw what is known."""
    app: Any = pilot.app
    await pilot.pause()
    app.main.tick()
    await pilot.pause()


def busy_board() -> Board:
    """Return a live board: 60 items, three docks, four alerts, a few scans."""
    board = Board(10, NOW)
    board.apply_link(up=True, reason="connected", now=NOW)
    board.apply_central(central(), NOW, retained=True)
    for number in range(60):
        name = "valve DN25" if number % 3 == 0 else "hose"
        news = item(f"SKU-{number:03d}", available=number * 7 % 50, name=name)
        board.apply_availability(news, NOW, retained=True)
    left = ScannerState(name="door-l", source="usb:S1", online=True, scans=84, mode="pick")
    right = ScannerState(name="door-r", source="usb:S2", online=False, problem="plug it in")
    new = NewScanner(source="pos", port="usb:1eab:0010:N-1", product="EM20")
    calm = gateway(left).model_copy(update={"new_scanners": (new,)})
    board.apply_gateway("ber", "dock-1", gateway(online=False), NOW, retained=False)
    board.apply_gateway("ber", "dock-2", calm, NOW, retained=False)
    waits = gateway(right, pending=312, oldest_age_s=131, capacity_left=9_000)
    board.apply_gateway("ber", "dock-3", waits, NOW, retained=False)
    for number, (kind, severity) in enumerate(
        [
            ("shortage", "critical"),
            ("unknown_barcode", "warning"),
            ("held_scan", "warning"),
            ("low", "info"),
        ]
    ):
        opened = alert(f"a{number + 1}", severity, -60.0 * number)
        more = {"kind": kind, "detail": f"what to do about {kind}", "ref": f"code-{number + 1}"}
        board.apply_alert(opened.id, opened.model_copy(update=more), NOW, retained=True)
    board.unseen_alerts = {"a1"}
    for number, outcome in enumerate(("applied", "held", "refused")):
        line = activity(f"SKU-00{number + 3}", f"text {number}")
        board.apply_activity("ber", line.model_copy(update={"outcome": outcome}), NOW)
    return board


def fresh(app: ScreenApp) -> list[str]:
    """Return the table's lines painted anew from the board, past every cache."""
    table = app.page.table
    return [table.render_line(y).text for y in range(table.size.height)]


def standing(app: ScreenApp) -> list[str]:
    """Return the table's lines as they stand on the screen."""
    region = app.page.table.content_region
    strips = app.screen._compositor.render_strips()[region.y : region.bottom]
    return [strip.crop(region.x, region.right).text for strip in strips]
