"""GS1 dates of six digits: which century, and the day 00 (GS1 General Specifications 7.12)."""

from __future__ import annotations

from calendar import monthrange
from datetime import date

from gateway.reading import Misread

_DAYS_IN_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def check(yymmdd: str, *, day_zero: bool) -> None:
    """Refuse a day that is in no calendar; `day_zero` lets 00 stand for the month's last day."""
    month, day = int(yymmdd[2:4]), int(yymmdd[4:6])
    if not 1 <= month <= 12:
        raise Misread("bad_date", f"month {month:02d} does not exist")
    if day == 0 and day_zero:
        return
    last = 28 if month == 2 and int(yymmdd[:2]) % 4 else _DAYS_IN_MONTH[month - 1]
    if not 1 <= day <= last:
        raise Misread("bad_date", f"day {day:02d} does not exist in month {month:02d}")


def full_year(yy: int, today: date) -> int:
    """The year that two digits mean: at most 50 years ahead and 49 back from `today`."""
    year = today.year - today.year % 100 + yy
    distance = yy - today.year % 100
    if distance >= 51:
        return year - 100
    if distance <= -50:
        return year + 100
    return year


def resolve(yymmdd: str, today: date) -> date:
    """The date meant by a checked `yymmdd`; day 00 is the last of the month.

    Raises Misread for the one day that only the century can tell: 29 February 2100.
    """
    year, month, day = full_year(int(yymmdd[:2]), today), int(yymmdd[2:4]), int(yymmdd[4:6])
    try:
        return date(year, month, day or monthrange(year, month)[1])
    except ValueError as error:
        raise Misread("bad_date", f"there is no such day in the year {year}") from error
