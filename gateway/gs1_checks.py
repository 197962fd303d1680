"""The named content checks of element string components, each raising Misread.

The names are those that the table of AIs uses, which are the GS1 Barcode Syntax Tests' own.
Every check gets a value whose length and character set are already right.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from gateway import gs1_codes, gs1_coupon, gs1_date, gtin
from gateway.reading import Misread

Check = Callable[[str], None]

# The shortest GS1 company prefix in circulation.
_PREFIX_DIGITS = 4
_SET_32 = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
SET_82 = "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
_BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_IMPORTER_INDEX = re.compile(r"[-0-9A-Z_a-z]")
_POSITION = re.compile(r"([0-9]+)/([0-9]+)")
_IBAN = re.compile(r"[0-9A-Z]{11,34}")
_DEGREES_E7 = 10_000_000


def _bad(message: str) -> Misread:
    return Misread("bad_value", message)


def _csum(value: str) -> None:
    if gtin.check_sum(value):
        raise Misread("bad_check_digit", f"the last digit should be {gtin.check_digit(value[:-1])}")


def _prefix(value: str) -> None:
    if len(value) < _PREFIX_DIGITS or not gtin.is_number(value[:_PREFIX_DIGITS]):
        raise _bad(f"it must start with a company prefix of at least {_PREFIX_DIGITS} digits")


def _prefix_from_second(value: str) -> None:
    _prefix(value[1:])


def _primes(count: int) -> list[int]:
    primes: list[int] = []
    number = 2
    while len(primes) < count:
        if all(number % prime for prime in primes):
            primes.append(number)
        number += 1
    return primes


def _csum_alpha(value: str) -> None:
    body, pair = value[:-2], value[-2:]
    if len(value) < 2 or not set(pair) <= set(_SET_32):
        raise Misread("bad_check_digit", "it must end with a pair of check characters")
    weights = reversed(_primes(len(body)))
    total = sum(SET_82.index(char) * weight for char, weight in zip(body, weights, strict=True))
    total %= 1021
    expected = _SET_32[total >> 5] + _SET_32[total & 31]
    if pair != expected:
        raise Misread("bad_check_digit", f"the check characters should be {expected}")


def _yymmdd(value: str) -> None:
    gs1_date.check(value, day_zero=False)


def _yymmd0(value: str) -> None:
    gs1_date.check(value, day_zero=True)


def _yyyymmdd(value: str) -> None:
    # The last two digits of the year decide a leap year except where they are 00.
    century_leap = value[2:4] != "00" or int(value[:4]) % 400 == 0
    if not century_leap and value[4:] == "0229":
        raise Misread("bad_date", f"there is no 29 February {value[:4]}")
    gs1_date.check(value[2:], day_zero=False)


def _below(limit: int, what: str) -> Check:
    def check(value: str) -> None:
        if int(value) >= limit:
            raise Misread("bad_time", f"{what} {value} does not exist")

    return check


_hour = _below(24, "hour")
_minute = _below(60, "minute")
_second = _below(60, "second")


def _hhmi(value: str) -> None:
    _hour(value[:2])
    _minute(value[2:])


def _member(codes: Callable[[], frozenset[str] | dict[str, str]], what: str) -> Check:
    def check(value: str) -> None:
        if value not in codes():
            raise _bad(f"{value} is not {what}")

    return check


_country = _member(gs1_codes.country_numbers, "a country of ISO 3166")


def _country_or_many(value: str) -> None:
    if value != "999":  # 999: several countries
        _country(value)


def _one_of(allowed: str, what: str) -> Check:
    def check(value: str) -> None:
        if value not in allowed:
            raise _bad(f"{value} is not {what} ({', '.join(allowed)})")

    return check


def _at_most(limit: int, what: str) -> Check:
    def check(value: str) -> None:
        if int(value) > limit:
            raise _bad(f"{value} is beyond the last {what}")

    return check


def _hyphen(value: str) -> None:
    if value.strip("-"):
        raise _bad("only a hyphen, for minus, may stand at the end")


def _nonzero(value: str) -> None:
    if not value.strip("0"):
        raise _bad("a dimension must not be zero")


def _no_zero_prefix(value: str) -> None:
    if len(value) > 1 and value[0] == "0":
        raise _bad("it must not start with a zero")


def _has_non_digit(value: str) -> None:
    if gtin.is_number(value):
        raise _bad("it must have a character that is not a digit")


def _media_type(value: str) -> None:
    if not (1 <= int(value) <= 10 or int(value) >= 80):
        raise _bad(f"{value} is not a media type")


def _percent(value: str) -> None:
    if _BROKEN_PERCENT.search(value):
        raise _bad("a percent sign must be followed by two hexadecimal digits")


def _piece_of_total(value: str) -> None:
    half = len(value) // 2
    piece, total = int(value[:half]), int(value[half:])
    if not 1 <= piece <= total:
        raise _bad(f"there is no piece {piece} of {total}")


def _position(value: str) -> None:
    match = _POSITION.fullmatch(value)
    if match is None:
        raise _bad("a position is written as 1/2")
    if value[0] == "0" or match[2][0] == "0" or int(match[1]) > int(match[2]):
        raise _bad(f"there is no position {match[1]} of {match[2]}")


def _importer(value: str) -> None:
    if not _IMPORTER_INDEX.fullmatch(value):
        raise _bad(f"{value!r} is not an importer index")


def _iban(value: str) -> None:
    if value[:2] not in gs1_codes.country_letters() or not _IBAN.fullmatch(value):
        raise _bad("it does not have the form of an IBAN")
    if int("".join(str(int(char, 36)) for char in value[4:] + value[:4])) % 97 != 1:
        raise _bad("the check digits of the IBAN are wrong")


CHECKS: dict[str, Check] = {
    "couponcode": gs1_coupon.check_code,
    "couponposoffer": gs1_coupon.check_positive_offer,
    "csum": _csum,
    "csumalpha": _csum_alpha,
    "gcppos1": _prefix,
    "gcppos2": _prefix_from_second,
    "hasnondigit": _has_non_digit,
    "hh": _hour,
    "hhmi": _hhmi,
    "hyphen": _hyphen,
    "iban": _iban,
    "importeridx": _importer,
    "iso3166": _country,
    "iso3166999": _country_or_many,
    "iso3166alpha2": _member(gs1_codes.country_letters, "a country of ISO 3166"),
    "iso4217": _member(gs1_codes.currencies, "a currency of ISO 4217"),
    "iso5218": _one_of("0129", "a sex of ISO 5218"),
    "latitude": _at_most(180 * _DEGREES_E7, "latitude"),
    "longitude": _at_most(360 * _DEGREES_E7, "longitude"),
    "mediatype": _media_type,
    "mi": _minute,
    "nonzero": _nonzero,
    "nozeroprefix": _no_zero_prefix,
    "packagetype": _member(gs1_codes.package_types, "a package type"),
    "pcenc": _percent,
    "pieceoftotal": _piece_of_total,
    "posinseqslash": _position,
    "ss": _second,
    "winding": _one_of("019", "a winding direction"),
    "yesno": _one_of("01", "a yes or no"),
    "yymmd0": _yymmd0,
    "yymmdd": _yymmdd,
    "yyyymmdd": _yyyymmdd,
    "zero": _one_of("0", "the zero that must stand here"),
}
