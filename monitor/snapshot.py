"""The first stock after a connect: from central over HTTP where that can be, else from the broker.

The broker's stored messages are always there; central's own word is newer and needs no stored copy.
Either way live changes are heard first and the version of each item says which word is the newer,
so nothing falls between the two.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from monitor.answers import Problem, Reservations, StockPage
from monitor.board import Board
from monitor.central_api import CentralApi
from monitor.order_book import ORDERS_MAX

log = logging.getLogger(__name__)

#: Central's retained state, which says where its API answers, comes within moments of a connect.
_LOOKS, _LOOK_S = 50, 0.02


async def from_central(
    api: CentralApi, board: Board, site: str | None, clock: Callable[[], float]
) -> bool:
    """Fill the board with central's stock, page by page; False when central did not give it."""
    for _ in range(_LOOKS):
        if not isinstance(api.server, Problem) or board.central_is_heard:
            break
        await asyncio.sleep(_LOOK_S)
    async with asyncio.TaskGroup() as group:
        asked: asyncio.Task[StockPage | Problem] | None
        asked = group.create_task(api.stock(site, ""))
        while asked is not None:
            page = await asked
            if isinstance(page, Problem):
                log.info("stock comes from the broker's stored messages: %s", page.sentence)
                return False
            # Central looks for the next page while this one is taken in.
            asked = group.create_task(api.stock(site, page.next)) if page.next else None
            await asyncio.sleep(0)
            now = clock()
            at = datetime.fromtimestamp(now, UTC)
            board.load_from_central([row.announced(at) for row in page.items], now)
    return True


async def orders(api: CentralApi, board: Board, clock: Callable[[], float]) -> None:
    """List the open reservations anew, or note why that cannot be."""
    pages: list[Reservations] = []
    after: str | None = ""
    while after is not None and sum(len(page.items) for page in pages) < ORDERS_MAX:
        page = await api.reservations(after)
        if isinstance(page, Problem):
            board.orders.fail(page.sentence)
            return
        pages.append(page)
        after = page.next
    board.orders.take(pages, clock())
