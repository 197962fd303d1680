"""SSI code types: the byte in which a decoder says what it read, and its AIM identifier. Pure.

Numbers and names are those of Zebra's scanner SDK; a Motorola CS3000 (product guide, appendix B)
has the same up to 22 hexadecimal.
"""

from __future__ import annotations

from gateway import retail_codes, symbology
from gateway.reading import Misread
from gateway.retail_codes import Retail

#: Number: name, AIM identifier. Where the identifier depends on options that the byte does not
#: tell, it is the one without options. Composites are left out: their data has a form of its own.
_TYPES = {
    0x01: ("CODE_39", "]A0"),
    0x02: ("CODABAR", "]F0"),
    0x03: ("CODE_128", "]C0"),
    0x04: ("DISCRETE_2_OF_5", "]S0"),
    0x05: ("IATA_2_OF_5", "]S0"),
    0x06: ("INTERLEAVED_2_OF_5", "]I0"),
    0x07: ("CODE_93", "]G0"),
    0x0C: ("CODE_11", "]H0"),
    0x0D: ("CODE_49", "]T0"),
    0x0E: ("MSI", "]M0"),
    0x0F: ("GS1_128", "]C1"),
    0x11: ("PDF417", "]L0"),
    0x12: ("CODE_16K", "]K0"),
    0x13: ("CODE_39_FULL_ASCII", "]A4"),
    0x15: ("TRIOPTIC", "]X0"),
    0x16: ("BOOKLAND", "]X0"),
    0x18: ("NW_7", "]F0"),
    0x19: ("ISBT_128", "]C0"),
    0x1A: ("MICRO_PDF417", "]L0"),
    0x1B: ("DATA_MATRIX", "]d1"),
    0x1C: ("QR_CODE", "]Q1"),
    0x20: ("CODE_32", "]A0"),
    0x21: ("ISBT_128_CONCATENATED", "]C4"),
    0x28: ("MACRO_PDF417", "]L0"),
    0x29: ("MACRO_QR_CODE", "]Q1"),
    0x2C: ("MICRO_QR_CODE", "]Q1"),
    0x2D: ("AZTEC_CODE", "]z0"),
    0x2E: ("AZTEC_RUNE", "]zC"),
    0x30: ("GS1_DATABAR", "]e0"),
    0x31: ("GS1_DATABAR_LIMITED", "]e0"),
    0x32: ("GS1_DATABAR_EXPANDED", "]e0"),
    0x36: ("ISSN", "]X0"),
    0x39: ("MATRIX_2_OF_5", "]X0"),
    0x72: ("CHINESE_2_OF_5", "]X0"),
    0x73: ("KOREAN_3_OF_5", "]X0"),
    0xB4: ("GS1_DATABAR_COUPON", "]e0"),
    0xB7: ("HAN_XIN", "]h0"),
    0xC1: ("GS1_DATA_MATRIX", "]d2"),
    0xC2: ("GS1_QR_CODE", "]Q3"),
}
_RETAIL: dict[int, tuple[str, Retail]] = {
    0x08: ("UPC_A", "upc_a"),
    0x09: ("UPC_E0", "upc_e"),
    0x0A: ("EAN_8", "ean_8"),
    0x0B: ("EAN_13", "ean_13"),
    0x10: ("UPC_E1", "upc_e"),
}
_ADD_ON_DIGITS = {0x00: 0, 0x40: 2, 0x80: 5}
#: Here the two tables disagree: postal codes and MaxiCode at Zebra, GS1 DataBar in the CS3000. Such
#: data goes on without an identifier, and its content says which it is.
_DISPUTED = {
    0x23: "GS1_DATABAR_LIMITED or AUSTRALIAN_POST",
    0x24: "GS1_DATABAR or DUTCH_POST",
    0x25: "GS1_DATABAR_EXPANDED or MAXICODE",
}
#: Symbols that hold no more than a packet: a scan of one of these is never continued.
_LINEAR = frozenset("ACEFGHIMSXe")


def name(code_type: int) -> str:
    """Return the symbology's name, or `unknown(0xNN)`."""
    if code_type in _TYPES:
        return _TYPES[code_type][0]
    if retail := _retail(code_type):
        return retail[0]
    return _DISPUTED.get(code_type, f"unknown(0x{code_type:02x})")


def fits_one_packet(code_type: int) -> bool:
    """True where a scan cannot be the rest of a longer one."""
    known = _TYPES.get(code_type)
    return known[1][1] in _LINEAR if known else _retail(code_type) is not None


def frame_of(code_type: int, data: bytes) -> bytes:
    """Return the scan as a scanner with AIM identifiers would send it.

    An identifier that the scanner sent itself wins. Data of an unknown type goes on without one.
    """
    if _has_aim(data):
        return data
    if code_type in _TYPES:
        return symbology.identified(_TYPES[code_type][1], data)
    if retail := _retail(code_type):
        _, kind, add_on = retail
        return retail_codes.with_aim(kind, data.decode("latin-1"), add_on).encode("latin-1")
    return data


def _has_aim(data: bytes) -> bool:
    try:
        return symbology.split(data)[0] is not None
    except Misread:
        return False


def _retail(code_type: int) -> tuple[str, Retail, int] | None:
    add_on = _ADD_ON_DIGITS.get(code_type & 0xC0)
    known = _RETAIL.get(code_type & 0x3F)
    return (*known, add_on) if known and add_on is not None else None
