"""Work that must be done in the end: again each second while broker or database is away."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from wire.errors import Unavailable

log = logging.getLogger(__name__)

RETRY_S = 1.0


async def until_done(work: Callable[[], Awaitable[None]]) -> None:
    """Return once `work` has gone through."""
    while True:
        try:
            await work()
        except Unavailable as error:
            log.warning("%s; trying again", error)
            await asyncio.sleep(RETRY_S)
        else:
            return
