"""All scanners of a gateway, as its configuration has them now."""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Iterator

from gateway.clock import DockClock
from gateway.config import Scanner
from gateway.outbox import Outbox
from gateway.reader import Reader, Tell

log = logging.getLogger(__name__)


class Readers:
    """The running readers; `apply` starts, stops and replaces them without touching the others."""

    def __init__(
        self,
        tasks: asyncio.TaskGroup,
        outbox: Outbox,
        online: Callable[[], bool],
        changed: Callable[[], None],
        clock: DockClock,
        tell: Tell,
    ) -> None:
        self._tasks, self._outbox, self._online, self._changed = tasks, outbox, online, changed
        self._clock, self._tell = clock, tell
        self._running: dict[str, tuple[Reader, asyncio.Task[None]]] = {}

    def __iter__(self) -> Iterator[Reader]:
        return (reader for reader, _ in self._running.values())

    def named(self, scanner: str) -> Reader | None:
        """Return the reader of a scanner, None when there is no such scanner."""
        found = self._running.get(scanner)
        return found and found[0]

    async def apply(self, scanners: Iterable[Scanner]) -> None:
        """Make the readers those that the configuration names."""
        wanted = {scanner.name: scanner for scanner in scanners}
        for name, (reader, task) in list(self._running.items()):
            if wanted.get(name) == reader.settings:
                del wanted[name]
                continue
            del self._running[name]
            task.cancel()
            await asyncio.wait([task])  # its port must be free before another opens it
            log.info("scanner %s: stopped", name)
        for name, settings in wanted.items():
            reader = Reader(
                settings,
                self._outbox,
                self._online,
                self._changed,
                random.Random(),
                self._clock,
                self._tell,
            )
            self._running[name] = (reader, self._tasks.create_task(reader.run()))
        self._changed()
