"""A look at an outbox file from outside, while a gateway may be writing it. Nothing is changed.

SQLite gives the files that it needs beside the database (-wal, -shm) to the database's own user, so
root may look without locking the gateway out.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from gateway.salvage import FILE_NAME
from wire.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Look:
    """What is in the file. `oldest_ms` is when the oldest scan that waits was stored (Unix time in
    milliseconds); `stations` what each scanner was told, as JSON objects. The file's `acked_seq`
    may be behind what central has acknowledged.
    """

    epoch: UUID
    acked_seq: int
    last_seq: int
    oldest_ms: int | None
    stations: Mapping[str, Mapping[str, object]]


def look(folder: Path) -> Look | None:
    """Return what the outbox in `folder` holds, None when there is none yet.

    Raises Unavailable with a sentence when it cannot be read.
    """
    if not (folder / FILE_NAME).exists():
        return None
    with _open(folder) as connection:
        return _look(connection)


def event_at(folder: Path, seq: int) -> bytes | None:
    """Return one event as it is stored, None when it is not there; Unavailable as `look`."""
    with _open(folder) as connection:
        row = connection.execute("SELECT event FROM events WHERE seq = ?", (seq,)).fetchone()
    return bytes(row[0]) if row else None


@contextmanager
def _open(folder: Path) -> Iterator[sqlite3.Connection]:
    path = folder / FILE_NAME
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            yield connection
    except (sqlite3.Error, ValueError, KeyError) as error:
        raise Unavailable(f"{path} cannot be read: {error}") from error


def _look(connection: sqlite3.Connection) -> Look:
    meta = dict(connection.execute("SELECT key, value FROM meta"))
    acked = int(meta["acked"])
    (last,) = connection.execute("SELECT max(seq) FROM events").fetchone()
    oldest = connection.execute(
        "SELECT stored_ms FROM events WHERE seq > ? ORDER BY seq LIMIT 1", (acked,)
    ).fetchone()
    rows = connection.execute("SELECT scanner, state FROM station")
    return Look(
        epoch=UUID(meta["epoch"]),
        acked_seq=acked,
        last_seq=last or 0,
        oldest_ms=oldest[0] if oldest else None,
        stations={scanner: _object(state) for scanner, state in rows},
    )


def _object(state: bytes) -> Mapping[str, object]:
    """A station's state; another version's may be anything."""
    try:
        told = json.loads(state)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
