"""How much a scan writes to the disk, against the least that keeps it. `make bench`.

The kernel counts what a process makes the disk write (`write_bytes` in /proc/self/io, in pages of
4 KiB); the file system's own journal is not in it.
"""

import asyncio
import os
import time
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.floor import database
from gateway.config import OutboxLimits
from gateway.outbox import Outbox
from gateway.outbox_file import Record
from gateway.station_state import State, encode
from ledgers import scan

pytestmark = pytest.mark.bench
SCANS = 10_000


def written() -> int:
    """Return the bytes that this process has made the disk write."""
    lines = Path("/proc/self/io").read_text().splitlines()
    fields = {name: int(value) for name, value in (line.split(": ") for line in lines)}
    return fields["write_bytes"] - fields["cancelled_write_bytes"]


def records() -> list[Record]:
    """Return what scans leave behind at a station that can undo its last twenty."""
    template = scan(1, event_time=datetime.now(UTC))
    state, made = State(mode="putaway", location="A-01-3", operator="MIKA"), []
    for seq in range(1, SCANS + 1):
        event = template.model_copy(update={"seq": seq, "id": uuid.UUID(int=seq)})
        state = state.after(seq, undoable=True)
        data = event.model_dump_json(exclude_none=True).encode()
        made.append(Record(data, "dock-1", encode(state)))
    return made


def floor(folder: Path, scans: Iterable[Record]) -> None:
    """Read a line, commit it, read the next: nothing that a gateway is for."""
    rows = database(str(folder / "floor.db"))
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as lines:
        for record in scans:
            os.write(writing, (record.event or b"") + b"\n")
            rows.execute("INSERT INTO line (text) VALUES (?)", (lines.readline(),))
    os.close(writing)
    rows.close()


async def outbox(folder: Path, scans: Iterable[Record], *, online: bool) -> None:
    """Append each scan after the other; `online` means that central acknowledges each."""
    journal = OutboxLimits(disk_reserve_bytes=0, journal_bytes=2_000_000)
    under_test = Outbox(folder, journal)
    running = asyncio.create_task(under_test.run())
    for record in scans:
        seq = await under_test.append(record)
        if online:
            under_test.acknowledge(seq)
    running.cancel()
    await asyncio.wait([running])


def test_bytes_written_for_a_scan(tmp_path: Path) -> None:
    """10,000 scans, one commit each: with central, without it, and at the floor."""
    scans = records()
    payload = sum(len(record.event or b"") for record in scans) / SCANS
    print(f"\nan event of {payload:.0f} bytes, a station of {len(scans[-1].station or b'')}")
    results = {}
    for name in ("floor", "offline", "online"):
        folder = tmp_path / name
        folder.mkdir()
        before, start = written(), time.perf_counter()
        if name == "floor":
            floor(folder, scans)
        else:
            asyncio.run(outbox(folder, scans, online=name == "online"))
        took_ms = (time.perf_counter() - start) / SCANS * 1_000
        results[name] = (written() - before) / SCANS
        ratio = results[name] / results["floor"]
        print(f"{name:<8} {results[name]:8,.0f} bytes a scan  {ratio:.2f}x  {took_ms:.2f} ms")
