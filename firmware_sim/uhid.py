"""A scanner in a HID mode made with /dev/uhid: any name, serial number and report descriptor.

To the kernel it is a HID device on no bus: it has an event or hidraw device, but no USB port.
Source of the numbers: linux/uhid.h.
"""

import errno
import os
import select
import struct
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

_DEVICE = Path("/dev/uhid")
_BUS_USB = 0x03
_DESTROY, _CREATE, _INPUT = 1, 11, 12
_GET_REPORT, _GET_REPORT_REPLY, _SET_REPORT, _SET_REPORT_REPLY = 9, 10, 13, 14
_START = 2
#: type, name, phys, uniq, descriptor size, bus, vendor, product, version, country, descriptor
_CREATE_EVENT = struct.Struct("<I128s64s64sHHIIII4096s")
_EVENT_BYTES = 4_380
_START_S = 10.0


class UhidDevice:
    """A plugged-in HID device. Use it as a context manager."""

    def __init__(
        self, name: str, *, vendor: int, product: int, serial: str, descriptor: bytes
    ) -> None:
        """Plug it in; OSError when uhid may not be used or the kernel refuses the descriptor."""
        self._file = os.open(_DEVICE, os.O_RDWR)
        self._started = threading.Event()
        self._gone, self._stop = os.pipe()
        create = _CREATE_EVENT.pack(
            _CREATE,
            name.encode(),
            f"sim/{name}".encode(),
            serial.encode(),
            len(descriptor),
            _BUS_USB,
            vendor,
            product,
            0x0111,
            0,
            descriptor,
        )
        os.write(self._file, create)
        self._answering = threading.Thread(target=self._answer, name=f"uhid {name}")
        self._answering.start()
        if not self._started.wait(_START_S):
            self.unplug()
            raise TimeoutError(f"the kernel did not take {name} within {_START_S:.0f} s")

    def __enter__(self) -> Self:
        """Return the device."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take it away."""
        self.unplug()

    def send(self, report: bytes) -> None:
        """Send one input report; nothing tells whether anybody reads it."""
        os.write(self._file, struct.pack("<IH", _INPUT, len(report)) + report)

    def unplug(self) -> None:
        """Vanish."""
        os.write(self._stop, b"\0")
        self._answering.join()
        os.write(self._file, struct.pack("<I", _DESTROY))
        for file in (self._file, self._gone, self._stop):
            os.close(file)

    def _answer(self) -> None:
        """The thread: refuse questions at once, which the kernel would wait for, and note START."""
        while True:
            ready, _, _ = select.select([self._file, self._gone], [], [])
            if self._gone in ready:
                return
            event = os.read(self._file, _EVENT_BYTES)
            kind, number = struct.unpack_from("<II", event)
            if kind == _START:
                self._started.set()
            elif kind == _GET_REPORT:
                os.write(self._file, struct.pack("<IIHH", _GET_REPORT_REPLY, number, errno.EIO, 0))
            elif kind == _SET_REPORT:
                os.write(self._file, struct.pack("<IIH", _SET_REPORT_REPLY, number, 0))
