"""Labelled units in the outbox: counted with their event, on the same disk, as durably."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from gateway import outbox_file, salvage, station_state, unit_table
from gateway.config import OutboxLimits
from gateway.outbox import Outbox
from gateway.outbox_file import Record, Write
from gateway.station_state import Last, Moment, State
from gateway.unit import Unit
from wire import codec
from wire.errors import Unavailable
from wire.events import Clock, Event

LIMITS = OutboxLimits(disk_reserve_bytes=0)
AT = datetime(2026, 1, 1, tzinfo=UTC)


@asynccontextmanager
async def running(
    folder: Path, connect: outbox_file.Connect = outbox_file.connect
) -> AsyncIterator[Outbox]:
    """Run an outbox, opened if the disk lets it, until the block ends."""
    outbox = Outbox(folder, LIMITS, connect)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(outbox.run())
        with contextlib.suppress(Unavailable):
            await outbox.probe()
        yield outbox
        task.cancel()


def texts(outbox: Outbox) -> list[str]:
    """Return what the stored scans say."""
    return [codec.decode(Event, row).raw.decode() for row in outbox.rows(0, 100, 10**9)]


def encoded(seq: int, text: str) -> bytes:
    """Return an event as it is stored."""
    stamp = Clock(boot_id="b", monotonic_us=1, synced=True)
    return codec.encode(
        Event(
            seq=seq, id=UUID(int=seq), kind="receive", event_time=AT, clock=stamp, scanner="left",
            raw=text.encode(),
        )
    )  # fmt: skip


def pallet(name: str, step: str, undo_of: int | None = None) -> Write:
    """Return the write of a labelled unit, or of an UNDO of one."""

    def write(seq: int) -> Record:
        unit = None if undo_of else (name, step)
        return Record(encoded(seq, f"{name} {step}"), "left", b"{}", unit, undo_of)

    return write


async def test_labelled_units_are_remembered_with_their_event(tmp_path: Path) -> None:
    """The newest step of each, across a restart; an UNDO forgets it."""
    async with running(tmp_path) as outbox:
        await outbox.append(pallet("P1", "receive"))
        await outbox.append(pallet("P2", "receive"))
        await outbox.append(pallet("P1", "putaway"))
    async with running(tmp_path) as outbox:
        await outbox.probe()
        known = [outbox.unit(name) for name in ("P1", "P2", "P3")]
        assert known == [Unit(3, "putaway"), Unit(2, "receive"), None]
        await outbox.append(pallet("P2", "", undo_of=2))
        await outbox.append(pallet("P9", "", undo_of=77))
        assert outbox.unit("P2") is None
        assert outbox.unit("P1") == Unit(3, "putaway")


async def test_units_are_forgotten_oldest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many pass through, the table does not grow with them."""
    monkeypatch.setattr(unit_table, "EVENTS_MAX", 20)
    async with running(tmp_path) as outbox:
        for number in range(100):
            await outbox.append(pallet(f"P{number}", "receive"))
        assert [outbox.unit(f"P{n}") is None for n in (0, 79, 80, 99)] == [True, True, False, False]
    with closing(sqlite3.connect(tmp_path / salvage.FILE_NAME)) as file:
        assert file.execute("SELECT COUNT(*) FROM unit").fetchone() == (20,)


async def test_a_unit_of_a_commit_that_was_taken_back_was_not_counted(tmp_path: Path) -> None:
    """Refused means that it can be scanned again, and what was known before is known again."""
    file = outbox_file.OutboxFile(tmp_path / salvage.FILE_NAME, LIMITS)
    file.write([pallet("P1", "receive")])
    file.write([pallet("P1", "putaway"), pallet("P2", "receive")])
    file.forget_after(1)
    file.close()
    async with running(tmp_path) as outbox:
        await outbox.probe()
        assert (outbox.unit("P1"), outbox.unit("P2")) == (Unit(1, "receive"), None)


async def test_two_scanners_never_count_one_unit_at_the_same_moment(tmp_path: Path) -> None:
    """The second waits until the first has stored it; other units do not wait."""
    async with running(tmp_path) as outbox:
        await outbox.probe()
        seen: list[Unit | None] = []

        async def count(name: str) -> None:
            async with outbox.alone_with(name):
                seen.append(outbox.unit(name))
                await outbox.append(pallet(name, "receive"))

        await asyncio.gather(*(count("P1") for _ in range(5)), count("P2"))
        assert seen.count(None) == 2
        assert not outbox._units


V1_SCHEMA = (
    "CREATE TABLE events (seq INTEGER PRIMARY KEY, total INTEGER NOT NULL,"
    " stored_ms INTEGER NOT NULL, event BLOB NOT NULL) STRICT",
    "CREATE TABLE station (scanner TEXT PRIMARY KEY, state BLOB NOT NULL) STRICT",
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
    "PRAGMA user_version = 1",
)


def of_version_1(path: Path) -> None:
    """Make the file that the program before this one left, with one scan and one station."""
    event = encoded(1, "old")
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        for statement in V1_SCHEMA:
            file.execute(statement)
        row = (len(event) + outbox_file.ROW_OVERHEAD_BYTES, event)
        file.execute("INSERT INTO events VALUES (1, ?, 1, ?)", row)
        file.execute("INSERT INTO meta VALUES ('epoch', ?), ('acked', '0')", (str(UUID(int=7)),))
        file.execute("INSERT INTO station VALUES ('left', ?)", (b'{"mode":"pick"}',))


async def test_a_file_of_the_version_before_goes_on(tmp_path: Path) -> None:
    """Same epoch, same scans, same stations; units are remembered from now on."""
    of_version_1(tmp_path / salvage.FILE_NAME)
    async with running(tmp_path) as outbox:
        assert await outbox.append(pallet("P1", "receive")) == 2
        assert outbox.extent.epoch == UUID(int=7)
        assert texts(outbox) == ["old", "P1 receive"]
        assert outbox.station("left") == b"{}"
        assert outbox.unit("P1") == Unit(2, "receive")
        assert outbox.problem is None


class FullOnce:
    """Connections to a disk that is full at the k-th statement of an upgrade."""

    def __init__(self, k: int) -> None:
        self.left = k

    def connect(self, path: Path) -> sqlite3.Connection:
        """Open a connection that fails when it is time."""
        return FailingConnection(path, self)  # type: ignore[return-value]


class FailingConnection:
    """A real connection but for the statement that fails."""

    def __init__(self, path: Path, plan: FullOnce) -> None:
        self._real, self._plan = outbox_file.connect(path), plan

    @property
    def in_transaction(self) -> bool:
        """As the real one."""
        return self._real.in_transaction

    def execute(self, sql: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        """Run it, or fail as planned."""
        if sql.startswith(("BEGIN", "CREATE", "PRAGMA user_version =", "COMMIT")):
            self._plan.left -= 1
            if self._plan.left == 0:
                raise sqlite3.OperationalError("database or disk is full")
        return self._real.execute(sql, values)

    def close(self) -> None:
        """As the real one."""
        self._real.close()


@pytest.mark.parametrize("k", range(1, 6))
async def test_an_upgrade_that_fails_is_done_again(tmp_path: Path, k: int) -> None:
    """A disk that is full in the middle of it leaves the old file as it was."""
    path = tmp_path / salvage.FILE_NAME
    of_version_1(path)
    async with running(tmp_path, FullOnce(k).connect) as outbox:
        await outbox.append(pallet("P1", "receive"))
        assert outbox.extent.epoch == UUID(int=7)
        assert texts(outbox)[0] == "old"
        assert outbox.unit("P1") is not None


async def test_units_and_stations_are_carried_over_from_a_damaged_file(tmp_path: Path) -> None:
    """A pallet that was booked before the disk broke is still a repeat, in the new numbers."""
    state = State(undoable=(3,), last=Last("d", Moment("b", 1), good=True, recorded=True, seq=2))
    async with running(tmp_path) as outbox:
        await outbox.append(pallet("P1", "receive"))
        await outbox.append(pallet("P2", "receive"))
        await outbox.append(pallet("P3", "receive"))
        await outbox.append(Record(None, "right", station_state.encode(state)))
        await outbox.append(pallet("P2", "", undo_of=2))
        outbox.acknowledge(2)
        await outbox.probe()
        outbox.supersede()
        await outbox.probe()
        known = [outbox.unit(name) for name in ("P1", "P2", "P3")]
        assert known == [Unit(None, "receive"), None, Unit(1, "receive")]
        kept = station_state.decode(outbox.station("right"))
        assert (kept.undoable, kept.last.seq, kept.last.recorded) == ((1,), None, True)
