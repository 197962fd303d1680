"""The view of docks and scanners, and what a person asks of them."""

from typing import Any, ClassVar

from textual import work
from textual.binding import Binding, BindingType

from monitor import gateway_card
from monitor.answers import Problem
from monitor.desk import Desk
from monitor.dock_sheet import DockSheet
from monitor.listing import ShortList
from monitor.spans import Line
from monitor.widgets.ask_replay import AskReplay
from monitor.widgets.details import DetailScreen
from monitor.widgets.gateway import GatewayScreen
from monitor.widgets.page import ShortPage
from wire.errors import Unavailable
from wire.events import Identify


class DocksPage(ShortPage):
    """Every scanner; beside it its gateway."""

    worst_first = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "identify", "Identify", priority=True, tooltip="let the scanner beep"),
        Binding(
            "R",
            "replay",
            "Replay",
            priority=True,
            tooltip="have the gateway send its journal again",
        ),
    ]

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

    def detail_screen(self, row: Any) -> DetailScreen:
        """Return the screen with everything about the scanner's gateway."""
        return GatewayScreen(self, row, self.item(row).gateway)

    def action_identify(self) -> None:
        """Make the scanner beep, so that a person finds it."""
        row = self.table.cursor_row
        if row is None:
            return
        dock = self.item(row)
        if dock.scanner is None:
            self.notify("Only a scanner of the configuration can beep.", severity="warning")
        else:
            gateway, scanner = dock.gateway, dock.scanner.name
            self.deliberately(lambda: self._identify(gateway.site, gateway.name, scanner))

    def action_replay(self) -> None:
        """Ask the gateway to send its journal again, if that was meant."""
        row = self.table.cursor_row
        if row is not None:
            self.app.push_screen(AskReplay(self.desk, self.item(row).gateway))

    @work(group="commands")
    async def _identify(self, site: str, gateway: str, scanner: str) -> None:
        try:
            await self.desk.feed.command(site, gateway, Identify(scanner=scanner))
        except Unavailable as error:
            self.tell(Problem(f"{gateway} was not asked: {error}."))
        else:
            self.notify(f"{gateway} was asked to let {scanner} beep", markup=False)
