"""The gateway's clock. A board without a battery boots in the past, so each event carries the
identity of the boot and its uptime beside the wall time; when a time source has spoken, what this
boot scanned before is dated anew from its uptime. Nothing is ordered or expires by the wall clock.
"""

import ctypes
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from wire import codec
from wire.errors import Malformed
from wire.events import Clock, ClockState, Event

#: adjtimex(2) answers this while no time source disciplines the clock.
_TIME_ERROR = 5
#: struct timex is 208 bytes on 64-bit Linux and smaller elsewhere; zeroed it asks and sets nothing.
_TIMEX_BYTES = 512
#: Between two looks at the clocks this thread may have slept; then look again.
_READING_US, _READINGS_MAX = 1_000, 5
#: A change of the wall clock that is larger than this is a step: slewing moves the uptime as well.
_STEP_US = 50_000
#: This program did not exist before: a clock that shows an earlier day is wrong, and would put the
#: two-digit years of a GS1 date into the wrong century.
_EARLIEST = date(2026, 1, 1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
_LIBC = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at the machine's clocks: microseconds since 1970 UTC, and since the boot."""

    wall_us: int
    uptime_us: int
    synced: bool


Read = Callable[[], Reading]


def synced() -> bool:
    """Return whether a time source (chrony, timesyncd, ntpd, PTP) disciplines the wall clock.

    The kernel knows for all of them; a container that may not ask counts as not synchronised.
    """
    answer = _LIBC.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    return answer not in (-1, _TIME_ERROR)


def read_kernel() -> Reading:
    """Return what the clocks of this machine say, both at the same moment."""
    for _ in range(_READINGS_MAX):
        before_us = _uptime_us()
        wall_us = time.time_ns() // 1_000
        uptime_us = _uptime_us()
        if uptime_us - before_us < _READING_US:
            break
    return Reading(wall_us, uptime_us, synced())


def _uptime_us() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000  # goes on while the machine sleeps


class DockClock:
    """The time at one dock, and how far it can be trusted. `read` is where a test puts its own."""

    def __init__(self, read: Read = read_kernel, boot_id: str = _BOOT_ID) -> None:
        self._read, self._boot_id = read, boot_id
        reading = read()
        #: When this boot began, as the wall clock had it at the last step or synchronisation.
        self._booted_us = reading.wall_us - reading.uptime_us
        self._synced = False
        self._dated = False

    def look(self) -> bool:
        """Notice steps and time sources; return whether `redate` has news. Call it every second."""
        reading = self._read()
        booted_us = reading.wall_us - reading.uptime_us
        stepped = abs(booted_us - self._booted_us) > _STEP_US
        news = reading.synced and (stepped or not self._synced)
        if stepped or news:
            self._booted_us = booted_us
        self._synced = reading.synced
        self._dated = self._dated or reading.synced
        return news

    def now(self) -> datetime:
        """Return the wall time in UTC."""
        return _moment(self._read().wall_us)

    def day_of(self, moment: datetime) -> date:
        """Return the day that dates on labels are read by."""
        return max(moment.date(), _EARLIEST)

    def uptime_us(self) -> int:
        """Return the microseconds since the boot, which no step of the wall clock changes."""
        return self._read().uptime_us

    def moment_of(self, uptime_us: int) -> datetime:
        """Return when that uptime was, by the best that is known now."""
        return _moment(self._booted_us + uptime_us)

    def stamp(self) -> Clock:
        """Return how far the wall clock can be trusted now, for one event."""
        reading = self._read()
        return Clock(boot_id=self._boot_id, monotonic_us=reading.uptime_us, synced=reading.synced)

    def state(self) -> ClockState:
        """Return the clock's part of the gateway's state.

        The offset stays unknown: the kernel only has what is left of a correction, which chrony
        does not tell it and which is never more than half a second.
        """
        return ClockState(
            synced=self._read().synced,
            boot_id=self._boot_id,
            booted_at=self.moment_of(0) if self._dated else None,
        )

    def redate(self, event: bytes) -> bytes | None:
        """Return a stored event with its time put right; None when there is nothing to put right.

        Only events of this boot that no time source vouches for: nobody can date an earlier boot.
        """
        if b'"synced":false' not in event or self._boot_id.encode() not in event:
            return None  # nearly all of them; decoding takes a hundred times as long
        try:
            found = codec.decode(Event, event)
        except Malformed:
            return None
        clock = found.clock
        moment = self.moment_of(clock.monotonic_us)
        if clock.synced or clock.boot_id != self._boot_id:
            return None
        if clock.corrected and found.event_time == moment:
            return None
        corrected = clock.model_copy(update={"corrected": True})
        return codec.encode(found.model_copy(update={"event_time": moment, "clock": corrected}))

    def age_s(self, event: bytes) -> float:
        """Return for how long a stored event has waited, as far as can be known.

        Of an earlier boot: since its time, if both that and ours can be trusted, and at least
        since this boot.
        """
        reading = self._read()
        uptime_s = reading.uptime_us / 1e6
        try:
            fields = json.loads(event)
            clock = Clock.model_validate(fields["clock"])
            if clock.boot_id == self._boot_id:
                return max(0.0, uptime_s - clock.monotonic_us / 1e6)
            if not (reading.synced and (clock.synced or clock.corrected)):
                return uptime_s
            then = datetime.fromisoformat(fields["event_time"])
            return max(uptime_s, (_moment(reading.wall_us) - then).total_seconds())
        except (ValueError, KeyError, TypeError):  # damaged; central will say so
            return uptime_s


def _moment(wall_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=wall_us)
