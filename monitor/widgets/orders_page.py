"""The view of orders and reservations: listed over HTTP while somebody looks at it."""

import asyncio
from typing import Any

from textual import work

from monitor import order_card, snapshot
from monitor.desk import Desk
from monitor.listing import ShortList
from monitor.order_sheet import OrderSheet
from monitor.spans import Line
from monitor.widgets.page import ShortPage

#: How often open orders are listed anew while they are looked at.
_AGAIN_S = 3.0


class OrdersPage(ShortPage):
    """Every open reservation; beside it its items."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, ShortList(OrderSheet(desk.board)), "Orders and reservations")

    def card(self, row: Any, now: float, width: int, height: int) -> tuple[str, list[Line]]:
        """Tell what the order is about."""
        del height
        order = self.item(row)
        return order_card.title(order), order_card.card(self.desk.board, order, now, width)

    def title(self) -> str:
        """Say how old the list is, too: it is asked for, not announced."""
        orders = self.desk.board.orders
        more = ", the newest of more" if orders.cut else ""
        if orders.at is None:
            return self.words
        age = max(0.0, self.desk.clock() - orders.at)
        old = f", ◌ {age:.0f}s old: {orders.problem}" if orders.problem else ""
        return f"{super().title()}{more}{old}"

    def opened(self) -> None:
        """Ask for the list, and again and again while somebody looks at it."""
        if self.desk.replay is None:
            self._follow()

    @work(exclusive=True)
    async def _follow(self) -> None:
        desk = self.desk
        while self.display:
            await snapshot.orders(desk.api, desk.board, desk.clock)
            self.tick()
            await asyncio.sleep(_AGAIN_S)

    def total(self) -> int:
        """Return how many reservations are known."""
        return len(self.desk.board.orders.reservations)

    def nothing(self) -> tuple[str, ...]:
        """Say why there is no list."""
        orders = self.desk.board.orders
        if self.desk.replay is not None:
            return ("A replay has no orders: they are asked for over HTTP, not announced.",)
        if orders.problem:
            return tuple(orders.problem.split(". ", 1))
        return ("No order is open." if orders.at else "Asking central ...",)
