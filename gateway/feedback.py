"""The way back to the person: bytes written to the scanner, and a line in the log."""

import asyncio
import logging

from gateway.dialect import Dialect
from gateway.port import Port
from wire.errors import Unavailable
from wire.events import Pattern

log = logging.getLogger(__name__)

#: A scan engine that was asleep takes this long to wake up.
_GREETING_PAUSE_S = 0.06


async def give(port: Port, data: bytes, scanner: str, pattern: Pattern, text: str) -> None:
    """Signal `pattern` at the scanner. A lost beep undoes nothing: what it tells is done already.

    A scanner without back channel stays silent; people then see the state and the log.
    """
    level = logging.DEBUG if pattern in ("good", "offline") else logging.WARNING
    log.log(level, "scanner %s: %s: %s", scanner, pattern, text)
    await say(port, data, scanner)


async def greet(port: Port, dialect: Dialect, scanner: str) -> None:
    """Tell a scanner that was just opened how it is to speak."""
    for words in dialect.greet():
        await say(port, words, scanner)
        await asyncio.sleep(_GREETING_PAUSE_S)


async def say(port: Port, data: bytes, scanner: str) -> None:
    """Send bytes to the scanner, if any; a device that takes none is a line in the log."""
    if data:
        try:
            await port.write(data)
        except Unavailable as error:
            log.warning("scanner %s: was not told: %s", scanner, error)
