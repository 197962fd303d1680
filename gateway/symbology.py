"""AIM symbology identifiers: the three characters in which a scanner says what it read.

ISO/IEC 15424: `]`, a letter for the symbology, a modifier for what the reader did with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.reading import Misread

_NAMES = {
    "A": "CODE_39",
    "B": "TELEPEN",
    "C": "CODE_128",
    "D": "CODE_ONE",
    "E": "EAN_UPC",
    "F": "CODABAR",
    "G": "CODE_93",
    "H": "CODE_11",
    "I": "ITF",
    "J": "DOTCODE",
    "K": "CODE_16K",
    "L": "PDF417",
    "M": "MSI",
    "N": "ANKER",
    "O": "CODABLOCK",
    "P": "PLESSEY",
    "Q": "QR_CODE",
    "R": "STRAIGHT_2_OF_5_2_BAR",
    "S": "STRAIGHT_2_OF_5_3_BAR",
    "T": "CODE_49",
    "U": "MAXICODE",
    "X": "OTHER",
    "Y": "SYSTEM_EXPANSION",
    "Z": "NON_BARCODE",
    "c": "CHANNEL_CODE",
    "d": "DATA_MATRIX",
    "e": "RSS_EAN_UCC_COMPOSITE",
    "g": "GRID_MATRIX",
    "h": "HAN_XIN",
    "o": "OCR",
    "p": "POSICODE",
    "s": "SUPER_CODE",
    "t": "SYMBOLOGY_T",
    "z": "AZTEC_CODE",
}
_GS1_NAMES = {
    "E0": "EAN_13",
    "E1": "EAN_TWO_DIGIT_ADD_ON",
    "E2": "EAN_FIVE_DIGIT_ADD_ON",
    "E3": "EAN_13_WITH_ADD_ON",
    "E4": "EAN_8",
    "I1": "ITF_14",
    "C1": "GS1_128",
    "e0": "GS1_DATABAR",
    "e1": "GS1_COMPOSITE",
    "e2": "GS1_COMPOSITE",
    "d2": "GS1_DATAMATRIX",
    "Q3": "GS1_QR_CODE",
    "J1": "GS1_DOTCODE",
}
# FNC1 in the first position, with and without an extended channel interpretation.
_ELEMENT_STRINGS = frozenset(
    {"C1", "e0", "e1", "d2", "d5", "Q3", "Q4", "J1", "J4", "z1", "z4", "L3"}
)

# A scanner that sends no identifiers may say FNC1 in the first position with a separator there.
_GS = b"\x1d"
_FNC1_FIRST = {
    "]C0": "]C1",
    "]C1": "]C1",
    "]d1": "]d2",
    "]d2": "]d2",
    "]Q1": "]Q3",
    "]Q3": "]Q3",
    "]z0": "]z1",
    "]e0": "]e0",
}


@dataclass(frozen=True, slots=True)
class Aim:
    """One identifier, such as ]C1."""

    letter: str
    modifier: str

    @property
    def code(self) -> str:
        """The identifier as sent."""
        return f"]{self.letter}{self.modifier}"

    @property
    def name(self) -> str:
        """The symbology's name."""
        return _NAMES[self.letter]

    @property
    def gs1_name(self) -> str | None:
        """The GS1 symbology that only this identifier stands for."""
        return _GS1_NAMES.get(self.letter + self.modifier)

    @property
    def is_gs1(self) -> bool:
        """True if the symbol says that it holds GS1 element strings."""
        return self.letter + self.modifier in _ELEMENT_STRINGS


def split(frame: bytes) -> tuple[Aim | None, bytes]:
    """The identifier that a frame starts with, and the rest; raises Misread for a broken one."""
    if not frame.startswith(b"]"):
        return None, frame
    letter, modifier = frame[1:2].decode("latin-1"), frame[2:3].decode("latin-1")
    # Code 93 counts its concatenated symbols with letters; all others use hexadecimal digits.
    known = letter in _NAMES and modifier.isascii() and modifier.isalnum()
    if not known or (letter != "G" and modifier not in "0123456789ABCDEFabcdef"):
        shown = frame[:3].decode("latin-1")
        raise Misread("bad_aim", f"{shown!r} is no symbology identifier (such as ]C1)")
    return Aim(letter, modifier), frame[3:]


def identified(aim: str, data: bytes) -> bytes:
    """Return `data` behind an identifier that something else than the data itself stands for."""
    if data.startswith(_GS) and aim in _FNC1_FIRST:
        aim, data = _FNC1_FIRST[aim], data[1:]
    return aim.encode("ascii") + data
