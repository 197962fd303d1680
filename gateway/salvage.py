"""An outbox file nobody can go on with: what is good is carried over, the file kept for a person.

The new file is complete before the old one is moved, and all moves are renames: a power cut at any
moment leaves either the old file in place or the new one ready to take its place.
"""

import contextlib
import logging
import re
import sqlite3
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal
from uuid import UUID

from gateway import sqlite_pages, station_state, unit_table
from gateway.config import OutboxLimits
from gateway.outbox_file import Connect, OutboxFile, Record, connect
from wire import codec
from wire.errors import Malformed
from wire.events import COUNT_MAX, Event, Origin

log = logging.getLogger(__name__)

FILE_NAME = "outbox.db"
#: Why a file was set aside. What was renamed is no alarm: central had all of it.
Why = Literal["corrupt", "superseded", "renamed"]
_ALARMS = {"corrupt": "was damaged", "superseded": "was an older copy of itself"}
_ASIDE = re.compile(rf"{re.escape(FILE_NAME)}\.([a-z]+)-(\d+)(T\d+)?")
_SUFFIXES = ("", "-wal", "-shm")
#: Not SQLite; torn pages; or a file of ours whose tables are gone.
_DAMAGE = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR}
_EXTENDED_CODE_BITS = 0xFF
#: Scans carried over with one commit.
_CARRIED_AT_ONCE = 256


def open_file(folder: Path, limits: OutboxLimits, connect: Connect = connect) -> OutboxFile:
    """Return the outbox in `folder`; a damaged one is set aside and what it held carried over.

    Raises sqlite3.Error, OSError or Unavailable when the disk does not let us, now.
    """
    path = folder / FILE_NAME
    try:
        if not path.exists():
            _take_place(folder, limits, connect)
        return _open_whole(path, limits, connect)
    except (sqlite3.DatabaseError, ValueError) as error:
        if not _is_damage(error):
            raise
        log.critical("the outbox %s is damaged: %s", path, error)
    return replace_file(folder, limits, connect, "corrupt")


def replace_file(
    folder: Path, limits: OutboxLimits, connect: Connect, why: Why, booked_seq: int = 0
) -> OutboxFile:
    """Set the outbox in `folder` aside and return its successor, of a new epoch.

    It gets all that can be read and is neither acknowledged nor at most `booked_seq`.
    """
    path, successor = folder / FILE_NAME, folder / f"{FILE_NAME}.new"
    _remove(successor)
    # What is on the disk already may use the reserve, and is never too much.
    unbounded = limits.model_copy(update={"disk_reserve_bytes": 0, "max_bytes": COUNT_MAX})
    carried = 0
    with closing(OutboxFile(successor, unbounded, connect)) as target:
        if path.exists():
            carried = _carry_over(path, target, why, booked_seq)
    asides = _asides(folder)
    name = f"{FILE_NAME}.{why}-{asides[-1][0] + 1 if asides else 1}"
    _move(path, folder / name)
    successor.rename(path)
    log.critical("the old outbox is kept as %s; %d scans were carried over", name, carried)
    return OutboxFile(path, limits, connect)


def alarm(folder: Path) -> str | None:
    """Return what a person has to know about files set aside in `folder`; None without any."""
    asides = [(why, name) for _, why, name in _asides(folder) if why in _ALARMS]
    if not asides:
        return None
    why, name = asides[-1]
    return (
        f"the outbox {_ALARMS[why]} and is kept as {name}; what could be read and was not booked "
        f"is carried over. Compare the stock, then move the file away from {folder}"
    )


def _take_place(folder: Path, limits: OutboxLimits, connect: Connect) -> None:
    """Make the first outbox, or let the successor of one that was set aside take its place.

    Made under another name: so an empty file of the real name is always a damaged one.
    """
    path, successor = folder / FILE_NAME, folder / f"{FILE_NAME}.new"
    asides = _asides(folder)
    if Path(f"{path}-wal").exists():
        if not (asides and successor.exists()):
            path.touch()  # somebody took the file away, and the scans in its log are still here
            return
        _move(path, folder / asides[-1][2])  # or it would be taken for the log of the new file
    try:
        OutboxFile(successor, limits, connect).close()
    except (sqlite3.DatabaseError, ValueError) as error:
        if not _is_damage(error):
            raise
        _remove(successor)  # torn while it was made; nothing was in it
        OutboxFile(successor, limits, connect).close()
    successor.rename(path)


def _open_whole(path: Path, limits: OutboxLimits, connect: Connect) -> OutboxFile:
    """Open a file; ValueError or sqlite3.DatabaseError when some of it is missing."""
    if path.is_file() and path.stat().st_size == 0:
        raise ValueError("the file is empty")
    wal = Path(f"{path}-wal")
    if wal.exists() and sqlite_pages.is_broken(wal.read_bytes()):
        raise ValueError("its log is damaged, and scans in it are lost")
    return OutboxFile(path, limits, connect)


def _is_damage(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # our own finding; the driver's own errors carry a code
        return not isinstance(error, sqlite3.OperationalError)
    return (code & _EXTENDED_CODE_BITS) in _DAMAGE


def _asides(folder: Path) -> list[tuple[int, str, str]]:
    """Return (number, why, name) of all files set aside, the newest last; none if unreadable."""
    try:
        names = [file.name for file in folder.iterdir()]
    except OSError:
        return []
    found = [match for name in names if (match := _ASIDE.fullmatch(name))]
    return sorted((int(match[2]), match[1], match[0]) for match in found)


def _move(old: Path, new: Path) -> None:
    # The file first: without its log it would open as an older copy of itself.
    for suffix in _SUFFIXES:
        with contextlib.suppress(FileNotFoundError):
            Path(f"{old}{suffix}").rename(f"{new}{suffix}")


def _remove(path: Path) -> None:
    for suffix in _SUFFIXES:
        Path(f"{path}{suffix}").unlink(missing_ok=True)


@dataclass(slots=True)
class _Found:
    """What a damaged file says about itself."""

    meta: dict[str, str] = field(default_factory=dict)
    states: dict[str, bytes] = field(default_factory=dict)
    units: list[unit_table.Row] = field(default_factory=list)

    @property
    def epoch(self) -> UUID | None:
        """Whose numbers its rows have."""
        with contextlib.suppress(ValueError):
            return UUID(self.meta.get("epoch", ""))
        with contextlib.suppress(ValueError):
            return UUID(self.meta.get("again", ""))
        return None

    @property
    def acked_seq(self) -> int:
        """Up to where central had it; 0, and central sorts out the rest, when nobody knows."""
        with contextlib.suppress(ValueError):
            return int(self.meta.get("acked", "0"))
        return 0


def _look(old: Path) -> _Found:
    found = _Found()
    for rowid, values in sqlite_pages.rows(old):
        match values:
            case (str(key), str(value)):
                found.meta[key] = value
            case (str(scanner), bytes(state)):
                found.states[scanner] = state
            case (None, str(name), str(step)):
                found.units.append((rowid, name, step))
            case ("view", "again", _, _, str(sql)):
                found.meta["again"] = sql.split("'")[1] if "'" in sql else ""
    return found


def _carry_over(old: Path, target: OutboxFile, why: Why, booked_seq: int) -> int:
    found = _look(old)
    epoch = found.epoch
    if epoch is None:
        # Without the epoch central cannot tell which of them it has booked already.
        log.critical("nothing can be carried over from %s: its epoch cannot be read", old)
        return 0
    # The n-th number in here is that of the scan which now has number n.
    carried = array("q")
    waiting: list[Record] = []
    for event in _scans(old, max(found.acked_seq, booked_seq)):
        # Central may have booked it under its old number, with the answer still on its way. But
        # what an older copy numbered again is something else than what central has booked.
        origin = event.salvaged_from
        if origin is None and why != "superseded":
            origin = Origin(epoch=epoch, seq=event.seq)
        moved = _renumber(event, origin, carried)
        carried.append(event.seq)
        waiting.append(Record(moved, event.scanner, None))
        if len(waiting) == _CARRIED_AT_ONCE:
            target.write(waiting)
            waiting.clear()
    new_seq = partial(_new_seq, carried)
    for scanner, data in found.states.items():
        with contextlib.suppress(ValueError):
            state = station_state.decode(data).renumbered(new_seq)
            waiting.append(Record(None, scanner, station_state.encode(state)))
    target.write(waiting)
    target.remember(unit_table.moved(found.units, new_seq))
    target.belong_to(found.meta.get("owner", ""))
    return len(carried)


def _scans(old: Path, known_seq: int) -> Iterator[Event]:
    """Yield what can be read above `known_seq`, each number once, in order."""
    for seq, values in sqlite_pages.rows(old):
        match values:
            case (None, int(), int(), bytes(data)) if seq > known_seq:
                with contextlib.suppress(Malformed):
                    event = codec.decode(Event, data)
                    if event.seq == seq:
                        known_seq = seq
                        yield event


def _new_seq(carried: "array[int]", seq: int) -> int | None:
    at = bisect_left(carried, seq)
    return at + 1 if at < len(carried) and carried[at] == seq else None


def _renumber(event: Event, origin: Origin | None, carried: "array[int]") -> bytes:
    warnings = (*event.warnings, "salvaged")
    update: dict[str, object] = {
        "seq": len(carried) + 1,
        "recorded_late": True,
        "salvaged_from": origin,
    }
    for name in ("undo_of", "repeat_of"):
        seq = getattr(event, name)
        if seq is not None:
            update[name] = _new_seq(carried, seq)
            if update[name] is None:
                warnings = (*warnings, f"{name}_lost: it was about seq {seq} of that epoch")
    update["warnings"] = warnings
    return codec.encode(event.model_copy(update=update))
