"""An outbox file nobody can go on with: what is good is carried over, the file kept for a person.

The new file is complete before the old one is moved, and both moves are renames: a power cut at
any moment leaves either the old file in place or the new one ready to take its place.
"""

import contextlib
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from gateway import station_state, unit_table
from gateway.config import OutboxLimits
from gateway.outbox_file import Connect, OutboxFile, Record, connect
from wire import codec
from wire.errors import Malformed
from wire.events import Event, Origin

log = logging.getLogger(__name__)

FILE_NAME = "outbox.db"
#: Not SQLite; torn pages; or a file of ours whose tables are gone.
_DAMAGE = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR}
_EXTENDED_CODE_BITS = 0xFF


def open_file(folder: Path, limits: OutboxLimits, connect: Connect = connect) -> OutboxFile:
    """Return the outbox in `folder`; a damaged one is set aside and what it held carried over.

    Raises sqlite3.Error or Unavailable when the disk does not let us, now.
    """
    path, successor = folder / FILE_NAME, folder / f"{FILE_NAME}.new"
    if successor.exists() and not path.exists():
        successor.rename(path)
    try:
        return OutboxFile(path, limits, connect)
    except (sqlite3.DatabaseError, ValueError) as error:
        if not _is_damage(error):
            raise
        log.critical("the outbox %s is damaged: %s", path, error)
    return replace_file(folder, limits, connect, "corrupt")


def replace_file(
    folder: Path,
    limits: OutboxLimits,
    connect: Connect,
    why: Literal["corrupt", "superseded"],
    booked_seq: int = 0,
) -> OutboxFile:
    """Set the outbox in `folder` aside and return its successor, of a new epoch.

    It gets all that can be read and is neither acknowledged nor at most `booked_seq`.
    """
    path, successor = folder / FILE_NAME, folder / f"{FILE_NAME}.new"
    _remove(successor)
    with closing(OutboxFile(successor, limits, connect)) as target:
        carried = _carry_over(path, target, booked_seq)
    aside = f"{FILE_NAME}.{why}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    for suffix in ("-wal", "-shm", ""):
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(folder / f"{aside}{suffix}")
    successor.rename(path)
    log.critical("the old outbox is kept as %s; %d scans were carried over", aside, carried)
    return OutboxFile(path, limits, connect)


def alarm(folder: Path) -> str | None:
    """Return what a person has to know about files set aside in `folder`; None without any."""
    names = sorted(file.name for file in folder.glob(f"{FILE_NAME}.*-*[0-9]"))
    if not names:
        return None
    why = "was damaged" if ".corrupt-" in names[-1] else "was an older copy of itself"
    return (
        f"the outbox {why} and is kept as {names[-1]}; what could be read and was not booked is "
        f"carried over. Compare the stock, then move the file away from {folder}"
    )


def _is_damage(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # our own finding; the driver's own errors carry a code
        return not isinstance(error, sqlite3.OperationalError)
    return (code & _EXTENDED_CODE_BITS) in _DAMAGE


def _remove(path: Path) -> None:
    for suffix in ("-wal", "-shm", ""):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _carry_over(old: Path, target: OutboxFile, booked_seq: int) -> int:
    renumbered: dict[int, int] = {}
    unacknowledged: dict[int, Event] = {}
    with closing(sqlite3.connect(old)) as source:
        try:
            (epoch,), (acked,) = source.execute(
                "SELECT value FROM meta WHERE key IN ('epoch', 'acked') ORDER BY key = 'acked'"
            ).fetchall()
            unacknowledged = _readable(source, max(int(acked), booked_seq))
        except (sqlite3.Error, ValueError) as error:
            # Without the watermark nobody can say which rows are booked already.
            log.critical("no scan can be carried over from %s: %s", old, error)
        for seq, event in sorted(unacknowledged.items()):
            fresh = target.last_seq + 1
            # Central may have booked it under its old number, with the answer still on its way.
            origin = event.salvaged_from or Origin(epoch=epoch, seq=seq)
            moved = _renumber(event, fresh, origin, renumbered)
            target.write([Record(moved, event.scanner, None)])
            renumbered[seq] = fresh
        with contextlib.suppress(sqlite3.Error):
            for scanner, data in source.execute("SELECT scanner, state FROM station"):
                with contextlib.suppress(ValueError):
                    state = station_state.decode(data).renumbered(renumbered)
                    target.write([Record(None, scanner, station_state.encode(state))])
        target.remember(unit_table.rows(source, renumbered))
    return len(renumbered)


def _readable(source: sqlite3.Connection, acked: int) -> dict[int, Event]:
    """Return what can be read from both ends towards the damaged pages."""
    found: dict[int, Event] = {}
    for direction in ("ASC", "DESC"):
        found.update(_read(source, acked, direction))
    return found


def _read(source: sqlite3.Connection, acked: int, direction: str) -> Iterator[tuple[int, Event]]:
    query = f"SELECT seq, event FROM events WHERE seq > ? ORDER BY seq {direction}"  # noqa: S608
    with contextlib.suppress(sqlite3.Error):
        for seq, data in source.execute(query, (acked,)):
            with contextlib.suppress(Malformed, TypeError):
                yield seq, codec.decode(Event, bytes(data))


def _renumber(event: Event, seq: int, origin: Origin, renumbered: dict[int, int]) -> bytes:
    warnings = (*event.warnings, "salvaged")
    undo_of = event.undo_of
    if undo_of is not None:
        undo_of = renumbered.get(undo_of)
        if undo_of is None:
            warnings = (*warnings, f"undo_of_lost: undid seq {event.undo_of} of that epoch")
    repeat_of = event.repeat_of
    if repeat_of is not None:
        repeat_of = renumbered.get(repeat_of)
        if repeat_of is None:
            warnings = (
                *warnings,
                f"repeat_of_lost: said seq {event.repeat_of} of that epoch again",
            )
    update = {
        "seq": seq,
        "undo_of": undo_of,
        "repeat_of": repeat_of,
        "warnings": warnings,
        "recorded_late": True,
        "salvaged_from": origin,
    }
    return codec.encode(event.model_copy(update=update))
