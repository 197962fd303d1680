"""Keyboard layouts: what each key of a scanner that types stands for. Pure data and its look-up.

Keys are USB HID usages of page 0x07; `USAGES` translates the kernel's key codes into them. The
tables agree with XKB (xkb-data) and with the layouts that Windows ships. Where those two name
different characters for a key, the key is left out: a refused scan is better than a wrong one.
"""

import unicodedata
from dataclasses import dataclass

#: The kernel's key code of each usage from 0x04 on (drivers/hid/hid-input.c).
_FROM_0X04 = (
    30, 48, 46, 32, 18, 33, 34, 35, 23, 36, 37, 38, 50, 49, 24, 25, 16, 19, 31, 20, 22, 47, 17, 45,
    21, 44, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 28, 1, 14, 15, 57, 12, 13, 26, 27, 43, 43, 39, 40, 41,
    51, 52, 53, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 87, 88, 99, 70, 119, 110, 102, 104, 111,
    107, 109, 106, 105, 108, 103, 69, 98, 55, 74, 78, 96, 79, 80, 81, 75, 76, 77, 71, 72, 73, 82,
    83, 86, 127, 116, 117,
)  # fmt: skip
_FROM_0XE0 = (29, 42, 56, 125, 97, 54, 100, 126)
#: Usage of each kernel key code. Usage 0x32 shares its code with 0x31, and its characters.
USAGES = {
    **{code: usage for usage, code in reversed(list(enumerate(_FROM_0X04, 0x04)))},
    **{code: usage for usage, code in enumerate(_FROM_0XE0, 0xE0)},
}

#: Dead keys stand in the tables as the combining mark they add; then, with a space, the accent.
_ACUTE, _GRAVE, _CIRCUMFLEX, _DIAERESIS = "\u0301", "\u0300", "\u0302", "\u0308"
_ACCENTS = {_ACUTE: "\u00b4", _GRAVE: "`", _CIRCUMFLEX: "^", _DIAERESIS: "\u00a8"}
#: Letters to which every system adds each of these accents.
_VOWELS = frozenset("aeiouAEIOU")
#: The marks of characters whose key is dead on one system and not on the other.
_DOUBTFUL = {"~": "\u0303", "`": _GRAVE}
_NO_KEY = "\0"


@dataclass(frozen=True, slots=True)
class Keymap:
    """Characters of each key: alone, with Shift, with AltGr, with both."""

    plain: dict[int, str]
    shifted: dict[int, str]
    alt_gr: dict[int, str]
    shift_alt_gr: dict[int, str]
    doubtful: frozenset[str]

    def character(self, usage: int, *, shift: bool, alt_gr: bool, caps: bool = False) -> str:
        """Return what a key types, a combining mark for a dead key, "" for nothing.

        Caps Lock turns small and capital letters around as XKB does: on keys that have both it
        exchanges them, elsewhere it makes the letter a capital.
        """
        if alt_gr:
            return (self.shift_alt_gr if shift else self.alt_gr).get(usage, "")
        plain, shifted = self.plain.get(usage, ""), self.shifted.get(usage, "")
        if caps and has_cases(plain, shifted):
            return plain if shift else shifted
        character = shifted if shift else plain
        capital = character.upper() if caps else character
        return capital if len(capital) == len(character) else character


def has_cases(plain: str, shifted: str) -> bool:
    """True when a key's two characters are the small and the capital form of one letter."""
    return plain != shifted == plain.upper()


def is_dead(character: str) -> bool:
    """True when the key waits for the letter that its accent belongs to."""
    return character in _ACCENTS


def accented(mark: str, character: str) -> str:
    """Return what a dead key and the next character make, "" where systems differ about it."""
    if character == " ":
        return _ACCENTS[mark]
    return unicodedata.normalize("NFC", character + mark) if character in _VOWELS else ""


def may_be_accented(before: str, character: str) -> bool:
    """True when `before` would be an accent on `character` if its key were dead."""
    composed = unicodedata.normalize("NFC", character + _DOUBTFUL[before])
    return character == " " or len(composed) == 1


def _keys(first: int, characters: str) -> dict[int, str]:
    return {
        usage: character
        for usage, character in enumerate(characters, first)
        if character != _NO_KEY
    }


_KEYPAD = {**_keys(0x54, "/*-+"), **_keys(0x59, "1234567890"), 0x67: "="}


def _level(letters: str, digits: str, signs: str, key_102: str, decimal: str) -> dict[int, str]:
    """Characters of one level: usages 0x04 to 0x1D, 0x1E to 0x27, 0x2D to 0x38, 0x64, 0x63."""
    return {
        **_keys(0x04, letters),
        **_keys(0x1E, digits),
        **_keys(0x2D, signs),
        **_keys(0x64, key_102),
        0x2C: " ",
        0x63: decimal,
        **_KEYPAD,
    }


def _keymap(
    plain: tuple[str, str, str, str],
    shifted: tuple[str, str, str, str],
    alt_gr: dict[int, str] | None = None,
    shift_alt_gr: dict[int, str] | None = None,
    *,
    decimal: str = ".",
    doubtful: str = "",
) -> Keymap:
    return Keymap(
        _level(*plain, decimal),
        _level(*shifted, decimal),
        alt_gr or {},
        shift_alt_gr or {},
        frozenset(doubtful),
    )


_LATIN = "abcdefghijklmnopqrstuvwxyz"
_QWERTZ = "abcdefghijklmnopqrstuvwxzy"
_AZERTY = "qbcdefghijkl,noparstuvzxyw"
_DIGITS = "1234567890"
#: By the names of the configuration. Each level: letters, digits, signs, the key left of Z.
KEYMAPS = {
    "us": _keymap(
        (_LATIN, _DIGITS, "-=[]\\\\;'`,./", ""),
        (_LATIN.upper(), "!@#$%^&*()", '_+{}||:"~<>?', ""),
    ),
    "gb": _keymap(
        (_LATIN, _DIGITS, "-=[]##;'`,./", "\\"),
        (_LATIN.upper(), '!"£$%^&*()', "_+{}~~:@¬<>?", "|"),
        {0x21: "€"},
    ),
    "de": _keymap(
        (_QWERTZ, _DIGITS, f"ß{_ACUTE}ü+##öä{_CIRCUMFLEX},.-", "<"),
        (_QWERTZ.upper(), '!"§$%&/()=', f"?{_GRAVE}Ü*''ÖÄ°;:_", ">"),
        {
            **_keys(0x1F, "²³\0\0\0{[]}"),
            0x08: "€",
            0x10: "µ",
            0x14: "@",
            0x2D: "\\",
            0x30: "~",
            0x64: "|",
        },
        decimal=",",
    ),
    "fr": _keymap(
        (_AZERTY, "&é\"'(-è_çà", f")={_CIRCUMFLEX}$**mù²;:!", "<"),
        (_AZERTY.upper().replace(",", "?"), _DIGITS, f"°+{_DIAERESIS}£µµM%\0./§", ">"),
        {0x08: "€", **_keys(0x1F, "~#{[|`\\^@"), **_keys(0x2D, "]}"), 0x30: "¤"},
        doubtful="~`",
    ),
    "es": _keymap(
        (_LATIN, _DIGITS, f"'¡{_GRAVE}+ççñ{_ACUTE}º,.-", "<"),
        (_LATIN.upper(), '!"·$%&/()=', f"?¿{_CIRCUMFLEX}*ÇÇÑ{_DIAERESIS}ª;:_", ">"),
        {0x08: "€", **_keys(0x1E, "|@#~\0¬{[]}"), **_keys(0x2D, "\\\0[]}}\0{\\")},
        doubtful="~",
    ),
    "it": _keymap(
        (_LATIN, _DIGITS, "'ìè+ùùòà\\,.-", "<"),
        (_LATIN.upper(), '!"£$%&/()=', "?^é*§§ç°|;:_", ">"),
        {0x08: "€", **_keys(0x24, "{[]}"), **_keys(0x2D, "`~[]\0\0@#")},
        {**_keys(0x2F, "{}")},
    ),
}
