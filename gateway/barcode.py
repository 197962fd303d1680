"""What a scanned frame means: bytes in, a Barcode or an Unreadable out. Nothing is guessed.

`parse` never raises, whatever the bytes: a frame that cannot be understood is a fact to keep with
its bytes, not an accident. It does no input or output and knows no clock but the `today` it is
given. Where a scanner sends no symbology identifier and a code has several valid readings, all of
them are returned as candidates and none is chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from decimal import Decimal

from gateway import payload as payloads
from gateway import rcn
from gateway.reading import Elements, Misread, Reading
from gateway.symbology import Aim, split

# The largest symbol of all holds some seven thousand characters; a longer frame is line noise or
# a stuck key, and looking into it would let one device stall the dock.
MAX_FRAME_BYTES = 64 * 1024

_ADVICE = {
    "bad_aim": "Check that the scanner sends AIM identifiers and that its cable is sound.",
    "bad_check_digit": "Scan again; if it fails again, the label is misprinted.",
    "too_long": "Check the scanner's terminator setting.",
}


@dataclass(frozen=True, slots=True)
class Barcode:
    """A frame and its meaning.

    `kind` is gs1, gs1_dl, gtin, upc, upc_e, sscc, rcn, iso15434, vendor, text or ambiguous; an
    ambiguous one has `candidates` and no identity of its own. `count` is AI (37), trade items in a
    logistic unit; `var_count` is AI (30), pieces of a variable item. `derived` holds what is rarely
    needed, under the names that `docktally parse` prints. Each warning starts with a code.
    """

    raw: bytes
    aim: str | None
    kind: str
    ais: Elements = ()
    gtin14: str | None = None
    content_gtin14: str | None = None
    sscc: str | None = None
    lot: str | None = None
    serial: str | None = None
    text: str | None = None
    expiry: date | None = None
    best_before: date | None = None
    production_date: date | None = None
    packaging_date: date | None = None
    count: int | None = None
    var_count: int | None = None
    net_weight_kg: Decimal | None = None
    derived: Mapping[str, object] = field(default_factory=dict, hash=False)
    candidates: tuple[Barcode, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A frame without a meaning: `error_class` for programs, `message` for the person."""

    raw: bytes
    aim: str | None
    error_class: str
    message: str


_NAMED = frozenset(entry.name for entry in fields(Barcode)) - {
    "raw",
    "aim",
    "kind",
    "ais",
    "derived",
    "candidates",
    "warnings",
}


def parse(
    frame: bytes,
    *,
    today: date,
    symbology: str | None = None,
    region: str | None = None,
    separators: Sequence[str] = (),
    aim_required: bool = False,
) -> Barcode | Unreadable:
    """The meaning of one frame, as delivered without its terminator.

    `today` decides the century of two-digit years. The rest is the device's configuration:
    `symbology` reads a frame as that and nothing else ("upc_e", "isbn", "sscc", ...); `region`
    names the country whose rules apply to restricted circulation numbers (an unknown name raises
    ValueError: check it with `rcn.region_code` when configuration is read); `separators` are what
    the scanner sends instead of GS; `aim_required` refuses frames without a symbology identifier.
    """
    country = rcn.region_code(region) if region else None
    setting = payloads.Setting(today, symbology, country, tuple(separators))
    aim: Aim | None = None
    try:
        aim, body = _split(frame, aim_required=aim_required)
        reading = payloads.read(aim, body, setting)
    except Misread as fault:
        return _unreadable(frame, aim, fault)
    return _barcode(frame, aim, reading)


def _split(frame: bytes, *, aim_required: bool) -> tuple[Aim | None, bytes]:
    if len(frame) > MAX_FRAME_BYTES:
        raise Misread("too_long", f"{len(frame)} bytes came without an end")
    aim, body = split(frame)
    if aim is None and aim_required:
        raise Misread("bad_aim", "this scanner should send a symbology identifier first")
    return aim, body


def _unreadable(frame: bytes, aim: Aim | None, fault: Misread) -> Unreadable:
    advice = _ADVICE.get(fault.error_class)
    message = f"{fault.message[:1].upper()}{fault.message[1:]}."
    return Unreadable(
        raw=frame,
        aim=aim.code if aim else None,
        error_class=fault.error_class,
        message=f"{message} {advice}" if advice else message,
    )


def _barcode(frame: bytes, aim: Aim | None, reading: Reading) -> Barcode:
    named = {name: value for name, value in reading.fields.items() if name in _NAMED}
    return Barcode(
        raw=frame,
        aim=aim.code if aim else None,
        kind=reading.kind,
        ais=reading.ais,
        derived={name: value for name, value in reading.fields.items() if name not in _NAMED},
        candidates=tuple(_barcode(frame, aim, candidate) for candidate in reading.candidates),
        warnings=tuple(reading.warnings),
        **named,  # type: ignore[arg-type]  # each reader fills a field with the field's own type
    )
