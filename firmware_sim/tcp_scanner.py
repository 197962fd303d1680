"""A camera on the network, in the manner of Keyence or Cognex, that listens or connects."""

import asyncio
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

from wire.errors import Unavailable

Flavour = Literal["keyence", "cognex"]
#: Flavour: end of a line, what it says when it read nothing, and when it took a command.
_WORDS = {
    "keyence": (b"\r", b"ERROR", b"OK,LON"),
    "cognex": (b"\r\n", b"NO READ", b"||[0]"),
}
_REDIAL_S = 0.05
_HEARD_MAX = 4_096


@dataclass
class TcpScanner:
    """A camera. Use it as an async context manager.

    With `listen` it waits at 127.0.0.1:`port` for the gateway, else it connects to the gateway
    there, again and again. `heard` is what it was told.
    """

    flavour: Flavour
    port: int
    listen: bool
    heard: bytes = b""
    _line: asyncio.StreamWriter | None = None
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        """Switch it on."""
        if self.listen:
            self._server = await asyncio.start_server(self._talk, "127.0.0.1", self.port)
        else:
            self._tasks.add(asyncio.create_task(self._dial()))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Switch it off."""
        for task in self._tasks:
            task.cancel()
        if self._server is not None:
            self._server.close()
        self.hang_up()

    @property
    def connected(self) -> bool:
        """True while somebody is at the other end."""
        return self._line is not None

    def hang_up(self) -> None:
        """End the connection, if there is one."""
        if self._line is not None:
            self._line.close()
            self._line = None

    async def read(self, code: bytes) -> None:
        """See a barcode."""
        await self._say(code)

    async def miss(self) -> None:
        """See nothing."""
        await self._say(_WORDS[self.flavour][1])

    async def confirm(self) -> None:
        """Say that a command was taken."""
        await self._say(_WORDS[self.flavour][2])

    async def _say(self, text: bytes) -> None:
        if self._line is None:
            raise Unavailable(f"nobody is connected at port {self.port}")
        self._line.write(text + _WORDS[self.flavour][0])
        await self._line.drain()

    async def _dial(self) -> None:
        while True:
            try:
                await self._talk(*await asyncio.open_connection("127.0.0.1", self.port))
            except OSError:
                self.hang_up()
            await asyncio.sleep(_REDIAL_S)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._line = writer
        while data := await reader.read(_HEARD_MAX):
            self.heard = (self.heard + data)[-_HEARD_MAX:]
        if self._line is writer:
            self.hang_up()
