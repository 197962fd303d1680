"""The outbox on disk: one SQLite file, used by one thread. See `gateway.outbox` for the promises.

Rows up to the acknowledged seq are the replay journal. `total` is the running sum of bytes, so that
the size of any range of rows is the difference of two rows, whatever their number; a row that was
dated anew may have a few bytes more. `stored_ms` is for people only: the wall clock may be wrong.
"""

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from gateway import unit_table
from gateway.config import OutboxLimits
from wire.errors import Unavailable

#: Version 2 added the table of labelled units.
SCHEMA_VERSION = 2
#: What a row costs besides its event: keys, page headers, its share of index pages.
ROW_OVERHEAD_BYTES = 64
#: Rows of the journal deleted with one commit: enough to keep up, too few to be felt.
EVICT_ROWS = 64
#: The journal may be this much over its bound before some of it is deleted.
_SLACK_BYTES = 32 * 1024
#: Rows looked at for a revision at a time: a scan waits some milliseconds for them.
_REVISED_ROWS = 128
#: The write-ahead log is cut back to this after a checkpoint.
_WAL_BYTES = 4 * 1024 * 1024
#: Of a new file. A commit writes whole pages: this halves what a scan costs the flash, and smaller
#: ones win nothing more, for a disk writes 4 KiB at a time (tests/bench/test_flash_wear.py).
PAGE_BYTES = 2_048
_BUSY_TIMEOUT_S = 5.0
_SCHEMA = (
    "CREATE TABLE events (seq INTEGER PRIMARY KEY, total INTEGER NOT NULL,"
    " stored_ms INTEGER NOT NULL, event BLOB NOT NULL) STRICT",
    "CREATE TABLE station (scanner TEXT PRIMARY KEY, state BLOB NOT NULL) STRICT",
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
)

#: In place: with REPLACE the row would move, and its index with it.
_PUT_STATION = (
    "INSERT INTO station VALUES (?, ?) ON CONFLICT (scanner) DO UPDATE SET state = excluded.state"
)

Connect = Callable[[Path], sqlite3.Connection]


@dataclass(frozen=True, slots=True)
class Record:
    """What one scan leaves behind: its event as JSON, the station's new state, or both.

    `unit`: name and step of the labelled unit that the event counts; `undo_of`: seq of the event
    that it takes back.
    """

    event: bytes | None
    scanner: str
    station: bytes | None
    unit: tuple[str, str] | None = None
    undo_of: int | None = None


@dataclass(frozen=True, slots=True)
class Extent:
    """Which rows a file holds: `first_seq` to `last_seq`, acknowledged up to `acked_seq`.

    Those above `opened_seq` were written by this process.
    """

    epoch: UUID
    first_seq: int
    last_seq: int
    acked_seq: int
    pending_bytes: int
    opened_seq: int = 0


#: Makes the record of a scan once its seq is known.
Write = Callable[[int], Record]
#: The last seq after a write, or why it was refused.
Outcome = int | Unavailable
#: Makes another event of one that is stored; None leaves it as it is.
Revision = Callable[[bytes], bytes | None]


def connect(path: Path) -> sqlite3.Connection:
    """Open a file the way every part of the outbox does; sqlite3.Error when that fails."""
    connection = sqlite3.connect(
        path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL")
        # FULL: a commit returns after fsync. NORMAL would lose the last scans in a power cut.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
    except sqlite3.Error:
        connection.close()  # or the disk could not be unmounted
        raise
    return connection


class OutboxFile:
    """The open file. Every method may raise sqlite3.Error; then close it and open it again."""

    def __init__(self, path: Path, limits: OutboxLimits, connect: Connect = connect) -> None:
        self.path = path
        self._limits = limits
        self._connection = connect(path)
        try:
            self._load()
            self._place = _inode(path)
        except BaseException:
            self._connection.close()
            raise

    def _load(self) -> None:
        (check,) = self._connection.execute("PRAGMA quick_check(1)").fetchone()
        if check != "ok":
            raise sqlite3.DatabaseError(f"quick_check says {check}")
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise Unavailable(
                f"{self.path} was written by a newer Docktally (schema {version}, this one knows "
                f"{SCHEMA_VERSION}); install the newer version again"
            )
        if version < SCHEMA_VERSION:
            with _Transaction(self._connection):
                if version == 0:
                    self._create()
                for statement in unit_table.SCHEMA:
                    self._execute(statement)
                self._execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        for table in ("station", "unit"):
            self._execute(f"SELECT 1 FROM {table} LIMIT 1")  # noqa: S608  constants
        self.epoch = UUID(self._meta("epoch"))
        # Once more in the schema, so that no single bad page makes the rows nobody's.
        self._execute(f"CREATE VIEW IF NOT EXISTS again AS SELECT '{self.epoch}' AS epoch")
        first = self._row("SELECT seq, total - length(event) FROM events ORDER BY seq LIMIT 1")
        last = self._row("SELECT seq, total FROM events ORDER BY seq DESC LIMIT 1")
        self.last_seq: int
        self._last_total: int
        self.last_seq, self._last_total = last or (0, 0)
        self.first_seq, base = first or (1, ROW_OVERHEAD_BYTES)
        #: The running sum just below the first row.
        self._base_total = base - ROW_OVERHEAD_BYTES
        acked_seq = int(self._meta("acked"))
        if acked_seq > self.last_seq:
            raise sqlite3.DatabaseError("acknowledged scans are missing")
        # What was evicted was acknowledged, though that may not have been stored yet.
        self.acked_seq = max(acked_seq, self.first_seq - 1)
        self._stored_ack: int | None = None
        self.opened_seq = self.last_seq
        #: Whose scans these are, as site/gateway; empty while nobody said.
        self.owner = self._meta("owner", "")

    def _create(self) -> None:
        for statement in _SCHEMA:
            self._execute(statement)
        self._execute("INSERT INTO meta VALUES ('epoch', ?), ('acked', '0')", str(uuid4()))

    def extent(self) -> Extent:
        """Return which rows there are."""
        pending_bytes = self._last_total - self._total_at(self.acked_seq)
        return Extent(
            self.epoch,
            self.first_seq,
            self.last_seq,
            self.acked_seq,
            pending_bytes,
            self.opened_seq,
        )

    @property
    def refusal(self) -> str | None:
        """Why a scan would be refused now; what a station is told is stored all the same."""
        return self._low_disk() or self._full(self._last_total, self._full_total())

    def write(self, writes: Sequence[Write | Record]) -> list[Outcome]:
        """Commit all in one transaction; return the last seq after each, or why it was refused.

        Raises sqlite3.Error when the disk fails; then none is stored.
        """
        if _inode(self.path) != self._place:
            raise sqlite3.DatabaseError(f"{self.path} was taken away or replaced while in use")
        low_disk, full_total = self._low_disk(), self._full_total()
        seq, total = self.last_seq, self._last_total
        outcomes: list[Outcome] = []
        with _Transaction(self._connection):
            for write in writes:
                if not isinstance(write, Record) or write.event is not None:
                    refusal = low_disk or self._full(total, full_total)
                    if refusal is not None:
                        outcomes.append(Unavailable(refusal))
                        continue
                record = write if isinstance(write, Record) else write(seq + 1)
                if record.event is not None:
                    seq += 1
                    total += len(record.event) + ROW_OVERHEAD_BYTES
                    self._execute(
                        "INSERT INTO events VALUES (?, ?, ?, ?)",
                        seq,
                        total,
                        _now_ms(),
                        record.event,
                    )
                if record.station is not None:
                    self._execute(_PUT_STATION, record.scanner, record.station)
                unit_table.put(self._connection, seq, record.unit, record.undo_of)
                outcomes.append(seq)
            first, base = self._evict(total)
        self.last_seq, self._last_total = seq, total
        self.first_seq, self._base_total = first, base
        return outcomes

    def remember(self, units: Iterable[unit_table.Row]) -> None:
        """Take over what another outbox knew of labelled units."""
        with _Transaction(self._connection):
            unit_table.add(self._connection, units)

    def touch(self) -> None:
        """Store the acknowledged seq, if it is news; the first time try the disk in any case."""
        if self._stored_ack != self.acked_seq:
            with _Transaction(self._connection):
                self._put("acked", str(self.acked_seq))
            self._stored_ack = self.acked_seq

    def revise(self, after: int, change: Revision) -> int:
        """Replace pending events above `after` by what `change` makes of them, a portion at a time.

        Returns the last seq looked at. No row gets another seq.
        """
        rows = self._execute(
            "SELECT seq, event FROM events WHERE seq > ? ORDER BY seq LIMIT ?",
            max(after, self.acked_seq),
            _REVISED_ROWS,
        ).fetchall()
        changed = [(new, seq) for seq, event in rows if (new := change(event)) is not None]
        if changed:
            with _Transaction(self._connection):
                for new, seq in changed:
                    self._execute("UPDATE events SET event = ? WHERE seq = ?", new, seq)
        return int(rows[-1][0]) if rows else self.last_seq

    def belong_to(self, owner: str) -> None:
        """Store whose scans these are."""
        if owner and owner != self.owner:
            self._put("owner", owner)
            self.owner = owner

    def forget_after(self, seq: int) -> None:
        """Delete rows above `seq`: of a commit that was refused but reached the disk after all."""
        if self.last_seq > seq:
            self._execute("DELETE FROM events WHERE seq > ?", seq)
            unit_table.forget_after(self._connection, seq)
            self._last_total = self._total_at(seq)
            self.last_seq = seq

    def close(self) -> None:
        """Close the file; what is committed stays."""
        self._connection.close()

    def _put(self, key: str, value: str) -> None:
        self._execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", key, value)

    def _low_disk(self) -> str | None:
        free = shutil.disk_usage(self.path.parent).free
        if free >= self._limits.disk_reserve_bytes:
            return None
        return (
            f"the disk of {self.path.parent} has less than the reserve of "
            f"{self._limits.disk_reserve_bytes:,} bytes left; free some space"
        )

    def _full_total(self) -> int:
        return self._total_at(self.acked_seq) + self._limits.max_bytes

    def _full(self, total: int, full_total: int) -> str | None:
        if total < full_total:
            return None
        return (
            f"the outbox is full: {self._limits.max_bytes:,} bytes of scans wait for central; "
            "bring central back or raise outbox.max_bytes"
        )

    def _evict(self, total: int) -> tuple[int, int]:
        """Delete the oldest journal rows above the bounds; return the new first seq and base.

        In small steps, so that no scan waits for a big delete. The newest row always stays: it
        carries the numbering on.
        """
        journal = self._total_at(self.acked_seq) - self._base_total
        excess = max(
            journal - self._limits.journal_bytes,
            total - self._base_total - self._limits.max_bytes,
        )
        newest = min(self.acked_seq, self.last_seq - 1, self.first_seq + EVICT_ROWS - 1)
        # Not one by one: each time a page at the old end is written, too.
        slack = min(_SLACK_BYTES, self._limits.journal_bytes // 8)
        if excess <= slack or newest < self.first_seq:
            return self.first_seq, self._base_total
        seq, base = self._one(
            "SELECT seq, total FROM events WHERE seq = ?1 OR (seq < ?1 AND total >= ?2) "
            "ORDER BY seq LIMIT 1",
            newest,
            self._base_total + excess,
        )
        self._execute("DELETE FROM events WHERE seq <= ?", seq)
        return seq + 1, base

    def _meta(self, key: str, default: str | None = None) -> str:
        row = self._row("SELECT value FROM meta WHERE key = ?", key)
        if row is None and default is None:
            raise sqlite3.DatabaseError(f"{self.path} does not say its {key}")
        return str(row[0]) if row else default or ""

    def _total_at(self, seq: int) -> int:
        if seq >= self.last_seq:
            return self._last_total
        row = self._row("SELECT total FROM events WHERE seq = ?", seq)
        return int(row[0]) if row else self._base_total

    def _execute(self, sql: str, *values: object) -> sqlite3.Cursor:
        return self._connection.execute(sql, values)

    def _row(self, sql: str, *values: object) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._execute(sql, *values).fetchone()
        return row

    def _one(self, sql: str, *values: object) -> tuple[Any, ...]:
        row = self._row(sql, *values)
        if row is None:
            raise sqlite3.DatabaseError(f"{self.path} lacks a row that it must have")
        return row


class _Transaction:
    """BEGIN IMMEDIATE ... COMMIT, rolled back when anything goes wrong."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if error is None:
                self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def _inode(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
