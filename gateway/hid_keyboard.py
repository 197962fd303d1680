"""The keys of a scanner that types, turned back into its bytes. Pure; one `Keys` per device.

Keys are USB HID usages of page 0x07. They come from the kernel's key events (gateway.keystrokes)
or from 8-byte boot reports (`Scans`, for `docktally parse`). Scanners spell the GS1 separator in
many ways: Control and ], F8, Alt with 029 or 0029 on the keypad, Control+Shift+U with 1D. A key
without a meaning is never passed over: the code in which it stands would be a wrong one.
"""

from collections.abc import Iterator

from gateway import keymap
from gateway.reading import Misread

REPORT_BYTES = 8
LAYOUTS = tuple(keymap.KEYMAPS)
# Far above the largest symbol: a stuck key must not fill the memory.
_SCAN_BYTES_MAX = 64 * 1024
_ENTER, _TAB, _SPACE, _KEYPAD_ENTER, _F8 = 0x28, 0x2B, 0x2C, 0x58, 0x41
_CAPS_LOCK, _SCROLL_LOCK, _NUM_LOCK = 0x39, 0x47, 0x53
_CTRL, _SHIFT, _META = {0xE0, 0xE4}, {0xE1, 0xE5}, {0xE3, 0xE7}
_ALT, _ALT_GR = 0xE2, 0xE6
_MODIFIERS = range(0xE0, 0xE8)
_KEYPAD_DIGITS = {0x59 + at: digit for at, digit in enumerate("1234567890")}
#: Whatever else is held.
_ALWAYS = {_ENTER: "\r", _KEYPAD_ENTER: "\r", _TAB: "\t", _F8: "\x1d"}
_CONTROL_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ@[\\]^_{|}")
_CONTROL_SIGNS = frozenset("@[\\]^_")
#: On every layout of Windows these places make ESC, GS and FS with Control, whatever they type.
_CONTROL_PLACES = {0x2F: "\x1b", 0x30: "\x1d", 0x31: "\x1c", 0x32: "\x1c", 0x64: "\x1c"}
_NAMES = {
    0xE0: "Control", 0xE1: "Shift", 0xE2: "Alt", 0xE3: "Meta",
    0xE4: "Control", 0xE5: "Shift", 0xE6: "AltGr", 0xE7: "Meta",
}  # fmt: skip
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")
_ALT_DIGITS_MAX = 4
_CODE_POINT_DIGITS_MAX = 6
_ROLL_OVER = 0x01
_TERMINATORS = {"\r": "Enter", "\t": "Tab"}

#: What a key completed, and why it makes the code unusable, "" when it does not.
Typed = tuple[str, str]
_NOTHING: Typed = ("", "")


class Keys:
    """One keyboard: which keys are held, and what was begun with them.

    Enter is "\\r" and Tab "\\t" in what it types; both come through even when the code before them
    is unusable.
    """

    def __init__(self, layout: str) -> None:
        self._layout, self._map = layout, keymap.KEYMAPS[layout]
        self._held: set[int] = set()
        self._caps = self._types_caps = self._lossy = False
        self._alt_digits = ""
        self._accent = ""
        self._doubtful = ""
        self._code_point: str | None = None
        #: It types code points, and Enter after them: Enter is not always the end of a code.
        self.types_code_points = False

    @property
    def begun(self) -> bool:
        """True while a character takes more keys than came so far."""
        return bool(self._alt_digits or self._accent) or self._code_point is not None

    def caps_lock(self, *, on: bool) -> None:
        """Take note of the Caps Lock lamp."""
        self._caps, self._lossy = on, False

    def forget(self) -> None:
        """Let go of everything: key events went missing, releases perhaps among them."""
        self._held.clear()
        self.drop()
        self._lossy = True

    def drop(self) -> None:
        """Forget a character that was begun."""
        self._alt_digits = self._accent = self._doubtful = ""
        self._code_point = None

    def press(self, usage: int) -> Typed:
        """Return what pressing a key types."""
        if usage in _MODIFIERS:
            self._held.add(usage)
            return _NOTHING
        if usage == _CAPS_LOCK:
            self._caps, self._types_caps = not self._caps, True
            return _NOTHING
        if usage in (_NUM_LOCK, _SCROLL_LOCK):
            return _NOTHING
        if self._code_point is not None:
            return self._code_point_key(usage)
        if self._held & {_ALT, _ALT_GR} and usage in _KEYPAD_DIGITS:
            self._alt_digits += _KEYPAD_DIGITS[usage]
            return _NOTHING
        text, fault = self._meaning(usage)
        if self._alt_digits:
            fault = "another key came before Alt was released"
        if fault:
            self.drop()
        if fault or not text:
            return text, fault
        typed = self._combined(text)
        if text in self._map.doubtful:
            self._doubtful = text
        return typed

    def release(self, usage: int) -> Typed:
        """Return what releasing a key types: Alt ends a code on the keypad."""
        self._held.discard(usage)
        if usage in _CTRL and self._code_point:
            return self._end_code_point("")
        if self._alt_digits and not self._held & {_ALT, _ALT_GR}:
            digits, self._alt_digits = self._alt_digits, ""
            text = _alt_character(digits)
            return self._combined(text) if text else ("", f"Alt+{digits} is no character")
        return _NOTHING

    def _meaning(self, usage: int) -> Typed:
        if usage in _ALWAYS:
            return _ALWAYS[usage], ""
        shift, alt_gr = bool(self._held & _SHIFT), _ALT_GR in self._held
        text = self._map.character(usage, shift=shift, alt_gr=alt_gr, caps=self._caps)
        if self._held & _CTRL:
            if shift and text in ("u", "U"):
                self._code_point, self.types_code_points = "", True
                return _NOTHING
            text = self._control(usage, text)
        elif self._lossy and self._types_caps and keymap.has_cases(text.lower(), text.upper()):
            return "", "Caps Lock may be on or off since keys went missing; replug the scanner"
        if not text or _ALT in self._held or self._held & _META:
            held = "".join(f" with {_NAMES[each]}" for each in sorted(self._held))
            return "", f"key {usage:#04x}{held} means nothing in layout {self._layout}"
        return text, ""

    def _control(self, usage: int, text: str) -> str:
        if text not in _CONTROL_LETTERS:
            if usage in _CONTROL_PLACES:
                return _CONTROL_PLACES[usage]
            # The sign that Control belongs to may need a modifier that the scanner leaves out.
            above = (self._map.shifted.get(usage, ""), self._map.alt_gr.get(usage, ""))
            text = next((sign for sign in above if sign in _CONTROL_SIGNS), "")
        return chr(ord(text) & 0x1F) if text else ""

    def _combined(self, text: str) -> Typed:
        accent, doubtful = self._accent, self._doubtful
        self._accent = self._doubtful = ""
        if doubtful and keymap.may_be_accented(doubtful, text):
            return text, f"{doubtful!r} before {text!r} is one character or two"
        if accent:
            composed = keymap.accented(accent, text)
            return composed or text, "" if composed else f"an accent came before {text!r}"
        if keymap.is_dead(text):
            self._accent = text
            return _NOTHING
        return text, ""

    def _code_point_key(self, usage: int) -> Typed:
        """Take a key after Control+Shift+U: hexadecimal digits up to Enter or Space."""
        if usage in (_ENTER, _KEYPAD_ENTER, _SPACE):
            return self._end_code_point(_ALWAYS.get(usage, ""))
        shift = bool(self._held & _SHIFT)
        for shifted in (shift, False):
            digit = self._map.character(usage, shift=shifted, alt_gr=False)
            if digit in _HEX_DIGITS:
                self._code_point = f"{self._code_point}{digit}"
                return _NOTHING
        self.drop()
        return _ALWAYS.get(usage, ""), "another key came before the end of a code point"

    def _end_code_point(self, end: str) -> Typed:
        """Return the character; where there is none, the Enter behind it was the code's own."""
        digits, self._code_point = self._code_point or "", None
        text = _character(int(digits, 16)) if 0 < len(digits) <= _CODE_POINT_DIGITS_MAX else ""
        return self._combined(text) if text else (end, f"U+{digits} is no character")


def _character(code_point: int) -> str:
    surrogate = 0xD800 <= code_point < 0xE000
    return "" if surrogate or code_point > 0x10FFFF else chr(code_point)


def _alt_character(digits: str) -> str:
    """Return what Alt and a number stand for, "" for nothing.

    As Windows does it: with a zero in front the number is of code page 1252, else of 437; numbers
    below 32 are control characters.
    """
    number = int(digits)
    if len(digits) > _ALT_DIGITS_MAX or number > 0xFF:
        return ""
    if number < 0x80:
        return chr(number)
    code_page = "cp1252" if digits.startswith("0") else "cp437"
    return bytes((number,)).decode(code_page, "ignore")


class Scans:
    """The boot reports of one keyboard."""

    def __init__(self, layout: str = "us") -> None:
        self._keys = Keys(layout)
        self._typed: list[str] = []
        self._down: frozenset[int] = frozenset()
        self.terminator: str | None = None

    @property
    def pending(self) -> bytes:
        """What was typed since the last terminator."""
        return "".join(self._typed).encode()

    def feed(self, report: bytes) -> bytes | None:
        """The frame that a report's Enter or Tab completes.

        Raises Misread (short_report, rollover, keys_lost, too_long); after it the scan is lost and
        must be made again: a key may be missing in its middle.
        """
        if len(report) != REPORT_BYTES:
            raise self._lost("short_report", f"{len(report)} bytes, a report has {REPORT_BYTES}")
        if _ROLL_OVER in report[2:]:
            raise self._lost("rollover", "the keyboard lost keys (too many at once); scan again")
        frame = None
        for text, fault in self._changes(report):
            if fault:
                raise self._lost("keys_lost", fault)
            if text in _TERMINATORS:
                frame = self.pending
                self._typed.clear()
                self.terminator = _TERMINATORS[text]
            elif text:
                self._typed.append(text)
        if len(self._typed) > _SCAN_BYTES_MAX:
            raise self._lost("too_long", "the scanner types without an end")
        return frame

    def _lost(self, error_class: str, message: str) -> Misread:
        self._typed.clear()
        self._keys.drop()
        return Misread(error_class, message)

    def _changes(self, report: bytes) -> Iterator[Typed]:
        """What the keys typed that are up now and were down, then the other way round."""
        modifiers = {0xE0 + bit for bit in range(8) if report[0] >> bit & 1}
        before, self._down = self._down, frozenset((*modifiers, *report[2:])) - {0}
        for usage in sorted(before - self._down):
            yield self._keys.release(usage)
        for usage in (*sorted(modifiers - before), *report[2:]):
            if usage and usage not in before:
                yield self._keys.press(usage)


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
