"""The serial driver: one thread per port that opens, reads, and opens again after an unplug.

RS-232, USB and CDC devices, pseudo-terminals, and pyserial's URLs (socket://host:port,
rfc2217://host:port). A path is opened anew each time, so a /dev/serial/by-id link that comes back
is found whatever device it then points to. A device that is missing is not an error: it may come.
"""

import asyncio
import contextlib
import errno
import os
import termios
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import serial

from gateway.config import Scanner
from wire.errors import Unavailable

#: How soon a plugged-in device is noticed; opening a path that is missing costs microseconds.
_REOPEN_FIRST_S, _REOPEN_MAX_S = 0.05, 0.5
#: For the URL ports, whose blocking read cannot be cancelled: how long a stop may take.
_READ_TIMEOUT_S = 0.5
#: A scanner that takes no feedback for this long (flow control, pulled cable) is not waited for.
_WRITE_TIMEOUT_S = 1.0
_ADVICE = {
    errno.ENOENT: "not plugged in",
    errno.EACCES: "no permission; add the gateway's user to the group of the device (dialout)",
    errno.EAGAIN: "another program is reading this device; stop it",
    errno.EBUSY: "another program is reading this device; stop it",
}
#: Chunks read but not yet looked at; then the port is left to its own flow control.
_CHUNKS_MAX = 64


@dataclass(frozen=True, slots=True)
class Up:
    """The port was opened."""


@dataclass(frozen=True, slots=True)
class Down:
    """The port is not there or went away; it is tried again by itself."""

    reason: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes as they came, and when (time.monotonic)."""

    data: bytes
    at_s: float


News = Up | Down | Chunk


class SerialPort:
    """One port. `next` tells what came; `write` goes to the device that is plugged in now."""

    def __init__(self, settings: Scanner) -> None:
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[News] = asyncio.Queue()
        self._room = threading.BoundedSemaphore(_CHUNKS_MAX)
        self._stop = threading.Event()
        self._device: Any = None
        self._reopen_s = _REOPEN_FIRST_S
        self._writing = asyncio.Lock()
        self._closing = threading.Lock()

    async def next(self, timeout_s: float | None = None) -> News | None:
        """Return what happened next at the port, None when nothing did for `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                news = await self._queue.get()
        except TimeoutError:
            return None
        self._room.release()
        return news

    async def write(self, data: bytes) -> None:
        """Send bytes to the device; raise Unavailable when it does not take them."""
        async with self._writing:
            rest = data[self._write_now(data) :]
            if rest:
                await asyncio.to_thread(self._write, rest)

    def _write_now(self, data: bytes) -> int:
        """Write what the device takes at once, nearly always all of a beep; return how much."""
        # Locked: once the reading thread has closed it, the descriptor may be somebody else's.
        with self._closing:
            try:
                return os.write(self._device.fileno(), data)
            except (OSError, AttributeError, TypeError):  # full, unplugged, or a URL port
                return 0

    def _write(self, data: bytes) -> None:
        device = self._device
        if device is None:
            raise Unavailable(f"{self._settings.port} is not connected")
        try:
            device.write(data)
        except (OSError, TypeError) as error:  # TypeError: closed by the reading thread meanwhile
            raise Unavailable(f"{self._settings.port} takes no feedback: {error}") from error

    async def run(self) -> None:
        """Keep the port open until cancelled."""
        thread = ThreadPoolExecutor(1, f"port-{self._settings.name}")
        working = asyncio.get_running_loop().run_in_executor(thread, self._work)
        try:
            await asyncio.shield(working)
        finally:
            self._stop.set()
            self._interrupt()
            await asyncio.wait([working])
            thread.shutdown(wait=False)

    def _interrupt(self) -> None:
        device = self._device
        # TypeError: closed by its own thread at this very moment, which is just as well.
        with contextlib.suppress(AttributeError, TypeError):
            device.cancel_read()

    def _work(self) -> None:
        """The reading thread."""
        told = ""
        while not self._stop.is_set():
            try:
                self._device = self._open()
                self._tell(Up())
                self._read_on(self._device)
            except (OSError, ValueError, termios.error) as error:
                reason = _reason(error) if self._device is None else f"unplugged ({error})"
                if self._device is not None or reason != told:
                    self._tell(Down(reason))
                told = reason
            finally:
                device, self._device = self._device, None
                if device is not None:
                    with self._closing:
                        device.close()
            self._stop.wait(self._reopen_s)
            self._reopen_s = min(self._reopen_s * 2, _REOPEN_MAX_S)

    def _open(self) -> Any:
        settings = self._settings
        is_url = "://" in settings.port
        return serial.serial_for_url(
            settings.port,
            baudrate=settings.baud,
            bytesize=settings.bytesize,
            parity=settings.parity,
            stopbits=settings.stopbits,
            rtscts=settings.rtscts,
            xonxoff=settings.xonxoff,
            timeout=_READ_TIMEOUT_S if is_url else None,
            write_timeout=_WRITE_TIMEOUT_S,
            # Two readers of one scanner would each get half of every code.
            exclusive=None if is_url else True,
        )

    def _read_on(self, device: Any) -> None:
        while not self._stop.is_set():
            data = device.read(1)
            if data:
                data += device.read(device.in_waiting)
                self._reopen_s = _REOPEN_FIRST_S
                self._tell(Chunk(data, time.monotonic()))

    def _tell(self, news: News) -> None:
        while not self._room.acquire(timeout=_READ_TIMEOUT_S):
            if self._stop.is_set():
                return
        self._loop.call_soon_threadsafe(self._queue.put_nowait, news)


def _reason(error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) else None
    return _ADVICE.get(number or 0, str(error))
