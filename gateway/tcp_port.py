"""The network driver: cameras and scanners that speak TCP, whoever of the two connects.

There is one connection at a time. When a scanner that connects to us comes again (it was switched
off, and its old connection never ended), the newest one counts: what the old one still holds is
read, then it ends as an unplugged device would, so that no code is made of bytes of both.
"""

import asyncio
import contextlib
import errno
import socket
import time
from collections.abc import Callable
from typing import Any

from gateway import tcp_address
from gateway.config import Scanner
from gateway.port import CHUNKS_MAX, REOPEN_FIRST_S, REOPEN_MAX_S, Chunk, Down, News, Up
from wire.errors import Unavailable

_READ_BYTES = 4_096
_CONNECT_S = 5.0
#: A scanner that takes no feedback for this long is not waited for.
_WRITE_S = 1.0
#: How long a replaced connection may take to hand over what it still holds.
_LAST_BYTES_S = 1.0
#: A scanner that lost its power says nothing: it is asked after this much silence, this often.
_KEEPALIVE_IDLE_S, _KEEPALIVE_EVERY_S, _KEEPALIVE_TRIES = 5, 2, 3
#: And given up when it acknowledges nothing for this long.
_DEAD_MS = 10_000
_ADVICE = {
    errno.ECONNREFUSED: "the scanner refuses the connection; check its port and that its TCP "
    "server is switched on",
    errno.EHOSTUNREACH: "the scanner's address does not answer; check its power, cable and address",
    errno.ETIMEDOUT: "the scanner does not answer any more; check its power and cable",
    errno.EADDRINUSE: "another program on this machine listens on this port (`ss -ltnp` shows "
    "which); stop it, or choose another port here and in the scanner",
    errno.EADDRNOTAVAIL: "this machine does not have this address; 0.0.0.0 listens on all it has",
    errno.EACCES: "ports below 1024 are reserved; choose a higher one here and in the scanner",
}


class TcpPort:
    """One network scanner; it has an address, so there is no device to `find`."""

    def __init__(self, settings: Scanner, find: Callable[[], str]) -> None:
        del find
        self._address = tcp_address.parse(settings.port)
        self._news: asyncio.Queue[News] = asyncio.Queue(CHUNKS_MAX)
        self._look = asyncio.Event()
        self._writing = asyncio.Lock()
        self._peer: socket.socket | None = None
        self._reopen_s = REOPEN_FIRST_S
        self._told = ""

    async def next(self, timeout_s: float | None = None) -> News | None:
        """Return what happened next at the port, None when nothing did for `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._news.get()
        except TimeoutError:
            return None

    async def write(self, data: bytes) -> None:
        """Send bytes to the scanner; raise Unavailable when it does not take them."""
        async with self._writing:
            if self._peer is None:
                raise Unavailable(f"no scanner is connected at {self._address}")
            try:
                async with asyncio.timeout(_WRITE_S):
                    await asyncio.get_running_loop().sock_sendall(self._peer, data)
            except TimeoutError as error:
                raise Unavailable(f"{self._address} takes no feedback: it reads nothing") from error
            except OSError as error:
                raise Unavailable(f"{self._address} takes no feedback: {error}") from error

    def look(self) -> None:
        """Try to connect now."""
        self._look.set()

    async def run(self) -> None:
        """Keep the scanner connected until cancelled."""
        while True:
            try:
                await (self._listen() if self._address.listen else self._connect())
            except OSError as error:
                await self._tell_down(_reason(error))
            self._look.clear()
            try:
                async with asyncio.timeout(self._reopen_s):
                    await self._look.wait()
                self._reopen_s = REOPEN_FIRST_S
            except TimeoutError:
                self._reopen_s = min(self._reopen_s * 2, REOPEN_MAX_S)

    async def _connect(self) -> None:
        loop, address = asyncio.get_running_loop(), self._address
        with contextlib.ExitStack() as unconnected:
            async with asyncio.timeout(_CONNECT_S):
                family, kind, target = await self._resolved()
                peer = unconnected.enter_context(socket.socket(family, kind))
                peer.setblocking(False)
                await loop.sock_connect(peer, target)
            unconnected.pop_all()
        await self._converse(peer, str(address))

    async def _listen(self) -> None:
        """Serve whoever connects, one at a time and the newest first."""
        family, kind, target = await self._resolved()
        with socket.socket(family, kind) as listener:
            listener.setblocking(False)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(target)
            listener.listen(1)
            await self._tell_down(f"waits for the scanner to connect to {self._address}")
            await self._accept(listener)

    async def _accept(self, listener: socket.socket) -> None:
        talking: asyncio.Task[None] | None = None
        peer: socket.socket | None = None
        try:
            while True:
                newest, name = await asyncio.get_running_loop().sock_accept(listener)
                if peer is not None and talking is not None:
                    await self._end(peer, talking)
                peer, path = newest, f"{name[0]} port {name[1]}"
                talking = asyncio.create_task(self._converse(peer, path))
        finally:
            if talking is not None:
                talking.cancel()
                await asyncio.wait([talking])

    async def _end(self, peer: socket.socket, talking: asyncio.Task[None]) -> None:
        """Let a replaced connection hand over what it still holds, then end it."""
        with contextlib.suppress(OSError):  # it has ended by itself
            peer.shutdown(socket.SHUT_RD)
        _, still = await asyncio.wait([talking], timeout=_LAST_BYTES_S)
        if still:
            talking.cancel()
            await asyncio.wait([talking])
            await self._tell_down("replaced by a newer connection")

    async def _resolved(self) -> tuple[int, int, Any]:
        """Return family, kind and address of the socket to make."""
        host, port = self._address.host, self._address.port
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        # Scanners speak IPv4; a name like localhost often has an IPv6 address as well.
        family, kind, _, _, target = min(found, key=lambda each: each[0] != socket.AF_INET)
        return family, kind, target

    async def _converse(self, peer: socket.socket, path: str) -> None:
        """Hand over what a connection brings, until it ends."""
        self._peer, reason = peer, "the scanner ended the connection"
        try:
            _guard(peer)
            await self._news.put(Up(path))
            while data := await asyncio.get_running_loop().sock_recv(peer, _READ_BYTES):
                self._reopen_s = REOPEN_FIRST_S
                await self._news.put(Chunk(data, time.monotonic()))
        except OSError as error:
            reason = _reason(error)
        finally:
            self._peer = None
            # Nobody may be writing to the descriptor when its number is given to another.
            async with self._writing:
                peer.close()
        self._told = ""
        await self._tell_down(reason)

    async def _tell_down(self, reason: str) -> None:
        if reason != self._told:
            self._told = reason
            await self._news.put(Down(reason))


def _guard(peer: socket.socket) -> None:
    """Send beeps at once, and notice a scanner that is gone without a word."""
    peer.setblocking(False)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_NODELAY, 1),
        (socket.TCP_KEEPIDLE, _KEEPALIVE_IDLE_S),
        (socket.TCP_KEEPINTVL, _KEEPALIVE_EVERY_S),
        (socket.TCP_KEEPCNT, _KEEPALIVE_TRIES),
        (socket.TCP_USER_TIMEOUT, _DEAD_MS),
    ):
        peer.setsockopt(socket.IPPROTO_TCP, option, value)


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError) and error.errno is None:
        return _ADVICE[errno.EHOSTUNREACH]
    if isinstance(error, socket.gaierror):
        return "the scanner's name is not known to this network; write its IP address"
    return _ADVICE.get(error.errno or 0, str(error))
