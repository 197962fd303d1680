"""The way back to the person: bytes written to the scanner, and a line in the log."""

import logging

from gateway.config import Pattern, Signals
from gateway.serial_port import SerialPort
from wire.errors import Unavailable

log = logging.getLogger(__name__)


async def give(
    port: SerialPort, signals: Signals, scanner: str, pattern: Pattern, text: str
) -> None:
    """Signal `pattern` at the scanner. A lost beep undoes nothing: what it tells is done already.

    A scanner without back channel stays silent; people then see the state and the log.
    """
    level = logging.DEBUG if pattern in ("good", "offline") else logging.WARNING
    log.log(level, "scanner %s: %s: %s", scanner, pattern, text)
    data = signals.bytes_for(pattern)
    if data:
        try:
            await port.write(data)
        except Unavailable as error:
            log.warning("scanner %s: %s was not signalled: %s", scanner, pattern, error)
