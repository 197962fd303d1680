"""An outbox file that was damaged: readable scans go on, and nobody is lied to.

What is readable is found by looking for the bytes of each scan in the file, without our reader.
"""

import asyncio
import base64
import os
import random
import shutil
import sqlite3
import tempfile
from pathlib import Path
from uuid import UUID

import pytest

from gateway import salvage
from gateway.outbox_file import PAGE_BYTES
from outboxes import events, filled, running, scan, texts
from wire.errors import Unavailable
from wire.events import Origin

COUNT = 300


def names(count: int = COUNT, first: int = 0) -> list[str]:
    """Return what `filled` scans."""
    return [f"{number:03d}" for number in range(first, count)]


def pages_of(path: Path, mark: bytes) -> set[int]:
    """Return the pages that hold these bytes, the first being 1."""
    data, found, at = path.read_bytes(), set(), -1
    while (at := data.find(mark, at + 1)) >= 0:
        found.add(at // PAGE_BYTES + 1)
    return found


def page_of_scan(path: Path, text: str) -> int:
    """Return the one page that holds a scan."""
    (page,) = pages_of(path, b'"raw":"' + base64.b64encode(text.encode()) + b'"')
    return page


def ruin(path: Path, pages: set[int], noise: bytes) -> None:
    """Overwrite whole pages."""
    with path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * PAGE_BYTES)
            file.write(noise * (PAGE_BYTES // len(noise)))


async def crash(folder: Path, count: int) -> tuple[Path, UUID]:
    """Return a copy of an outbox with `count` scans as a power cut leaves it, and its epoch."""
    async with running(folder / "life") as outbox:
        for text in names(count):
            await outbox.append(scan(text))
        shutil.copytree(folder / "life", folder / "dead")
        return folder / "dead", outbox.extent.epoch


def sql(path: Path, statement: str) -> None:
    """Run a statement on a file that nobody uses."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(statement)
    connection.close()


@pytest.mark.parametrize("noise", [b"\0", b"\xa5", b"\x0d"], ids=["zeros", "noise", "leaves"])
@pytest.mark.parametrize("seed", range(12))
async def test_scans_on_whole_pages_are_carried_over(
    tmp_path: Path, seed: int, noise: bytes
) -> None:
    """Whichever pages are ruined, the first included: all scans on the others go on, in order."""
    epoch = await filled(tmp_path, COUNT)
    path = tmp_path / salvage.FILE_NAME
    rng = random.Random(seed)
    last = path.stat().st_size // PAGE_BYTES
    bad = set(rng.sample(range(1, last + 1), rng.choice([1, 2, 5, last // 3])))
    if seed % 2:
        bad |= {1, 2}  # what tells where everything is
    said_where = pages_of(path, str(epoch).encode())
    if said_where <= bad:
        bad -= {max(said_where)}
    whole = [text for text in names() if page_of_scan(path, text) not in bad]
    ruin(path, bad, noise)
    async with running(tmp_path) as outbox:
        await outbox.append(scan("after"))
        assert texts(outbox) == [*whole, "after"]
        assert outbox.extent.epoch != epoch
        assert "was damaged" in outbox.problem
        origins = [event.salvaged_from for event in events(outbox)[:-1]]
        assert origins == [Origin(epoch=epoch, seq=int(text) + 1) for text in whole]
        assert all(event.recorded_late for event in events(outbox)[:-1])


@pytest.mark.parametrize("size", [100, PAGE_BYTES, 3 * PAGE_BYTES, 40_000, 61_234])
async def test_scans_before_the_cut_of_a_file_are_carried_over(tmp_path: Path, size: int) -> None:
    """A file that lost its end keeps what is before it."""
    await filled(tmp_path, COUNT)
    path = tmp_path / salvage.FILE_NAME
    pages = size // PAGE_BYTES
    whole = [text for text in names() if page_of_scan(path, text) <= pages]
    os.truncate(path, size)
    async with running(tmp_path) as outbox:
        await outbox.append(scan("after"))
        assert texts(outbox) == [*whole, "after"]
        assert "was damaged" in outbox.problem


async def test_an_empty_file_is_damage(tmp_path: Path) -> None:
    """A file that lost all it had is not taken for a new one."""
    await filled(tmp_path, 10)
    os.truncate(tmp_path / salvage.FILE_NAME, 0)
    async with running(tmp_path) as outbox:
        assert await outbox.append(scan("after")) == 1
        assert "was damaged" in outbox.problem


@pytest.mark.parametrize("lost", ["removed", "emptied"])
async def test_scans_that_only_the_log_has_are_carried_over(tmp_path: Path, lost: str) -> None:
    """The file is gone, its write-ahead log is not: SQLite would throw that away."""
    folder, _ = await crash(tmp_path, 50)
    path = folder / salvage.FILE_NAME
    path.unlink()
    if lost == "emptied":
        path.touch()
    async with running(folder) as outbox:
        await outbox.append(scan("after"))
        assert texts(outbox) == [*names(50), "after"]
        assert "was damaged" in outbox.problem


async def test_a_power_cut_in_the_middle_of_a_commit_is_no_damage(tmp_path: Path) -> None:
    """A torn end of the log was never promised to anybody: the epoch goes on, without alarm."""
    folder, epoch = await crash(tmp_path, 50)
    log = folder / f"{salvage.FILE_NAME}-wal"
    size = log.stat().st_size
    with log.open("r+b") as file:
        file.seek(size - 100)
        file.write(os.urandom(100))
    async with running(folder) as outbox:
        await outbox.probe()
        assert texts(outbox) == names(49)
        assert (outbox.extent.epoch, outbox.problem) == (epoch, None)


@pytest.mark.parametrize("at", [0, 20, 0.3, 0.6])
async def test_a_log_damaged_in_the_middle_never_gives_numbers_twice(
    tmp_path: Path, at: float
) -> None:
    """SQLite passes over it in silence; the lost numbers may be booked, so a new epoch begins."""
    folder, epoch = await crash(tmp_path, 50)
    log = folder / f"{salvage.FILE_NAME}-wal"
    size = log.stat().st_size
    with log.open("r+b") as file:
        file.seek(int(at if at >= 1 else at * size))
        file.write(os.urandom(64))
    async with running(folder) as outbox:
        await outbox.append(scan("after"))
        assert outbox.extent.epoch != epoch
        assert "was damaged" in outbox.problem
        *before, after = texts(outbox)
        assert (before, after) == (names(len(before)), "after")
        assert len(before) >= 10 or at in (0, 20)  # without its header nothing in it is whole
    assert list(folder.glob("outbox.db.corrupt-1-wal")), "the damaged log is kept"


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE meta",
        "DELETE FROM meta",
        "UPDATE meta SET value = 'garbage'",
        "UPDATE meta SET value = '12345' WHERE key = 'acked'",
        "DROP TABLE station",
        "DROP VIEW again; UPDATE meta SET value = 'x' WHERE key = 'acked'",
    ],
)
async def test_what_the_file_says_about_itself_may_be_lost(tmp_path: Path, statement: str) -> None:
    """Without the acknowledged seq everything is sent again: central knows what it has booked."""
    await filled(tmp_path, 50, acked=20)
    for each in statement.split(";"):
        sql(tmp_path / salvage.FILE_NAME, each)
    async with running(tmp_path) as outbox:
        await outbox.append(scan("after"))
        first = 20 if "station" in statement else 0
        if "12345" in statement:
            first = 50
        assert texts(outbox) == [*names(50, first), "after"]
        assert "was damaged" in outbox.problem


async def test_without_any_epoch_nothing_is_booked_twice(tmp_path: Path) -> None:
    """Scans that nobody can attribute stay in the file that is kept for a person."""
    await filled(tmp_path, 50)
    path = tmp_path / salvage.FILE_NAME
    sql(path, "DROP VIEW again")
    sql(path, "DELETE FROM meta")
    async with running(tmp_path) as outbox:
        assert await outbox.append(scan("after")) == 1
    assert pages_of(tmp_path / "outbox.db.corrupt-1", b'"raw":"MDQ5"')


async def test_what_stations_were_told_is_carried_over(tmp_path: Path) -> None:
    """A new epoch must not silently turn PUTAWAY into RECEIVE."""
    async with running(tmp_path) as outbox:
        await outbox.append(scan("x", "left"))
        told = b'{"mode":"putaway","undoable":[1,7]}'
        await outbox.append(outbox_record("left", told))
    ruin(tmp_path / salvage.FILE_NAME, {1}, b"\xa5")
    async with running(tmp_path) as outbox:
        await outbox.probe()
        kept = outbox.station("left")
        assert kept is not None
        assert b'"mode":"putaway"' in kept
        assert b'"undoable":[1]' in kept


async def test_a_power_cut_between_the_renames_is_finished_later(tmp_path: Path) -> None:
    """The successor of a file that was moved away takes its place; the old log is not its own."""
    folder, _ = await crash(tmp_path, 20)
    path = folder / salvage.FILE_NAME
    path.rename(folder / f"{salvage.FILE_NAME}.corrupt-1")
    await filled(tmp_path / "other", 5)
    (tmp_path / "other" / salvage.FILE_NAME).rename(folder / f"{salvage.FILE_NAME}.new")
    async with running(folder) as outbox:
        await outbox.probe()
        assert texts(outbox) == names(5)
    assert (folder / f"{salvage.FILE_NAME}.corrupt-1-wal").exists()


async def test_damage_found_while_reading_is_dealt_with(tmp_path: Path) -> None:
    """Pages that go bad under a running gateway are noticed by the drain and set aside."""
    await filled(tmp_path, COUNT)
    path = tmp_path / salvage.FILE_NAME
    async with running(tmp_path) as outbox:
        await outbox.probe()
        epoch = outbox.extent.epoch
        last = path.stat().st_size // PAGE_BYTES
        ruin(path, set(range(last // 2, last + 1)), b"\xa5")
        with pytest.raises(Unavailable, match="cannot be read"):
            texts(outbox)
        async with asyncio.timeout(20):
            while outbox.extent.epoch == epoch:
                await outbox.probe()
        assert texts(outbox)[:1] == ["000"]
        assert "was damaged" in outbox.problem


async def test_an_older_copy_of_the_file_goes_on_in_a_new_epoch(tmp_path: Path) -> None:
    """When central has more than the file, only new scans go on, as scans of their own."""
    await filled(tmp_path, 5)
    async with running(tmp_path) as outbox:
        await outbox.append(scan("new-0"))
        await outbox.append(scan("new-1"))
        epoch = outbox.extent.epoch
        outbox.supersede()
        outbox.supersede()
        await outbox.append(scan("new-2"))
        assert outbox.extent.epoch != epoch
        assert texts(outbox) == ["new-0", "new-1", "new-2"]
        # Central has booked something else under these numbers, so they must not be named.
        assert [event.salvaged_from for event in events(outbox)] == [None] * 3
        assert outbox.state().pending == 3
        assert "older copy" in outbox.problem


@pytest.mark.parametrize("log", ["kept", "removed"])
async def test_a_file_put_back_under_a_running_gateway_is_noticed(tmp_path: Path, log: str) -> None:
    """A scan is never "stored" in a file that has no name any more, and no number given twice."""
    path = tmp_path / salvage.FILE_NAME
    epoch = await filled(tmp_path, 5)
    copy = path.read_bytes()
    async with running(tmp_path) as outbox:
        await outbox.append(scan("newer"))
        path.with_suffix(".copy").write_bytes(copy)
        path.with_suffix(".copy").rename(path)
        if log == "removed":
            path.with_name("outbox.db-wal").unlink()
            path.with_name("outbox.db-shm").unlink()
        with pytest.raises(Unavailable, match="replaced while in use"):
            await outbox.append(scan("refused"))
        await outbox.append(scan("again"))
        kept = ["newer"] if log == "kept" else []
        assert texts(outbox) == [*names(5), *kept, "again"]
        assert (outbox.extent.epoch == epoch) == (log == "kept")
        assert (outbox.problem is None) == (log == "kept")


async def test_a_folder_in_the_place_of_the_file_is_named(tmp_path: Path) -> None:
    """It is not ours to remove; the sentence says what to do, and then all goes on."""
    (tmp_path / salvage.FILE_NAME).mkdir()
    async with running(tmp_path) as outbox:
        with pytest.raises(Unavailable, match=r"outbox\.db is a folder: move it away"):
            await outbox.append(scan("a"))
        (tmp_path / salvage.FILE_NAME).rmdir()
        assert await outbox.append(scan("b")) == 1
        assert outbox.problem is None


async def test_a_file_of_another_user_is_named() -> None:
    """Without the right to write the sentence says who needs it; with it all goes on."""
    if os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to others
        folder = Path(name)
        await filled(folder, 3)
        os.chmod(folder, 0o755)  # noqa: PTH101  nothing else runs yet
        os.seteuid(65_534)
        try:
            async with running(folder) as outbox:
                with pytest.raises(Unavailable, match=f"user 65534 may not write {folder}"):
                    await outbox.append(scan("a"))
                os.seteuid(0)
                assert await outbox.append(scan("b")) == 4
        finally:
            os.seteuid(0)


def outbox_record(scanner: str, state: bytes) -> "salvage.Record":
    """Return what a control label leaves behind."""
    return salvage.Record(None, scanner, state)
