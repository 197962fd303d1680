"""A scanner that types, as its maker would build it: text in, key events or boot reports out.

It knows keyboards from XKB alone (tests/data/xkb_levels.json: what libxkbcommon 1.5 says of
xkb-data 2.35), and shares nothing with the gateway.
"""

import json
import struct
import unicodedata
from collections.abc import Iterator
from pathlib import Path

XKB = json.loads((Path(__file__).parent / "data/xkb_levels.json").read_text())
LAYOUTS = sorted(XKB["layouts"])
#: XKB's names of the levels, and the modifiers that reach them.
LEVELS = {"plain": "", "shift": "s", "alt_gr": "g", "shift_alt_gr": "sg"}
#: Control, Shift, Alt and AltGr as HID usages, and what the kernel calls them.
MODIFIERS = {"c": (0xE0, 29), "s": (0xE1, 42), "a": (0xE2, 56), "g": (0xE6, 100)}
#: What a dead key adds, and what it makes with a space.
ACCENTS = {"\u0302": "^", "\u0300": "`", "\u0301": "\u00b4", "\u0308": "\u00a8"}
#: US keyboards lack it, though XKB gives it characters.
_KEY_102 = 0x64
_LETTERS = range(0x04, 0x1E)
ENTER, TAB, F8, SPACE, CAPS_LOCK = 0x28, 0x2B, 0x41, 0x2C, 0x39
KEYPAD = {digit: 0x59 + at for at, digit in enumerate("1234567890")}
CODES = {
    **dict(zip(XKB["usages"], XKB["codes"], strict=True)),
    **dict(MODIFIERS.values()),
    ENTER: 28,
    TAB: 15,
    F8: 66,
    CAPS_LOCK: 58,
    0x58: 96,
    0x3A: 59,
}
EVENT = struct.Struct("@llHHi")
GS_SPELLINGS = (
    "control", "place", "f8", "alt 029", "alt 0029", "alt 29", "code point", "code point held",
)  # fmt: skip
#: Modifiers held (letters of MODIFIERS), key.
Stroke = tuple[str, int]
#: HID usage, pressed or released.
Change = tuple[int, bool]


def strokes(layout: str, text: str, gs: str = "control") -> Iterator[Change]:
    """Yield the key changes that type a text."""
    for character in text:
        yield from _gs(layout, gs) if character == "\x1d" else _character(layout, character)


def press(*strokes: Stroke) -> Iterator[Change]:
    """Yield the changes of some strokes one after the other."""
    for modifiers, usage in strokes:
        held = [MODIFIERS[each][0] for each in modifiers]
        yield from ((each, True) for each in held)
        yield (usage, True)
        yield (usage, False)
        yield from ((each, False) for each in reversed(held))


def typeable(layout: str) -> list[str]:
    """Return what this layout can type, but for the keys that are dead on some systems only."""
    levels = XKB["layouts"][layout]
    found = set(levels["plain"] + levels["shift"])
    found |= {chr(sign) for sign in range(0x20, 0x7F)}
    found -= {"", "~", "`", *ACCENTS}
    for mark in set(levels["plain"] + levels["shift"]) & set(ACCENTS):
        found |= {ACCENTS[mark], *(unicodedata.normalize("NFC", each + mark) for each in "aeiouE")}
    return sorted(found)


def events(
    changes: Iterator[Change], at_us: int = 1_000_000, step_us: int = 2_000
) -> list[tuple[int, int, int, int]]:
    """Return (time, type, code, value) of each change and of the report after it."""
    found = []
    for usage, down in changes:
        at_us += step_us
        found += [(at_us, 1, CODES[usage], int(down)), (at_us, 0, 0, 0)]
    return found


def packed(found: list[tuple[int, int, int, int]]) -> bytes:
    """Return events as the kernel hands them over."""
    return b"".join(
        EVENT.pack(at // 1_000_000, at % 1_000_000, kind, code, value)
        for at, kind, code, value in found
    )


def boot_reports(changes: Iterator[Change]) -> bytes:
    """Return the 8-byte report after each change."""
    modifiers, keys, reports = 0, [], b""
    for usage, down in changes:
        if usage >= 0xE0:
            bit = 1 << (usage - 0xE0)
            modifiers = modifiers | bit if down else modifiers & ~bit
        elif down:
            keys.append(usage)
        else:
            keys.remove(usage)
        reports += bytes((modifiers, 0, *keys)).ljust(8, b"\0")
    return reports


def _stroke(layout: str, character: str) -> Stroke | None:
    for name, modifiers in LEVELS.items():
        for usage, typed in zip(XKB["usages"], XKB["layouts"][layout][name], strict=True):
            # XKB gives more to AltGr on letters than other systems and the keys' own print.
            beyond = "g" in modifiers and usage in _LETTERS and layout != "de"
            if typed == character and not beyond and (layout, usage) != ("us", _KEY_102):
                return modifiers, usage
    return None


def _character(layout: str, character: str) -> Iterator[Change]:
    stroke = _stroke(layout, character)
    if stroke is not None:
        yield from press(stroke)
        return
    # An accent is a dead key and a space, an accented letter a dead key and the letter.
    marks = [mark for mark, accent in ACCENTS.items() if accent == character]
    letter, mark = (" ", marks[0]) if marks else unicodedata.normalize("NFD", character)
    dead, base = _stroke(layout, mark), _stroke(layout, letter)
    assert dead, f"{character!r} cannot be typed in {layout}"
    assert base
    yield from press(dead, base)


def _gs(layout: str, spelling: str) -> Iterator[Change]:
    control, shift = MODIFIERS["c"][0], MODIFIERS["s"][0]
    kind, _, number = spelling.partition(" ")
    if kind == "control":
        bracket = _stroke(layout, "]")
        assert bracket
        yield from press(("c" + bracket[0], bracket[1]))
    elif kind == "place":
        yield from press(("c", 0x30))
    elif kind == "f8":
        yield from press(("", F8))
    elif kind == "alt":
        yield (MODIFIERS["a"][0], True)
        yield from press(*(("", KEYPAD[digit]) for digit in number))
        yield (MODIFIERS["a"][0], False)
    else:
        yield (control, True)
        yield (shift, True)
        _, u = _stroke(layout, "u") or ("", 0)
        yield from press(("", u))
        held = number.endswith("held")
        if not held:
            yield (shift, False)
            yield (control, False)
        yield from _hexadecimal(layout, held=held)
        if held:
            yield (shift, False)
            yield (control, False)
        else:
            yield from press(("", ENTER))


def _hexadecimal(layout: str, *, held: bool) -> Iterator[Change]:
    for digit in "1d":
        modifiers, usage = _stroke(layout, digit) or ("", 0)
        yield from press(("" if held else modifiers, usage))
