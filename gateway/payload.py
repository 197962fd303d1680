"""From the data behind the symbology identifier to its meaning: which reader has the say."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from gateway import (
    digital_link,
    gs1_fields,
    gs1_message,
    gs1_table,
    gtin,
    iso15434,
    rcn,
    vendor_label,
)
from gateway.gs1_message import GS
from gateway.reading import Misread, Reading
from gateway.symbology import Aim

# AIs whose value ends in a check digit: evidence that a barcode without FNC1 is GS1 all the same.
_PROOF = frozenset(
    ("00", "01", "02", "03", "253", "255", "402", "8003", "8006", "8017", "8018", "8026")
)
# Labels do not carry these; a loose cable, a wrong baud rate or a packet of another protocol does.
_NOISE = re.compile("[\x00-\x03\x05-\x08\x0e-\x1b\x7f-\x9f]")
# What keyboards and terminals make of GS; no data of a GS1 barcode, so they can be nothing else.
_PICTURES_OF_GS = ("\u241d", "\uf70b")
# Characters outside the set that GS1 allows in data: where one parts element strings that are all
# right, it was sent instead of GS.
_STAND_IN = re.compile(r"[#$@\[\\\]^`{|}~]")


@dataclass(frozen=True, slots=True)
class Setting:
    """What the device's configuration says; `region` is a code of `rcn.region_code`."""

    today: date
    symbology: str | None
    region: str | None
    separators: tuple[str, ...]


def read(aim: Aim | None, body: bytes, setting: Setting) -> Reading:
    """The meaning of `body`; raises Misread."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        text = body.decode("latin-1")
    wanted = _normal(setting.symbology) if setting.symbology else ""
    if aim is None:
        if wanted.startswith("gs1"):
            return _gs1(text, setting)
        reader = _READERS.get(wanted)
        return _restricted(reader(text), setting) if reader else _untyped(text, setting)
    if aim.is_gs1:
        if wanted in _KEYS:
            return _only_key(wanted, text, setting)
        if not _is_wording(text.replace(GS, "")):
            return _gs1(text, setting)
        # FNC1 in front is older than GS1's use of it; what starts with a letter was never GS1.
        warning = "not_element_strings: an element string starts with digits"
        if not iso15434.is_envelope(text):
            return _plain(text, warning)
        label = iso15434.read(text, setting.today)
        label.warnings.append(warning)
        return label
    if aim.letter == "E":
        return _ean(aim.modifier, text, setting)
    if aim.letter in "IX" and len(text) in (13, 14) and gtin.is_number(text):
        return _printed_number(aim.letter, text)
    return _free(text, setting)


def _normal(name: str) -> str:
    """One spelling for "EAN-13", "ean13" and "UPC-A sent as 13 digits"."""
    squeezed = "".join(char for char in name.lower() if char.isalnum())
    for stem in ("upcasent", "databar", "isbn", "issn", "sscc"):
        if squeezed.startswith(stem):
            return stem.removesuffix("sent")
    return squeezed


def _gs1(text: str, setting: Setting) -> Reading:
    for separator in setting.separators:
        text = text.replace(separator, GS)
    stand_ins = [picture for picture in _PICTURES_OF_GS if picture in text]
    for picture in stand_ins:
        text = text.replace(picture, GS)
    elements, warnings = gs1_message.read(text)
    if stand_ins:
        warnings.append("substituted_control_chars")
    return Reading(
        "gs1",
        ais=tuple((identifier.ai, value) for identifier, value in elements),
        fields=gs1_fields.derive(elements, setting.today),
        warnings=warnings + gs1_message.combination_warnings(elements),
    )


_KEYS = {"sscc": ("00", 18), "gtin14": ("01", 14), "databar": ("01", 14)}


def _only_key(wanted: str, text: str, setting: Setting) -> Reading:
    """A GS1 symbol of which the device's setting says that it holds one key and nothing else."""
    ai, length = _KEYS[wanted]
    if not text.startswith(ai):
        raise Misread("bad_format", f"AI ({ai}) must come first, not {text[:2]!r}")
    gtin.require(text[2:].removesuffix(GS), (length,), f"AI ({ai})")
    return _gs1(text, setting)


def _restricted(reading: Reading, setting: Setting) -> Reading:
    """Apply the region's rules to a GTIN that turned out to be a restricted number."""
    number = reading.fields.get("gtin14")
    if setting.region is None or not isinstance(number, str):
        return reading
    circulation = rcn.usage(number)
    return rcn.read(number, circulation, setting.region) if circulation else reading


def _trade_item(digits: str, setting: Setting) -> Reading:
    """A checked GTIN-12, -13 or -14, as a restricted number if its prefix says so."""
    circulation = rcn.usage(digits.zfill(14))
    if circulation:
        return rcn.read(digits, circulation, setting.region)
    return gtin.trade_item(digits)


def _is_wording(text: str) -> bool:
    """What somebody printed that starts with no digit; noise on the line looks otherwise."""
    clean = text.isascii() and not _NOISE.search(text)
    return clean and text[:1].isprintable() and text[:1] != "" and not text[:1].isdigit()


def _plain(text: str, warning: str) -> Reading:
    return Reading("text", fields={"text": text}, warnings=[warning])


def _ean(modifier: str, text: str, setting: Setting) -> Reading:
    if _is_wording(text):
        return _plain(text, "not_an_ean: an EAN or UPC symbol holds digits only")
    if modifier in "12":
        length = 2 if modifier == "1" else 5
        if not gtin.is_number(text) or len(text) != length:
            raise Misread("bad_length", f"an add-on has {length} digits, this is {text[:20]!r}")
        return Reading("text", fields={"text": text, "addon": text})
    number, mark, composite = text.partition("|]e0")
    add_on = ""
    if modifier == "3":
        number, add_on = number[:13], number[13:]
        if add_on and len(add_on) not in (2, 5):
            raise Misread("bad_length", f"an add-on has 2 or 5 digits, not {len(add_on)}")
    lengths = (8,) if modifier == "4" else (13,)
    digits = gtin.require(number, lengths, f"an EAN-{lengths[0]}", over="value_too_long")
    reading = (
        _short_restricted(gtin.trade_item(digits), digits, setting)
        if modifier == "4"
        else _trade_item(digits, setting)
    )
    if add_on:
        reading.fields["addon"] = add_on
    if mark:
        component = _gs1(composite, setting)
        component.fields = {**reading.fields, **component.fields}
        return component
    return reading


def _printed_number(letter: str, text: str) -> Reading:
    """ITF and "other" symbols are GTINs only where length, check digit and prefix say so."""
    right = not gtin.check_sum(text)
    if letter == "I" and len(text) == 14:
        if right:
            return gtin.trade_item(text)
        return _plain(text, "not_a_gtin: check digit")
    if letter == "X" and right and text.startswith(("977", "978", "979")):
        return gtin.trade_item(text)
    return Reading("text", fields={"text": text})


def _free(text: str, setting: Setting) -> Reading:
    """Data that its symbol does not declare to be GS1."""
    if iso15434.is_envelope(text):
        return iso15434.read(text, setting.today)
    if digital_link.is_web_address(text) and (link := digital_link.read(text)):
        elements, warnings = link
        return Reading(
            "gs1_dl",
            ais=tuple((identifier.ai, value) for identifier, value in elements),
            fields=gs1_fields.derive(elements, setting.today),
            warnings=warnings + gs1_message.combination_warnings(elements),
        )
    return vendor_label.read(text) or Reading("text", fields={"text": text})


def _untyped(text: str, setting: Setting) -> Reading:
    """A frame of a scanner that sends no symbology identifier."""
    if not text:
        raise Misread("empty_value", "the frame is empty")
    if _NOISE.search(text):
        raise Misread("bad_charset", "these bytes are noise on the line; check cable and baud rate")
    if gtin.is_number(text):
        return _bare_number(text, setting)
    if text.startswith(GS):
        return _gs1(text, setting)
    if gtin.is_number(text[:2]):
        if any(mark in text for mark in (GS, *_PICTURES_OF_GS, *setting.separators)):
            return _gs1(text, setting)
        reading = _attempt(lambda: _gs1(text, setting))
        if reading and _has_key(reading):
            return reading
        if reading := _with_stand_in(text, setting):
            return reading
    return _free(text, setting)


def _with_stand_in(text: str, setting: Setting) -> Reading | None:
    """Element strings between which one character stands for GS, proven by a key or a date."""
    found = set(_STAND_IN.findall(text))
    if len(found) != 1:
        return None
    reading = _attempt(lambda: _gs1(text.replace(found.pop(), GS), setting))
    dated = reading and any(name.endswith("_yymmdd") for name in reading.fields)
    if reading is None or not (dated or _has_key(reading)):
        return None
    reading.warnings.append("substituted_control_chars")
    return reading


def _has_key(reading: Reading) -> bool:
    return any(ai in _PROOF or ai[:2] == "41" for ai, _ in reading.ais)


def _attempt(reader: Callable[[], Reading]) -> Reading | None:
    try:
        return reader()
    except Misread:
        return None


def _bare_number(digits: str, setting: Setting) -> Reading:
    """Digits alone: an item number, a container, a UPC-E, element strings, or several of these.

    A GTIN of 12 to 14 digits that checks wins: retail symbols have just these lengths. Shorter
    numbers pass the same check by chance or by design, so no reading of them is preferred; and
    neither a UPC-E nor a lot is assumed, because most short numbers are something else.
    """
    length = len(digits)
    if length in (12, 13, 14) and not gtin.check_sum(digits):
        return _trade_item(digits, setting)
    found: list[Reading | None] = []
    if length == 8:
        found.append(_attempt(lambda: gtin.trade_item(gtin.require(digits, (8,), "a GTIN-8"))))
    if length in (6, 7, 8):
        found.append(_attempt(lambda: gtin.upc_e(digits, kind="upc")))
    if length == 18:
        found.append(_attempt(lambda: gtin.sscc(digits)))
    found.append(_attempt(lambda: _gs1(digits, setting)))
    candidates = [reading for reading in found if reading]
    if len(candidates) == 1 and _is_certain(candidates[0]):
        return _short_restricted(candidates[0], digits, setting)
    if candidates:
        return Reading("ambiguous", candidates=candidates)
    raise _no_number(digits, setting)


def _is_certain(reading: Reading) -> bool:
    """A check digit or a fixed form speaks for it: 1042 is not lot 42 for want of anything else."""
    known = gs1_table.table().by_ai
    if reading.kind == "gs1":
        return _has_key(reading) or all(known[ai].predefined for ai, _ in reading.ais)
    return reading.kind != "upc"


def _short_restricted(reading: Reading, digits: str, setting: Setting) -> Reading:
    """A GTIN-8 that is a restricted number: with 0 in front only where a region is configured.

    Zeros in front also come from scanners that fill short numbers up.
    """
    if reading.kind != "gtin" or (digits[0] == "0" and setting.region is None):
        return reading
    circulation = rcn.short_usage(digits)
    return rcn.read(digits, circulation, setting.region) if circulation else reading


def _no_number(digits: str, setting: Setting) -> Misread:
    length = len(digits)
    if length in (8, 12, 13, 14, 18):
        what = "an SSCC" if length == 18 else f"a GTIN-{length}"
        return Misread(
            "bad_check_digit",
            f"{digits} would be {what} if its last digit were {gtin.check_digit(digits[:-1])}",
        )
    if length >= 16 and digits[:2] in _PROOF:
        try:
            _gs1(digits, setting)
        except Misread as fault:
            return fault
    return Misread(
        "bad_length",
        f"{digits[:40]} ({length} digits) is no item number, and without a symbology identifier "
        "nothing says what else it is; let the scanner send AIM identifiers",
    )


def _number(lengths: tuple[int, ...], what: str) -> Callable[[str], Reading]:
    """A reader of one kind of number with an optional add-on."""

    def reader(text: str) -> Reading:
        number, add_on = gtin.with_add_on(text, what)
        reading = gtin.trade_item(gtin.require(number, lengths, what))
        if add_on:
            reading.fields["addon"] = add_on
        return reading

    return reader


def _upc_a(text: str) -> Reading:
    number, _ = gtin.with_add_on(text, "a UPC-A")
    sent_as_13 = len(number) == 13 and number[0] == "0"
    return _number((13,) if sent_as_13 else (12,), "a UPC-A")(text)


def _upc(text: str) -> Reading:
    return gtin.upc_e(text, kind="upc")


def _sscc(text: str) -> Reading:
    return gtin.sscc(text[2:] if len(text) == 20 and text.startswith("00") else text)


def _gtin_14(text: str) -> Reading:
    number = text[2:] if len(text) == 16 and text.startswith("01") else text
    return gtin.trade_item(gtin.require(number, (14,), "a GTIN-14"))


_READERS: dict[str, Callable[[str], Reading]] = {
    "databar": _gtin_14,
    "ean13": _number((13,), "an EAN-13"),
    "ean8": _number((8,), "an EAN-8"),
    "gtin": _number((8, 12, 13, 14), "a GTIN"),
    "gtin14": _gtin_14,
    "isbn": gtin.isbn,
    "issn": gtin.issn,
    "itf": _number((14,), "an ITF-14"),
    "itf14": _number((14,), "an ITF-14"),
    "sscc": _sscc,
    "upc": _upc,
    "upca": _upc_a,
    "upce": gtin.upc_e,
    "upceorupca": _upc,
}
