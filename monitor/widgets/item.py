"""One item in full: what is known here, and what central says when it is asked."""

import asyncio
from typing import Any

from textual import work

from monitor import item_card, snapshot
from monitor.item_card import Facts
from monitor.spans import Line
from monitor.widgets.details import DetailScreen

#: Asked again so long after an answer at the earliest, when the item has changed since.
_AGAIN_S = 1.0


class ItemScreen(DetailScreen):
    """Figures, places, promises, history and latest scans of one row of stock."""

    def __init__(self, page: Any, row: int) -> None:
        super().__init__(page, row)
        self._facts = Facts()

    def opened(self) -> None:
        """Ask central, too."""
        self._ask()

    @work(exclusive=True)
    async def _ask(self) -> None:
        api, stock, asked = self.desk.api, self.desk.board.stock, 0
        while self.desk.replay is None:
            version = stock.version[self.row]
            if version != asked:
                asked = version
                self._facts.places, self._facts.events, _ = await asyncio.gather(
                    api.places(stock.sku[self.row]),
                    api.events(stock.sku[self.row]),
                    snapshot.orders(api, self.desk.board, self.desk.clock),
                )
                self.show()
            await asyncio.sleep(_AGAIN_S)

    def lines(self, now: float, width: int) -> tuple[str, list[Line]]:
        """Return everything about the item."""
        stock = self.page.listing.stock
        lines = item_card.full(self.desk.board, stock, self.row, self._facts, now, width)
        return item_card.title(stock, self.row), lines
