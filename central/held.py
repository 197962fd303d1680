"""Events that wait for a person, and how each of them ends: once.

`held` lists those that wait; who takes an event's rows away may post it. The event itself is never
changed: its end is a row of `settlement`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, insert, select, tuple_

from central import catalogue, schema, statements
from central.alerts import Concern
from central.books import Books
from central.rules import Held
from wire.events import Event

#: A code that nobody knows is shown to people up to this length; the event has all of it.
CODE_SHOWN_MAX = 80
UNKNOWN = "unknown_barcode"
ADD_HELD = insert(schema.held)
_held = schema.held
_END = insert(schema.settlement)
_TAKE = (
    delete(_held)
    .where(tuple_(_held.c.stream, _held.c.seq).in_(bindparam("events", expanding=True)))
    .returning(_held)
)

EventKey = tuple[int, int]  # stream, seq
Cover = tuple[str, str]  # code of the reason, what its alert refers to


def unknown(event: Event) -> Held:
    """Return why an event waits whose goods the catalogue does not know."""
    shown = _shown(catalogue.said(event))
    return Held(UNKNOWN, f"{shown} is in no catalogue row; the scan is kept")


def hold(
    books: Books, stream: int, site: str, source: str, event: Event, why: Held
) -> list[dict[str, Any]]:
    """Raise the alert that a held event needs; return its rows for ADD_HELD."""
    if why.code == UNKNOWN:
        keys, ref = catalogue.keys_of(event), catalogue.said(event)
        concern = Concern(
            "unknown_barcode",
            ref,
            "warning",
            f"unknown barcode {_shown(ref)}",
            f"Scanned at {event.scanner} of {source}: map it to an item.",
            site,
        )
    else:
        keys, ref = (), f"{site}/{source}"
        concern = Concern(
            "held_scan",
            ref,
            "warning",
            f"scans of {source} wait for a person",
            f"The last at {event.scanner}: {why.message}. Complete them, or dismiss them.",
            site,
        )
    books.raise_alert(concern)
    row = {"stream": stream, "seq": event.seq, "code": why.code, "ref": ref}
    return [row | {"key": key} for key in dict.fromkeys(keys or ("",))]


def take(connection: Connection, events: Sequence[EventKey]) -> dict[EventKey, set[Cover]]:
    """Take events off the list; return those that were on it, with the alerts they were under.

    Of several that try at once, one gets it.
    """
    taken: dict[EventKey, set[Cover]] = {}
    for start in range(0, len(events), statements.ROWS_MAX):
        part = events[start : start + statements.ROWS_MAX]
        for row in connection.execute(_TAKE, {"events": part}):
            taken.setdefault((row.stream, row.seq), set()).add((row.code, row.ref))
    return taken


def end(
    books: Books, event: EventKey, status: str, who: str,
    fields: Mapping[str, Any] | None = None, note: str = "",
) -> None:  # fmt: skip
    """Write how a held event ended: applied, dismissed or undone."""
    row = {
        "stream": event[0], "seq": event[1], "status": status, "who": who, "at_us": books.now_us,
        "fields": json.dumps(fields or {}, default=str), "note": note,
    }  # fmt: skip
    statements.write(books.connection, _END, [row])


def close_alerts(books: Books, taken: Mapping[EventKey, set[Cover]]) -> None:
    """Close the alerts under which nothing waits any more."""
    for code, ref in sorted(set().union(*taken.values())):
        kind = UNKNOWN if code == UNKNOWN else "held_scan"
        same = _held.c.code == UNKNOWN if code == UNKNOWN else _held.c.code != UNKNOWN
        books.alerts.hold(books.connection, kind, ref)  # who holds an event opens it before
        if not books.connection.execute(select(exists().where(_held.c.ref == ref, same))).scalar():
            books.settle(kind, ref)


def undo(books: Books, stream: int, seq: int, who: str) -> bool:
    """End a held event that its scanner takes back; False when it was not held."""
    taken = take(books.connection, [(stream, seq)])
    if taken:
        end(books, (stream, seq), "undone", who)
        close_alerts(books, taken)
    return bool(taken)


def write(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Put events on the list."""
    if rows:
        statements.write(connection, ADD_HELD, rows)


def _shown(code: str) -> str:
    return code if len(code) <= CODE_SHOWN_MAX else code[: CODE_SHOWN_MAX - 1] + "…"
