"""What every driver hands over: that a device came or went, and its bytes.

A driver that blocks has a thread of its own. It opens the device, reads it, and opens it again
after an unplug; a device that is missing is not an error, for it may come. What it read waits in a
bounded queue, and the consumer's answer goes straight to the device that is plugged in now.
"""

import asyncio
import contextlib
import errno
import os
import threading
import time
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from wire.errors import Unavailable

#: How soon a plugged-in device is noticed without help of the kernel's events; asking whether a
#: path exists costs microseconds.
REOPEN_FIRST_S, REOPEN_MAX_S = 0.05, 0.5
#: How long a stop may take where a blocking read cannot be cancelled.
READ_TIMEOUT_S = 0.5
#: Chunks read but not yet looked at; then the device is left to its own flow control.
CHUNKS_MAX = 64
_ADVICE = {
    errno.ENOENT: "not plugged in",
    errno.EAGAIN: "another program is reading this device; stop it",
    errno.EBUSY: "another program is reading this device; stop it",
}


@dataclass(frozen=True, slots=True)
class Up:
    """The device was opened; `path` is where it is now, when that is not what was asked for."""

    path: str = ""


@dataclass(frozen=True, slots=True)
class Down:
    """The device is not there or went away; it is tried again by itself."""

    reason: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes as they came, and when (time.monotonic)."""

    data: bytes
    at_s: float


News = Up | Down | Chunk


class Port(Protocol):
    """Where a scanner hangs. `next` tells what came, for as long as `run` runs."""

    async def run(self) -> None:
        """Keep the device open until cancelled."""
        ...

    async def next(self, timeout_s: float | None = None) -> News | None:
        """Return what happened next at the port, None when nothing did for `timeout_s`."""
        ...

    async def write(self, data: bytes) -> None:
        """Send bytes to the device; raise Unavailable when it does not take them."""
        ...

    def look(self) -> None:
        """Try to open the device now: something was plugged in."""
        ...


class ThreadPort(ABC):
    """A port whose driver blocks. A subclass opens, reads, writes and closes the device."""

    #: What to do when the system refuses the device.
    NO_PERMISSION = "no permission"
    #: Chunks read but not yet looked at; then the device is left to its own flow control.
    CHUNKS_MAX = CHUNKS_MAX

    def __init__(self, name: str, port: str) -> None:
        self._name, self._port = name, port
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[News] = asyncio.Queue()
        self._room = threading.BoundedSemaphore(self.CHUNKS_MAX)
        self._stop = threading.Event()
        self._look = threading.Event()
        self._device: Any = None
        self._reopen_s = REOPEN_FIRST_S
        self._writing = asyncio.Lock()
        self._closing = threading.Lock()

    @abstractmethod
    def _open(self) -> tuple[Any, str]:
        """Return the open device and its path; raise OSError or ValueError when it is not there."""

    @abstractmethod
    def _read(self, device: Any) -> bytes:
        """Return the next bytes, b"" when there are none yet; raise OSError when it went away."""

    @abstractmethod
    def _close(self, device: Any) -> None:
        """Close the device; what went away meanwhile may be closed too."""

    def _write(self, device: Any, data: bytes) -> None:
        """Send bytes; raise OSError when the device does not take them."""
        del device, data
        raise OSError(errno.ENOSYS, "this kind of scanner has no way back")

    def _fileno(self, device: Any) -> int:
        """Return a descriptor that takes bytes at once; OSError where there is none."""
        del device
        raise OSError(errno.ENOSYS, "not supported")

    @abstractmethod
    def _interrupt(self, device: Any) -> None:
        """End a blocking read; it may also end by itself within READ_TIMEOUT_S."""

    async def next(self, timeout_s: float | None = None) -> News | None:
        """Return what happened next at the port, None when nothing did for `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                news = await self._queue.get()
        except TimeoutError:
            # A loop that was held up sees the timer and what came meanwhile at the same moment.
            if self._queue.empty():
                return None
            news = self._queue.get_nowait()
        self._room.release()
        return news

    async def write(self, data: bytes) -> None:
        """Send bytes to the device; raise Unavailable when it does not take them."""
        async with self._writing:
            rest = data[self._write_now(data) :]
            if rest:
                await asyncio.to_thread(self._write_rest, rest)

    def look(self) -> None:
        """Try to open the device now: something was plugged in."""
        self._look.set()

    async def run(self) -> None:
        """Keep the device open until cancelled."""
        thread = ThreadPoolExecutor(1, f"port-{self._name}")
        working = self._loop.run_in_executor(thread, self._work)
        try:
            await asyncio.shield(working)
        finally:
            self._stop.set()
            self._look.set()
            with self._closing:  # what its own thread has closed may be somebody else's by now
                if self._device is not None:
                    self._interrupt(self._device)
            await asyncio.wait([working])
            thread.shutdown(wait=False)

    def _write_now(self, data: bytes) -> int:
        """Write what the device takes at once, nearly always all of a beep; return how much."""
        # Locked: once the reading thread has closed it, the descriptor may be somebody else's.
        with self._closing:
            try:
                return os.write(self._fileno(self._device), data)
            except (OSError, AttributeError, TypeError):  # full, unplugged, or no such descriptor
                return 0

    def _write_rest(self, data: bytes) -> None:
        device = self._device
        if device is None:
            raise Unavailable(f"{self._port} is not connected")
        try:
            self._write(device, data)
        except (OSError, TypeError) as error:  # TypeError: closed by the reading thread meanwhile
            raise Unavailable(f"{self._port} takes no feedback: {error}") from error

    def _work(self) -> None:
        """The thread."""
        told = ""
        while not self._stop.is_set():
            try:
                self._device, path = self._open()
                self._tell(Up(path))
                while not self._stop.is_set():
                    data = self._read(self._device)
                    if data:
                        self._reopen_s = REOPEN_FIRST_S
                        self._tell(Chunk(data, time.monotonic()))
            except (OSError, ValueError) as error:
                reason = f"unplugged ({error})" if self._device else self._reason(error)
                if self._device is not None or reason != told:
                    self._tell(Down(reason))
                told = reason
            finally:
                device, self._device = self._device, None
                if device is not None:
                    with self._closing, contextlib.suppress(OSError):
                        self._close(device)
            self._look.wait(self._reopen_s)
            self._reopen_s = min(self._reopen_s * 2, REOPEN_MAX_S)
            if self._look.is_set() and not self._stop.is_set():
                self._look.clear()
                self._reopen_s = REOPEN_FIRST_S

    def _reason(self, error: Exception) -> str:
        number = error.errno if isinstance(error, OSError) else None
        if number == errno.EACCES:
            return self.NO_PERMISSION
        return _ADVICE.get(number or 0, str(error))

    def _tell(self, news: News) -> None:
        while not self._room.acquire(timeout=READ_TIMEOUT_S):
            if self._stop.is_set():
                return
        self._loop.call_soon_threadsafe(self._queue.put_nowait, news)
