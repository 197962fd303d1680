"""A serial scanner on a pseudo terminal: the gateway opens the other end like any port."""

import asyncio
import errno
import os
import select
import termios
import tty
from pathlib import Path
from types import TracebackType
from typing import Self

from firmware_sim.device import SIGNALS, Signal
from wire.errors import Unavailable

#: The kernel tells nobody when a terminal is opened, so its hang-up flag must be asked for.
OPEN_POLL_S = 0.02
#: Signals that nobody fetched; a gateway that beeps without end loses the surplus.
_SIGNALS_MAX = 1_000
_READ_BYTES = 4_096


class PtyScanner:
    """A scanner whose port is the symlink `link`. Use it as an async context manager."""

    def __init__(self, name: str, link: Path) -> None:
        """Prepare a scanner; its port appears when the context is entered."""
        self.name = name
        self.link = link
        self.line = 0
        self._master = -1
        self._slave_path = ""
        self._open = asyncio.Event()
        self._signals: asyncio.Queue[tuple[int, Signal]] = asyncio.Queue(_SIGNALS_MAX)
        self._watcher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Plug it in."""
        self.plug()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take it away."""
        self.unplug()

    def plug(self) -> None:
        """Make a new terminal and point the link at it; FileExistsError for a foreign file."""
        if self._master >= 0:
            return
        if self.link.exists() and not self.link.is_symlink():
            raise FileExistsError(
                f"{self.link} is a real file or device; name a path that the simulator may replace"
            )
        self._master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(self._master, False)
        self._slave_path = os.ttyname(slave)
        os.close(slave)
        self.link.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.link.with_name(f".{self.link.name}.new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(self._slave_path)
        fresh.replace(self.link)
        self._watcher = asyncio.create_task(self._await_opening(), name=f"{self.name} port")

    def unplug(self) -> None:
        """Close the terminal; whoever has it open reads an error or the end."""
        if self._master < 0:
            return
        if self._watcher is not None:
            self._watcher.cancel()
        asyncio.get_running_loop().remove_reader(self._master)
        self._open.clear()
        self.link.unlink(missing_ok=True)
        os.close(self._master)
        self._master = -1

    async def connected(self) -> None:
        """Return once somebody has the port open."""
        await self._open.wait()

    async def press(self, data: bytes) -> None:
        """Send bytes; raise Unavailable when the port is not open or its buffer stays full."""
        self._send(data)

    def _send(self, data: bytes) -> None:
        if not self._open.is_set():
            raise Unavailable(f"nobody has {self.link} open")
        try:
            sent = os.write(self._master, data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            raise Unavailable(f"whoever has {self.link} open does not read")

    async def hear(self) -> tuple[int, Signal]:
        """Wait for the next signal and return it with the connection it came by."""
        return await self._signals.get()

    async def _await_opening(self) -> None:
        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        while any(event & select.POLLHUP for _, event in poll.poll(0)):
            self._forget_unread()
            await asyncio.sleep(OPEN_POLL_S)
        self.line += 1
        asyncio.get_running_loop().add_reader(self._master, self._read)
        self._open.set()

    def _read(self) -> None:
        try:
            data = os.read(self._master, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            self._hang_up()
            return
        self._on_bytes(data)

    def _on_bytes(self, data: bytes) -> None:
        """Turn what was written to the scanner into beeps."""
        for byte in data:
            if byte in SIGNALS and not self._signals.full():
                self._signals.put_nowait((self.line, SIGNALS[byte]))

    def _hang_up(self) -> None:
        asyncio.get_running_loop().remove_reader(self._master)
        self._open.clear()
        self._watcher = asyncio.create_task(self._await_opening(), name=f"{self.name} port")

    def _forget_unread(self) -> None:
        """Drop what the last listener did not read: it must not greet the next one.

        The kernel may deliver it only a moment after the hang-up, so once is not enough.
        """
        slave = os.open(self._slave_path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            termios.tcflush(slave, termios.TCIFLUSH)
        finally:
            os.close(slave)
