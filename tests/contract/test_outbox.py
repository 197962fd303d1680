"""gateway.outbox on real files: what `append` promised is there, whatever fails and whenever."""

import asyncio
import json
import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from central.intake import arrival
from clocks import NOON_US, SECOND_US, Machine
from gateway import outbox_file, salvage
from gateway.clock import DockClock
from gateway.config import OutboxLimits
from gateway.outbox_file import Record
from gateway.outbox_lock import InUse, locked
from outboxes import events, running, scan, texts
from wire import codec
from wire.errors import Unavailable
from wire.topics import Address

FULL = "database or disk is full"


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


async def test_an_evicted_scan_was_acknowledged_even_if_that_was_not_stored(tmp_path: Path) -> None:
    """Acknowledgements are stored rarely; after a power cut nothing of the journal is missed."""
    limits = OutboxLimits(disk_reserve_bytes=0, journal_bytes=2_000)
    async with running(tmp_path / "life", limits) as outbox:
        await outbox.probe()
        for number in range(60):
            outbox.acknowledge(await outbox.append(scan(f"{number}")))
        first = outbox.extent.first_seq
        assert first > 20
        shutil.copytree(tmp_path / "life", tmp_path / "dead")
    async with running(tmp_path / "dead", limits) as outbox:
        await outbox.probe()
        assert outbox.acked_seq == first - 1
        assert outbox.state().pending == 60 - outbox.acked_seq


async def test_scans_are_never_filed_under_another_name(tmp_path: Path) -> None:
    """Central books by name and epoch: what waits under the old name keeps the new one out."""
    async with running(tmp_path, owner="hall/old") as outbox:
        for number in range(3):
            await outbox.append(scan(f"{number}"))
        outbox.acknowledge(1)
        epoch = outbox.extent.epoch
    async with running(tmp_path, owner="hall/new") as outbox:
        with pytest.raises(Unavailable, match="2 scans of the gateway hall/old"):
            await outbox.append(scan("refused"))
        assert outbox.extent is None
        assert "give it its old name" in outbox.problem
    async with running(tmp_path, owner="hall/old") as outbox:
        await outbox.append(Record(None, "right", b'{"mode":"putaway"}'))
        assert (outbox.extent.epoch, texts(outbox, 1)) == (epoch, ["1", "2"])
        outbox.acknowledge(3)
    async with running(tmp_path, owner="hall/new") as outbox:
        assert await outbox.append(scan("new")) == 1
        assert outbox.extent.epoch != epoch
        assert b'"mode":"putaway"' in outbox.station("right")
        assert outbox.problem is None
    assert (tmp_path / "outbox.db.renamed-1").exists()


async def test_a_file_of_the_first_version_goes_on(tmp_path: Path) -> None:
    """An upgrade keeps the epoch, the scans, what stations were told, and learns the name."""
    path = tmp_path / salvage.FILE_NAME
    old = sqlite3.connect(path, isolation_level=None)
    old.executescript(
        "PRAGMA journal_mode = WAL;"
        "CREATE TABLE events (seq INTEGER PRIMARY KEY, total INTEGER NOT NULL,"
        " stored_ms INTEGER NOT NULL, event BLOB NOT NULL) STRICT;"
        "CREATE TABLE station (scanner TEXT PRIMARY KEY, state BLOB NOT NULL) STRICT;"
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;"
        "INSERT INTO meta VALUES ('epoch', '5d4a0d2e-0000-4000-8000-000000000001');"
        "INSERT INTO meta VALUES ('acked', '1');"
        "INSERT INTO station VALUES ('left', x'7b7d'); PRAGMA user_version = 1"
    )
    total = 0
    for seq, text in enumerate(("a", "b"), 1):
        event = scan(text)(seq).event
        total += len(event) + outbox_file.ROW_OVERHEAD_BYTES
        old.execute("INSERT INTO events VALUES (?, ?, 0, ?)", (seq, total, event))
    old.close()
    async with running(tmp_path, owner="hall/dock") as outbox:
        assert await outbox.append(scan("c")) == 3
        assert str(outbox.extent.epoch) == "5d4a0d2e-0000-4000-8000-000000000001"
        assert (texts(outbox), outbox.acked_seq) == (["a", "b", "c"], 1)
        assert outbox.station("left") == b"{}"
    async with running(tmp_path, owner="hall/other") as outbox:
        with pytest.raises(Unavailable, match="hall/dock"):
            await outbox.probe()


async def test_pending_scans_are_dated_anew_between_other_scans(tmp_path: Path) -> None:
    """Only what central lacks is revised, in portions; numbers, ids and bytes stay."""
    machine = Machine()
    dock = DockClock(machine.read, "this-boot")
    async with running(tmp_path, clock=dock) as outbox:
        for number in range(500):
            machine.wait(SECOND_US)
            await outbox.append(scan(f"{number}", clock=dock))
        outbox.acknowledge(100)
        before = events(outbox)
        machine.step(NOON_US, synced=True)
        assert dock.look()
        revising = asyncio.ensure_future(outbox.revise(dock.redate))
        seqs = [await outbox.append(scan(f"late-{n}", clock=dock)) for n in range(5)]
        assert not revising.done() or seqs[0] == 501
        await revising
        after = events(outbox)
        assert after[:100] == before[:100]
        for one, two in zip(before[100:], after[100:500], strict=True):
            assert two.event_time - one.event_time == timedelta(microseconds=NOON_US)
            assert two.clock.corrected
            same = {"event_time": one.event_time, "clock": one.clock}
            assert two.model_copy(update=same) == one
        assert [event.clock.synced for event in after[500:]] == [True] * 5
        assert outbox.state().oldest_age_s == 399


async def test_a_revision_that_the_disk_interrupts_can_be_repeated(tmp_path: Path) -> None:
    """Half of the events may have their new time; the second attempt gives it to the others."""
    machine = Machine()
    dock = DockClock(machine.read, "this-boot")
    plan = Plan(150, sqlite3.OperationalError("disk I/O error"), only="UPDATE events")
    async with running(tmp_path, connect=plan.connect) as outbox:
        await asyncio.gather(*(outbox.append(scan(f"{n}", clock=dock)) for n in range(300)))
        machine.step(NOON_US, synced=True)
        assert dock.look()
        with pytest.raises(Unavailable, match="disk I/O error"):
            await outbox.revise(dock.redate)
        assert 0 < sum(event.clock.corrected for event in events(outbox)) < 300
        await outbox.revise(dock.redate)
        assert all(event.clock.corrected for event in events(outbox))
        assert texts(outbox) == [str(n) for n in range(300)]


async def test_bytes_that_went_bad_stop_nobody(tmp_path: Path) -> None:
    """A bit that fell in a whole page: central gets JSON that is no event, and the next scans."""
    async with running(tmp_path) as outbox:
        for text in ("a", "b", "c"):
            await outbox.append(scan(text))
    connection = sqlite3.connect(tmp_path / salvage.FILE_NAME, isolation_level=None)
    connection.execute("UPDATE events SET event = CAST('{\"seq\":2,' AS BLOB) WHERE seq = 2")
    connection.close()
    async with running(tmp_path) as outbox:
        await outbox.probe()
        rows = outbox.rows(0, 10, 10_000)
        assert json.loads(rows[1]) == {"seq": 2, "damaged": "eyJzZXEiOjIs"}
        payload = codec.join_batch("gate", outbox.extent.epoch, UUID(int=1), 1, rows)
        arrived = arrival(Address("events", "main", "gate"), payload)
        assert [event.seq for event in arrived.events] == [1, 3]
        assert [seq for seq, _, _ in arrived.broken] == [2]


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


def test_a_folder_has_one_writer_whatever_it_is_called(tmp_path: Path) -> None:
    """A link to the folder, or another way to it, is the same folder."""
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    for way in (link, tmp_path / "link" / ".." / "real"):
        with locked(real), pytest.raises(InUse, match="another gateway"), locked(way):
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
