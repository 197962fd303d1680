"""Control labels: printed barcodes that steer a station instead of naming goods. Pure.

`%DT-<type>-<value>-<check>`. Written a second time here, apart from the gateway's, so that the two
can contradict each other.
"""

from typing import Literal

LabelType = Literal["C", "L", "D", "O", "Q"]
Command = Literal[
    "RECEIVE", "PUTAWAY", "MOVE", "PICK", "SHIP", "RETURN", "DAMAGE", "COUNT", "UNDO", "END"
]

PREFIX = "%DT"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MODULUS = 36


def check_character(text: str) -> str:
    """Return the ISO/IEC 7064 MOD 37,36 check of the letters and digits in `text`."""
    product = _MODULUS
    for character in text:
        if character in _ALPHABET:
            total = (product + _ALPHABET.index(character)) % _MODULUS or _MODULUS
            product = total * 2 % (_MODULUS + 1)
    return _ALPHABET[(1 - product) % _MODULUS]


def label(kind: LabelType, value: str) -> str:
    """Return the text of a control label with its check character."""
    return f"{PREFIX}-{kind}-{value}-{check_character(kind + value)}"


def damaged(text: str) -> str:
    """Return the label with a check character that is wrong, as a scratched print reads."""
    wrong = _ALPHABET[(_ALPHABET.index(text[-1]) + 1) % _MODULUS]
    return text[:-1] + wrong
