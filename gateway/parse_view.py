"""A reading as others see it: a JSON object for programs, a few lines for a person."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from decimal import Decimal

from gateway import gs1_date
from gateway.barcode import Barcode, Unreadable
from gateway.gs1_table import table
from gateway.reading import Misread
from gateway.symbology import Aim

_OWN_KEYS = ("raw", "aim", "kind", "ais", "derived", "candidates", "warnings")
_FIELDS = tuple(entry.name for entry in fields(Barcode) if entry.name not in _OWN_KEYS)
_KINDS = {
    "gs1": "GS1 element strings",
    "gs1_dl": "GS1 Digital Link",
    "gtin": "item number (GTIN)",
    "upc": "item number (UPC)",
    "upc_e": "item number (UPC-E)",
    "sscc": "logistic unit (SSCC)",
    "rcn": "restricted circulation number: given out by a shop or country, not worldwide",
    "iso15434": "receiving or carrier label (ISO/IEC 15434)",
    "vendor": "distributor's label",
    "text": "plain text",
    "ambiguous": "several meanings are possible; none is taken",
}
# Element strings whose value reads as a date.
_DATE_AIS = frozenset(("11", "12", "13", "15", "16", "17", "4326", "7006"))


def as_json(result: Barcode | Unreadable) -> dict[str, object]:
    """The object that `docktally parse` prints: `ok`, then the reading or the reason."""
    shown: dict[str, object] = {"ok": isinstance(result, Barcode)}
    if isinstance(result, Unreadable):
        return {
            **shown,
            "error_class": result.error_class,
            "message": result.message,
            **_aim(result.aim),
        }
    return {**shown, **_aim(result.aim), **_reading(result), "warnings": list(result.warnings)}


def _reading(barcode: Barcode) -> dict[str, object]:
    shown: dict[str, object] = {"kind": barcode.kind}
    if barcode.ais:
        shown["ais"] = [list(pair) for pair in barcode.ais]
    shown.update(_values(barcode))
    if names := _candidates(barcode):
        shown["candidates"] = names
    if barcode.candidates:
        shown["readings"] = [_reading(candidate) for candidate in barcode.candidates]
        for candidate in barcode.candidates:
            for name, value in _values(candidate).items():
                shown.setdefault(name, value)
    return shown


def _candidates(barcode: Barcode) -> list[str]:
    """What the bytes can be taken for: several choices of an ambiguous one, else what it holds."""
    if barcode.kind == "ambiguous":
        return [candidate.kind for candidate in barcode.candidates]
    if barcode.kind not in ("gtin", "gs1", "sscc"):
        return []
    upc = "upc_a" in barcode.derived and (barcode.aim is None or barcode.kind == "gs1")
    held = (("gtin", barcode.gtin14), ("upc", upc), ("sscc", barcode.sscc), ("gs1", barcode.ais))
    return [name for name, value in held if value]


def _values(barcode: Barcode) -> dict[str, object]:
    named = {name: getattr(barcode, name) for name in _FIELDS}
    return {
        name: _plain(value)
        for values in (named, barcode.derived)
        for name, value in values.items()
        if value is not None
    }


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, date) else value


def _aim(code: str | None) -> dict[str, object]:
    if code is None:
        return {}
    aim = Aim(code[1], code[2])
    return {
        "aim": code,
        "iso_symbology": aim.name,
        "modifiers": aim.modifier,
        "gs1_symbology": aim.gs1_name,
    }


def as_text(result: Barcode | Unreadable, today: date) -> str:
    """A few lines for a person, ending in a newline."""
    if isinstance(result, Unreadable):
        return f"Not readable ({result.error_class}).\n{printable(result.message)}\n"
    lines = [_headline(result), *_element_lines(result, today)]
    covered = {value for _, value in result.ais}
    lines += [
        f"  {name:<20} {value}"
        for name, value in _values(result).items()
        if value not in covered and not name.endswith("_yymmdd") and _worth_a_line(result, name)
    ]
    for candidate in result.candidates:
        lines.append(f"  could be: {_KINDS[candidate.kind]}")
        lines += [f"    {name:<18} {value}" for name, value in _values(candidate).items()]
    lines += [f"  note: {warning}" for warning in result.warnings]
    return "\n".join(map(printable, lines)) + "\n"


def printable(line: str) -> str:
    """Control characters spelt out: a label must not be able to steer the terminal."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in line
    )


def _headline(barcode: Barcode) -> str:
    aim = _aim(barcode.aim)
    name = aim.get("gs1_symbology") or aim.get("iso_symbology")
    return f"{_KINDS[barcode.kind]}" + (f", read from {name} ({barcode.aim})" if name else "")


def _element_lines(barcode: Barcode, today: date) -> list[str]:
    known = table().by_ai
    labels = [known[ai].label for ai, _ in barcode.ais]
    width = max(map(len, labels), default=0)
    return [
        f"  {label:<{width}}  {value}{_spoken(ai, value, today)}"
        for label, (ai, value) in zip(labels, barcode.ais, strict=True)
    ]


def _spoken(ai: str, value: str, today: date) -> str:
    """A date or a decimal number written out."""
    if ai in _DATE_AIS:
        try:
            return f"  = {gs1_date.resolve(value, today)}"
        except Misread:
            return ""
    if len(ai) == 4 and "3100" <= ai < "3700":
        return f"  = {Decimal(value).scaleb(-int(ai[3])):f}"
    return ""


def _worth_a_line(barcode: Barcode, name: str) -> bool:
    """With element strings, leave out what only says them again in other words."""
    return not barcode.ais or name in ("upc_a", "isbn13", "issn", "addon", "format", "qty")
