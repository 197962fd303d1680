"""What a scanner transmits for each kind of barcode: AIM id, data, separators. Pure."""

from collections.abc import Iterable
from datetime import date

GS = b"\x1d"
#: How our scanners are set up to end a reading, the most common factory setting.
TERMINATOR = b"\r"
#: Application identifiers whose values have a fixed length and so need no separator behind them.
_FIXED_LENGTH = frozenset({"00", "01", "02", "11", "13", "15", "17", "20"})
#: AIM ids of a trade item number by its number of digits; a UPC-A arrives as EAN-13.
_AIM_OF_LENGTH = {8: "]E4", 13: "]E0", 14: "]I1"}


def check_digit(digits: str) -> str:
    """Return the GS1 check digit that belongs behind `digits` (General Specifications 7.9)."""
    weighted = sum(int(d) * (3, 1)[i % 2] for i, d in enumerate(reversed(digits)))
    return str(-weighted % 10)


def checked(digits: str) -> str:
    """Return `digits` with their check digit."""
    return digits + check_digit(digits)


def gtin14(barcode: str) -> str:
    """Return a GTIN-8, -12, -13 or -14 as the fourteen digits that systems compare."""
    return barcode.zfill(14)


def trade_item(barcode: str) -> bytes:
    """Return the reading of a printed EAN-8, UPC-A, EAN-13 or ITF-14 symbol."""
    digits = barcode.zfill(13) if len(barcode) < 13 and len(barcode) != 8 else barcode
    return (_AIM_OF_LENGTH[len(digits)] + digits).encode()


def elements(aim: str, pairs: Iterable[tuple[str, str]]) -> bytes:
    """Return the reading of a GS1 symbol: element strings, separated where their length varies."""
    pairs = tuple(pairs)
    parts = [aim.encode()]
    for position, (ai, value) in enumerate(pairs):
        parts.append((ai + value).encode())
        if ai not in _FIXED_LENGTH and position < len(pairs) - 1:
            parts.append(GS)
    return b"".join(parts)


def yymmdd(day: date) -> str:
    """Return a date as application identifiers write it."""
    return day.strftime("%y%m%d")


def control(text: str) -> bytes:
    """Return the reading of a control label, which is a plain Code 128."""
    return b"]C0" + text.encode()
