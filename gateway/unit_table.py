"""The outbox's table of labelled units: what each was counted as last. SQL, used by one thread.

Rows are only added, one for each event that counts a unit or takes that back, and the newest row of
a name is what holds. So a commit that is taken back needs nothing but its own rows deleted.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator

#: `id` is the seq of the event; events of an older outbox have ids below 1, the older the lower.
SCHEMA = (
    "CREATE TABLE unit (id INTEGER PRIMARY KEY, name TEXT NOT NULL, step TEXT NOT NULL) STRICT",
    "CREATE INDEX unit_name ON unit (name)",
)
#: What a name was counted as last; a step that is empty was taken back.
FIND = "SELECT id, step FROM unit WHERE name = ? ORDER BY id DESC LIMIT 1"
_TAKEN_BACK = ""
#: Units are remembered for this many events: some weeks of a busy dock, and some 10 MB.
EVENTS_MAX = 100_000
#: Rows deleted with one commit: enough to keep up, too few to be felt.
_EVICTED_ROWS = 64
Row = tuple[int, str, str]


def put(
    file: sqlite3.Connection, seq: int, unit: tuple[str, str] | None, undo_of: int | None
) -> None:
    """Note what event `seq` does: it counts `unit` (name, step), or takes event `undo_of` back."""
    if unit is not None:
        file.execute("INSERT INTO unit VALUES (?, ?, ?)", (seq, *unit))
    elif undo_of is not None:
        undone = "INSERT INTO unit SELECT ?, name, ? FROM unit WHERE id = ?"
        file.execute(undone, (seq, _TAKEN_BACK, undo_of))
    else:
        return
    file.execute(
        "DELETE FROM unit WHERE id IN (SELECT id FROM unit WHERE id <= ? ORDER BY id LIMIT ?)",
        (seq - EVENTS_MAX, _EVICTED_ROWS),
    )


def forget_after(file: sqlite3.Connection, seq: int) -> None:
    """Forget what events above `seq` did: they were taken back."""
    file.execute("DELETE FROM unit WHERE id > ?", (seq,))


def moved(found: Iterable[Row], new_seq: Callable[[int], int | None]) -> Iterator[Row]:
    """Yield rows with the ids of another outbox; those of events left behind come first."""
    for older, (seq, name, step) in enumerate(sorted(found, reverse=True)):
        fresh = new_seq(seq)
        yield -older if fresh is None else fresh, name, step


def add(file: sqlite3.Connection, rows: Iterable[Row]) -> None:
    """Take over the rows of another outbox."""
    for row in rows:
        file.execute("INSERT INTO unit VALUES (?, ?, ?)", row)


def counted(found: Iterable[tuple[int, str]]) -> Iterator[tuple[int | None, str]]:
    """Yield seq and step of the row that FIND found, unless that count was taken back."""
    return ((seq if seq > 0 else None, step) for seq, step in found if step != _TAKEN_BACK)
