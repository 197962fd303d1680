"""A scanner that types, made with uinput: it has a name and a cable, but no serial number.

It turns keyboard reports into the kernel's input events the way the kernel's own HID driver does,
scan codes included, so that a reader cannot tell the two apart. The kernel keeps 64 unread events
for a reader and nothing slows the typing down, so the pace must leave the reader time.
"""

import os
import struct
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

from evdev import UInput, ecodes

#: One report of a full-speed keyboard that is asked every millisecond.
REPORT_S = 0.001
#: struct input_event: seconds, microseconds (both set by the kernel), type, code, value.
_EVENT = struct.Struct("llHHi")
_USAGE_PAGE = 0x07 << 16
_FIRST_KEY, _FIRST_KEYPAD, _FIRST_MODIFIER = 0x04, 0x53, 0xE0
_KEYS = (
    "A B C D E F G H I J K L M N O P Q R S T U V W X Y Z 1 2 3 4 5 6 7 8 9 0 "
    "ENTER ESC BACKSPACE TAB SPACE MINUS EQUAL LEFTBRACE RIGHTBRACE BACKSLASH BACKSLASH "
    "SEMICOLON APOSTROPHE GRAVE COMMA DOT SLASH CAPSLOCK F1 F2 F3 F4 F5 F6 F7 F8 F9 F10 F11 F12"
)
_KEYPAD = (
    "NUMLOCK KPSLASH KPASTERISK KPMINUS KPPLUS KPENTER "
    "KP1 KP2 KP3 KP4 KP5 KP6 KP7 KP8 KP9 KP0 KPDOT 102ND"
)
_MODIFIERS = "LEFTCTRL LEFTSHIFT LEFTALT LEFTMETA RIGHTCTRL RIGHTSHIFT RIGHTALT RIGHTMETA"
#: Usage of HID page 0x07 to key code of Linux.
_CODES: dict[int, int] = {
    first + at: getattr(ecodes, f"KEY_{name}")
    for first, names in (
        (_FIRST_KEY, _KEYS),
        (_FIRST_KEYPAD, _KEYPAD),
        (_FIRST_MODIFIER, _MODIFIERS),
    )
    for at, name in enumerate(names.split())
}


class UsbKeyboard:
    """A plugged-in keyboard; `path` is its event device. Use it as a context manager."""

    def __init__(self, name: str, *, vendor: int, product: int, phys: str = "") -> None:
        """Plug it in; PermissionError or evdev.UInputError when uinput may not be used."""
        capabilities: dict[int, Sequence[int]] = {
            ecodes.EV_KEY: sorted(set(_CODES.values())),
            ecodes.EV_MSC: [ecodes.MSC_SCAN],
        }
        self._keyboard = UInput(
            capabilities,
            name=name,
            vendor=vendor,
            product=product,
            version=0x0111,
            bustype=ecodes.BUS_USB,
            phys=phys,
        )
        self._held: frozenset[int] = frozenset()
        self.path = str(self._keyboard.device.path)

    def __enter__(self) -> Self:
        """Return the keyboard."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take it away."""
        self.unplug()

    def type(self, reports: Iterable[bytes], report_s: float = REPORT_S) -> None:
        """Type, one keyboard report every `report_s` seconds; 0 is as fast as the machine can."""
        for report in reports:
            os.write(self._keyboard.fd, self._events(report))
            if report_s:
                time.sleep(report_s)

    def unplug(self) -> None:
        """Vanish."""
        self._keyboard.close()

    def _events(self, report: bytes) -> bytes:
        """Return what changed since the last report, modifiers first, as one batch."""
        modifiers = {_FIRST_MODIFIER + bit for bit in range(8) if report[0] >> bit & 1}
        held = frozenset(modifiers | {usage for usage in report[2:] if usage})
        batch = b""
        for usage in sorted(held ^ self._held, reverse=True):
            batch += _EVENT.pack(0, 0, ecodes.EV_MSC, ecodes.MSC_SCAN, _USAGE_PAGE | usage)
            batch += _EVENT.pack(0, 0, ecodes.EV_KEY, _CODES[usage], usage in held)
        self._held = held
        return batch + _EVENT.pack(0, 0, ecodes.EV_SYN, ecodes.SYN_REPORT, 0)
