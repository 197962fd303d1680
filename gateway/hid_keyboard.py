"""Keyboard boot reports of a scanner that types: 8 bytes each, turned back into its bytes. Pure.

USB HID usage tables, page 0x07; the layout is the scanner's setting, because a German scanner read
with a US table swaps Y and Z and turns - into /. Scanners type the GS separator as Control and ],
as F8, or as Alt with 029 on the keypad.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.reading import Misread

REPORT_BYTES = 8
# Far above the largest symbol: a stuck key must not fill the memory.
_SCAN_BYTES_MAX = 64 * 1024
_CTRL, _SHIFT, _ALT, _ALT_GR = 0x11, 0x22, 0x04, 0x40
_ENTER, _TAB, _CAPS_LOCK, _KEYPAD_ENTER, _F8 = 0x28, 0x2B, 0x39, 0x58, 0x41
_ROLL_OVER = 0x01
_ENDS = {_ENTER: "Enter", _KEYPAD_ENTER: "Enter", _TAB: "Tab"}
_GS = "\x1d"


@dataclass(frozen=True, slots=True)
class Layout:
    """Characters of each key: alone, with Shift, with AltGr."""

    plain: dict[int, str]
    shifted: dict[int, str]
    alt_gr: dict[int, str]


def _keys(first: int, characters: str) -> dict[int, str]:
    return {first + at: character for at, character in enumerate(characters) if character != "\0"}


_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_GERMAN_LETTERS = _LETTERS.replace("y", "\0").replace("z", "y").replace("\0", "z")
_KEYPAD = {**_keys(0x54, "/*-+"), **_keys(0x59, "1234567890.")}
_COMMON = {0x2C: " ", **_KEYPAD}
_US = Layout(
    plain={
        **_keys(0x04, _LETTERS + "1234567890"),
        **_keys(0x2D, "-=[]\\"),
        **_keys(0x33, ";'`,./"),
        **_COMMON,
    },
    shifted={
        **_keys(0x04, _LETTERS.upper() + "!@#$%^&*()"),
        **_keys(0x2D, "_+{}|"),
        **_keys(0x33, ':"~<>?'),
        **_COMMON,
    },
    alt_gr={},
)
_GERMAN = Layout(
    plain={
        **_keys(0x04, _GERMAN_LETTERS + "1234567890"),
        **_keys(0x2D, "ß\u00b4ü+##öä^,.-"),
        0x64: "<",
        **_COMMON,
    },
    shifted={
        **_keys(0x04, _GERMAN_LETTERS.upper() + '!"§$%&/()='),
        **_keys(0x2D, "?`Ü*''ÖÄ°;:_"),
        0x64: ">",
        **_COMMON,
    },
    alt_gr={
        0x14: "@",
        0x08: "€",
        0x10: "µ",
        **_keys(0x1F, "²³\0\0\0{[]}"),
        0x2D: "\\",
        0x30: "~",
        0x64: "|",
    },
)
LAYOUTS = {"us": _US, "de": _GERMAN}


class Scans:
    """The keyboard of one scanner."""

    def __init__(self, layout: str = "us") -> None:
        self._layout = LAYOUTS[layout]
        self._typed: list[str] = []
        self._held: frozenset[int] = frozenset()
        self._caps = False
        self._alt_digits = ""
        self.terminator: str | None = None

    @property
    def pending(self) -> bytes:
        """What was typed since the last terminator."""
        return "".join(self._typed).encode()

    def feed(self, report: bytes) -> bytes | None:
        """The frame that a report's Enter or Tab completes.

        Raises Misread (short_report, rollover, too_long); after it the scan is lost and must be
        made again: a key may be missing in its middle.
        """
        if len(report) != REPORT_BYTES:
            self.silence()
            raise Misread("short_report", f"{len(report)} bytes came, a report has {REPORT_BYTES}")
        modifiers, keys = report[0], report[2:]
        if _ROLL_OVER in keys:
            self.silence()
            raise Misread("rollover", "the keyboard lost keys (too many at once); scan again")
        if not modifiers & _ALT and self._alt_digits:
            self._end_alt()
        pressed = [key for key in keys if key and key not in self._held]
        self._held = frozenset(keys)
        frame = None
        for key in pressed:
            if key in _ENDS:
                frame = self.pending
                self._typed.clear()
                self.terminator = _ENDS[key]
            elif key == _CAPS_LOCK:
                self._caps = not self._caps
            else:
                self._type(key, modifiers)
        if len(self._typed) > _SCAN_BYTES_MAX:
            self.silence()
            raise Misread("too_long", "the scanner types without an end")
        return frame

    def silence(self) -> None:
        """Forget a scan whose rest never came."""
        self._typed.clear()
        self._alt_digits = ""

    def _end_alt(self) -> None:
        self._typed.append(chr(int(self._alt_digits) & 0xFF))
        self._alt_digits = ""

    def _type(self, key: int, modifiers: int) -> None:
        if modifiers & _ALT:
            digit = _KEYPAD.get(key, "")
            # Four digits are the longest code; a fifth would be the next character's.
            if digit.isdigit() and len(self._alt_digits) < 4:
                self._alt_digits += digit
            return
        if key == _F8:
            self._typed.append(_GS)
            return
        shift = bool(modifiers & _SHIFT)
        if modifiers & _ALT_GR:
            character = self._layout.alt_gr.get(key, "")
        else:
            letter = self._layout.plain.get(key, "").isalpha()
            table = self._layout.shifted if shift != (self._caps and letter) else self._layout.plain
            character = table.get(key, "")
        if modifiers & _CTRL and character:
            character = chr(ord(character.upper()) & 0x1F) if character.isascii() else ""
        if character:
            self._typed.append(character)


def describe(raw: bytes, layout: str) -> dict[str, object]:
    """What a run of reports typed, for `docktally parse`; raises Misread."""
    scans = Scans(layout)
    frame = None
    for at in range(0, len(raw), REPORT_BYTES):
        done = scans.feed(raw[at : at + REPORT_BYTES])
        frame = done if frame is None else frame
    text = scans.pending if frame is None else frame
    return {
        "ok": True,
        "protocol": "hid_kbd",
        "layout": layout,
        "text_hex": text.hex(),
        "terminator": scans.terminator,
    }
