"""What a station remembers from one scan to the next, across power cuts. Pure.

A `State` is stored together with the scan it results from, so that after a power cut the next scan
means what the operator expects.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from pydantic import TypeAdapter

from gateway.config import ScanKind
from wire.events import Raw

#: UNDO goes back at most this far: further than anybody remembers what was scanned.
UNDO_DEPTH = 20


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment of one boot, in microseconds since it began: no wall clock ever decides."""

    boot_id: str
    at_us: int

    def ms_since(self, earlier: "Moment") -> float:
        """Return the milliseconds since `earlier`; infinite when that was in another boot."""
        if self.boot_id != earlier.boot_id:
            return math.inf
        return (self.at_us - earlier.at_us) / 1_000


@dataclass(frozen=True, slots=True)
class Last:
    """The frame before, to know a repeat by.

    `good`: it sounded good. `recorded`: it became an event, `seq`, which is None where the event
    has no number in this outbox; what was not recorded was a label, a waiting part or refused.
    """

    digest: str
    at: Moment
    good: bool
    recorded: bool = False
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """Goods were counted: the AIs that named them, and when."""

    ais: tuple[str, ...]
    at: Moment


@dataclass(frozen=True, slots=True)
class Waiting:
    """Barcodes of a label, what it lacks (in words), and when the newest of them came."""

    raws: tuple[Raw, ...]
    missing: str
    at: Moment


@dataclass(frozen=True, slots=True)
class State:
    """What the operator has told the station, and what it has to remember of its scans.

    `location` and `to_location` are scanned labels. `session` began with the last location label,
    without which nobody can count. `counted` is the scan before, if that was goods.
    """

    mode: ScanKind | None = None
    location: str | None = None
    to_location: str | None = None
    operator: str | None = None
    document: str | None = None
    quantity: int | None = None
    undoable: tuple[int, ...] = ()
    quantity_at: Moment | None = None
    session: Moment | None = None
    last: Last | None = None
    counted: Counted | None = None
    waiting: Waiting | None = None
    gs_verified: bool = False

    def after(self, seq: int, *, undoable: bool) -> "State":
        """Return the state once the event of this scan is stored under `seq`."""
        last = self.last
        if last is not None and last.recorded and last.seq is None:
            last = replace(last, seq=seq)
        undo = (*self.undoable, seq)[-UNDO_DEPTH:] if undoable else self.undoable
        return replace(self, undoable=undo, last=last)

    def until(self, last_seq: int) -> "State":
        """Return the state without events above `last_seq`: of a commit that was taken back."""
        last = self.last
        if last is not None and last.seq is not None and last.seq > last_seq:
            last = None
        undo = tuple(seq for seq in self.undoable if seq <= last_seq)
        return replace(self, undoable=undo, last=last)

    def renumbered(self, new_seq: Callable[[int], int | None]) -> "State":
        """Return the state for another outbox; `new_seq` gives the number there of an old one."""
        last = self.last
        if last is not None and last.seq is not None:
            last = replace(last, seq=new_seq(last.seq))
        moved = (new_seq(seq) for seq in self.undoable)
        return replace(self, undoable=tuple(seq for seq in moved if seq is not None), last=last)


_STATE = TypeAdapter(State)


def encode(state: State) -> bytes:
    """Return the state as bytes to keep."""
    return _STATE.dump_json(state, exclude_defaults=True)


def decode(data: bytes) -> State:
    """Return the state that `encode` made; raise ValueError when the bytes are none."""
    return _STATE.validate_json(data)
