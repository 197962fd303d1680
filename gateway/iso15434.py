"""ISO/IEC 15434 envelopes on receiving and carrier labels, with the defects of real ones.

`[)> RS 06 GS field GS field RS EOT`, where each field starts with a data identifier of
ANSI MH10.8.2 (P customer part, Q quantity, ...). Format 05 holds GS1 element strings. Printed
labels leave the trailer off, the first RS out, or print stand-ins for the control characters:
the header shows which, so nothing has to be configured.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

from gateway import gs1_date, gs1_fields, gs1_message, gtin
from gateway.reading import Misread, Reading

_HEADER = "[)>"
# Spellings of RS, GS and EOT of more than one character; a single one needs no list.
_SPELLINGS = (
    ("<RS>", "<GS>", "<EOT>"),
    ("<rs>", "<gs>", "<eot>"),
    ("{RS}", "{GS}", "{EOT}"),
    ("[RS]", "[GS]", "[EOT]"),
    ("^^", "^]", "^D"),
    (r"\x1e", r"\x1d", r"\x04"),
    (r"\x1E", r"\x1D", r"\x04"),
    (r"\u001e", r"\u001d", r"\u0004"),
)
_RS, _GS, _EOT = "\x1e", "\x1d", "\x04"
_FORMAT = re.compile(r"[^0-9A-Za-z]?([0-9]{2})")
_FIELD = re.compile(r"([0-9]{0,3}[A-Z])(.*)", re.DOTALL)
_DI_FORMATS = ("06", "12")
_READ_FORMATS = ("05", *_DI_FORMATS)
_NAMES = {
    "P": "customer_part",
    "1P": "supplier_part",
    "30P": "supplier_sku",
    "K": "customer_po",
    "1K": "sales_order",
    "11K": "packing_list",
    "4L": "origin",
    "V": "supplier",
    "1V": "manufacturer",
    "T": "lot",
    "1T": "lot",
    "S": "serial",
    "9D": "date_code",
    "10D": "date_code",
    **dict.fromkeys(("J", "1J", "2J", "3J", "4J", "5J", "6J"), "license_plate"),
}
_DATES = {"14D": "expiry", "16D": "production_date"}
# No dock receives a thousand million of one thing; longer is another field read as a quantity.
_QUANTITY = re.compile(r"([0-9]{1,9})(\.[0-9]{1,6})?")


def is_envelope(text: str) -> bool:
    """True if the text claims to be one, whatever its state."""
    return text.startswith((_HEADER, ">" + _HEADER))


def read(text: str, today: date) -> Reading:
    """The first format's number, the data identifiers and their names; raises Misread."""
    warnings: list[str] = []
    body = text.partition(_HEADER)[2]
    body, record, group, end = _separators(body, warnings)
    if text[0] == ">" and "malformed_header" not in warnings:
        warnings.append("malformed_header")
    blocks = body.split(record) if record != group else [body]
    if len(blocks) > 1 and _is_trailer(blocks[-1], end):
        blocks.pop()
    else:
        warnings.append("missing_trailer_RS_EOT")
        blocks[-1] = blocks[-1].removesuffix(end)
    reading = Reading("iso15434", warnings=warnings)
    for block in blocks[:1] + [later for later in blocks[1:] if later]:
        _block(block, group, reading, today)
    if reading.fields["format"] not in _READ_FORMATS:
        reading.fields["text"] = text
    return reading


def _is_trailer(last: str, end: str) -> bool:
    """EOT or whatever a printer or keyboard made of it; a format would start with digits."""
    return last == end or (bool(last) and not any(char.isalnum() for char in last))


def _separators(body: str, warnings: list[str]) -> tuple[str, str, str, str]:
    """The rest after the first record separator, and what stands for RS, GS and EOT."""
    if not body:
        raise Misread("truncated_envelope", "the label breaks off after its header [)>")
    for spelling in ((_RS, _GS, _EOT), *_SPELLINGS):
        if body.startswith(spelling[0]):
            if spelling[0] != _RS:
                warnings.append("substituted_control_chars")
            return body[len(spelling[0]) :], *spelling
    match = _FORMAT.match(body)
    if match is None:
        raise Misread("truncated_envelope", "no format number follows the header [)>")
    record = body[: match.start(1)]
    group = body[match.end() : match.end() + 1]
    if group.isalnum():
        raise Misread(
            "missing_separator",
            "the separators (GS) between the fields of this label did not arrive; let the scanner "
            "send control characters",
        )
    group = group or _GS
    if record or group != _GS:
        warnings.append("substituted_control_chars")
    if not record:
        warnings.append("malformed_header")
    return body[match.start(1) :], record or _RS, group, _EOT


def _block(block: str, group: str, reading: Reading, today: date) -> None:
    number, fields = block[:2], block[2:].split(group)
    if not gtin.is_number(number) or len(number) < 2 or len(fields) < 2 or fields[0]:
        raise Misread("truncated_envelope", f"the label breaks off at {block[:20]!r}")
    if not any(fields):
        raise Misread("empty_format", f"format {number} of this label has no field")
    reading.fields.setdefault("format", number)
    if number == "05":
        elements, found = gs1_message.read(_GS.join(fields[1:]))
        reading.ais += tuple((identifier.ai, value) for identifier, value in elements)
        reading.fields.update(gs1_fields.derive(elements, today))
        reading.warnings += found + gs1_message.combination_warnings(elements)
    elif number in _DI_FORMATS:
        _identifiers([field for field in fields if field], reading, today)


def _identifiers(fields: list[str], reading: Reading, today: date) -> None:
    known = reading.fields.setdefault("dis", [])
    assert isinstance(known, list)
    for field in fields:
        match = _FIELD.fullmatch(field)
        if match is None:
            reading.warnings.append(f"field_without_identifier: {field[:40]!r}")
            continue
        identifier, value = match.groups()
        known.append([identifier, value])
        if value:
            _name(identifier, value, reading, today)
    if not known:
        raise Misread("bad_format", f"no field of this label has a data identifier: {fields[0]!r}")


def _name(identifier: str, value: str, reading: Reading, today: date) -> None:
    if identifier == "Q":
        printed = quantity(value)
        if reading.fields.setdefault("qty", printed) != printed:
            raise Misread("bad_value", f"two quantities: {reading.fields['qty']} and {printed}")
    elif name := _DATES.get(identifier):
        reading.fields[name] = _day(value, today)
    elif name := _NAMES.get(identifier):
        reading.fields.setdefault(name, value)


def _day(value: str, today: date) -> date:
    if not gtin.is_number(value) or len(value) not in (6, 8):
        raise Misread("bad_date", f"{value[:20]!r} is no date")
    if len(value) == 6:
        gs1_date.check(value, day_zero=False)
        return gs1_date.resolve(value, today)
    try:
        return date(int(value[:4]), int(value[4:6]), int(value[6:]))
    except ValueError as error:
        raise Misread("bad_date", f"there is no day {value}") from error


def quantity(value: str) -> int | Decimal:
    """A printed quantity; raises Misread, because stock must never rest on a guess."""
    match = _QUANTITY.fullmatch(value.strip())
    if match is None:
        raise Misread("bad_value", f"quantity {value[:20]!r} is no number")
    return Decimal(match[0]) if match[2] else int(match[1])
