"""gateway.outbox and full disks: scans are refused in time, what is told to stations still fits."""

import asyncio
import contextlib
import fcntl
import os
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway import salvage
from gateway.config import OutboxLimits
from gateway.outbox_file import Record
from neighbours import need
from outboxes import filled, one_by_one, running, scan, texts
from wire.errors import Unavailable

TOLD = Record(None, "left", b"told")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a disk of 2 MB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, check=False).returncode != 0:
        pytest.skip("this machine may not mount a small disk")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


@dataclass
class Ext4:
    """A small ext4 file system in a file."""

    image: Path
    folder: Path

    def mount(self) -> None:
        """Mount it, after a cut-off with what its journal saved."""
        subprocess.run(["mount", "-o", "loop", str(self.image), str(self.folder)], check=True)

    def unmount(self) -> None:
        """Take it away."""
        subprocess.run(["umount", str(self.folder)], check=True)

    def cut_off(self) -> None:
        """Let every access fail from now on, and throw away what was not flushed."""
        shutdown, without_flush = 0x8004587D, 2  # EXT4_IOC_SHUTDOWN
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, shutdown, struct.pack("I", without_flush))
        finally:
            os.close(descriptor)


@pytest.fixture
def ext4(tmp_path: Path) -> Iterator[Ext4]:
    """Give a mounted file system that can be cut off."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    made = Ext4(tmp_path / "image", tmp_path / "disk")
    made.folder.mkdir()
    with made.image.open("wb") as file:
        file.truncate(8 << 20)
    make = [need("mkfs.ext4", "apt-get install e2fsprogs"), "-q", str(made.image)]
    subprocess.run(make, check=True)
    try:
        made.mount()
    except subprocess.CalledProcessError:
        pytest.skip("this machine may not mount a file system")
    yield made
    made.unmount()


def remount(folder: Path, how: str) -> None:
    """Mount it read-only or writable."""
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave no block free; return the file that took them."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    return filler


async def test_below_the_reserve_scans_are_refused_and_labels_are_not(tmp_path: Path) -> None:
    """What a station is told and what central acknowledged is stored in the reserve."""
    async with running(tmp_path) as outbox:
        await outbox.append(scan("a"))
    async with running(tmp_path, OutboxLimits(disk_reserve_bytes=2**60)) as outbox:
        with pytest.raises(Unavailable, match="free some space"):
            await outbox.append(scan("refused"))
        assert await outbox.append(TOLD) == 1
        assert outbox.station("left") == b"told"
        outbox.acknowledge(1)
        assert outbox.state().capacity_left == 0
        assert "free some space" in outbox.state().problem
        assert not outbox.well
    async with running(tmp_path) as outbox:
        await outbox.probe()
        assert (texts(outbox), outbox.acked_seq, outbox.station("left")) == (["a"], 1, b"told")


async def test_in_one_commit_labels_are_stored_and_scans_refused(tmp_path: Path) -> None:
    """Whoever shares the commit of a refused scan does not suffer for it."""
    async with running(tmp_path, OutboxLimits(disk_reserve_bytes=2**60)) as outbox:
        answers = await asyncio.gather(
            outbox.append(scan("a")),
            outbox.append(TOLD),
            outbox.append(scan("b")),
            return_exceptions=True,
        )
        assert [type(answer) for answer in answers] == [Unavailable, int, Unavailable]
        assert outbox.station("left") == b"told"


async def test_a_full_outbox_is_said_for_as_long_as_it_is_full(tmp_path: Path) -> None:
    """The problem stays while labels are stored and the disk is tried, until central has some."""
    limits = OutboxLimits(disk_reserve_bytes=0, max_bytes=64 * 1024)
    async with running(tmp_path, limits) as outbox:
        with pytest.raises(Unavailable, match="the outbox is full"):
            await one_by_one(outbox, [scan(f"{number}", size=1_000) for number in range(100)])
        await outbox.append(TOLD)
        with pytest.raises(Unavailable, match="the outbox is full"):
            await outbox.probe()
        assert "the outbox is full" in outbox.problem
        outbox.acknowledge(outbox.extent.last_seq)
        await outbox.probe()
        assert outbox.problem is None
        await outbox.append(scan("after"))


async def test_a_disk_that_others_filled_still_takes_labels(small_disk: Path) -> None:
    """Not one block is free: scans are refused, labels and acknowledgements live on the ballast."""
    limits = OutboxLimits(disk_reserve_bytes=512 * 1024)
    async with running(small_disk, limits) as outbox:
        for number in range(20):
            await outbox.append(scan(f"{number}"))
    filler = fill(small_disk)
    async with running(small_disk, limits) as outbox:
        for number in range(50):
            with pytest.raises(Unavailable, match="bytes left"):
                await outbox.append(scan("refused"))
            await outbox.append(Record(None, "left", b"told %d" % number))
            outbox.acknowledge(number % 20)
            with pytest.raises(Unavailable, match="bytes left"):
                await outbox.probe()
        filler.unlink()
        assert await outbox.append(scan("after")) == 21
        assert outbox.problem is None
        assert outbox.station("left") == b"{}"
        assert (small_disk / "outbox.ballast").stat().st_size > 0
        assert texts(outbox)[-1] == "after"


async def test_room_made_for_labels_is_no_room_for_scans(small_disk: Path) -> None:
    """Where the reserve is no more than the ballast, the disk is not well when that is given up."""
    async with running(small_disk, OutboxLimits(disk_reserve_bytes=256 * 1024)) as outbox:
        for number in range(3):
            await outbox.append(scan(f"{number}"))
        filler = fill(small_disk)
        for number in range(50):
            await outbox.append(Record(None, "left", b"told %d" % number))
            assert "bytes left" in outbox.problem
        filler.unlink()
        assert await outbox.append(scan("after")) == 4
        assert outbox.problem is None


async def test_a_disk_that_is_mounted_read_only_refuses_and_recovers(small_disk: Path) -> None:
    """As a card that has died once: a sentence for each scan, and all is well after a remount."""
    await filled(small_disk, 3)
    remount(small_disk, "ro")
    async with running(small_disk) as outbox:
        for _ in range(3):
            with pytest.raises(Unavailable, match="mounted read-only: look for its errors"):
                await outbox.append(scan("refused"))
        remount(small_disk, "rw")
        assert await outbox.append(scan("003")) == 4
        assert outbox.problem is None
        assert texts(outbox) == ["000", "001", "002", "003"]


async def test_when_the_disk_itself_dies_nothing_accepted_is_lost(ext4: Ext4) -> None:
    """A real file system that is cut off in the middle: EIO refuses, what was accepted is there."""
    accepted: list[str] = []
    async with running(ext4.folder / "data") as outbox:
        for number in range(200):
            if number == 120:
                ext4.cut_off()
            with contextlib.suppress(Unavailable):
                await outbox.append(scan(f"{number}"))
                accepted.append(f"{number}")
        assert len(accepted) == 120
        assert "Input/output error" in outbox.problem
    ext4.unmount()
    ext4.mount()
    async with running(ext4.folder / "data") as outbox:
        assert await outbox.append(scan("after")) == 121
        assert texts(outbox) == [*accepted, "after"]
        assert outbox.problem is None


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
