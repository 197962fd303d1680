"""The serial driver: RS-232, USB bridges and CDC devices, pseudo terminals, and pyserial's URLs
(socket://host:port, rfc2217://host:port).

A path is opened anew each time, so a /dev/serial/by-id link that comes back is found whatever
device it then points to.
"""

import contextlib
import termios
from collections.abc import Callable
from typing import Any

import serial

from gateway.config import Scanner
from gateway.port import READ_TIMEOUT_S, ThreadPort

#: A scanner that takes no feedback for this long (flow control, pulled cable) is not waited for.
_WRITE_TIMEOUT_S = 1.0


class SerialPort(ThreadPort):
    """One serial scanner. `find` says where the device is now, and raises OSError when nowhere."""

    NO_PERMISSION = (
        "no permission; add the gateway's user to the group of the device (dialout), then start "
        "the gateway again"
    )

    def __init__(self, settings: Scanner, find: Callable[[], str]) -> None:
        super().__init__(settings.name, settings.port)
        self._settings, self._find = settings, find

    def _open(self) -> tuple[Any, str]:
        settings, path = self._settings, self._find()
        is_url = "://" in path
        try:
            device = serial.serial_for_url(
                path,
                baudrate=settings.baud,
                bytesize=settings.bytesize,
                parity=settings.parity,
                stopbits=settings.stopbits,
                rtscts=settings.rtscts,
                xonxoff=settings.xonxoff,
                timeout=READ_TIMEOUT_S if is_url else None,
                write_timeout=_WRITE_TIMEOUT_S,
                # Two readers of one scanner would each get half of every code.
                exclusive=None if is_url else True,
            )
        except termios.error as error:
            raise OSError(*error.args) from error
        return device, path

    def _read(self, device: Any) -> bytes:
        try:
            data: bytes = device.read(1)
            return data + device.read(device.in_waiting) if data else data
        except termios.error as error:
            raise OSError(*error.args) from error

    def _write(self, device: Any, data: bytes) -> None:
        device.write(data)

    def _fileno(self, device: Any) -> int:
        return int(device.fileno())

    def _interrupt(self, device: Any) -> None:
        with contextlib.suppress(AttributeError):  # a port on the network has no such thing
            device.cancel_read()

    def _close(self, device: Any) -> None:
        device.close()
