"""North American coupon codes in AIs (8110) and (8112): digits that say how many follow."""

from __future__ import annotations

from gateway import gs1_date
from gateway.reading import Misread


class _Digits:
    """A cursor over the coupon's digits; every step names what it wanted."""

    def __init__(self, value: str) -> None:
        if not (value.isascii() and value.isdigit()):
            raise Misread("non_digit", "a coupon code has digits only")
        self.value = value
        self.at = 0

    def take(self, count: int, what: str) -> str:
        chunk = self.value[self.at : self.at + count]
        if len(chunk) < count:
            raise Misread("bad_value", f"the coupon code ends inside its {what}")
        self.at += count
        return chunk

    def one_of(self, allowed: str, what: str) -> str:
        digit = self.take(1, what)
        if digit not in allowed:
            raise Misread("bad_value", f"{digit} is no {what} of a coupon code")
        return digit

    def counted(self, allowed: str, more: int, what: str) -> str:
        """A field whose first digit, plus `more`, is its length."""
        return self.take(int(self.one_of(allowed, f"length of the {what}")) + more, what)

    def option(self, marker: str) -> bool:
        found = self.value.startswith(marker, self.at)
        self.at += found
        return found

    def finish(self) -> None:
        if self.at != len(self.value):
            raise Misread("bad_value", "the coupon code goes on after its last field")


def _requirement(digits: _Digits, which: str) -> None:
    digits.counted("12345", 0, f"{which} purchase requirement")
    digits.one_of("012349", f"{which} purchase requirement code")
    digits.take(3, f"{which} purchase family code")


def _other_company(digits: _Digits, which: str) -> None:
    length = digits.one_of("01234569", f"length of the {which} company prefix")
    if length != "9":  # 9 says: the same company as the coupon's own
        digits.take(int(length) + 6, f"{which} company prefix")


def _day(digits: _Digits, what: str) -> str:
    day = digits.take(6, what)
    gs1_date.check(day, day_zero=False)
    return day


def check_code(value: str) -> None:
    """AI (8110), the coupon itself: company, offer, saving, up to three purchases, options."""
    digits = _Digits(value)
    digits.counted("0123456", 6, "company prefix")
    digits.take(6, "offer code")
    digits.counted("12345", 0, "save value")
    _requirement(digits, "first")
    if digits.option("1"):
        digits.one_of("0123", "additional purchase rule")
        _requirement(digits, "second")
        _other_company(digits, "second")
    if digits.option("2"):
        _requirement(digits, "third")
        _other_company(digits, "third")
    expires = _day(digits, "expiry date") if digits.option("3") else ""
    if digits.option("4") and _day(digits, "start date") > expires > "":
        raise Misread("bad_date", "the coupon expires before it starts")
    if digits.option("5"):
        digits.counted("0123456789", 6, "serial number")
    if digits.option("6"):
        digits.counted("1234567", 6, "retailer number")
    if digits.option("9"):
        digits.one_of("01256", "save value code")
        digits.one_of("012", "item that the saving applies to")
        digits.take(1, "store coupon flag")
        digits.one_of("01", "multiply flag")
    digits.finish()


def check_positive_offer(value: str) -> None:
    """AI (8112), a coupon of the positive offer file: format, funder, offer, serial number."""
    digits = _Digits(value)
    digits.one_of("01", "format code")
    digits.counted("0123456", 6, "funder")
    digits.take(6, "offer code")
    digits.counted("0123456789", 6, "serial number")
    digits.finish()
