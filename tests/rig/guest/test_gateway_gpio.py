"""gateway.gpio on a real kernel: the four lines of an MCP2221, a USB chip that we pretend to be.

The kernel's hid-mcp2221 driver offers them as a GPIO chip; what it sends to "the chip" shows which
line is on. Source of the reports: drivers/hid/hid-mcp2221.c, commands 0x50 and 0x51.
"""

import asyncio
import os
import struct
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.beeper import Beeper
from gateway.config import BeeperSettings, Gpio
from gateway.gpio import Lines
from wire.events import Signal

pytestmark = pytest.mark.rig

_CREATE2, _DESTROY, _OUTPUT, _INPUT2 = 11, 1, 6, 12  # linux/uhid.h
#: A vendor's page, 64 bytes in, 64 bytes out, as the chip has it.
_REPORTS = bytes.fromhex(
    "0600ff 0901 a101 0902 1500 26ff00 7508 9540 8102 0903 1500 26ff00 7508 9540 9102 c0"
)
_SET, _GET = 0x50, 0x51
_LINES = 4
DEADLINE_S = 60.0


class Chip:
    """An MCP2221 at /dev/uhid; `levels` are its lines now, `history` all that changed."""

    def __init__(self) -> None:
        self.levels = [0] * _LINES
        self.history: list[tuple[int, int]] = []
        self._file = os.open("/dev/uhid", os.O_RDWR | os.O_CLOEXEC)
        create = struct.pack(
            "=I128s64s64sHHIIII",
            _CREATE2,
            b"MCP2221",
            b"rig",
            b"",
            len(_REPORTS),
            3,
            0x04D8,
            0xDD,
            0,
            0,
        )
        os.write(self._file, create + _REPORTS)
        self._thread = threading.Thread(target=self._answer, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Unplug it."""
        os.write(self._file, struct.pack("=I", _DESTROY))
        os.close(self._file)

    def _answer(self) -> None:
        while True:
            try:
                event = os.read(self._file, 4380)
            except OSError:
                return
            if struct.unpack_from("=I", event)[0] == _OUTPUT:
                report = event[4:68]
                self._take(report)
                os.write(self._file, struct.pack("=IH", _INPUT2, 64) + self._reply(report))

    def _take(self, report: bytes) -> None:
        """SET: for each line whether its value is meant, the value, the same for its direction."""
        if report[0] == _SET:
            for line in range(_LINES):
                meant, value, *_ = report[2 + 4 * line : 6 + 4 * line]
                if meant and value != self.levels[line]:
                    self.levels[line] = value
                    self.history.append((line, value))

    def _reply(self, report: bytes) -> bytes:
        if report[0] == _GET:
            return bytes((_GET, 0, *(n for level in self.levels for n in (level, 0)))).ljust(
                64, b"\0"
            )
        return bytes((report[0], 0)) + report[2:]


@pytest.fixture
def chip() -> Iterator[tuple[Chip, Path]]:
    """Give a chip and its device."""
    before = set(Path("/dev").glob("gpiochip*"))
    made = Chip()
    end = time.monotonic() + DEADLINE_S
    while not (found := set(Path("/dev").glob("gpiochip*")) - before):
        assert time.monotonic() < end, "no GPIO chip appears"
        time.sleep(0.01)
    yield made, found.pop()
    made.close()


def test_lines_go_on_and_off(chip: tuple[Chip, Path]) -> None:
    """Each line alone, by its number on the chip; all are ours, so nobody else gets them."""
    made, device = chip
    lines = Lines(device, [1, 3], active_low=False)
    with pytest.raises(OSError, match="busy"):
        Lines(device, [3], active_low=False)
    for line in (3, 1):
        lines.switch(line, on=True)
        assert made.levels == [int(each == line) for each in range(_LINES)]
        lines.switch(line, on=False)
        assert made.levels == [0] * _LINES
    lines.close()
    Lines(device, [3], active_low=False).close()


def test_active_low_lines_are_high_while_dark(chip: tuple[Chip, Path]) -> None:
    """From the moment they are ours, not only after the first signal."""
    made, device = chip
    lines = Lines(device, [2], active_low=True)
    assert made.levels[2] == 1
    lines.switch(2, on=True)
    assert made.levels[2] == 0
    lines.close()


def test_the_beeper_lights_the_lamp_of_each_pattern(chip: tuple[Chip, Path]) -> None:
    """One after the other, for a moment; and it finds the chip again after an unplug."""
    made, device = chip
    settings = BeeperSettings(gpio=Gpio(chip=device, good=0, refused=2, flash_ms=20))

    async def signal_all() -> None:
        beeper = Beeper(settings)
        running = asyncio.create_task(beeper.run())
        for pattern in ("good", "refused", "rejected", "offline"):
            beeper.give(Signal(at=datetime.now(UTC), scanner="a", pattern=pattern))
        async with asyncio.timeout(DEADLINE_S):
            while len(made.history) < 6:
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait([running])

    asyncio.run(signal_all())
    assert made.history == [(0, 1), (0, 0), (2, 1), (2, 0), (0, 1), (0, 0)]
