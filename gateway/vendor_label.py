"""Labels of electronics distributors that follow no standard: LCSC and TME."""

from __future__ import annotations

import re

from gateway import iso15434
from gateway.reading import Reading

_LCSC = re.compile(r"\{(?=[^{}]*\bpc:)(?=[^{}]*\bqty:)([a-z]+:[^,{}]*(?:,[a-z]+:[^,{}]*)*)\}")
_TME_WORD = re.compile(r"([A-Z]+):(\S+)")
_TME_IDENTIFIERS = re.compile(r"P(\S+) 1P(\S+) (?:\S+ )*?Q([0-9]+)(?: K(\S+))?(?: .*)?")
# Longer is no label; and the patterns above then never walk far.
_LONGEST = 1000


def read(text: str) -> Reading | None:
    """The label's part number and quantity; None if it is no such label. Raises Misread."""
    if len(text) > _LONGEST:
        return None
    if match := _LCSC.fullmatch(text.strip()):
        return _lcsc(match[1])
    if text.startswith("QTY:") or " QTY:" in text:
        return _tme(dict(_TME_WORD.findall(text)), text)
    if match := _TME_IDENTIFIERS.fullmatch(text.strip()):
        return _vendor("TME", match[1], match[3], manufacturer_part=match[2], customer_po=match[4])
    return None


def _lcsc(body: str) -> Reading:
    words = dict(word.split(":", 1) for word in body.split(","))
    return _vendor(
        "LCSC",
        words["pc"],
        words["qty"],
        manufacturer_part=words.get("pm"),
        sales_order=words.get("on"),
    )


def _tme(words: dict[str, str], text: str) -> Reading | None:
    if "QTY" not in words or "PN" not in words or "tme.eu" not in text:
        return None
    return _vendor(
        "TME",
        words["PN"],
        words["QTY"],
        manufacturer_part=words.get("MPN"),
        manufacturer=words.get("MFR"),
        customer_po=words.get("CPO"),
        sales_order=words.get("PO"),
    )


def _vendor(vendor: str, sku: str, quantity: str, **more: str | None) -> Reading:
    fields: dict[str, object] = {"vendor": vendor, "sku": sku, "qty": iso15434.quantity(quantity)}
    fields.update((name, value) for name, value in more.items() if value)
    return Reading("vendor", fields=fields)
