"""Which keys a scanner presses for a character, by the keyboard layout it is set to. Pure.

A key is a usage of USB HID page 0x07 (HID Usage Tables 1.5, section 10): the place of the key on
the keyboard, not what is printed on it. Characters that need a dead key are left out, as scanners
differ in how they type them.
"""

from dataclasses import dataclass
from typing import Literal

Layout = Literal["us", "gb", "de", "fr", "es", "it"]

#: Bits of the first byte of a keyboard report.
CONTROL, SHIFT, ALT, ALT_GR = 0x01, 0x02, 0x04, 0x40
ENTER, TAB, SPACE, F8 = 0x28, 0x2B, 0x2C, 0x41
#: The digits of the keypad, 0 to 9.
KEYPAD = (0x62, 0x59, 0x5A, 0x5B, 0x5C, 0x5D, 0x5E, 0x5F, 0x60, 0x61)


@dataclass(frozen=True, slots=True)
class Stroke:
    """One key together with the modifiers held while it is pressed."""

    key: int
    modifiers: int = 0


# The keys of a European keyboard, row by row from the left. American ones lack the key beside the
# left Shift (0x64), and their key above Enter has another number.
_HASH, _BACKSLASH_US = 0x32, 0x31
_KEYS = (
    *(0x35, 0x1E, 0x1F, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x2D, 0x2E),
    *(0x14, 0x1A, 0x08, 0x15, 0x17, 0x1C, 0x18, 0x0C, 0x12, 0x13, 0x2F, 0x30),
    *(0x04, 0x16, 0x07, 0x09, 0x0A, 0x0B, 0x0D, 0x0E, 0x0F, 0x33, 0x34, _HASH),
    *(0x64, 0x1D, 0x1B, 0x06, 0x19, 0x05, 0x11, 0x10, 0x36, 0x37, 0x38),
)
# What is printed on them, alone and with Shift; a blank is a dead key or none.
_PRINTED: dict[Layout, tuple[str, str]] = {
    "us": (
        "`1234567890-=qwertyuiop[]asdfghjkl;'\\ zxcvbnm,./",
        '~!@#$%^&*()_+QWERTYUIOP{}ASDFGHJKL:"| ZXCVBNM<>?',
    ),
    "gb": (
        "`1234567890-=qwertyuiop[]asdfghjkl;'#\\zxcvbnm,./",
        '¬!"£$%^&*()_+QWERTYUIOP{}ASDFGHJKL:@~|ZXCVBNM<>?',
    ),
    "de": (
        " 1234567890ß qwertzuiopü+asdfghjklöä#<yxcvbnm,.-",
        "°!\"§$%&/()=? QWERTZUIOPÜ*ASDFGHJKLÖÄ'>YXCVBNM;:_",
    ),
    "fr": (
        "²&é\"'(-è_çà)=azertyuiop $qsdfghjklmù*<wxcvbn,;:!",
        " 1234567890°+AZERTYUIOP £QSDFGHJKLM%µ>WXCVBN?./§",
    ),
    "es": (
        "º1234567890'¡qwertyuiop +asdfghjklñ ç<zxcvbnm,.-",
        'ª!"·$%&/()=?¿QWERTYUIOP *ASDFGHJKLÑ Ç>ZXCVBNM;:_',
    ),
    "it": (
        "\\1234567890'ìqwertyuiopè+asdfghjklòàù<zxcvbnm,.-",
        '|!"£$%&/()=?^QWERTYUIOPé*ASDFGHJKLç°§>ZXCVBNM;:_',
    ),
}
# What AltGr makes of the keys whose unshifted print is the first of each pair.
_WITH_ALT_GR: dict[Layout, tuple[str, ...]] = {
    "us": (),
    "gb": ("4€",),
    "de": ("2²", "3³", "7{", "8[", "9]", "0}", "ß\\", "q@", "e€", "+~", "<|", "mµ"),
    "fr": ('"#', "'{", "([", "-|", "_\\", "ç^", "à@", ")]", "=}", "e€"),
    "es": ("º\\", "1|", "2@", "3#", "e€", "+]", "ç}"),
    "it": ("è[", "+]", "ò@", "à#", "e€"),
}
_WITH_ALT_GR_AND_SHIFT: dict[Layout, tuple[str, ...]] = {"it": ("è{", "+}")}


def strokes_of(layout: Layout) -> dict[str, Stroke]:
    """Return the stroke of every character that the layout has."""
    alone, shifted = _PRINTED[layout]
    places = [_BACKSLASH_US if key == _HASH and layout == "us" else key for key in _KEYS]
    keys = dict(zip(alone, places, strict=True))
    strokes = {
        **{pair[1]: Stroke(keys[pair[0]], ALT_GR) for pair in _WITH_ALT_GR[layout]},
        **{
            pair[1]: Stroke(keys[pair[0]], ALT_GR | SHIFT)
            for pair in _WITH_ALT_GR_AND_SHIFT.get(layout, ())
        },
        **{character: Stroke(key, SHIFT) for character, key in zip(shifted, places, strict=True)},
        **{character: Stroke(key) for character, key in keys.items()},
    }
    return {**strokes, " ": Stroke(SPACE)}
