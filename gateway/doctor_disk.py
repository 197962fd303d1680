"""`docktally doctor`: does the disk keep what it says it keeps, and is there room?"""

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from gateway import accounts, salvage
from gateway.config import OutboxLimits
from gateway.finding import Finding
from gateway.outbox_look import Look

#: What is gone after a power cut or a restart, or where SQLite's locks and flushes do not hold.
_FLEETING = frozenset({"tmpfs", "ramfs", "devtmpfs", "overlay", "squashfs"})
_REMOTE = re.compile(r"nfs\d?|cifs|smb\d?|smbfs|9p|afs|ceph|glusterfs|fuse\..*|fuse")
_FLUSHES, _FLUSH_BYTES = 20, 512
#: A person waits for the beep; what takes longer than this is felt.
_SLOW_S = 0.1
_SCAN_BYTES = 600
_PERCENT = 100


def of_folder(folder: Path, limits: OutboxLimits, root: Path) -> Iterator[Finding]:
    """Yield what the data folder's disk is like. A small file is written and removed there."""
    if not folder.is_dir():
        yield Finding(
            "disk", "warn", f"the data folder {folder} does not exist yet",
            "the gateway makes it when it starts; then run doctor again",
        )  # fmt: skip
        return
    yield _file_system(folder, root)
    yield _room(folder, limits)
    service = accounts.service(root)
    if service is not None and not service.may_open(folder.stat()):
        yield Finding(
            "disk", "bad", f"{service.name} may not write to {folder}",
            f"chown -R {service.name}: {folder}",
        )  # fmt: skip
    try:
        times_s = sorted(_flush_times_s(folder))
    except OSError as error:
        yield Finding(
            "disk", "bad", f"{folder} cannot be written: {error.strerror}",
            "free space, make the disk writable, or run doctor as root",
        )  # fmt: skip
        return
    slow = f"a flush to disk takes {median(times_s) * 1_000:.1f} ms, at worst {times_s[-1]:.3f} s"
    if times_s[-1] > _SLOW_S:
        yield Finding(
            "disk", "warn", slow, "every beep waits for it: use a better disk or memory card"
        )
    else:
        yield Finding("disk", "good", slow)


def of_outbox(folder: Path, look: Look | None) -> Iterator[Finding]:
    """Yield what waits in the outbox, and whether files were set aside."""
    alarm = salvage.alarm(folder)
    if alarm is not None:
        what, _, fix = alarm.partition(". ")
        yield Finding("outbox", "warn", what, fix)
    if look is None:
        yield Finding("outbox", "good", "no scan was ever stored here")
        return
    age = ""
    if look.oldest_ms is not None:
        age_s = max(0.0, time.time() - look.oldest_ms / 1_000)
        age = f"; the oldest other was stored {age_s:,.0f} s ago"
    what = f"{look.last_seq:,} scans, known to be booked up to {look.acked_seq:,}{age}"
    yield Finding("outbox", "good", what)


def _file_system(folder: Path, root: Path) -> Finding:
    kind = file_system(folder, root / "proc/self/mountinfo")
    if kind in _FLEETING:
        return Finding(
            "disk", "bad", f"{folder} is on {kind}: scans there do not survive a power cut or a "
            "restart of the container",
            "put the data folder on a real disk or a volume (data = ...)",
        )  # fmt: skip
    if _REMOTE.fullmatch(kind):
        return Finding(
            "disk", "bad", f"{folder} is on {kind}: locks and flushes do not hold there",
            "put the data folder on a disk of this machine (data = ...)",
        )  # fmt: skip
    return Finding("disk", "good", f"{folder} is on {kind or 'an unknown file system'}")


def file_system(folder: Path, mountinfo: Path) -> str:
    """Return the type of the file system that `folder` is on, "" when nobody says."""
    best, kind = 0, ""
    try:
        lines = mountinfo.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        mount, _, source = line.partition(" - ")
        point = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), mount.split()[4])
        # The last of several mounts on one folder is the one that is seen.
        if len(point) >= best and folder.resolve().is_relative_to(point):
            best, kind = len(point), source.split()[0]
    return kind


def _room(folder: Path, limits: OutboxLimits) -> Finding:
    free = shutil.disk_usage(folder).free
    room = free - limits.disk_reserve_bytes
    if room <= 0:
        return Finding(
            "disk", "bad", f"{free:,} bytes are free, less than disk_reserve_bytes "
            f"({limits.disk_reserve_bytes:,}): scans are refused", "free some space",
        )  # fmt: skip
    what = f"room for some {min(room, limits.max_bytes) // _SCAN_BYTES:,} scans"
    if room < limits.max_bytes:
        share = room * _PERCENT // limits.max_bytes
        return Finding(
            "disk", "warn", f"{what}, {share} % of outbox.max_bytes",
            "free some space, or lower outbox.max_bytes to what there is",
        )  # fmt: skip
    return Finding("disk", "good", what)


def _flush_times_s(folder: Path) -> Iterator[float]:
    with tempfile.TemporaryFile(dir=folder, prefix="doctor-") as file:
        for _ in range(_FLUSHES):
            begin_s = time.perf_counter()
            file.write(b"\0" * _FLUSH_BYTES)
            file.flush()
            os.fsync(file.fileno())
            yield time.perf_counter() - begin_s
