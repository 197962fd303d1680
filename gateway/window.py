"""Which event goes next: go-back-N on central's acknowledgements. Pure: `now` is an argument.

A broker's PUBACK moves nothing here. Sending starts again after `acked` when the connection is new,
when central is new, when central says again what it said before (it saw a hole), and when nothing
moved for a while.
"""

from dataclasses import dataclass
from uuid import UUID

from wire.events import Ack

#: Events sent but not acknowledged. Enough to fill the line at tens of thousands per second.
WINDOW_EVENTS = 4_000
#: No progress for this long means that something was lost; then twice as long, up to the maximum.
ACK_TIMEOUT_S, ACK_TIMEOUT_MAX_S = 5.0, 60.0
#: One hole makes central repeat itself for each batch after it; only the first may rewind. A hole
#: that stays is tried ever more rarely.
_HOLE_REWIND_S = 1.0


@dataclass(slots=True)
class Window:
    """What was sent and what central has, of one epoch."""

    epoch: UUID | None = None
    acked: int = 0
    sent: int = 0
    _central: UUID | None = None
    _moved_s: float = 0.0
    _rewound_s: float = float("-inf")
    _timeout_s: float = ACK_TIMEOUT_S
    _hole_s: float = _HOLE_REWIND_S

    @property
    def room(self) -> int:
        """How many more events may be sent now."""
        return WINDOW_EVENTS - (self.sent - self.acked)

    @property
    def deadline_s(self) -> float | None:
        """When to call `rewind_if_stuck`; None while nothing is under way."""
        return self._moved_s + self._timeout_s if self.sent > self.acked else None

    def start(self, epoch: UUID, acked: int, now_s: float) -> None:
        """Begin anew after `acked`: a new connection, or a new outbox file."""
        self.epoch, self.acked, self._timeout_s = epoch, acked, ACK_TIMEOUT_S
        self.rewind(now_s)

    def on_sent(self, seq: int, now_s: float) -> None:
        """Everything up to `seq` was handed to the broker."""
        if self.sent == self.acked:
            self._moved_s = now_s
        self.sent = seq

    def on_ack(self, ack: Ack, now_s: float) -> None:
        """Take central's word for this epoch: move on, or go back to where it stands."""
        new_central = self._central not in (None, ack.central_session)
        self._central = ack.central_session
        moved = ack.applied_seq != self.acked
        back = ack.applied_seq < self.acked
        self.acked = ack.applied_seq
        self.sent = max(self.sent, self.acked)
        if moved:
            self._moved_s, self._timeout_s, self._hole_s = now_s, ACK_TIMEOUT_S, _HOLE_REWIND_S
        hole = not moved and now_s - self._rewound_s >= self._hole_s
        if hole:
            self._hole_s = min(self._hole_s * 2, ACK_TIMEOUT_MAX_S)
        if new_central or back or hole:
            self.rewind(now_s)

    def rewind_if_stuck(self, now_s: float) -> bool:
        """Go back when nothing moved for too long; return whether that was so."""
        if self.deadline_s is None or now_s < self.deadline_s:
            return False
        self._timeout_s = min(self._timeout_s * 2, ACK_TIMEOUT_MAX_S)
        self.rewind(now_s)
        return True

    def rewind(self, now_s: float) -> None:
        """Send everything after `acked` again."""
        self.sent = self.acked
        self._moved_s = self._rewound_s = now_s
