"""What the gateway's clocks say. A board without a battery boots in the past, so each event carries
the boot's identity and its uptime beside the wall time, and whether that was synchronised.
"""

import ctypes
import time
from datetime import UTC, datetime
from pathlib import Path

from wire.events import Clock, ClockState

#: adjtimex(2) answers this while no time source disciplines the clock.
_TIME_ERROR = 5
#: struct timex is 208 bytes on 64-bit Linux and smaller elsewhere; zeroed it asks and sets nothing.
_TIMEX_BYTES = 512

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
_LIBC = ctypes.CDLL(None)


def now() -> datetime:
    """Return the wall time in UTC."""
    return datetime.now(UTC)


def synced() -> bool:
    """Return whether a time source (chrony, timesyncd, ntpd, PTP) disciplines the wall clock.

    The kernel knows for all of them; a container that may not ask counts as not synchronised.
    """
    answer = _LIBC.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    return answer not in (-1, _TIME_ERROR)


def stamp() -> Clock:
    """Return how far the wall clock can be trusted now, for one event."""
    uptime_us = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000
    return Clock(boot_id=_BOOT_ID, monotonic_us=uptime_us, synced=synced())


def state() -> ClockState:
    """Return the clock's part of the gateway's state."""
    return ClockState(synced=synced())
