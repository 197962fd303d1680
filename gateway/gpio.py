"""Output lines of a board, through Linux's GPIO character device (uAPI version 2, kernel 5.10).

The only user of its ioctls; tests/contract/test_gpio.py compares them with <linux/gpio.h>.
"""

import fcntl
import os
import struct
from collections.abc import Sequence
from pathlib import Path

#: struct gpio_v2_line_request: 64 offsets, consumer, flags, number of attributes, padding and ten
#: attributes (left zero), number of lines, size of the event buffer, padding, descriptor.
LINE_REQUEST = struct.Struct("=64I32sQI20x240xII20xi")
#: struct gpio_v2_line_values: values and which of them are meant, one bit a requested line.
LINE_VALUES = struct.Struct("=QQ")
#: _IOWR(0xB4, 7, struct gpio_v2_line_request) and _IOWR(0xB4, 15, struct gpio_v2_line_values).
GET_LINE_IOCTL = 3 << 30 | LINE_REQUEST.size << 16 | 0xB4 << 8 | 0x07
SET_VALUES_IOCTL = 3 << 30 | LINE_VALUES.size << 16 | 0xB4 << 8 | 0x0F
FLAG_ACTIVE_LOW, FLAG_OUTPUT = 1 << 1, 1 << 3
LINES_MAX = 64


class Lines:
    """Some lines of a chip, ours and off until `switch`; they are given back by `close`."""

    def __init__(self, chip: Path, offsets: Sequence[int], *, active_low: bool) -> None:
        """Ask the kernel for the lines; raise OSError when they are not there or not free."""
        self._offsets = list(offsets)
        flags = FLAG_OUTPUT | (FLAG_ACTIVE_LOW if active_low else 0)
        unused = [0] * (LINES_MAX - len(self._offsets))
        request = bytearray(
            LINE_REQUEST.pack(
                *self._offsets, *unused, b"docktally", flags, 0, len(self._offsets), 0, 0
            )
        )
        descriptor = os.open(chip, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.ioctl(descriptor, GET_LINE_IOCTL, request)
        finally:
            os.close(descriptor)
        self._descriptor: int = LINE_REQUEST.unpack(request)[-1]

    def switch(self, offset: int, *, on: bool) -> None:
        """Switch one of the lines; raise OSError when the chip went away."""
        bit = 1 << self._offsets.index(offset)
        fcntl.ioctl(self._descriptor, SET_VALUES_IOCTL, LINE_VALUES.pack(bit if on else 0, bit))

    def close(self) -> None:
        """Give the lines back."""
        os.close(self._descriptor)
