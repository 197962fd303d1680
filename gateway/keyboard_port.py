"""The keyboard driver: a scanner that types, read from /dev/input/event* and grabbed, so that
nothing it types reaches a console or a desktop.

The kernel keeps 64 events for each reader and throws all of them away when one more comes. So the
thread does nothing but read, and tells the kernel to leave out the scan codes: 15 keystrokes fit
instead of 10. gateway.keystrokes gives the events their meaning.
"""

import array
import contextlib
import errno
import fcntl
import os
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import evdev

from gateway.config import Scanner
from gateway.device_file import DeviceFilePort
from gateway.keystrokes import EV_LED, EV_SYN, EVENT, LED_CAPS_LOCK, SYN_REPORT

#: ioctls of linux/input.h: _IOW('E', 0xa0, int) and _IOW('E', 0x93, struct input_mask).
_EVIOCSCLOCKID, _EVIOCSMASK = 0x400445A0, 0x40104593
_EV_MSC, _MASK_BYTES = 0x04, 8
#: No scanner pauses longer between two keys of a code, and no person waits longer for a plug.
_AT_REST_S = 0.25
#: As many as the kernel keeps.
_EVENTS_AT_ONCE = 64


@dataclass(slots=True)
class _Keyboard:
    """An open keyboard; `first` is what the dialect must know before the first key."""

    node: Any
    first: bytes
    typing: bool = False


class KeyboardPort(DeviceFilePort):
    """One keyboard scanner. `find` says where the device is now, and raises OSError when nowhere.

    A chunk holds whole events on the clock of time.monotonic(). When no event came for `gap_ms`, a
    lone SYN_REPORT says so: up to its time there was none.
    """

    NO_PERMISSION = (
        "no permission; add the gateway's user to the group input, then start the gateway again"
    )
    #: A chunk is a keystroke, not a line. Waiting for room here would lose keys in the kernel.
    CHUNKS_MAX = 2_048

    def __init__(self, settings: Scanner, find: Callable[[], str]) -> None:
        super().__init__(settings.name, settings.port)
        self._find, self._gap_s = find, settings.gap_ms / 1_000

    def _open(self) -> tuple[Any, str]:
        path = self._find()
        try:
            node: Any = evdev.InputDevice(path)
        except OSError as error:
            if error.errno == errno.ENOTTY:
                raise OSError("this is no keyboard; `docktally scanners` lists those") from error
            raise
        try:
            return _Keyboard(node, self._take(node, path)), path
        except OSError:
            node.close()
            raise

    def _take(self, node: Any, path: str) -> bytes:
        """Grab the keyboard while it is at rest, and return its state as events."""
        if node.active_keys():
            # Grabbed now, the release would never reach the console, where the key would stick.
            raise OSError("a key of it is held down; let go of it, or replug the scanner")
        try:
            node.grab()
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            raise OSError(
                f"another program has grabbed this keyboard; stop it (fuser -v {path})"
            ) from error
        fcntl.ioctl(node.fd, _EVIOCSCLOCKID, struct.pack("i", time.CLOCK_MONOTONIC))
        _leave_out_scan_codes(node.fd)
        # Caps Lock of the machine is not the scanner's: switched off, those scanners that look at
        # the lamp and those that do not type the same.
        with contextlib.suppress(OSError):
            os.write(node.fd, _event(EV_LED, LED_CAPS_LOCK, 0) + _event(EV_SYN, SYN_REPORT, 0))
        with contextlib.suppress(BlockingIOError):
            os.read(node.fd, _EVENTS_AT_ONCE * EVENT.size)
        if self._ready(node.fd, min(self._gap_s, _AT_REST_S)):
            # The beginning of this code went elsewhere; its rest must not pass for a code.
            raise OSError("it is typing at this moment; it is read as soon as it pauses")
        caps = LED_CAPS_LOCK in node.leds()
        return _event(EV_LED, LED_CAPS_LOCK, int(caps)) + _event(EV_SYN, SYN_REPORT, 0)

    def _read(self, device: Any) -> bytes:
        if device.first:
            data, device.first = device.first, b""
            return bytes(data)
        if self._ready(device.node.fd, self._gap_s if device.typing else None):
            device.typing = True
            return os.read(device.node.fd, _EVENTS_AT_ONCE * EVENT.size)
        was_typing, device.typing = device.typing, False
        return _event(EV_SYN, SYN_REPORT, 0) if was_typing else b""

    def _close(self, device: Any) -> None:
        device.node.close()


def _event(kind: int, code: int, value: int) -> bytes:
    seconds, nanoseconds = divmod(time.monotonic_ns(), 1_000_000_000)
    return EVENT.pack(seconds, nanoseconds // 1_000, kind, code, value)


def _leave_out_scan_codes(descriptor: int) -> None:
    """Have the kernel keep no MSC_SCAN for us; older kernels refuse, and less fits."""
    nothing = array.array("B", bytes(_MASK_BYTES))
    mask = struct.pack("@IIQ", _EV_MSC, _MASK_BYTES, nothing.buffer_info()[0])
    with contextlib.suppress(OSError):
        fcntl.ioctl(descriptor, _EVIOCSMASK, mask)
