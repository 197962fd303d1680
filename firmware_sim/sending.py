"""The sending half of the wire protocol, written a second time. Pure: bytes out, acks in.

Independent of the gateway's uplink, so that a mistake in one shows as a difference.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from uuid import UUID

from wire import codec
from wire.events import Ack, Event

#: Events on their way without central's word; bounds what a lost connection sends again.
WINDOW_EVENTS = 1_000
_BATCH_EVENTS = 100


@dataclass(frozen=True, slots=True)
class _Row:
    seq: int
    data: bytes
    born_s: float


@dataclass
class Sender:
    """One outbox in memory. Sequence numbers start at 1 and have no holes."""

    gateway: str
    epoch: UUID
    session: UUID
    last_seq: int = 0
    acked_seq: int = 0
    rejected: int = 0
    rewinds: int = 0
    _next: int = 1
    _progress_s: float = 0.0
    _rows: deque[_Row] = field(default_factory=deque)

    @property
    def pending(self) -> int:
        """Events that central has not acknowledged."""
        return self.last_seq - self.acked_seq

    def append(self, event: Event, now_s: float) -> None:
        """Keep an event, whose seq must be the one after `last_seq`, until it is acknowledged."""
        assert event.seq == self.last_seq + 1, "sequence numbers have no holes"
        if not self._rows:
            self._progress_s = now_s
        self.last_seq = event.seq
        self._rows.append(_Row(event.seq, codec.encode(event), now_s))

    def next_batch(self) -> bytes | None:
        """Return the next batch to publish; None when all is sent or the window is full."""
        end = min(self.last_seq, self._next + _BATCH_EVENTS - 1, self.acked_seq + WINDOW_EVENTS)
        if self._next > end:
            return None
        offset = self._next - self.acked_seq - 1
        rows: Sequence[_Row] = tuple(islice(self._rows, offset, offset + end - self._next + 1))
        batch = codec.join_batch(
            self.gateway, self.epoch, self.session, self._next, (row.data for row in rows)
        )
        self._next = end + 1
        return batch

    def on_ack(self, ack: Ack, now_s: float) -> list[float]:
        """Take central's word; return the seconds that each newly acknowledged event took."""
        if ack.epoch != self.epoch:
            return []
        if ack.applied_seq <= self.acked_seq:
            self.rewind()  # said twice: central waits for what it did not get
            return []
        waits = []
        while self._rows and self._rows[0].seq <= ack.applied_seq:
            waits.append(now_s - self._rows.popleft().born_s)
        self.acked_seq = ack.applied_seq
        self._next = max(self._next, self.acked_seq + 1)
        self._progress_s = now_s
        self.rejected += len(ack.rejected)
        return waits

    def stalled(self, now_s: float, patience_s: float) -> bool:
        """Return whether something is sent and nothing came back for `patience_s`."""
        return self._next > self.acked_seq + 1 and now_s - self._progress_s > patience_s

    def rewind(self, now_s: float | None = None) -> None:
        """Send everything that is not acknowledged again."""
        if self._next > self.acked_seq + 1:
            self.rewinds += 1
            self._next = self.acked_seq + 1
        if now_s is not None:
            self._progress_s = now_s
