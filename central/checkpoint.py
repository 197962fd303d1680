"""What was proven before, in a file: so that the next run looks at what came since.

The file is not in the ledger: whatever damages the ledger does not damage what it is compared with.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from central import blocks, database, marks, sums
from central.blocks import Digests
from central.verify import Since

_FORMAT = 1
#: Rows younger than this may have neighbours with lower numbers that are not committed yet.
SETTLED_US = 60 * 1_000_000
_FIRST = text("SELECT uuid, received_us FROM event ORDER BY id LIMIT 1")
_FLOOR = text("SELECT value FROM meta WHERE key = :key")
_SCHEMA = text("SELECT version_num FROM alembic_version")
#: Numbered tables, and when a row came.
_TIMES = {
    "entry": "recorded_us",
    "event": "received_us",
    "reservation": "created_us",
    "outbox": "created_us",
}


class CheckpointError(Exception):
    """A file that is no checkpoint; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a run found proven. `ledger` tells it from any other ledger, `runs` counts them."""

    ledger: str
    proven_us: int
    runs: int
    since: Since
    sums: Mapping[int, int]
    digests: Mapping[str, Digests] = field(
        default_factory=lambda: {table: Digests() for table in blocks.SIZES}
    )


def ledger_of(connection: Connection) -> str:
    """Return what tells this ledger from any other, and from itself restored or upgraded."""
    first = connection.execute(_FIRST).first()
    floor = connection.execute(_FLOOR, {"key": database.VERSION_FLOOR_KEY}).scalar()
    schema = connection.execute(_SCHEMA).scalar()
    began = f"{first.uuid} {first.received_us}" if first else ""
    return f"{schema} {floor or 0} {began}"


def nothing(connection: Connection) -> Checkpoint:
    """Return the checkpoint of a ledger of which nothing was proven yet."""
    return Checkpoint(ledger_of(connection), 0, 0, Since(), {})


def advance(connection: Connection, before: Checkpoint, now_us: int) -> Checkpoint:
    """Return what is proven now: the caller has found nothing wrong in this transaction."""
    was = before.since
    entries = _settled(connection, "entry", was.entries, now_us)
    events = _settled(connection, "event", was.events, now_us)
    since = Since(
        entries,
        events,
        _settled(connection, "reservation", was.reservations, now_us),
        _settled(connection, "outbox", was.outgoing or 0, now_us),
        marks.recorded(connection, was.events, events, was.streams),
    )
    digests = {
        table: blocks.advance(connection, table, before.digests[table], upto)
        for table, upto in (("entry", entries), ("event", events))
    }
    totals = sums.of_entries(connection, before.sums, was.entries, entries)
    return Checkpoint(ledger_of(connection), now_us, before.runs + 1, since, totals, digests)


def _settled(connection: Connection, table: str, after: int, now_us: int) -> int:
    """Return up to which row nothing can appear any more below it."""
    bounds = {"after": after, "limit": now_us - SETTLED_US}
    young = f"SELECT MIN(id) FROM {table} WHERE id > :after AND {_TIMES[table]} >= :limit"
    first = connection.execute(text(young), bounds).scalar()
    if first is not None:
        return max(after, int(first) - 1)
    newest = connection.execute(text(f"SELECT MAX(id) FROM {table}")).scalar()
    return max(after, int(newest or 0))


def load(path: Path) -> Checkpoint | None:
    """Return the checkpoint in a file, None without one; CheckpointError for something else."""
    try:
        said: dict[str, Any] = json.loads(path.read_text())
        if said.pop("format") != _FORMAT:
            return None  # of another version of Docktally
        since = said.pop("since")
        since["streams"] = {int(key): n for key, n in since["streams"].items()}
        totals = {int(key): n for key, n in said.pop("sums").items()}
        digests = {table: Digests(**each) for table, each in said.pop("digests").items()}
        return Checkpoint(since=Since(**since), sums=totals, digests=digests, **said)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(
            f"{path} is not a checkpoint of docktally verify ({error}): delete it, and everything "
            "is looked at once"
        ) from error


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Replace the file as a whole, or leave it as it is."""
    part = path.with_name(path.name + ".part")
    said = {"format": _FORMAT, **asdict(checkpoint)}
    with part.open("w") as file:
        json.dump(said, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
