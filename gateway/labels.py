"""Control labels: printed barcodes that are not goods, `%DT-<type>-<value>-<check>`. Pure.

The check character (ISO/IEC 7064 MOD 37,36 over the letters and digits of type and value) makes a
misread command as unlikely as a misread GTIN.
"""

import re
from dataclasses import dataclass
from typing import Literal

LabelType = Literal["command", "location", "document", "operator", "quantity"]

COMMANDS = frozenset(
    {"RECEIVE", "PUTAWAY", "MOVE", "PICK", "SHIP", "RETURN", "DAMAGE", "COUNT", "UNDO", "END"}
)
QUANTITY_MAX = 99_999
#: As long as a name on the wire may be.
_VALUE_LENGTH_MAX = 64
_MARK = b"%DT-"
_AIM = re.compile(rb"\][A-Za-z][0-9A-Za-z]")
_SHAPE = re.compile(r"%DT-(?P<type>[A-Z])-(?P<value>[ -~]+)-(?P<check>[0-9A-Z])")
_TYPES: dict[str, LabelType] = {
    "C": "command",
    "L": "location",
    "D": "document",
    "O": "operator",
    "Q": "quantity",
}
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Label:
    """What a control label says."""

    type: LabelType
    value: str


@dataclass(frozen=True, slots=True)
class BadLabel:
    """A control label that must not be obeyed, and why."""

    message: str


def read(frame: bytes) -> Label | BadLabel | None:
    """Return the control label in a frame, or why it is a bad one; None when it is goods."""
    aim = _AIM.match(frame)
    body = frame[aim.end() :] if aim else frame
    if not body.startswith(_MARK):
        return None
    text = body.decode("latin-1")
    match = _SHAPE.fullmatch(text)
    if match is None:
        return BadLabel(f"{text[:80]!r} is not a whole control label; scan it again")
    code, value = match["type"], match["value"]
    if check_character(code + value) != match["check"]:
        return BadLabel(f"{text[:80]!r} was misread or misprinted (check character); scan again")
    kind = _TYPES.get(code)
    if kind is None:
        return BadLabel(f"{text[:80]!r} is a label type this gateway does not know")
    if kind == "command" and value not in COMMANDS:
        return BadLabel(f"{value!r} is no command; commands are {', '.join(sorted(COMMANDS))}")
    if kind == "quantity" and not (value.isdigit() and 1 <= int(value) <= QUANTITY_MAX):
        return BadLabel(f"{value!r} is no quantity from 1 to {QUANTITY_MAX}")
    if len(value) > _VALUE_LENGTH_MAX:
        return BadLabel(f"the value of {text[:80]!r} is longer than {_VALUE_LENGTH_MAX} characters")
    return Label(kind, value)


def check_character(text: str) -> str:
    """Return the MOD 37,36 check character over the letters and digits of `text`."""
    product = 36
    for character in text:
        if character in _ALPHABET:
            total = (product + _ALPHABET.index(character)) % 36 or 36
            product = total * 2 % 37
    return _ALPHABET[(37 - product) % 36]


def text_of(label: Label) -> str:
    """Return what to print for a label."""
    code = next(code for code, kind in _TYPES.items() if kind == label.type)
    return f"%DT-{code}-{label.value}-{check_character(code + label.value)}"
