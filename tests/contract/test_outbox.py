"""gateway.outbox on real files: what `append` promised is there, whatever fails and whenever."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from gateway import outbox_file, salvage
from gateway.config import OutboxLimits
from gateway.outbox import InUse, Outbox, locked
from gateway.outbox_file import Record, Write
from wire import codec
from wire.errors import Unavailable
from wire.events import Clock, Event

LIMITS = OutboxLimits(disk_reserve_bytes=0)
FULL = "database or disk is full"


def scan(text: str, scanner: str = "left", size: int = 0) -> Write:
    """Return the write of a scan."""

    def write(seq: int) -> Record:
        event = Event(
            seq=seq,
            id=UUID(int=seq),
            kind="receive",
            event_time=datetime(2026, 1, 1, tzinfo=UTC),
            clock=Clock(boot_id="b", monotonic_us=1, synced=True),
            scanner=scanner,
            raw=text.encode() + b"." * size,
        )
        return Record(codec.encode(event), scanner, b"{}")

    return write


@asynccontextmanager
async def running(
    folder: Path, limits: OutboxLimits = LIMITS, connect: outbox_file.Connect = outbox_file.connect
) -> AsyncIterator[Outbox]:
    """Run an outbox until the block ends."""
    outbox = Outbox(folder, limits, connect)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(outbox.run())
        yield outbox
        task.cancel()


def texts(outbox: Outbox, after: int = 0) -> list[str]:
    """Return what the stored scans say, checking that their numbers follow each other."""
    events = [codec.decode(Event, row) for row in outbox.rows(after, 10_000, 10**9)]
    assert [event.seq for event in events] == list(range(after + 1, after + 1 + len(events)))
    return [event.raw.rstrip(b".").decode() for event in events]


async def one_by_one(outbox: Outbox, writes: Sequence[Write]) -> None:
    """Append each after the other."""
    for write in writes:
        await outbox.append(write)


class Failing:
    """A connection whose operations fail at the k-th, and from then on while `broken`."""

    def __init__(self, path: Path, plan: "Plan") -> None:
        self._real = outbox_file.connect(path)
        self._plan = plan

    @property
    def in_transaction(self) -> bool:
        """As the real one."""
        return self._real.in_transaction

    def execute(self, sql: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        """Run it, or fail as planned."""
        self._plan.before(sql)
        return self._real.execute(sql, values)

    def close(self) -> None:
        """As the real one."""
        self._real.close()


class Plan:
    """Which operation fails and how."""

    def __init__(self, at: int, error: sqlite3.Error, only: str = "") -> None:
        self.at, self.error, self.only, self.count, self.hits = at, error, only, 0, 0

    def before(self, sql: str) -> None:
        """Count an operation; fail when it is the one."""
        if sql.startswith(self.only):
            self.count += 1
            if self.count == self.at:
                self.hits += 1
                raise self.error

    def connect(self, path: Path) -> sqlite3.Connection:
        """Open a connection that follows the plan."""
        return Failing(path, self)  # type: ignore[return-value]


async def test_appends_are_numbered_without_holes_and_survive(tmp_path: Path) -> None:
    """Many callers at once share commits; each gets its own seq, and all is there afterwards."""
    async with running(tmp_path) as outbox:
        seqs = await asyncio.gather(*(outbox.append(scan(f"{n}")) for n in range(300)))
        assert sorted(seqs) == list(range(1, 301))
        epoch = outbox.extent.epoch
    async with running(tmp_path) as outbox:
        await outbox.probe()
        assert outbox.extent.epoch == epoch
        assert texts(outbox) == [str(n) for n in range(300)]
        assert await outbox.append(scan("next")) == 301


@pytest.mark.parametrize("k", range(1, 40))
@pytest.mark.parametrize(
    "error",
    [sqlite3.OperationalError(FULL), sqlite3.OperationalError("disk I/O error")],
    ids=["full", "eio"],
)
async def test_a_failure_at_any_operation_loses_and_invents_nothing(
    tmp_path: Path, k: int, error: sqlite3.Error
) -> None:
    """Whichever operation fails: accepted scans are kept in order, refused ones are not there."""
    plan = Plan(k, error)
    accepted: list[str] = []
    refusals: list[str] = []
    problems: list[str | None] = []
    async with running(tmp_path, connect=plan.connect) as outbox:
        for number in range(8):
            try:
                await outbox.append(scan(f"{number}"))
                accepted.append(f"{number}")
            except Unavailable as refusal:
                refusals.append(str(refusal))
                problems.append(outbox.problem)
        assert plan.hits == len(refusals) == 1
        assert len(accepted) == 7
        assert str(error) in refusals[0]
        assert problems == refusals
        assert outbox.problem is None
        assert texts(outbox) == accepted
    async with running(tmp_path) as outbox:
        await outbox.probe()
        assert texts(outbox) == accepted


async def test_a_commit_that_failed_but_reached_the_disk_is_taken_back(tmp_path: Path) -> None:
    """A scan that was refused must not be counted, even if the disk had it after all."""

    class Treacherous(Failing):
        def execute(self, sql: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
            if sql == "COMMIT":
                self._plan.count += 1
                if self._plan.count == self._plan.at:
                    self._real.execute(sql)
                    raise self._plan.error
            return self._real.execute(sql, values)

    plan = Plan(3, sqlite3.OperationalError("disk I/O error"))
    async with running(
        tmp_path,
        connect=lambda path: Treacherous(path, plan),  # type: ignore[arg-type,return-value]
    ) as outbox:
        await outbox.append(scan("a"))  # the second commit: the first made the tables
        with pytest.raises(Unavailable):
            await outbox.append(scan("refused"))
        await outbox.append(scan("b"))
        assert texts(outbox) == ["a", "b"]


async def test_only_acknowledged_rows_make_room(tmp_path: Path) -> None:
    """Rows central has not got are never evicted; the journal goes, oldest first, when it must."""
    limits = OutboxLimits(disk_reserve_bytes=0, max_bytes=64 * 1024, journal_bytes=16 * 1024)
    async with running(tmp_path, limits) as outbox:
        fill = [scan(f"{number}", size=1_000) for number in range(100)]
        with pytest.raises(Unavailable, match="the outbox is full"):
            await one_by_one(outbox, fill)
        stored = outbox.extent.last_seq
        assert texts(outbox) == [str(n) for n in range(stored)]
        outbox.acknowledge(stored - 2)
        for number in range(5):
            await outbox.append(scan(f"more-{number}", size=1_000))
        first = outbox.extent.first_seq
        assert 1 < first <= stored - 1
        assert texts(outbox, first - 1)[-7:-5] == [str(stored - 2), str(stored - 1)]


async def test_the_journal_stays_within_its_bound(tmp_path: Path) -> None:
    """However many scans pass through, the file does not grow with them."""
    limits = OutboxLimits(disk_reserve_bytes=0, journal_bytes=20_000)
    async with running(tmp_path, limits) as outbox:
        for number in range(500):
            outbox_seq = await outbox.append(scan(f"{number}"))
            outbox.acknowledge(outbox_seq)
        rows = outbox.extent.last_seq - outbox.extent.first_seq + 1
        assert 10 < rows < 100
    assert (tmp_path / salvage.FILE_NAME).stat().st_size < 100_000


async def test_the_acknowledged_seq_is_remembered(tmp_path: Path) -> None:
    """After a restart only what central lacks is pending; a lower word brings the journal back."""
    async with running(tmp_path) as outbox:
        for number in range(10):
            await outbox.append(scan(f"{number}"))
        outbox.acknowledge(7)
        await outbox.probe()
    async with running(tmp_path) as outbox:
        await outbox.probe()
        assert (outbox.acked_seq, outbox.state().pending) == (7, 3)
        outbox.acknowledge(2)
        assert outbox.state().pending == 8


async def test_the_reserve_of_the_disk_is_respected(tmp_path: Path) -> None:
    """With less space left than the reserve, scans are refused with a sentence that says so."""
    async with running(tmp_path, OutboxLimits(disk_reserve_bytes=2**60)) as outbox:
        with pytest.raises(Unavailable, match="free some space"):
            await outbox.append(scan("a"))
        assert outbox.state().capacity_left == 0
        assert "free some space" in outbox.state().problem


async def test_station_states_are_kept_with_the_scan(tmp_path: Path) -> None:
    """A label alone, or a scan with its state: the newest state of each scanner is found again."""
    async with running(tmp_path) as outbox:
        await outbox.append(Record(None, "left", b"told"))
        await outbox.append(scan("x", "right"))
        assert outbox.extent.last_seq == 1
    async with running(tmp_path) as outbox:
        await outbox.probe()
        states = [outbox.station(name) for name in ("left", "right", "other")]
        assert states == [b"told", b"{}", None]


async def test_a_file_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    """An older gateway refuses to touch what it does not understand, and says what to do."""
    path = tmp_path / salvage.FILE_NAME
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    async with running(tmp_path) as outbox:
        with pytest.raises(Unavailable, match="install the newer version"):
            await outbox.append(scan("a"))
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (99,)
    connection.close()


@pytest.mark.parametrize("damage", ["zeroed", "noise", "no tables", "no meta"])
async def test_a_ruined_file_is_set_aside_and_work_goes_on(tmp_path: Path, damage: str) -> None:
    """A file that is no outbox any more is kept under another name; a new epoch begins."""
    async with running(tmp_path) as outbox:
        for number in range(50):
            await outbox.append(scan(f"{number}"))
        epoch = outbox.extent.epoch
    path = tmp_path / salvage.FILE_NAME
    if damage in ("zeroed", "noise"):
        with path.open("r+b") as file:
            file.write((b"\0" if damage == "zeroed" else b"\xa5") * 4096)
    else:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("DROP TABLE meta" if damage == "no tables" else "DELETE FROM meta")
        connection.close()
    async with running(tmp_path) as outbox:
        assert await outbox.append(scan("after")) == 1
        assert outbox.extent.epoch != epoch
        assert "was damaged" in outbox.problem
    assert salvage.alarm(tmp_path) is not None


async def test_rows_around_a_torn_page_are_carried_over_in_order(tmp_path: Path) -> None:
    """What is readable on both sides of the damage keeps its order and gets new numbers."""
    async with running(tmp_path) as outbox:
        for number in range(400):
            await outbox.append(scan(f"{number:03d}"))
        outbox.acknowledge(100)
        await outbox.probe()
    path = tmp_path / salvage.FILE_NAME
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2 // 4096 * 4096)
        file.write(b"\xa5" * 4096)
    async with running(tmp_path) as outbox:
        await outbox.probe()
        got = texts(outbox)
        assert got == sorted(got)
        assert 250 < len(got) < 300
        assert (got[0], got[-1]) == ("100", "399")
        assert outbox.acked_seq == 0
        first = codec.decode(Event, outbox.rows(0, 1, 1)[0])
        assert first.recorded_late
        assert first.warnings[0] == "salvaged"
        assert first.salvaged_from is not None
        assert first.salvaged_from.seq == 101


async def test_a_power_cut_between_the_two_renames_is_finished_later(tmp_path: Path) -> None:
    """The successor of a damaged file that was moved away takes its place at the next start."""
    async with running(tmp_path) as outbox:
        await outbox.append(scan("carried"))
    (tmp_path / salvage.FILE_NAME).rename(tmp_path / f"{salvage.FILE_NAME}.new")
    async with running(tmp_path) as outbox:
        await outbox.probe()
        assert texts(outbox) == ["carried"]


async def test_an_older_copy_of_the_file_goes_on_in_a_new_epoch(tmp_path: Path) -> None:
    """When central has more than the file, only new scans go on, under new numbers."""
    async with running(tmp_path) as outbox:
        for number in range(5):
            await outbox.append(scan(f"old-{number}"))
    async with running(tmp_path) as outbox:
        await outbox.append(scan("new-0"))
        await outbox.append(scan("new-1"))
        epoch = outbox.extent.epoch
        outbox.supersede()
        outbox.supersede()
        await outbox.append(scan("new-2"))
        assert outbox.extent.epoch != epoch
        assert texts(outbox) == ["new-0", "new-1", "new-2"]
        assert outbox.state().pending == 3
        assert "older copy" in outbox.problem


async def test_damage_found_while_reading_is_dealt_with(tmp_path: Path) -> None:
    """A page that goes bad under a running gateway is noticed by the drain and set aside."""
    async with running(tmp_path) as outbox:
        for number in range(400):
            await outbox.append(scan(f"{number:03d}"))
    async with running(tmp_path) as outbox:
        await outbox.probe()
        epoch = outbox.extent.epoch
        path = tmp_path / salvage.FILE_NAME
        with path.open("r+b") as file:
            for page in range(path.stat().st_size // 2 // 4096, path.stat().st_size // 4096):
                file.seek(page * 4096)
                file.write(b"\xa5" * 4096)
        with pytest.raises(Unavailable, match="cannot be read"):
            texts(outbox)
        async with asyncio.timeout(20):
            while outbox.extent.epoch == epoch:
                await outbox.probe()
        assert texts(outbox)[:1] == ["000"]
        assert "was damaged" in outbox.problem


def test_a_folder_has_one_writer(tmp_path: Path) -> None:
    """A second gateway is turned away with a sentence; when the first is gone, it may."""
    with (
        locked(tmp_path),
        pytest.raises(InUse, match="another gateway is running"),
        locked(tmp_path),
    ):
        pass
    with locked(tmp_path):
        pass


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """A file where the folder should be gives a sentence, not a traceback."""
    (tmp_path / "file").touch()
    with pytest.raises(InUse, match="cannot be used"), locked(tmp_path / "file" / "data"):
        pass


async def test_rows_come_in_bounded_portions(tmp_path: Path) -> None:
    """A portion keeps both bounds, but never stays empty because one event is large."""
    async with running(tmp_path) as outbox:
        await outbox.append(scan("large", size=50_000))
        for number in range(9):
            await outbox.append(scan(f"{number}", size=1_000))
        assert len(outbox.rows(0, 100, 1_000)) == 1
        assert len(outbox.rows(1, 4, 10**6)) == 4
        assert len(outbox.rows(1, 100, 5_000)) == 3
        assert outbox.rows(10, 100, 5_000) == []
