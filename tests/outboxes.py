"""An outbox on a real disk for tests, and short ways to fill and read it."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from gateway import outbox_file
from gateway.clock import DockClock
from gateway.config import OutboxLimits
from gateway.outbox import Outbox
from gateway.outbox_file import Record, Write
from wire import codec
from wire.events import Clock, Event

LIMITS = OutboxLimits(disk_reserve_bytes=0)


def scan(text: str, scanner: str = "left", size: int = 0, clock: DockClock | None = None) -> Write:
    """Return the write of a scan."""

    def write(seq: int) -> Record:
        event = Event(
            seq=seq,
            id=UUID(int=seq),
            kind="receive",
            event_time=clock.now() if clock else datetime(2026, 1, 1, tzinfo=UTC),
            clock=clock.stamp() if clock else Clock(boot_id="b", monotonic_us=1, synced=True),
            scanner=scanner,
            raw=text.encode() + b"." * size,
        )
        return Record(codec.encode(event), scanner, b"{}")

    return write


@asynccontextmanager
async def running(
    folder: Path,
    limits: OutboxLimits = LIMITS,
    connect: outbox_file.Connect = outbox_file.connect,
    owner: str = "",
    clock: DockClock | None = None,
) -> AsyncIterator[Outbox]:
    """Run an outbox until the block ends."""
    os.makedirs(folder, exist_ok=True)  # noqa: PTH103  nothing else runs yet
    outbox = Outbox(folder, limits, connect, owner, clock)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(outbox.run())
        yield outbox
        task.cancel()


async def filled(folder: Path, count: int, acked: int = 0, size: int = 0) -> UUID:
    """Put scans 000, 001 ... into an outbox and return its epoch."""
    async with running(folder) as outbox:
        writes = [scan(f"{number:03d}", size=size) for number in range(count)]
        await asyncio.gather(*(outbox.append(write) for write in writes))
        outbox.acknowledge(acked)
        assert outbox.extent is not None
        return outbox.extent.epoch


async def one_by_one(outbox: Outbox, writes: Sequence[Write]) -> None:
    """Append each after the other."""
    for write in writes:
        await outbox.append(write)


def events(outbox: Outbox, after: int = 0) -> list[Event]:
    """Return the stored events, checking that their numbers follow each other."""
    found = [codec.decode(Event, row) for row in outbox.rows(after, 10_000, 10**9)]
    assert [event.seq for event in found] == list(range(after + 1, after + 1 + len(found)))
    return found


def texts(outbox: Outbox, after: int = 0) -> list[str]:
    """Return what the stored scans say."""
    return [event.raw.rstrip(b".").decode() for event in events(outbox, after)]
