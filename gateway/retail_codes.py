"""EAN and UPC numbers as a scanner with AIM identifiers sends them: thirteen digits. Pure.

Without identifiers a scanner sends a UPC-A with 12 digits and a UPC-E with 6 to 8; it says which of
them it read elsewhere (a code type, a code letter).
"""

from __future__ import annotations

from typing import Literal

from gateway import gtin
from gateway.reading import Misread

Retail = Literal["ean_13", "ean_8", "upc_a", "upc_e"]


def with_aim(kind: Retail, text: str, add_on: int = 0) -> str:
    """Return the number behind ]E0, ]E4 or, with an add-on of 2 or 5 digits, ]E3.

    A number that cannot be one of its kind stays as it is behind its identifier, where reading it
    is refused: without one it could be taken for another number.
    """
    number, extra = (text[:-add_on], text[-add_on:]) if add_on else (text, "")
    if kind == "ean_8" and len(number) != 13:
        # A GTIN-8 is the same item when it is written with leading zeros.
        return f"]E300000{text}" if extra else f"]E4{number}"
    if kind in ("upc_a", "upc_e") and len(number) == 12:
        number = "0" + number
    elif kind == "upc_e":
        number = expanded(number) or number
    return f"{']E3' if extra else ']E0'}{number}{extra}"


def expanded(number: str) -> str | None:
    """Return the thirteen digits of a UPC-E as printed (6 to 8 digits), None if it is none."""
    if len(number) > 8:
        return None
    try:
        return f"0{gtin.upc_e(number, kind='upc').fields['upc_a']}"
    except Misread:
        return None
