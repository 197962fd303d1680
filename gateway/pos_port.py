"""The driver of USB HID point-of-sale scanners: their reports, read from /dev/hidraw*."""

import contextlib
import fcntl
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway import hid_report
from gateway.config import Scanner
from gateway.device_file import DeviceFilePort

#: ioctl of linux/hidraw.h: HIDIOCSFEATURE(2), _IOC(_IOC_READ | _IOC_WRITE, 'H', 0x06, 2).
_HIDIOCSFEATURE = 0xC0024806
#: Feature report 0xFE switches Honeywell and Youjie scanners to POS reports.
_POS_REPORTS_ON = b"\xfe\x01"
_READ_BYTES = 4_096
#: What the kernel keeps for each reader (drivers/hid/hidraw.c). A report more is lost in silence.
_KERNEL_REPORTS = 63


@dataclass(slots=True)
class _Pos:
    """An open scanner, and how many reports were read since none was waiting."""

    descriptor: int
    in_a_row: int = 0
    may_have_lost: bool = False


class PosPort(DeviceFilePort):
    """One POS scanner. `find` says where the device is now, and raises OSError when nowhere.

    A chunk is one report, or hid_report.LOST where the kernel may have thrown reports away.
    """

    NO_PERMISSION = (
        "no permission; hidraw devices belong to root until a udev rule gives them to a group: see "
        "docs/scanners.md"
    )
    #: Waiting for room here would lose reports in the kernel.
    CHUNKS_MAX = 2_048

    def __init__(self, settings: Scanner, find: Callable[[], str]) -> None:
        super().__init__(settings.name, settings.port)
        self._find, self._enable = find, settings.profile == "honeywell"

    def _open(self) -> tuple[Any, str]:
        path = self._find()
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            # Every reader of a hidraw device gets every report: two would count each scan twice.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self._enable:
                with contextlib.suppress(OSError):  # it is in POS mode already, or knows no other
                    fcntl.ioctl(descriptor, _HIDIOCSFEATURE, bytearray(_POS_REPORTS_ON))
        except OSError:
            os.close(descriptor)
            raise
        return _Pos(descriptor), path

    def _read(self, device: Any) -> bytes:
        if device.may_have_lost:
            device.may_have_lost = False
            return hid_report.LOST
        if not self._ready(device.descriptor, 0):
            device.in_a_row = 0
            if not self._ready(device.descriptor):
                return b""
        device.in_a_row += 1
        # So many were waiting that the kernel may have had no room for the one behind this.
        device.may_have_lost = device.in_a_row >= _KERNEL_REPORTS
        return os.read(device.descriptor, _READ_BYTES)

    def _close(self, device: Any) -> None:
        os.close(device.descriptor)
