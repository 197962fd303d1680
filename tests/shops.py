"""A web server in a test's hands: it notes what it was sent and answers what the test wants."""

import asyncio
import gc
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import pytest

from central.guarded_http import Client
from neighbours import DEADLINE_S


@dataclass(frozen=True)
class Call:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Shop:
    """Listens on a free port of 127.0.0.1. `answer` gives (status, headers, body) of a call."""

    answer: Callable[[Call], tuple[int, dict[str, str], bytes]] = lambda _: (200, {}, b"ok")
    calls: list[Call] = field(default_factory=list)
    #: While this is not set, calls are noted and not answered.
    awake: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0

    async def __aenter__(self) -> Self:
        self.awake.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        self._lines: set[asyncio.StreamWriter] = set()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        self.awake.set()
        for line in self._lines:
            line.transport.abort()
        while self._lines:  # who still answers finds out, and closes its end
            await asyncio.sleep(0)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}/hook"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._lines.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode().strip().split("\r\n")
                headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                method, path, _ = first.split(" ")
                call = Call(method, path, headers, body)
                self.calls.append(call)
                await self.awake.wait()
                status, more, content = self.answer(call)
                more = {"content-length": str(len(content)), **more}
                lines = [f"HTTP/1.1 {status} X", *(f"{k}: {v}" for k, v in more.items()), "", ""]
                writer.write("\r\n".join(lines).encode() + content)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            self._lines.discard(writer)
            writer.close()


async def eventually(condition: Callable[[], Any], what: str) -> None:
    """Wait until something holds."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                result = condition()
                if await result if asyncio.iscoroutine(result) else result:
                    return
                await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"never happened: {what}")


async def close(client: Client) -> None:
    """Close what called shops and was cancelled at it."""
    await client.aclose()
    # Some connection that was being made or in use when all was cancelled is left to the collector.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
