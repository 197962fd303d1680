"""The table of Application Identifiers: what may follow each, read from data once, when needed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from gateway import gs1_codes
from gateway.gs1_checks import CHECKS, SET_82, Check
from gateway.reading import Misread

_COMPONENT = re.compile(r"(\[?)([NXYZ])(\.\.)?([0-9]+)\]?((?:,[a-z0-9]+)*)")
_CHARSETS = {
    "X": (re.compile(f"[{re.escape(SET_82)}]+"), "the characters that GS1 allows"),
    "Y": (re.compile(r"[#\-/0-9A-Z]+"), "capital letters, digits, #, - and /"),
    "Z": (re.compile(r"[-_0-9A-Za-z]+={0,2}"), "the letters, digits, - and _ of base64url"),
}


@dataclass(frozen=True, slots=True)
class Component:
    """One part of a value: its character set, length and content checks."""

    charset: str
    minimum: int
    maximum: int
    optional: bool
    checks: tuple[Check, ...]

    def check(self, part: str) -> None:
        """Raise Misread unless `part` is right."""
        if len(part) < self.minimum:
            raise Misread("bad_length", f"{len(part)} characters where {self.minimum} must stand")
        if self.charset == "N":
            if not (part.isascii() and part.isdigit()):
                raise Misread("non_digit", "only digits may stand here")
        else:
            pattern, allowed = _CHARSETS[self.charset]
            if not pattern.fullmatch(part):
                raise Misread("bad_charset", f"it has a character outside {allowed}")
            if self.charset == "Z" and part[-1] == "=" and len(part) % 3:
                raise Misread("bad_charset", "its = signs at the end are not those of base64url")
        for check in self.checks:
            check(part)


@dataclass(frozen=True, slots=True)
class Identifier:
    """One AI. `requires` and `excludes` hold AIs or patterns such as "310n"."""

    ai: str
    title: str
    predefined: bool
    attribute: bool
    components: tuple[Component, ...]
    minimum: int
    maximum: int
    requires: tuple[tuple[str, ...], ...]
    excludes: tuple[str, ...]
    is_key: bool
    qualifiers: tuple[tuple[str, ...], ...]

    @property
    def label(self) -> str:
        """How the AI is printed under the bars, with its title."""
        return f"({self.ai}) {self.title}"

    def check(self, value: str) -> None:
        """Raise Misread unless `value` may follow this AI."""
        try:
            self._check(value)
        except Misread as fault:
            raise Misread(
                fault.error_class, f"{self.label} {value[:90]!r}: {fault.message}"
            ) from fault

    def _check(self, value: str) -> None:
        length = len(value)
        if not value:
            raise Misread("empty_value", "nothing follows it")
        if length > self.maximum:
            raise Misread("value_too_long", f"{length} characters, {self.maximum} are allowed")
        at = 0
        for component in self.components:
            if at == length and component.optional:
                break
            component.check(value[at : at + component.maximum])
            at += component.maximum


class Table:
    """All AIs; the first two digits say how long an AI is."""

    def __init__(self, identifiers: list[Identifier]) -> None:
        self.by_ai = {identifier.ai: identifier for identifier in identifiers}
        self.widths = {identifier.ai[:2]: len(identifier.ai) for identifier in identifiers}

    def at(self, text: str, position: int) -> Identifier | None:
        """The AI that starts at `position`."""
        width = self.widths.get(text[position : position + 2])
        return self.by_ai.get(text[position : position + width]) if width else None


@cache
def table() -> Table:
    """The table, read on first use: a few milliseconds that start-up does not pay."""
    return Table([entry for line in gs1_codes.read_lines("gs1-ai.txt") for entry in _parse(line)])


def _parse(line: str) -> list[Identifier]:
    columns, _, title = line.partition(" # ")
    ais, flags, *words = columns.split()
    components, requires, excludes, qualifiers = [], "", "", None
    for word in words:
        if word.startswith("req="):
            requires = word[4:]
        elif word.startswith("ex="):
            excludes = word[3:]
        elif word.startswith("dlpkey"):
            qualifiers = word[7:]
        else:
            components.append(_component(word))
    first, _, last = ais.partition("-")
    return [
        Identifier(
            ai=str(number).zfill(len(first)),
            title=title,
            predefined="*" in flags,
            attribute="?" in flags,
            components=tuple(components),
            minimum=sum(part.minimum for part in components if not part.optional),
            maximum=sum(part.maximum for part in components),
            requires=tuple(tuple(group.split("+")) for group in requires.split(",") if group),
            excludes=tuple(excludes.split(",")) if excludes else (),
            is_key=qualifiers is not None,
            qualifiers=tuple(
                tuple(choice.split(",")) for choice in (qualifiers or "").split("|") if choice
            ),
        )
        for number in range(int(first), int(last or first) + 1)
    ]


def _component(word: str) -> Component:
    match = _COMPONENT.fullmatch(word)
    assert match is not None, f"gs1-ai.txt: {word!r} is no component"
    optional, charset, upto, length, checks = match.groups()
    return Component(
        charset=charset,
        minimum=1 if upto else int(length),
        maximum=int(length),
        optional=bool(optional),
        checks=tuple(CHECKS[name] for name in checks.split(",")[1:]),
    )
