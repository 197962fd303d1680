"""A TCP proxy that can be told to be a bad network."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

log = logging.getLogger(__name__)

_READ_BYTES = 64 * 1024


@dataclass
class BrokerProxy:
    """Forwards `127.0.0.1:port` to `host:target_port` until told otherwise.

    cut: every connection breaks and new ones are closed at once. half_open: connections stay, but
    nothing goes through, as behind a firewall that forgot them. Both last until restore.
    """

    host: str
    target_port: int
    delay_s: float = 0.0
    port: int = 0
    _cut: bool = False
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)
    _links: set[asyncio.Task[None]] = field(default_factory=set)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Self]:
        """Listen while the context is open; `port` tells where when it was 0."""
        self._flowing.set()
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self._break()
            await asyncio.gather(*self._links, return_exceptions=True)

    def cut(self) -> None:
        """Break every connection and take no new one."""
        self._cut = True
        self._break()

    def half_open(self) -> None:
        """Let nothing through any more, and tell nobody."""
        self._flowing.clear()

    def restore(self) -> None:
        """Be a good network again. Connections that were half open break: they are forgotten."""
        self._cut = False
        if not self._flowing.is_set():
            self._break()
            self._flowing.set()

    def _break(self) -> None:
        for link in self._links:
            link.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.current_task()
        assert link is not None
        self._links.add(link)
        try:
            if not self._cut:
                await self._join(reader, writer)
        except (OSError, asyncio.CancelledError) as error:
            log.debug("connection over: %r", error)
        finally:
            self._links.discard(link)
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection(self.host, self.target_port)
        pumps = [
            asyncio.create_task(self._pump(reader, forth)),
            asyncio.create_task(self._pump(back, writer)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            forth.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_READ_BYTES):
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            await self._flowing.wait()
            writer.write(data)
            await writer.drain()


async def storm(proxy: BrokerProxy, up_s: float, down_s: float, *, half_open: bool) -> None:
    """Break the network for `down_s` after every `up_s`, until SIGTERM cancels it."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with proxy.serving():
        while True:
            await asyncio.sleep(up_s)
            log.info("network down")
            proxy.half_open() if half_open else proxy.cut()
            await asyncio.sleep(down_s)
            log.info("network up")
            proxy.restore()
