"""What a scan means at its station: mode, location, quantity, operator. Pure: no clock, no I/O.

A `State` is sticky and durable: it is stored together with the scan it results from, so that after
a power cut the next scan means what the operator expects.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from pydantic import TypeAdapter

from gateway.barcode import Barcode, Unreadable
from gateway.config import ScanKind
from gateway.labels import BadLabel, Label
from wire.events import Identifiers, Kind

#: UNDO goes back at most this far: further than anybody remembers what was scanned.
UNDO_DEPTH = 20
#: What an event's text fields hold; the raw bytes are always complete.
_TEXT_LENGTH_MAX = 2_000
_MODES: dict[str, ScanKind] = {
    "RECEIVE": "receive",
    "PUTAWAY": "putaway",
    "MOVE": "move",
    "PICK": "pick",
    "SHIP": "ship",
    "RETURN": "return",
    "DAMAGE": "damage",
    "COUNT": "count",
}


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a scanner does when nobody told it otherwise."""

    kind: ScanKind = "receive"
    location: str = "DOCK-1"


@dataclass(frozen=True, slots=True)
class State:
    """What the operator has told the station. `location` and `to_location` are scanned labels."""

    mode: ScanKind | None = None
    location: str | None = None
    to_location: str | None = None
    operator: str | None = None
    document: str | None = None
    quantity: int | None = None
    undoable: tuple[int, ...] = ()

    def after(self, seq: int, *, undoable: bool) -> "State":
        """Return the state once the event of this scan is stored under `seq`."""
        if not undoable:
            return self
        return replace(self, undoable=(*self.undoable, seq)[-UNDO_DEPTH:])


_NOTHING = Identifiers()


@dataclass(frozen=True, slots=True)
class DockScan:
    """An event to store, all but its identity and time."""

    kind: Kind
    raw: bytes
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

    @property
    def undoable(self) -> bool:
        """True for what UNDO takes back."""
        return self.kind not in ("undo", "unreadable")


@dataclass(frozen=True, slots=True)
class Told:
    """A control label was understood: keep the new state, store no event."""

    state: State


@dataclass(frozen=True, slots=True)
class Store:
    """Store the event together with the new state."""

    state: State
    scan: DockScan


@dataclass(frozen=True, slots=True)
class Refuse:
    """Nothing is stored; `message` tells the person what to do."""

    message: str


Decision = Told | Store | Refuse
_STATE = TypeAdapter(State)


def encode(state: State) -> bytes:
    """Return the state as bytes to keep."""
    return _STATE.dump_json(state)


def decode(data: bytes) -> State:
    """Return the state that `encode` made; raise ValueError when the bytes are none."""
    return _STATE.validate_json(data)


def on_label(defaults: Defaults, state: State, label: Label | BadLabel, raw: bytes) -> Decision:
    """Return what a control label does."""
    if isinstance(label, BadLabel):
        return Refuse(label.message)
    match label.type:
        case "command":
            return _on_command(defaults, state, label.value, raw)
        case "location":
            return Told(_at(state, state.mode or defaults.kind, label.value))
        case "document":
            return Told(replace(state, document=label.value))
        case "operator":
            return Told(replace(state, operator=label.value))
        case "quantity":
            return Told(replace(state, quantity=int(label.value)))


def on_barcode(defaults: Defaults, state: State, barcode: Barcode | Unreadable) -> Decision:
    """Return what an item scan does: one event, or a refusal when its place is not known."""
    if isinstance(barcode, Unreadable):
        return Store(state, unreadable(state, barcode))
    kind = state.mode or defaults.kind
    places = _PLACES[kind](state, defaults.location)
    if isinstance(places, str):
        return Refuse(places)
    quantity, warnings = _quantity(state, barcode)
    identifiers, more = _identifiers(barcode)
    scan = DockScan(
        kind=kind,
        raw=barcode.raw,
        symbology=barcode.aim,
        operator=state.operator,
        document=state.document,
        location=places[0],
        to_location=places[1],
        quantity=quantity,
        identifiers=identifiers,
        warnings=(*barcode.warnings, *warnings, *more),
    )
    return Store(replace(state, quantity=None), scan)


def unreadable(state: State, barcode: Unreadable) -> DockScan:
    """Return the event that keeps the bytes of a scan nobody could understand."""
    return DockScan(
        kind="unreadable",
        raw=barcode.raw,
        symbology=barcode.aim,
        operator=state.operator,
        document=state.document,
        reason=f"{barcode.error_class}: {barcode.message}"[:_TEXT_LENGTH_MAX],
    )


def _on_command(defaults: Defaults, state: State, command: str, raw: bytes) -> Decision:
    if command == "END":
        return Told(State(undoable=state.undoable))
    if command != "UNDO":
        # Locations do not outlive a change of mode: where goods were received must not silently
        # become where they are picked from.
        mode = _MODES[command]
        return Told(replace(state, mode=mode, location=None, to_location=None, quantity=None))
    if not state.undoable:
        return Refuse("there is nothing left to undo at this scanner")
    *rest, last = state.undoable
    scan = DockScan(
        kind="undo",
        raw=raw,
        operator=state.operator,
        document=state.document,
        location=state.location or defaults.location,
        undo_of=last,
    )
    return Store(replace(state, undoable=tuple(rest), quantity=None), scan)


def _at(state: State, kind: ScanKind, location: str) -> State:
    if kind == "move" and state.location is not None:
        return replace(state, to_location=location)
    return replace(state, location=location)


#: (location, to_location) of an item scan, or what the operator has to do first.
_Places = tuple[str | None, str | None] | str
_FIRST = "scan the location first"


def _sticky(state: State, dock: str) -> _Places:
    return state.location or dock, None


def _counted(state: State, _dock: str) -> _Places:
    return (state.location, None) if state.location else _FIRST


def _picked(state: State, dock: str) -> _Places:
    return (state.location, dock) if state.location else _FIRST


def _put_away(state: State, dock: str) -> _Places:
    return (dock, state.location) if state.location else _FIRST


def _moved(state: State, _dock: str) -> _Places:
    if state.location is None:
        return "scan the location to move from first"
    if state.to_location is None:
        return "scan the location to move to first"
    return state.location, state.to_location


_PLACES: dict[ScanKind, Callable[[State, str], _Places]] = {
    "receive": _sticky,
    "ship": _sticky,
    "return": _sticky,
    "damage": _sticky,
    "count": _counted,
    "pick": _picked,
    "putaway": _put_away,
    "move": _moved,
}


def _quantity(state: State, barcode: Barcode) -> tuple[int, tuple[str, ...]]:
    printed = barcode.count if barcode.content_gtin14 and not barcode.gtin14 else barcode.var_count
    if state.quantity is None:
        return (1 if printed is None else printed), ()
    if printed is None:
        return state.quantity, ()
    return state.quantity, (f"quantity_overridden: the label says {printed}",)


def _identifiers(barcode: Barcode) -> tuple[Identifiers, tuple[str, ...]]:
    warnings: list[str] = []
    if barcode.kind == "ambiguous":
        warnings.append("ambiguous: several readings are valid; let the scanner send AIM ids")
    gtin14 = barcode.gtin14 or barcode.content_gtin14
    # A restricted number means something in one shop only: it must not pass for a world-wide GTIN.
    known = barcode.kind not in ("ambiguous", "rcn") and (gtin14 or barcode.sscc)
    text = None
    if not known:
        text = barcode.text or barcode.raw.removeprefix((barcode.aim or "").encode()).decode(
            "utf-8", "backslashreplace"
        )
        if len(text) > _TEXT_LENGTH_MAX:
            warnings.append(f"text_cut: the text has {len(text)} characters; raw is complete")
            text = text[:_TEXT_LENGTH_MAX]
    identifiers = Identifiers(
        gtin14=gtin14 if known else None,
        sscc=barcode.sscc if known else None,
        lot=barcode.lot,
        serial=barcode.serial,
        expiry=barcode.expiry,
        text=text,
    )
    return identifiers, tuple(warnings)
