"""What scanners on USB send in their two HID modes, as report descriptors and reports. Pure.

Keyboard: reports of 8 bytes as in "Device Class Definition for HID 1.11", appendix B. Point of
sale: reports of 64 bytes, HID page 0x8C ("HID Point of Sale Usage Tables 1.02", section 4), in two
layouts: Honeywell and others say the AIM identifier first, Newland and others say none and end
with a number of their own for the symbology.
"""

from collections.abc import Iterator
from typing import Literal

from firmware_sim.key_layouts import (
    ALT,
    CONTROL,
    ENTER,
    F8,
    KEYPAD,
    TAB,
    Layout,
    Stroke,
    strokes_of,
)

Separator = Literal["control", "f8", "alt"]
Terminator = Literal["enter", "tab", "none"]
PosLayout = Literal["honeywell", "newland"]

#: Eight modifiers, a reserved byte, five lights, six keys.
KEYBOARD_DESCRIPTOR = bytes.fromhex(
    "05010906a101 050719e029e71500250175019508 8102 95017508 8101"
    "05081901290595057501 9102 95017503 9101 050719002aff00150026ff0095067508 8100 c0"
)
KEYBOARD_REPORT_BYTES = 8
#: Report 2: byte count, three symbology identifiers, 56 bytes of data, two of the maker's, and the
#: bit that says that more follows. Both layouts fill these 63 bytes, each in its own way.
POS_DESCRIPTOR = bytes.fromhex(
    "058c0902a101 0912a1028502 150026ff00 75089501 0501093b8102"
    "058c950309fb09fc09fd8102 953809fe820201 0666ff9502090409008102"
    "058c150025017501950109ff8102 7507950109008103 c0c0"
)
POS_REPORT_BYTES = 64
_POS_ID = 0x02
_POS_DATA_BYTES = 56
_MORE_FOLLOWS = 0x01
_GS = "\x1d"
_RELEASED = bytes(KEYBOARD_REPORT_BYTES)


def keyboard_reports(
    text: str,
    layout: Layout = "us",
    *,
    separator: Separator = "control",
    terminator: Terminator = "enter",
) -> list[bytes]:
    """Return the reports of a scanner that types `text`; ValueError when the layout lacks a key.

    `separator` is how it types GS (0x1d); other control characters are Control and a letter.
    """
    strokes = strokes_of(layout)
    reports: list[bytes] = []
    for character in text:
        if character == _GS and separator == "f8":
            reports += _pressed(Stroke(F8))
        elif character == _GS and separator == "alt":
            reports += _alt_code(ord(_GS))
        else:
            reports += _pressed(_stroke(character, strokes, layout))
    if terminator != "none":
        reports += _pressed(Stroke(ENTER if terminator == "enter" else TAB))
    return reports


def pos_reports(
    data: bytes, layout: PosLayout, *, aim: str = "", symbol: int = 0
) -> Iterator[bytes]:
    """Yield the reports of one code, as many as it needs.

    `aim` is the identifier of Honeywell's layout (ValueError in Newland's, which has no room for
    it), `symbol` the maker's own number for the symbology.
    """
    if aim and layout == "newland":
        raise ValueError("Newland's layout has no AIM identifier")
    for at in range(0, len(data), _POS_DATA_BYTES):
        part = data[at : at + _POS_DATA_BYTES]
        more = _MORE_FOLLOWS if at + _POS_DATA_BYTES < len(data) else 0
        head, body = bytes((_POS_ID, len(part))), part.ljust(_POS_DATA_BYTES, b"\0")
        if layout == "honeywell":
            yield head + aim.encode().ljust(3, b"\0") + body + bytes((symbol, 0, more))
        else:
            yield head + body + bytes((0, 0, 0, 0, symbol, more))


def _stroke(character: str, strokes: dict[str, Stroke], layout: Layout) -> Stroke:
    held = 0
    if character not in strokes and character < " ":
        held, character = CONTROL, chr(ord(character) + 0x40).lower()
    if character not in strokes:
        raise ValueError(f"the {layout} layout has no key for {character!r}")
    stroke = strokes[character]
    return Stroke(stroke.key, stroke.modifiers | held)


def _pressed(stroke: Stroke) -> list[bytes]:
    return [_report(stroke.modifiers, stroke.key), _RELEASED]


def _alt_code(code: int) -> list[bytes]:
    """Alt is held while the keypad says the number; letting it go makes the character."""
    reports = [_report(ALT)]
    for digit in f"{code:03}":
        reports += [_report(ALT, KEYPAD[int(digit)]), _report(ALT)]
    return [*reports, _RELEASED]


def _report(modifiers: int, key: int = 0) -> bytes:
    return bytes((modifiers, 0, key, 0, 0, 0, 0, 0))
