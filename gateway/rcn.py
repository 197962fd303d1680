"""Restricted circulation numbers: item numbers that a shop or a country gives out itself.

A price, weight or count may sit inside, and where it sits is a rule of each country's GS1
organisation; so the meaning depends on the configured region, and without one the number is
known to be restricted and nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from gateway import gtin
from gateway.reading import Misread, Reading


@dataclass(frozen=True, slots=True)
class Rule:
    """Where a region keeps the variable part of its thirteen digits, and in what unit."""

    measure: str
    digits: int
    decimals: int
    price_check: bool = False


def _weights(digits: int) -> dict[str, Rule]:
    return {
        "23": Rule("weight", digits, 3),
        "24": Rule("weight", digits, 2),
        "25": Rule("weight", digits, 1),
    }


_NORDIC = {
    "20": Rule("price", 4, 2),
    "21": Rule("price", 4, 1),
    "22": Rule("price", 4, 0),
    **_weights(4),
}
_RULES: dict[str, dict[str, Rule]] = {
    "dk": {
        **dict.fromkeys(("21", "22", "23", "24"), Rule("price", 6, 2)),
        "26": Rule("weight", 6, 3),
        "27": Rule("weight", 5, 3),
        "28": Rule("weight", 6, 3),
    },
    "de": {
        **dict.fromkeys(("22", "23"), Rule("price", 5, 2, price_check=True)),
        **dict.fromkeys(("25", "26"), Rule("count", 5, 0, price_check=True)),
        **dict.fromkeys(("28", "29"), Rule("weight", 5, 3, price_check=True)),
    },
    "gb": {"20": Rule("price", 4, 2, price_check=True)},
    "ee": _weights(4),
    "fi": _weights(4),
    "lv": _weights(4),
    "lt": _weights(4),
    "no": _NORDIC,
    "se": _NORDIC,
}
_CURRENCY = {"dk": "DKK", "de": "EUR", "gb": "GBP", "no": "NOK", "se": "SEK"}
_NAMES = {
    "denmark": "dk",
    "germany": "de",
    "great_britain": "gb",
    "united_kingdom": "gb",
    "uk": "gb",
    "estonia": "ee",
    "finland": "fi",
    "latvia": "lv",
    "lithuania": "lt",
    "norway": "no",
    "sweden": "se",
}
# GS1 General Specifications 7.9: how a digit counts in a price or weight check digit.
_TWO_MINUS = (0, 2, 4, 6, 8, 9, 1, 3, 5, 7)
_THREE = (0, 3, 6, 9, 2, 5, 8, 1, 4, 7)
_FIVE_PLUS = (0, 5, 1, 6, 2, 7, 3, 8, 4, 9)
_FIVE_MINUS = (0, 5, 9, 4, 8, 3, 7, 2, 6, 1)


def region_code(region: str) -> str:
    """Two letters of a region given as its name or code; raises ValueError for one unknown."""
    code = region.strip().lower().replace(" ", "_").replace("-", "_")
    code = _NAMES.get(code, code)
    if code not in _RULES:
        raise ValueError(
            f"no rules for restricted numbers of region {region!r}; known: {', '.join(_RULES)}"
        )
    return code


def usage(gtin14: str) -> str | None:
    """Who may give out this number: "company", "geographical", or None if it is not restricted."""
    if gtin14[0] != "0" or gtin14[1:6] == "00000":
        return None
    if gtin14[1] == "2" or gtin14[1:3] == "02":
        return "geographical"
    return "company" if gtin14[1:3] == "04" else None


def short_usage(gtin8: str) -> str | None:
    """The same for eight digits: 0 and 2 are numbers inside one company."""
    return "company" if gtin8[0] in "02" else None


def read(number: str, circulation: str, region: str | None) -> Reading:
    """A checked number (8, 12, 13 or 14 digits) known to be restricted."""
    reading = gtin.trade_item(number)
    reading.kind = "rcn"
    reading.fields.update(restricted=True, usage=circulation)
    thirteen = number.zfill(14)[1:]
    if circulation == "company":
        reading.fields["base_item_gtin"] = number
        return reading
    if region is None:
        return reading
    rule = _RULES[region].get(thirteen[:2])
    if rule is None:
        reading.fields["base_item_gtin"] = number
        return reading
    value = thirteen[12 - rule.digits : 12]
    if rule.price_check and _price_check(value) != thirteen[11 - rule.digits]:
        raise Misread(
            "bad_check_digit",
            f"the check digit of the {rule.measure} inside {thirteen} is wrong",
        )
    reading.fields[rule.measure] = (
        int(value) if rule.measure == "count" else Decimal(value).scaleb(-rule.decimals)
    )
    if rule.measure == "price":
        reading.fields["currency"] = _CURRENCY[region]
    reading.fields["base_item_gtin"] = _base_item(thirteen, rule)
    return reading


def _base_item(thirteen: str, rule: Rule) -> str:
    """The item without its price or weight: the number that a catalogue can know."""
    zeros = "0" * rule.digits
    stem = thirteen[: 12 - rule.digits]
    if rule.price_check:
        stem = stem[:-1] + _price_check(zeros)
    return stem + zeros + gtin.check_digit(stem + zeros)


def _price_check(value: str) -> str:
    digits = [int(digit) for digit in value]
    if len(digits) == 4:
        tables = (_TWO_MINUS, _TWO_MINUS, _THREE, _FIVE_MINUS)
        return str(3 * sum(table[d] for table, d in zip(tables, digits, strict=True)) % 10)
    tables5 = (_FIVE_PLUS, _TWO_MINUS, _FIVE_MINUS, _FIVE_PLUS, _TWO_MINUS)
    total = sum(table[d] for table, d in zip(tables5, digits, strict=True))
    return str(_FIVE_MINUS.index(-total % 10))
