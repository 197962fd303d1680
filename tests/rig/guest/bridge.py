"""A scanner with an RS-232 cable on a USB bridge. QEMU emulates an FTDI chip."""

import os
import tty
from pathlib import Path
from types import TracebackType
from typing import Self

from rig.guest.dock import wait_for

SERIAL = "FT-SCAN-77"
#: The hub's port where QEMU has plugged it in. Writing 1 to `disable` cuts the port's power.
_HUB = Path("/sys/bus/usb/devices/usb1")
_PORT = _HUB / "1-0:1.0/usb1-port1/disable"
#: The machine's own port at the other end of the RS-232 cable.
_RS232 = "/dev/ttyS1"


class Bridge:
    """The scanner; it is plugged in from the start. Use it as a context manager."""

    def __enter__(self) -> Self:
        """Open the scanner's end."""
        self._file = os.open(_RS232, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self._file)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it; the bridge stays plugged in."""
        if _PORT.read_text() == "1\n":
            self.plug()
        os.close(self._file)

    def send(self, data: bytes) -> None:
        """Send bytes to the bridge."""
        os.write(self._file, data)

    def hear(self, size: int) -> bytes:
        """Return what came from the bridge, up to `size` bytes; waits for the first."""
        return os.read(self._file, size)

    def plug(self) -> None:
        """Put the bridge's plug in."""
        # QEMU tells nothing when the power comes back; a hub that wakes up looks by itself.
        asleep = _HUB / "power/runtime_status"
        wait_for(lambda: asleep.read_text() == "suspended\n", "the hub sleeps")
        _PORT.write_text("0")

    def unplug(self) -> None:
        """Pull the bridge's plug."""
        _PORT.write_text("1")
