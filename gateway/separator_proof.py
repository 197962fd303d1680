"""The printed label that proves that a scanner sends the GS1 separator, and what to trust before.

A separator that gets lost glues the next element string to a lot, and the count on the label is
gone without a trace: `(10)xyz(30)40` reads as lot xyz3040, one piece, and nothing looks wrong.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway import gs1_message
from gateway.barcode import Barcode
from gateway.gs1_message import GS
from gateway.gs1_table import table
from gateway.reading import Misread

#: Company-internal AIs: no label of goods can look like it.
ELEMENTS = (("91", "DOCKTALLY-GS"), ("92", "OK"))
_HEAD, _TAIL = ("".join(pair) for pair in ELEMENTS)
_AIM = re.compile(r"\](..)", re.DOTALL)
_SEE = "print it with: docktally labels --gs-test"
UNTRUSTED = (
    "the quantity on this label cannot be trusted until this scanner has passed the separator test "
    f"({_SEE})"
)
_COUNTS = frozenset(("30", "37"))


@dataclass(frozen=True, slots=True)
class Result:
    """What the test showed; `problem` says what to change at the scanner, None when it passed."""

    problem: str | None = None


def read(frame: bytes, separators: Sequence[str]) -> Result | None:
    """Return the result when the frame is the test label, None for any other frame."""
    text = frame.decode("utf-8", "replace")
    aim = _AIM.match(text)
    body = text[3:] if aim else text
    for separator in separators:
        body = body.replace(separator, GS)
    body = body.strip(GS)
    if not body.startswith(_HEAD):
        return None
    if not body.endswith(_TAIL):
        return Result("the separator test was cut off; scan it again")
    if aim and aim[1] != "C1":
        return Result(
            f"the scanner reads GS1-128 as another symbology (]{aim[1]} instead of ]C1): switch on "
            "GS1-128 (also named EAN-128, UCC-128)"
        )
    between = body[len(_HEAD) : -len(_TAIL)]
    if between == GS:
        return Result()
    if not between:
        return Result(
            "the separator (GS, hex 1D) got lost: switch on its transmission at the scanner (named "
            "FNC1, group separator or GS1-128 option), and 8 data bits"
        )
    return Result(
        f"the scanner sends {between!r} instead of the separator: let it send GS (hex 1D), or set "
        f"separators = [{between!r}] for it"
    )


def suspected(barcode: Barcode, separators: Sequence[str]) -> Barcode:
    """Return the barcode of an unproven scanner with a warning where a separator may be lost."""
    ai = _last_open(barcode, separators)
    if ai is None or len(barcode.ais) < 2 or ai in _COUNTS:
        return barcode
    warning = f"gs_unverified: ({ai}) may hold more; this scanner has not passed the separator test"
    return replace(barcode, warnings=(*barcode.warnings, warning))


def is_quantity_doubtful(barcode: Barcode, separators: Sequence[str]) -> bool:
    """Return whether the count at the end can be a shorter one and a glued element string."""
    ai = _last_open(barcode, separators)
    if ai not in _COUNTS:
        return False
    value = barcode.ais[-1][1]
    return any(_is_element_strings(value[at:]) for at in range(1, len(value)))


def _last_open(barcode: Barcode, separators: Sequence[str]) -> str | None:
    """Return the last AI if its value ran to the end and no separator was ever seen."""
    if barcode.kind != "gs1" or not barcode.ais:
        return None
    seen = any(mark.encode() in barcode.raw for mark in (GS, *separators))
    if seen or "substituted_control_chars" in barcode.warnings:
        return None
    ai = barcode.ais[-1][0]
    return None if table().by_ai[ai].predefined else ai


def _is_element_strings(text: str) -> bool:
    try:
        gs1_message.read(text)
    except Misread:
        return False
    return True
