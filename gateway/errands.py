"""What the gateway is asked to do from outside: commands, and beeps for rejected events."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable

from gateway.drain import Drain
from gateway.outbox import Outbox
from gateway.readers import Readers
from wire.errors import Unavailable
from wire.events import Command, Feedback, Identify, Pattern, Rejected, Reload, Replay

log = logging.getLogger(__name__)

#: People send a few a minute; what floods this is an accident and is dropped with a warning.
_WAITING_MAX = 64

Errand = Command | Rejected


class Errands:
    """Does one errand after the other, so that a slow scanner delays no acknowledgement."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[Errand] = asyncio.Queue(_WAITING_MAX)

    def add(self, errand: Errand) -> None:
        """Do this soon."""
        try:
            self._waiting.put_nowait(errand)
        except asyncio.QueueFull:
            log.warning("too many commands at once; dropped %s", errand)

    async def run(
        self, outbox: Outbox, drain: Drain, readers: Readers, reload: Callable[[], Awaitable[None]]
    ) -> None:
        """Do errands until cancelled."""
        while True:
            match await self._waiting.get():
                case Identify(scanner=scanner):
                    await _signal(readers, scanner, "good", "identify")
                case Feedback(scanner=scanner, pattern=pattern, text=text):
                    await _signal(readers, scanner, pattern, text)
                case Replay(epoch=epoch, from_seq=from_seq):
                    drain.replay(epoch, from_seq)
                case Reload():
                    await reload()
                case Rejected() as rejected:
                    text = f"seq {rejected.seq}: {rejected.code}: {rejected.message}"
                    await _signal(readers, _scanner_of(outbox, rejected.seq), "rejected", text)


async def _signal(readers: Readers, scanner: str, pattern: Pattern, text: str) -> None:
    reader = readers.named(scanner)
    if reader is None:
        log.warning("no scanner is named %r here: %s: %s", scanner, pattern, text)
    else:
        await reader.signal(pattern, text)


def _scanner_of(outbox: Outbox, seq: int) -> str:
    try:
        rows = outbox.rows(seq - 1, 1, 1)
    except Unavailable:
        rows = []
    return str(json.loads(rows[0]).get("scanner", "")) if rows else ""
