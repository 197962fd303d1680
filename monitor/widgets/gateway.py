"""One gateway in full, with what central has booked of it."""

import contextlib
from typing import Any

from monitor.board import Heard
from monitor.widgets.details import DetailScreen
from wire.errors import Unavailable
from wire.events import GatewayState


class GatewayScreen(DetailScreen):
    """The gateway of a scanner; central's words to it are heard while this is open."""

    def __init__(self, page: Any, row: Any, gateway: Heard[GatewayState]) -> None:
        super().__init__(page, row)
        self._gateway = gateway

    def opened(self) -> None:
        """Listen to central's words to it."""
        self.run_worker(self._listen(), exclusive=True, group="acks")

    def on_unmount(self) -> None:
        """Listen no longer."""
        self.desk.feed.ignore_acks(self._gateway.site, self._gateway.name)

    async def _listen(self) -> None:
        with contextlib.suppress(Unavailable):  # the first line says that there is no broker
            await self.desk.feed.watch_acks(self._gateway.site, self._gateway.name)
            self.show()
