"""Proves the ledger: recomputes every sum from the entries, checks invariants, repairs nothing.

The numbers V1 to V14 are those of docs/architecture.md. All checks run in one read transaction, so
they see one moment.
"""

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from string import Formatter
from typing import Any

from sqlalchemy import Connection, Engine, text

from central import announced, marks
from central.invariants import CHECKS, SWEEP_GRACE_US, Check, When

#: Findings listed per check; the number of all is what counts, the first ones show where.
FINDINGS_MAX = 20
#: What all is called that is checked, for people.
NUMBERS = tuple(
    sorted({check.number for check in CHECKS} | {"V10", "V12"}, key=lambda n: int(n[1:]))
)
#: Columns that are shown by name: the table, and what its rows are called.
_NAMED = {
    "item": ("item", "sku"),
    "loc": ("location", "code"),
    "from_loc": ("location", "code"),
    "to_loc": ("location", "code"),
    "site": ("site", "code"),
    "stream": ("stream", "source"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One violation, in a sentence that names the rows."""

    invariant: str
    message: str


@dataclass(frozen=True, slots=True)
class Since:
    """Up to which rows everything was proven before: their numbers. All 0: nothing was.

    `outgoing` is None when nothing was: 0 is a feed that was proven while it was empty.
    `streams` has, for each outbox, how many of its events were recorded by then.
    """

    entries: int = 0
    events: int = 0
    reservations: int = 0
    outgoing: int | None = None
    streams: Mapping[int, int] = field(default_factory=dict)


def run(reader: Engine) -> list[Finding]:
    """Return every violation found in one snapshot; empty means proven."""
    with reader.begin() as connection:
        return findings(connection)


def findings(connection: Connection) -> list[Finding]:
    """Return every violation that this transaction sees."""
    return list(_all(connection, CHECKS, Since()))


def news(connection: Connection, since: Since) -> list[Finding]:
    """Return every violation among what is new or little; the sums are not looked at."""
    return list(_all(connection, [c for c in CHECKS if c.when is When.EACH], since))


def of_items(connection: Connection, items: Sequence[int]) -> list[Finding]:
    """Return where the sums of some items differ from the journal."""
    found: list[Finding] = []
    for check in CHECKS:
        if check.when is When.SUMMED:
            found += _found(connection, check, Since(), items)
    return found


def _all(connection: Connection, checks: Iterable[Check], since: Since) -> Iterator[Finding]:
    for check in checks:
        yield from _found(connection, check, since)
    yield from _first("V10", announced.wrong(connection, since.outgoing))
    yield from _first("V12", marks.wrong(connection, since.events, since.streams))


def _first(number: str, sentences: Iterator[str]) -> Iterator[Finding]:
    yield from (Finding(number, each) for each in islice(sentences, FINDINGS_MAX))
    if more := sum(1 for _ in sentences):
        yield Finding(number, f"and {more} more like the last one")


def _found(
    connection: Connection, check: Check, since: Since, items: Sequence[int] | None = None
) -> Iterator[Finding]:
    values = {
        "now": time.time_ns() // 1_000, "grace": SWEEP_GRACE_US, "entries": since.entries,
        "events": since.events, "reservations": since.reservations,
    }  # fmt: skip
    numbers = ", ".join(map(str, items or ()))
    query = check.query.replace("{of}", "" if items is None else f"WHERE item IN ({numbers})")
    bound = {name: value for name, value in values.items() if re.search(rf":{name}\b", query)}
    rows = connection.execute(text(query), bound).mappings()
    said = (sentence(connection, check.sentence, dict(row)) for row in rows)
    yield from _first(check.number, said)


def sentence(connection: Connection, form: str, row: Mapping[str, Any]) -> str:
    """Return what is wrong with a row, by the names that people know."""
    wanted = {name for _, name, _, _ in Formatter().parse(form) if name}
    return form.format(**{name: _name(connection, name, row[name]) for name in wanted})


def _name(connection: Connection, column: str, value: Any) -> Any:
    if column not in _NAMED or value is None:
        return value
    table, name = _NAMED[column]
    query = text(f"SELECT {name} FROM {table} WHERE id = :id")
    known = connection.execute(query, {"id": value}).scalar()
    return f"{table} {value} (unknown)" if known is None else known
