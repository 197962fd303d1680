"""Signals on their way to the broker: fresh, few, and the bad ones first to get through. Pure."""

from collections import deque

from wire.events import Signal

#: A person hears a few a second; more than this is a test bench or an accident.
SIGNALS_PER_S = 50.0
#: So many at once, of which good news may take one half.
_BURST = 100.0
#: While the line to the broker is busy; then the oldest go.
_WAITING_MAX = 64


class SignalFeed:
    """A bounded queue with a bounded rate. What does not fit is lost: the beep itself is not."""

    def __init__(self) -> None:
        self._waiting: deque[Signal] = deque(maxlen=_WAITING_MAX)
        self._allowance, self._at_s = _BURST, 0.0

    def add(self, signal: Signal, now_s: float) -> bool:
        """Take a signal to be sent; return whether there was room for it."""
        grown = self._allowance + max(0.0, now_s - self._at_s) * SIGNALS_PER_S
        self._allowance, self._at_s = min(_BURST, grown), now_s
        floor = _BURST / 2 if signal.pattern in ("good", "offline") else 0.0
        if self._allowance < floor + 1:
            return False
        self._allowance -= 1
        self._waiting.append(signal)
        return True

    def take(self) -> list[Signal]:
        """Return what waits, oldest first, and forget it."""
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting
