"""What a station decides about one frame."""

from dataclasses import dataclass

from gateway.station_state import State
from wire.events import Identifiers, Kind

_NOTHING = Identifiers()
_NO_GOODS = frozenset({"undo", "unreadable", "repeat"})


@dataclass(frozen=True, slots=True)
class DockScan:
    """An event to store, all but its identity and time.

    `joined` are the other barcodes of its label; `unit` names a labelled unit that exists once.
    """

    kind: Kind
    raw: bytes
    joined: tuple[bytes, ...] = ()
    symbology: str | None = None
    operator: str | None = None
    document: str | None = None
    location: str | None = None
    to_location: str | None = None
    quantity: int = 1
    identifiers: Identifiers = _NOTHING
    warnings: tuple[str, ...] = ()
    reason: str | None = None
    undo_of: int | None = None
    repeat_of: int | None = None
    unit: str | None = None

    @property
    def undoable(self) -> bool:
        """True for what UNDO takes back."""
        return self.kind not in _NO_GOODS


@dataclass(frozen=True, slots=True)
class Told:
    """Keep the new state, store no event: a label was obeyed, or a part of a label waits."""

    state: State
    text: str = "noted"
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Store:
    """Store the event together with the new state.

    `refused`: nothing was booked although it is stored, and what the person has to do. `own`: the
    event is this frame's, so that a repeat of the frame says that event again.
    """

    state: State
    scan: DockScan
    refused: str | None = None
    own: bool = True


@dataclass(frozen=True, slots=True)
class Refuse:
    """Nothing is stored; `message` tells the person what to do. `state` is not kept on the disk."""

    state: State
    message: str


@dataclass(frozen=True, slots=True)
class Known:
    """The frame before came again. `scan` records that, None for what was no event.

    `good`: what to signal again; None for silence, because it was heard the first time.
    """

    text: str
    scan: DockScan | None = None
    good: bool | None = None


Decision = Told | Store | Refuse | Known
