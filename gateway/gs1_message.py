"""GS1 element strings: the bytes of a GS1 barcode split into (AI, value) pairs and checked.

A separator that the scanner lost is never guessed: what follows would be taken for part of a
lot, and the quantity on the label would silently become one.
"""

from __future__ import annotations

from collections.abc import Collection

from gateway.gs1_table import Identifier, Table, table
from gateway.reading import Misread

GS = "\x1d"
# GS1 sets no limit; the largest symbol could hold a few hundred, a real label a dozen.
MAX_ELEMENTS = 64
# Keys that start an element string of a label: where a lost separator shows itself.
_KEYS_WITH_CHECK_DIGIT = ("00", "01", "02")

# A real label without its separators is no longer; noise may be.
_LONGEST_LOST = 200

Parsed = list[tuple[Identifier, str]]


def read(text: str) -> tuple[Parsed, list[str]]:
    """Elements in transmitted order and warnings; raises Misread on the first bad one."""
    known = table()
    elements: Parsed = []
    values: dict[str, str] = {}
    warnings: list[str] = []
    position, end = 0, len(text)
    while position < end:
        if text[position] == GS:
            position += 1
            if elements and position < end and "empty_element" not in warnings:
                warnings.append("empty_element")
            continue
        identifier = known.at(text, position)
        if identifier is None:
            raise Misread("unknown_ai", _unknown(text, position))
        start = position + len(identifier.ai)
        stop = text.find(GS, start)
        if stop < 0:
            stop = end
        if identifier.predefined:
            stop = min(stop, start + identifier.maximum)
        value = text[start:stop]
        try:
            identifier.check(value)
        except Misread as fault:
            raise _lost_separator(known, text, identifier, value) or fault from fault
        if values.setdefault(identifier.ai, value) != value:
            raise Misread(
                "bad_value",
                f"{identifier.label} is there twice: {values[identifier.ai]!r} and {value!r}",
            )
        elements.append((identifier, value))
        if len(elements) > MAX_ELEMENTS:
            raise Misread("too_long", f"more than {MAX_ELEMENTS} element strings in one barcode")
        position = stop + 1 if text[stop : stop + 1] == GS else stop
    if not elements:
        raise Misread("empty_value", "the GS1 barcode holds no element string")
    return elements, warnings


def _unknown(text: str, position: int) -> str:
    rest = text[position : position + 12]
    return (
        f"no GS1 application identifier starts with {rest!r}; either the code before it ended "
        "early, or a separator (GS) is missing, or this is no GS1 barcode"
    )


def _lost_separator(known: Table, text: str, identifier: Identifier, value: str) -> Misread | None:
    """If an over-long value hides a whole key, say that the scanner drops the separator."""
    if identifier.predefined or GS in text or len(value) <= identifier.maximum:
        return None
    value = value[:_LONGEST_LOST]
    for cut in range(1, min(identifier.maximum, len(value) - 2) + 1):
        at = cut
        while found := known.at(value, at):
            stop = at + len(found.ai) + found.maximum
            hidden = value[at + len(found.ai) : stop]
            try:
                found.check(hidden)
            except Misread:
                break
            if found.ai in _KEYS_WITH_CHECK_DIGIT:
                return Misread(
                    "missing_separator",
                    f"{identifier.label} runs on into ({found.ai}) {hidden}: this scanner does not "
                    "send the GS separator; switch on its transmission (FNC1 or GS1-128 option)",
                )
            if not found.predefined:
                break
            at = stop
    return None


def combination_warnings(elements: Parsed) -> list[str]:
    """What the AIs need or forbid beside them.

    Never an error: a logistic label spreads its element strings over several barcodes, and the
    rule is meant for all of them together.
    """
    present = {identifier.ai for identifier, _ in elements}
    warnings = []
    for identifier, _ in elements:
        if not is_met(identifier.requires, present):
            choices = " or ".join("+".join(group) for group in identifier.requires)
            warnings.append(f"ai_combination: ({identifier.ai}) needs {choices} beside it")
        warnings.extend(
            f"ai_combination: ({identifier.ai}) must not stand beside ({other})"
            for pattern in identifier.excludes
            for other in sorted(present - {identifier.ai})
            if _matches(other, pattern)
        )
    return list(dict.fromkeys(warnings))


def is_met(requires: tuple[tuple[str, ...], ...], present: Collection[str]) -> bool:
    """Return whether one of the groups of AIs (or patterns such as "310n") is all there."""
    return not requires or any(all(_is_present(ai, present) for ai in group) for group in requires)


def _is_present(pattern: str, present: Collection[str]) -> bool:
    if pattern[-1] != "n":
        return pattern in present
    return any(_matches(ai, pattern) for ai in present)


def _matches(ai: str, pattern: str) -> bool:
    return ai == pattern or (
        pattern[-1] == "n" and len(ai) == len(pattern) and ai.startswith(pattern.rstrip("n"))
    )
