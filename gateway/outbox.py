"""The outbox: a scan is accepted when it is on this disk, and leaves when central has it.

`append` returns after the fsync of the commit that holds the scan. One thread writes and takes
whatever waits into one commit, so many scanners share the cost of the disk. When the disk is full,
read-only or broken, `append` raises Unavailable and nothing is numbered; the next one tries again.
The reserve of the disk and the bound of the outbox hold for scans; what a station is told, and what
central acknowledged, is stored beyond them.
"""

import asyncio
import base64
import json
import logging
import queue
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic_core import from_json

from gateway import outbox_file, salvage, unit_table
from gateway.clock import DockClock
from gateway.config import OutboxLimits
from gateway.outbox_file import Connect, Extent, Outcome, Record, Revision, Write
from gateway.outbox_writer import OutboxWriter
from gateway.unit import Unit
from wire.errors import Unavailable
from wire.events import COUNT_MAX, OutboxState

log = logging.getLogger(__name__)

#: Scans in one commit, and scans that may wait for one; far above what scanners can produce.
_GROUP_MAX, _WAITING_MAX = 256, 1_024
#: Acknowledgements are stored this rarely, which spares the flash a commit for every scan. After a
#: crash central says again what it has.
_ACK_FLUSH_S = 30.0
#: For the estimate of what still fits, while there is no scan to measure.
_USUAL_ROW_BYTES = 512


@dataclass(frozen=True, slots=True)
class _Job:
    done: "asyncio.Future[int]"
    write: Write | Record | None = None
    reopen: bool = False
    supersede: UUID | None = None
    revise: tuple[int, Revision] | None = None


class Outbox:
    """The durable queue of one gateway. All methods belong to the event loop's thread.

    `owner` is the gateway's name, site/gateway: scans are never filed under another one.
    """

    def __init__(
        self,
        folder: Path,
        limits: OutboxLimits,
        connect: Connect = outbox_file.connect,
        owner: str = "",
        clock: DockClock | None = None,
    ) -> None:
        self._folder, self._limits, self._connect = folder, limits, connect
        self._owner, self._clock = owner, clock or DockClock()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._waiting = 0
        self._extent: Extent | None = None
        self._acked: tuple[UUID, int] | None = None
        self._ack_flush: asyncio.TimerHandle | None = None
        self._reader: sqlite3.Connection | None = None
        self._trouble: str | None = None
        #: Labelled units that are just being counted: a lock, and how many scanners use it.
        self._units: dict[str, tuple[asyncio.Lock, int]] = {}
        #: Called after every commit, also a failed one, before anybody who waits for it goes on.
        self.on_commit: Callable[[], None] = lambda: None

    async def run(self) -> None:
        """Write what `append` hands over until cancelled; waiting scans are still written."""
        loop = asyncio.get_running_loop()
        thread = ThreadPoolExecutor(1, "outbox")
        working = loop.run_in_executor(thread, self._work, loop)
        try:
            await asyncio.shield(working)
        finally:
            self._flush_ack()
            self._close_reader()  # first: the last to close folds the log into the file
            self._jobs.put(None)
            await asyncio.wait([working])
            thread.shutdown(wait=False)

    async def append(self, write: Write | Record) -> int:
        """Store a scan, its station's state or both; return the newest seq once on the disk.

        Raises Unavailable, with a sentence for people, when it is not stored.
        """
        if self._waiting >= _WAITING_MAX:
            raise Unavailable("the disk is too slow: too many scans wait to be stored")
        return await self._submit(write)

    async def probe(self) -> None:
        """Try the disk, so that `problem` is true now; raise Unavailable when it is not well."""
        await self._submit()

    async def revise(self, change: Revision) -> None:
        """Replace pending events by what `change` makes of them, between the scans that come in.

        Raises Unavailable when the disk fails in the middle; what was replaced stays so.
        """
        epoch, seq = None, 0
        while (extent := self._extent) is None or epoch != extent.epoch or seq < extent.last_seq:
            if extent is None:
                raise Unavailable(self._trouble or "the outbox is not open yet")
            if epoch != extent.epoch:
                epoch, seq = extent.epoch, self.acked_seq
            seq = await self._submit(revise=(seq, change))

    @property
    def extent(self) -> Extent | None:
        """What is on the disk; None while the file could not be opened yet."""
        return self._extent

    @property
    def acked_seq(self) -> int:
        """The newest seq that central has; the rows up to it are the replay journal."""
        return self._acked[1] if self._acked else 0

    @property
    def well(self) -> bool:
        """True while the last thing to be stored was stored."""
        return self._extent is not None and self._trouble is None

    @property
    def problem(self) -> str | None:
        """Why scans are refused, or what a person has to look at; None when all is well."""
        return self._trouble or salvage.alarm(self._folder)

    def rows(self, after: int, events_max: int, bytes_max: int) -> list[bytes]:
        """Return the encoded events that follow `after`, at least one if there is any.

        An event whose bytes went bad in a page that is otherwise whole is replaced by JSON that is
        no event: central records it, calls a person, and the scans behind it go on. Raises
        Unavailable when the disk cannot be read.
        """
        chosen: list[bytes] = []
        size = 0
        for seq, stored in self._read(
            "SELECT seq, event FROM events WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
            after,
            self._extent.last_seq if self._extent else 0,
            events_max,
        ):
            event = stored if _is_json(stored) else _damaged(seq, stored)
            size += len(event) + 1
            if chosen and size > bytes_max:
                break
            chosen.append(event)
        return chosen

    def station(self, scanner: str) -> bytes | None:
        """Return the state kept for a scanner; raise Unavailable when it cannot be read."""
        if self._extent is None:
            raise Unavailable(self._trouble or "the outbox is not open yet")
        rows = self._read("SELECT state FROM station WHERE scanner = ?", scanner)
        return next((bytes(state) for (state,) in rows), None)

    def unit(self, name: str) -> Unit | None:
        """Return what a labelled unit was counted as last, None when that was taken back or never.

        Raises Unavailable as `station`.
        """
        if self._extent is None:
            raise Unavailable(self._trouble or "the outbox is not open yet")
        found = unit_table.counted((row[0], row[1]) for row in self._read(unit_table.FIND, name))
        return next((Unit(seq, step) for seq, step in found), None)

    @asynccontextmanager
    async def alone_with(self, name: str) -> AsyncIterator[None]:
        """Keep other scanners from counting the labelled unit `name` at the same moment."""
        lock, users = self._units.get(name, (asyncio.Lock(), 0))
        self._units[name] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._units.pop(name)
            if users > 1:
                self._units[name] = (lock, users - 1)

    def acknowledge(self, seq: int) -> None:
        """Central has all up to `seq`. A lower seq than before makes the journal pending again."""
        assert self._extent is not None
        assert 0 <= seq <= self._extent.last_seq
        if seq == self.acked_seq:
            return
        self._acked = (self._extent.epoch, seq)
        if self._ack_flush is None:
            loop = asyncio.get_running_loop()
            self._ack_flush = loop.call_later(_ACK_FLUSH_S, self._flush_ack)

    def supersede(self) -> None:
        """Begin a new epoch, because central has more of this one than this file.

        The file was put back to an older copy, so its next numbers are taken. What it held when it
        was opened is booked; what was scanned since goes on under new numbers.
        """
        assert self._extent is not None
        self._submit(supersede=self._extent.epoch)

    def state(self) -> OutboxState:
        """Return what to tell everybody."""
        extent = self._extent
        if extent is None:
            return OutboxState(pending=0, oldest_age_s=0, capacity_left=0, problem=self.problem)
        pending = extent.last_seq - self.acked_seq
        free = self._free_bytes() - self._limits.disk_reserve_bytes
        room = max(0, min(free, self._limits.max_bytes - extent.pending_bytes))
        usual = max(_USUAL_ROW_BYTES, extent.pending_bytes // max(1, pending))
        return OutboxState(
            pending=pending,
            oldest_age_s=self._oldest_age_s() if pending else 0,
            capacity_left=min(room // usual, COUNT_MAX),
            problem=self.problem,
        )

    def _free_bytes(self) -> int:
        try:
            return shutil.disk_usage(self._folder).free
        except OSError:
            return 0

    def _oldest_age_s(self) -> float:
        try:
            oldest = self.rows(self.acked_seq, 1, 1)
        except Unavailable:
            return 0
        return self._clock.age_s(oldest[0]) if oldest else 0

    def _read(self, sql: str, *values: object) -> Iterator[tuple[Any, ...]]:
        try:
            if self._reader is None:
                path = self._folder / salvage.FILE_NAME
                self._reader = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
            # Closed even when the caller has enough: an open read would stop the log's checkpoints.
            with closing(self._reader.execute(sql, values)) as cursor:
                yield from cursor
        except sqlite3.Error as error:
            self._close_reader()
            # Opening it again checks every page, and sets the file aside when one is damaged.
            self._submit(reopen=True)
            raise Unavailable(f"the outbox in {self._folder} cannot be read: {error}") from error

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _submit(
        self,
        write: Write | Record | None = None,
        *,
        reopen: bool = False,
        supersede: UUID | None = None,
        revise: tuple[int, Revision] | None = None,
    ) -> "asyncio.Future[int]":
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        done.add_done_callback(_seen)
        self._waiting += 1
        self._jobs.put(_Job(done, write, reopen, supersede, revise))
        return done

    def _flush_ack(self) -> None:
        """Store what central acknowledged; nothing is written when nothing is new."""
        if self._ack_flush is not None:
            self._ack_flush.cancel()
            self._ack_flush = None
            self._submit()

    def _settle(
        self, jobs: Sequence[_Job], outcomes: Sequence[Outcome], extent: Extent | None, ill: str
    ) -> None:
        """Take over what the writing thread did; `ill` is why scans are refused now."""
        self._waiting -= len(jobs)
        trouble = ill or None
        if trouble != self._trouble:
            level = logging.ERROR if trouble else logging.INFO
            log.log(level, "outbox: %s", trouble or "well again")
        self._trouble = trouble
        if len(outcomes) and isinstance(outcomes[0], Unavailable):
            self._close_reader()
        if extent is not None:
            if self._extent is None or extent.epoch != self._extent.epoch:
                self._acked = (extent.epoch, extent.acked_seq)
                self._close_reader()
            self._extent = extent
        self.on_commit()
        for job, outcome in zip(jobs, outcomes, strict=True):
            if job.done.done():
                continue
            if isinstance(outcome, Unavailable):
                job.done.set_exception(Unavailable(str(outcome)))
            else:
                job.done.set_result(outcome)

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        """The writing thread."""
        writer = OutboxWriter(self._folder, self._limits, self._connect, self._owner)
        while jobs := self._collect():
            try:
                outcomes = self._do(writer, jobs)
                ill = writer.refusal or ""
            except Unavailable as problem:
                outcomes, ill = [problem] * len(jobs), str(problem)
            loop.call_soon_threadsafe(self._settle, jobs, outcomes, writer.extent, ill)
        writer.close()

    def _collect(self) -> list[_Job]:
        """Wait for a job, then take what else waits; return none when it is time to stop."""
        jobs: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            jobs.append(job)
            if len(jobs) == _GROUP_MAX:
                return jobs
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return jobs
        if jobs:
            self._jobs.put(None)
        return jobs

    def _do(self, writer: OutboxWriter, jobs: Sequence[_Job]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for job in jobs:
            if job.reopen:
                writer.reopen()
            if job.supersede is not None:
                writer.supersede(job.supersede)
            outcomes.append(writer.revise(*job.revise) if job.revise else 0)
        writes = [job.write for job in jobs if job.write is not None]
        written = iter(writer.write(writes, self._acked))
        for index, job in enumerate(jobs):
            if job.write is not None:
                outcomes[index] = next(written)
            elif writer.refusal and not job.revise:
                outcomes[index] = Unavailable(writer.refusal)
        return outcomes


def _is_json(data: bytes) -> bool:
    try:
        from_json(data)
    except ValueError:
        return False
    return True


def _damaged(seq: int, data: bytes) -> bytes:
    return json.dumps({"seq": seq, "damaged": base64.b64encode(data).decode()}).encode()


def _seen(done: "asyncio.Future[int]") -> None:
    """Mark the failure of a job that nobody waits for as looked at: `problem` shows it."""
    if not done.cancelled():
        done.exception()
