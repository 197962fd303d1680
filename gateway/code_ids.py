"""Code identifiers: the letters in which each brand says what its scanner read. Pure.

The letters clash between brands, so the profile decides. Sources: the symbol code identifiers of
Zebra's product reference guides; the symbology charts of Honeywell's user's guides; the "Datalogic
standard" of the PowerScan D8330 and the EU Label ID set of the PowerScan PD9600 where they agree.
Newland documents its letters per model, and a customer may change them: there is no table for it.
"""

from __future__ import annotations

from gateway import gtin, retail_codes, symbology
from gateway.reading import Misread
from gateway.retail_codes import Retail

_ZEBRA = {
    "A": "retail",
    "B": "]A0",
    "C": "]F0",
    "D": "]C0",
    "E": "]G0",
    "F": "]I0",
    "G": "]S0",
    "H": "]H0",
    "J": "]M0",
    "K": "]C1",
    "L": "]X0",
    "M": "]X0",
    "R": "]e0",
    "S": "]X0",
    "U": "]X0",
    "X": "]X0",  # ISSN, or any PDF417
    "z": "]z0",
    "P00": "]d1",
    "P01": "]Q1",
    "P02": "]U0",
    "P0D": "]g0",
    "P0G": "]d2",
    "P0H": "]h0",
    "P0Q": "]Q3",
}
_HONEYWELL = {
    "D": "ean_8",
    "E": "upc_e",
    "c": "upc_a",
    "d": "ean_13",
    "I": "]C1",
    "|": "]C1",
    "R": "]L0",
    "a": "]F0",
    "b": "]A0",
    "e": "]I0",
    "f": "]S0",
    "g": "]M0",
    "h": "]H0",
    "i": "]G0",
    "j": "]C0",
    "l": "]T0",
    "r": "]L0",
    "s": "]Q1",
    "w": "]d1",
    "x": "]U0",
    "y": "]e0",
    "z": "]z0",
    "{": "]e0",
    "}": "]e0",
}
_DATALOGIC = {
    "A": "ean_8",
    "B": "ean_13",
    "C": "upc_a",
    "D": "upc_e",
    "N": "]I0",
    "R": "]F0",
    "S": "]X0",
    "T": "]C0",
    "U": "]G0",
    "V": "]A0",
    "X": "]X0",
    "Y": "]X0",
    "Z": "]M0",
    "b": "]H0",
    "f": "]C4",
    "k": "]C1",
    "t": "]e0",
    "u": "]e0",
    "v": "]e0",
}
_TABLES = {"zebra": _ZEBRA, "honeywell": _HONEYWELL, "datalogic": _DATALOGIC}
#: Profiles whose letters are known.
BRANDS = tuple(_TABLES)
#: Kind: digits without an add-on.
_RETAIL: dict[str, tuple[Retail, int]] = {
    "ean_13": ("ean_13", 13),
    "ean_8": ("ean_8", 8),
    "upc_a": ("upc_a", 12),
    "upc_e": ("upc_e", 8),
}
_ADD_ONS = (2, 5)


def with_aim(profile: str, frame: bytes) -> bytes:
    """Return the frame with an AIM identifier in the place of the brand's letters.

    Raises Misread (unknown_code_id) where the letters are in no table: what follows could be any
    number. A frame that has an AIM identifier already is returned as it is.
    """
    if frame.startswith(b"]"):
        return frame
    size = 3 if profile == "zebra" and frame.startswith(b"P") else 1
    letters, data = frame[:size].decode("latin-1"), frame[size:]
    meaning = _TABLES[profile].get(letters)
    if meaning is None:
        raise Misread("unknown_code_id", f"{letters!r} is no code identifier of {profile}")
    if meaning.startswith("]"):
        return symbology.identified(meaning, data)
    text = data.decode("latin-1")
    number = _any_retail(text) if meaning == "retail" else _retail(meaning, text)
    return number.encode("latin-1")


def _retail(meaning: str, text: str) -> str:
    kind, digits = _RETAIL[meaning]
    add_on = len(text) - digits
    if add_on not in _ADD_ONS or (kind == "ean_8" and text.startswith("00000")):
        add_on = 0
    return retail_codes.with_aim(kind, text, add_on)


def _any_retail(text: str) -> str:
    """Zebra's letter A stands for all of them; the length says which, except for eight digits."""
    if len(text) == 8:
        is_upc_e = retail_codes.expanded(text) is not None
        if is_upc_e and not gtin.check_sum(text):
            return text  # right as an EAN-8 as well: it is read as ambiguous
        return _retail("upc_e" if is_upc_e else "ean_8", text)
    if len(text) in (6, 7):
        return _retail("upc_e", text)
    return _retail("upc_a" if len(text) in (12, 14, 17) else "ean_13", text)
