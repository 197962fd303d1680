"""One label, several barcodes: which belong together, and what is still missing. Pure.

Where the scanner's configuration names the fields of its labels, these decide. Otherwise GS1's own
rules do: an element string that means nothing alone, such as a lot, waits for its item number.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace

from gateway import gs1_message
from gateway.barcode import Barcode
from gateway.config import LabelField
from gateway.gs1_table import table

#: Where each field of a label may stand.
_AIS: dict[LabelField, tuple[str, ...]] = {
    "gtin": ("01", "02"),
    "sscc": ("00",),
    "lot": ("10",),
    "serial": ("21",),
    "expiry": ("17",),
    "count": ("37", "30"),
}
_FIELD_OF = {ai: field for field, ais in _AIS.items() for ai in ais}
#: (03) is a key although it is none of a web address.
_MORE_KEYS = frozenset(("03",))
#: A count belongs to contents; that both belong to an SSCC is only a warning.
_REQUIRES = {"37": (("02",), ("8026",))}
_MERGED = (
    "gtin14", "content_gtin14", "sscc", "lot", "serial", "expiry", "best_before",
    "production_date", "packaging_date", "count", "var_count", "net_weight_kg",
)  # fmt: skip
assert set(_MERGED) < {entry.name for entry in fields(Barcode)}


def said(barcode: Barcode) -> dict[str, str]:
    """Return what a barcode says by AI; empty for one that can be no part of a label."""
    if barcode.kind not in ("gs1", "gs1_dl", "gtin", "upc", "upc_e", "sscc"):
        return {}
    values = dict(barcode.ais)
    if barcode.gtin14 is not None:
        values.setdefault("01", barcode.gtin14)
    if barcode.sscc is not None:
        values.setdefault("00", barcode.sscc)
    return values


def fields_of(ais: Iterable[str]) -> set[LabelField]:
    """Return the fields of a label that are among these AIs."""
    return {_FIELD_OF[ai] for ai in ais if ai in _FIELD_OF}


def missing(wanted: Sequence[LabelField], parts: Sequence[Barcode]) -> str | None:
    """Return what the label of these barcodes still lacks; None when it is complete."""
    present = {ai for part in parts for ai in said(part)}
    there = fields_of(present)
    if there.intersection(wanted):
        return " and ".join(field for field in wanted if field not in there) or None
    return next(_partners(parts, present), None)


def _partners(parts: Sequence[Barcode], present: set[str]) -> Iterator[str]:
    """Yield what GS1's rules demand beside the barcodes that cannot stand alone."""
    known = table().by_ai
    for part in parts:
        values = said(part)
        if part.kind != "gs1" or any(known[ai].is_key or ai in _MORE_KEYS for ai in values):
            continue
        for ai in values:
            requires = _REQUIRES.get(ai, known[ai].requires)
            if not gs1_message.is_met(requires, present):
                partner = next(other for other in requires[0] if other not in present)
                yield _FIELD_OF.get(partner) or f"({partner})"


def belongs(wanted: Sequence[LabelField], waiting: Sequence[Barcode], new: Barcode) -> bool:
    """Return whether a barcode can be of the label of those that wait: neither says otherwise."""
    values = said(new)
    if not values or any(_contradict(said(part), values) for part in waiting):
        return False
    return missing(wanted, (*waiting, new)) is None or missing(wanted, (new,)) is not None


def _contradict(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    items = {values[ai] for values in (one, other) for ai in _AIS["gtin"] if ai in values}
    return len(items) > 1 or any(other.get(ai, value) != value for ai, value in one.items())


def merged(parts: Sequence[Barcode]) -> Barcode:
    """Return the barcode that says what all of them say, with the bytes of the last."""
    known = table().by_ai
    values = {ai: value for part in parts for ai, value in said(part).items()}
    kept = [
        warning
        for part in parts
        for warning in part.warnings
        if not warning.startswith("ai_combination")
    ]
    kept += gs1_message.combination_warnings([(known[ai], value) for ai, value in values.items()])
    named = {
        name: next((found for part in parts if (found := getattr(part, name)) is not None), None)
        for name in _MERGED
    }
    return replace(
        parts[-1],
        kind="gs1",
        ais=tuple(values.items()),
        text=None,
        derived={name: value for part in parts for name, value in part.derived.items()},
        warnings=tuple(dict.fromkeys(kept)),
        **named,  # type: ignore[arg-type]  # each value comes from the field of its name
    )
