"""gateway.doctor_disk: a disk that would not keep the scans is named before there are any."""

from pathlib import Path

import pytest

from gateway import doctor_disk, outbox_look
from gateway.config import OutboxLimits
from gateway.finding import Finding
from gateway.outbox_file import OutboxFile, Record
from machines import Machine
from wire.errors import Unavailable

LIMITS = OutboxLimits(max_bytes=64 * 1024, disk_reserve_bytes=0)


def on(folder: Path, kind: str) -> Path:
    """Return a root whose mounts say that `folder` is on a file system of this kind."""
    root = folder.parent / "root"
    Machine(root)
    (root / "proc/self").mkdir()
    (root / "proc/self/mountinfo").write_text(
        "21 1 8:1 / / rw - ext4 /dev/root rw\n"
        f"22 21 0:21 / {str(folder).replace(' ', chr(92) + '040')} rw shared:1 - {kind} x rw\n"
        "23 21 0:22 / /nowhere rw - tmpfs tmpfs rw\n"
    )
    return root


def found(folder: Path, root: Path, limits: OutboxLimits = LIMITS) -> dict[str, Finding]:
    """Return what is not good, by what it says."""
    return {f.what: f for f in doctor_disk.of_folder(folder, limits, root) if f.level != "good"}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("tmpfs", "do not survive a power cut"),
        ("overlay", "do not survive a power cut"),
        ("nfs4", "locks and flushes do not hold"),
        ("cifs", "locks and flushes do not hold"),
        ("fuse.sshfs", "locks and flushes do not hold"),
        ("ext4", ""),
        ("btrfs", ""),
        ("fuseblk", ""),
    ],
)
def test_file_systems(tmp_path: Path, kind: str, words: str) -> None:
    """What forgets, and what lies about locks, stops scanning; a name with a blank is found."""
    folder = tmp_path / "the data"
    folder.mkdir()
    bad = [f for f in found(folder, on(folder, kind)).values() if f.level == "bad"]
    assert [words in f.what and bool(f.fix) for f in bad] == ([True] if words else [])


def test_room_is_compared_with_the_limits(tmp_path: Path) -> None:
    """Below the reserve nothing is stored; less room than max_bytes is worth a warning."""
    root = on(tmp_path / "d", "ext4")
    (tmp_path / "d").mkdir()
    assert not found(tmp_path / "d", root)
    (full,) = found(tmp_path / "d", root, OutboxLimits(disk_reserve_bytes=2**60)).values()
    assert (full.level, "disk_reserve_bytes" in full.what) == ("bad", True)
    (tight,) = found(tmp_path / "d", root, OutboxLimits(max_bytes=2**60)).values()
    assert (tight.level, "of outbox.max_bytes" in tight.what) == ("warn", True)


def test_flushes_leave_nothing_behind(tmp_path: Path) -> None:
    """They are real, their time is told, and the folder is as it was."""
    (tmp_path / "d").mkdir()
    said = list(doctor_disk.of_folder(tmp_path / "d", LIMITS, on(tmp_path / "d", "ext4")))
    assert any("a flush to disk takes" in finding.what for finding in said)
    assert list((tmp_path / "d").iterdir()) == []


def test_a_folder_that_is_not_there_or_cannot_be_written(tmp_path: Path) -> None:
    """The gateway makes it; but what stands in its place has to go."""
    (missing,) = found(tmp_path / "d", tmp_path).values()
    assert (missing.level, "does not exist yet" in missing.what) == ("warn", True)


def outbox(folder: Path, scans: int, acked: int) -> None:
    """Make an outbox with that many scans, of which central has some."""
    file = OutboxFile(folder / "outbox.db", LIMITS)
    if scans:
        file.write([Record(b'{"n":%d}' % n, "door", b'{"gs_verified":true}') for n in range(scans)])
    file.acked_seq = acked
    file.touch()
    file.close()


def test_a_look_changes_nothing(tmp_path: Path) -> None:
    """Numbers, events and stations, while a gateway has the file open."""
    assert outbox_look.look(tmp_path) is None
    outbox(tmp_path, 5, 3)
    before = (tmp_path / "outbox.db").read_bytes()
    writer = OutboxFile(tmp_path / "outbox.db", LIMITS)
    seen = outbox_look.look(tmp_path)
    assert seen is not None
    assert (seen.epoch, seen.last_seq, seen.acked_seq) == (writer.epoch, 5, 3)
    assert outbox_look.event_at(tmp_path, 3) == b'{"n":2}'
    assert outbox_look.event_at(tmp_path, 6) is None
    assert seen.oldest_ms is not None
    assert seen.stations == {"door": {"gs_verified": True}}
    writer.close()
    assert (tmp_path / "outbox.db").read_bytes() == before
    (tmp_path / "outbox.db").write_bytes(b"no database" * 1_000)
    with pytest.raises(Unavailable, match="cannot be read"):
        outbox_look.look(tmp_path)


def test_what_waits_is_told(tmp_path: Path) -> None:
    """How far the outbox is booked, since when the rest waits, and which file was set aside."""
    outbox(tmp_path, 4, 4)
    (booked,) = doctor_disk.of_outbox(tmp_path, outbox_look.look(tmp_path))
    assert (booked.level, booked.what) == ("good", "4 scans, known to be booked up to 4")
    outbox(tmp_path, 2, 5)
    (tmp_path / "outbox.db.corrupt-20260101T000000000000").touch()
    aside, waits = doctor_disk.of_outbox(tmp_path, outbox_look.look(tmp_path))
    assert (aside.level, "corrupt-2026" in aside.what) == ("warn", True)
    assert "move the file" in aside.fix
    assert waits.what.startswith("6 scans, known to be booked up to 5; the oldest other was stored")
