"""What a scan means at its station: mode, location, quantity, operator, label. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway import joining, places, repeats, unit
from gateway.barcode import Barcode, Unreadable
from gateway.config import LabelField, ScanKind, Scanner
from gateway.decision import Decision, DockScan, Refuse, Store, Told
from gateway.labels import BadLabel, Label
from gateway.station_state import Counted, Moment, State, Waiting
from gateway.unit import Unit
from wire.events import Identifiers

#: A quantity label that lay in somebody's hand for longer is not meant for the next pallet.
QUANTITY_TIMEOUT_S = 60
#: Barcodes that may wait for the rest of their label, and the longest one: together they must fit
#: into one event.
PARTS_MAX, PART_BYTES_MAX = 8, 8 * 1024
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
    """What a scanner does when nobody told it otherwise, and how its labels are made."""

    kind: ScanKind = "receive"
    location: str = "DOCK-1"
    label: tuple[LabelField, ...] = ()
    label_window_ms: int = 30_000

    @classmethod
    def of(cls, settings: Scanner) -> "Defaults":
        """Return what the configuration says."""
        return cls(settings.kind, settings.location, settings.label, settings.label_window_ms)


def on_label(
    defaults: Defaults, state: State, label: Label | BadLabel, raw: bytes, at: Moment
) -> Decision:
    """Return what a control label does."""
    if isinstance(label, BadLabel):
        return Refuse(state, label.message)
    other_work = label.type == "command" and label.value != "UNDO"
    if is_overdue(defaults, state, at) or (state.waiting and other_work):
        return dropped(state, then="this label was not obeyed, scan it again too")
    state = replace(state, counted=None)
    match label.type:
        case "command":
            return _on_command(defaults, state, label.value, raw)
        case "location":
            at_place = _at(state, state.mode or defaults.kind, label.value)
            return Told(replace(at_place, session=at))
        case "document":
            return Told(replace(state, document=label.value))
        case "operator":
            return Told(replace(state, operator=label.value))
        case "quantity":
            return Told(replace(state, quantity=int(label.value), quantity_at=at))


def on_goods(
    defaults: Defaults, state: State, barcode: Barcode, waiting: Sequence[Barcode], at: Moment
) -> Decision:
    """Return what an item scan does: one event, a part that waits, or what to do first.

    `waiting` are the barcodes of `state.waiting`.
    """
    if state.quantity is not None and _has_expired(state, at):
        return Refuse(
            _without_quantity(state),
            f"x {state.quantity} was scanned too long ago and is forgotten; nothing was booked: "
            "scan the quantity and then the item again, or the item alone",
        )
    ends = places.of(state.mode or defaults.kind, state, defaults.location)
    if isinstance(ends, str):
        return Refuse(state, ends)
    alone = joining.missing(defaults.label, (barcode,))
    if alone and len(barcode.raw) > PART_BYTES_MAX:
        return Refuse(state, "this barcode is too long to be one of several on a label")
    parts = (*waiting, barcode)
    if state.waiting and (
        is_overdue(defaults, state, at)
        or len(parts) > PARTS_MAX
        or not joining.belongs(defaults.label, waiting, barcode)
    ):
        if alone:
            fresh = Waiting((barcode.raw,), alone, at)
            return dropped(state, then="this one is kept", fresh=fresh)
        return dropped(state, then="this one was not booked, scan it again too")
    missing = joining.missing(defaults.label, parts)
    if missing:
        return _on_part(defaults, state, barcode, missing, at)
    whole = barcode if not waiting else joining.merged(parts)
    scan = _goods(defaults, state, whole, ends)
    counted = Counted(tuple(ais), at) if (ais := joining.said(whole)) else None
    return Store(replace(_without_quantity(state), waiting=None, counted=counted), scan)


def _on_part(
    defaults: Defaults, state: State, barcode: Barcode, missing: str, at: Moment
) -> Decision:
    """Keep a barcode that cannot stand alone, unless nobody can say which goods it belongs to."""
    before, ais = state.counted, joining.said(barcode)
    if (
        before is not None
        and at.ms_since(before.at) < defaults.label_window_ms
        and not joining.fields_of(ais).intersection(defaults.label)
        and not set(ais) <= set(before.ais)
    ):
        return Refuse(
            state,
            f"does this ({next(iter(ais))}) belong to the scan before? Then UNDO that, scan this "
            f"and after it its {missing}. If not, scan a control label, such as the location, and "
            "then this. Or set label = [...] for this scanner",
        )
    raws = state.waiting.raws if state.waiting else ()
    if barcode.raw not in raws:
        raws = (*raws, barcode.raw)
    waiting = Waiting(raws, missing, at)
    return Told(replace(state, waiting=waiting, counted=None), f"label: {missing} still missing")


def is_overdue(defaults: Defaults, state: State, at: Moment) -> bool:
    """Return whether barcodes wait for the rest of their label for too long."""
    return state.waiting is not None and (at.ms_since(state.waiting.at) >= defaults.label_window_ms)


def dropped(state: State, *, then: str | None, fresh: Waiting | None = None) -> Store:
    """Give up the waiting barcodes, keeping their bytes as an event, and go on with `fresh`.

    `then` is about the scan that caused it; None when somebody wanted it so (UNDO).
    """
    assert state.waiting is not None
    lacked = f"lacked its {state.waiting.missing}"
    *others, last = state.waiting.raws
    scan = DockScan(
        kind="unreadable",
        raw=last,
        joined=tuple(others),
        symbology=repeats.aim_of(last),
        operator=state.operator,
        document=state.document,
        reason=f"incomplete_label: {lacked}",
    )
    refused = then and (
        f"the label before {lacked}; nothing was booked for it; scan its barcodes again; {then}"
    )
    return Store(replace(state, waiting=fresh), scan, refused, own=False)


def unless_counted(store: Store, known: Unit | None) -> Store:
    """Return the scan as a repeat if its labelled unit was counted for this very step before."""
    scan, state = store.scan, store.state
    if known is None or known.step != unit.step_of(scan, state.session):
        return store
    where = " to ".join(place for place in (scan.location, scan.to_location) if place)
    repeat = replace(
        scan,
        kind="repeat",
        quantity=0,
        unit=None,
        repeat_of=known.seq,
        reason=f"this label was counted before: {scan.kind} {where}",
    )
    last = replace(state.last, seq=known.seq) if state.last else None
    return Store(replace(state, last=last), repeat)


def unreadable(state: State, barcode: Unreadable) -> Store:
    """Return the event that keeps the bytes of a scan nobody could understand."""
    scan = DockScan(
        kind="unreadable",
        raw=barcode.raw,
        symbology=barcode.aim,
        operator=state.operator,
        document=state.document,
        reason=f"{barcode.error_class}: {barcode.message}"[:_TEXT_LENGTH_MAX],
    )
    return Store(state, scan, refused=scan.reason)


def _on_command(defaults: Defaults, state: State, command: str, raw: bytes) -> Decision:
    if command == "END":
        return Told(State(undoable=state.undoable, gs_verified=state.gs_verified))
    if command != "UNDO":
        # Locations do not outlive a change of mode: where goods were received must not silently
        # become where they are picked from.
        fresh = replace(_without_quantity(state), location=None, to_location=None)
        return Told(replace(fresh, mode=_MODES[command]))
    if state.waiting:
        return dropped(state, then=None)
    if not state.undoable:
        return Refuse(state, "there is nothing left to undo at this scanner")
    *rest, last = state.undoable
    scan = DockScan(
        kind="undo",
        raw=raw,
        operator=state.operator,
        document=state.document,
        location=state.location or defaults.location,
        undo_of=last,
    )
    return Store(replace(_without_quantity(state), undoable=tuple(rest)), scan, own=False)


def _at(state: State, kind: ScanKind, location: str) -> State:
    if kind == "move" and state.location is not None:
        return replace(state, to_location=location)
    return replace(state, location=location)


def _has_expired(state: State, at: Moment) -> bool:
    told = state.quantity_at
    return told is None or at.ms_since(told) > QUANTITY_TIMEOUT_S * 1_000


def _without_quantity(state: State) -> State:
    return replace(state, quantity=None, quantity_at=None)


def _goods(
    defaults: Defaults, state: State, barcode: Barcode, ends: tuple[str | None, str | None]
) -> DockScan:
    quantity, warnings = _quantity(state, printed_quantity(defaults, barcode))
    identifiers, more = _identifiers(barcode)
    return DockScan(
        kind=state.mode or defaults.kind,
        raw=barcode.raw,
        joined=state.waiting.raws if state.waiting else (),
        symbology=barcode.aim,
        operator=state.operator,
        document=state.document,
        location=ends[0],
        to_location=ends[1],
        quantity=quantity,
        identifiers=identifiers,
        warnings=(*barcode.warnings, *warnings, *more),
        unit=unit.name_of(barcode),
    )


def _quantity(state: State, printed: int | None) -> tuple[int, tuple[str, ...]]:
    if state.quantity is None:
        return (1 if printed is None else printed), ()
    if printed is None:
        return state.quantity, ()
    return state.quantity, (f"quantity_overridden: the label says {printed}",)


def printed_quantity(defaults: Defaults, barcode: Barcode) -> int | None:
    """Return how many labelled units a label says there are; None when it does not say.

    AI (37) counts contents (02); beside an item's own number only where the labels here have it so.
    """
    contents = barcode.content_gtin14 and not barcode.gtin14
    if contents or (barcode.var_count is None and "count" in defaults.label):
        return barcode.count
    return barcode.var_count


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
