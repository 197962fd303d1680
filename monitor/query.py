"""What is typed into the filter: words, and conditions on columns. Pure.

    valve m8         rows with both words, in any column of text
    site:ber         rows with "ber" in the column Site; site=ber is the whole of it
    available<10     figures with < <= > >= =
    age>5m           ages in seconds, or with s m h d

What cannot be understood yet, because it is still being typed, leaves every row in.
"""

import operator
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from monitor.sheet import Column, Kind, named

_TOKEN = re.compile(r"(?P<name>[^\W\d]\w*)(?P<sign><=|>=|<|>|=|:)(?P<value>.*)")
_NUMBER = re.compile(r"-?\d+")
_AGE = re.compile(r"(?P<number>\d+(\.\d+)?)(?P<unit>[smhd]?)")
_UNIT_S = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
}
_Row = TypeVar("_Row")
_Row_contra = TypeVar("_Row_contra", contravariant=True)


class Look(Protocol[_Row_contra]):
    """How a query looks into rows."""

    def words_of(self) -> Callable[[_Row_contra], str]:
        """Return what finds all text of a row, casefolded."""
        ...

    def value_of(self, key: str) -> Callable[[_Row_contra], Any]:
        """Return what finds the value of a row in a column; None stands for none."""
        ...


@dataclass(frozen=True, slots=True)
class Condition:
    """What one column must hold; `wanted` is casefolded text, a number, or an age in seconds."""

    key: str
    kind: Kind
    sign: str
    wanted: Any

    def test(self, now: float) -> Callable[[Any], bool]:
        """Return what says whether a row's value is so."""
        wanted = self.wanted
        if self.sign == ":":
            return lambda value: value is not None and wanted in str(value).casefold()
        if self.kind == "text":
            return lambda value: str("" if value is None else value).casefold() == wanted
        compare = _COMPARE[self.sign]
        if self.kind == "moment":
            return lambda value: value is not None and compare(now - value, wanted)
        return lambda value: value is not None and compare(value, wanted)


@dataclass(frozen=True, slots=True)
class Query:
    """Every word and every condition must hold."""

    words: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()

    def __bool__(self) -> bool:
        """True when it can leave a row out."""
        return bool(self.words or self.conditions)

    @property
    def ages(self) -> bool:
        """True when rows come and go by time alone."""
        return any(condition.kind == "moment" for condition in self.conditions)

    def matches(self, row: _Row, look: Look[_Row], now: float) -> bool:
        """Return whether a row passes."""
        text = look.words_of()(row) if self.words else ""
        return all(word in text for word in self.words) and all(
            condition.test(now)(look.value_of(condition.key)(row)) for condition in self.conditions
        )

    def select(self, rows: Iterable[_Row], look: Look[_Row], now: float) -> list[_Row]:
        """Return the rows that pass, in their order."""
        words, found = look.words_of(), list(rows)
        for word in self.words:  # one word after the other: 100,000 rows take a few milliseconds
            found = [row for row in found if word in words(row)]
        for condition in self.conditions:
            holds, value = condition.test(now), look.value_of(condition.key)
            found = [row for row in found if holds(value(row))]
        return found


def parse(text: str, columns: Collection[Column]) -> Query:
    """Return what a filter text asks for."""
    words: list[str] = []
    conditions: list[Condition] = []
    for token in text.casefold().split():
        parts = _TOKEN.fullmatch(token)
        column = named(columns, parts["name"]) if parts else None
        if parts is None or column is None:
            words.append(token)
            continue
        condition = _condition(column, parts["sign"], parts["value"])
        if condition is not None:
            conditions.append(condition)
    return Query(tuple(words), tuple(conditions))


def _condition(column: Column, sign: str, value: str) -> Condition | None:
    if not value:
        return None
    if column.kind == "text":
        return Condition(column.key, "text", sign, value) if sign in {":", "="} else None
    if column.kind == "number":
        if sign == ":":
            return Condition(column.key, "number", sign, value)
        number = _NUMBER.fullmatch(value)
        return Condition(column.key, "number", sign, int(value)) if number else None
    age = _AGE.fullmatch(value)
    if age is None or sign == ":":
        return None
    seconds = float(age["number"]) * _UNIT_S[age["unit"]]
    return Condition(column.key, "moment", sign, seconds)
