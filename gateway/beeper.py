"""Signals beside the scanner's own: a program, a loudspeaker, lamps. For scanners with no way back.

A scan never waits for them. Each has a short queue of its own; a beep that comes late would be
taken for that of another scan, so it is dropped, good news first.
"""

import asyncio
import contextlib
import logging
import os
import shutil
import signal as signals
import time
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from gateway import tones
from gateway.config import BeeperSettings, Gpio
from gateway.gpio import Lines
from wire.errors import Unavailable
from wire.events import Signal

log = logging.getLogger(__name__)

#: A signal may take this long to be given, and may be this old when it begins.
TIME_LIMIT_S, STALE_S = 5.0, 2.0
_WAITING_MAX = 8


class Outlet(Protocol):
    """One way to tell a person something."""

    name: str

    async def give(self, signal: Signal) -> None:
        """Give a signal; raise OSError or Unavailable when that fails."""
        ...


class Beeper:
    """All outlets that the configuration names. `give` returns at once; `run` does the work."""

    def __init__(self, settings: BeeperSettings) -> None:
        self._queues = [_Queue(outlet) for outlet in _outlets(settings)]

    def give(self, signal: Signal) -> None:
        """Tell a person; what tells it is committed already."""
        for queue in self._queues:
            queue.add(signal)

    async def run(self) -> None:
        """Give signals until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for queue in self._queues:
                tasks.create_task(queue.run())


class _Queue:
    """What waits for one outlet: one signal at a time."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._waiting: deque[tuple[float, Signal]] = deque()
        self._some = asyncio.Event()
        self._trouble = ""

    def add(self, signal: Signal) -> None:
        if len(self._waiting) == _WAITING_MAX:
            calm = (each for each in self._waiting if each[1].pattern in ("good", "offline"))
            oldest = next(calm, None)
            if oldest is None:
                return
            self._waiting.remove(oldest)
        self._waiting.append((time.monotonic(), signal))
        self._some.set()

    async def run(self) -> None:
        while True:
            await self._some.wait()
            self._some.clear()
            while self._waiting:
                at_s, signal = self._waiting.popleft()
                if time.monotonic() - at_s < STALE_S:
                    await self._give(signal)

    async def _give(self, signal: Signal) -> None:
        trouble = ""
        try:
            async with asyncio.timeout(TIME_LIMIT_S):
                await self._outlet.give(signal)
        except TimeoutError:
            trouble = f"took more than {TIME_LIMIT_S:.0f} s"
        except (OSError, Unavailable) as error:
            trouble = str(error)
        if trouble and trouble != self._trouble:
            log.warning("beeper: %s: %s", self._outlet.name, trouble)
        self._trouble = trouble


class Command:
    """Runs a program, without a shell, with the signal in its arguments."""

    def __init__(self, command: Sequence[str]) -> None:
        self.name = command[0]
        self._command = command

    async def give(self, signal: Signal) -> None:
        """Run it to its end."""
        words = {"{pattern}": signal.pattern, "{scanner}": signal.scanner, "{text}": signal.text}
        await _run([_filled(argument, words) for argument in self._command])


class Speaker:
    """Plays a tune through ALSA's aplay."""

    name = "speaker"

    def __init__(self) -> None:
        self._program = shutil.which("aplay")
        self._tunes: dict[str, bytes] = {}
        if self._program is None:
            log.error("beeper: the speaker stays silent without aplay: apt-get install alsa-utils")

    async def give(self, signal: Signal) -> None:
        """Play the tune of its pattern."""
        if self._program is not None:
            tune = self._tunes.setdefault(signal.pattern, tones.wav(signal.pattern))
            await _run([self._program, "-q", "-"], tune)


class Lamps:
    """Lights the line of a pattern for a moment."""

    name = "gpio"

    def __init__(self, settings: Gpio) -> None:
        self._settings = settings
        self._lines: Lines | None = None

    async def give(self, signal: Signal) -> None:
        """Switch the line on and, a moment later, off."""
        offset = self._settings.line_of(signal.pattern)
        if offset is None:
            return
        try:
            if self._lines is None:
                settings = self._settings
                self._lines = Lines(settings.chip, settings.lines, active_low=settings.active_low)
            self._lines.switch(offset, on=True)
            try:
                await asyncio.sleep(self._settings.flash_ms / 1_000)
            finally:
                self._lines.switch(offset, on=False)
        except OSError as error:
            self._forget()
            raise Unavailable(f"{self._settings.chip}: {error.strerror}") from error

    def _forget(self) -> None:
        lines, self._lines = self._lines, None
        if lines is not None:
            with contextlib.suppress(OSError):
                lines.close()


def _outlets(settings: BeeperSettings) -> list[Outlet]:
    outlets: list[Outlet] = []
    if settings.command:
        outlets.append(Command(settings.command))
    if settings.speaker:
        outlets.append(Speaker())
    if settings.gpio.lines:
        outlets.append(Lamps(settings.gpio))
    return outlets


def _filled(argument: str, words: dict[str, str]) -> str:
    for placeholder, word in words.items():
        argument = argument.replace(placeholder, word)
    return argument.replace("\0", " ")  # no program can be given one


async def _run(command: Sequence[str], stdin: bytes = b"") -> None:
    """Run a program to its end; Unavailable when it fails. It dies when we stop waiting for it."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        await process.communicate(stdin)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signals.SIGKILL)  # with all that it has started
            await process.wait()
    if process.returncode:
        raise Unavailable(f"ended with exit code {process.returncode}")
