"""One scanner from its bytes to its beep: frames, meaning, station, outbox, feedback."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from gateway import (
    deciding,
    feedback,
    ports,
    profiles,
    recording,
    repeats,
    station,
    station_state,
)
from gateway.clock import DockClock
from gateway.config import Scanner
from gateway.decision import Decision, DockScan, Known, Refuse, Store, Told
from gateway.dialect import Heard, NoRead, Outcome, Remark, Say
from gateway.framing import Frame
from gateway.outbox import Outbox
from gateway.outbox_file import Record
from gateway.port import Chunk, Down, Up
from gateway.station_state import Moment, State
from wire import codec
from wire.errors import Malformed, Unavailable
from wire.events import Clock, Event, Pattern, ScannerState

log = logging.getLogger(__name__)

#: Hears of every signal to a person: scanner, pattern, text.
Tell = Callable[[str, Pattern, str], None]


@dataclass(slots=True)
class Counters:
    """What happened at one scanner since the program started."""

    scans: int = 0
    unreadable: int = 0
    refused: int = 0
    repeats: int = 0
    no_reads: int = 0
    last_scan_us: int | None = None


class Reader:
    """Supervises one scanner. `online` tells which beep is true; `changed` hears of a new state,
    `tell` of (scanner, pattern, text) whenever a person is to be told something.
    """

    def __init__(
        self,
        settings: Scanner,
        outbox: Outbox,
        online: Callable[[], bool],
        changed: Callable[[], None],
        rng: random.Random,
        clock: DockClock,
        tell: Tell,
    ) -> None:
        self.settings = settings
        self.counters = Counters()
        self._outbox, self._online, self._changed, self._rng = outbox, online, changed, rng
        self._clock, self._tell = clock, tell
        self._defaults = station.Defaults.of(settings)
        self._port = ports.open_port(settings)
        self._dialect = profiles.dialect_of(settings)
        self._signals = profiles.signals_of(settings)
        self._plugged = False
        self._down: str | None = "not opened yet"
        self._problem: str | None = None
        self._state = State()
        self._state_epoch: UUID | None = None
        #: The frame before, if it could not be stored: sent again, it is no repeat of an equal one.
        self._lost: str | None = None

    async def run(self) -> None:
        """Read the scanner until cancelled, through every unplug."""
        with contextlib.suppress(Unavailable):  # the first scan tries again, and says so
            self._load_state()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._port.run())
            while True:
                await self._turn()

    async def signal(self, pattern: Pattern, text: str) -> None:
        """Make the scanner beep (or what its configuration has for `pattern`)."""
        await self._signal(pattern, text, b"")

    async def _signal(self, pattern: Pattern, text: str, handshake: bytes) -> None:
        self._tell(self.settings.name, pattern, text)
        await feedback.give(
            self._port,
            handshake + self._signals.bytes_for(pattern),
            self.settings.name,
            pattern,
            text,
        )

    def look(self) -> None:
        """Try to open the scanner now: something was plugged in."""
        self._port.look()

    def state(self) -> ScannerState:
        """Return what to tell everybody about this scanner."""
        last_us = self.counters.last_scan_us
        return ScannerState(
            name=self.settings.name,
            source=self.settings.port,
            online=self._plugged,
            mode=self._state.mode or self.settings.kind,
            location=self._state.location or self.settings.location,
            scans=self.counters.scans,
            unreadable=self.counters.unreadable,
            refused=self.counters.refused,
            repeats=self.counters.repeats,
            no_reads=self.counters.no_reads,
            gs_verified=self._state.gs_verified,
            last_scan=None if last_us is None else self._clock.moment_of(last_us),
            problem=self._down or self._problem or self._overdue(),
        )

    def _overdue(self) -> str | None:
        waiting = self._state.waiting
        if waiting is None:
            return None
        stamp = self._clock.stamp()
        now = Moment(stamp.boot_id, stamp.monotonic_us)
        if not station.is_overdue(self._defaults, self._state, now):
            return None
        return f"label: {waiting.missing} still missing; nothing is booked for it"

    async def _turn(self) -> None:
        news = await self._port.next(self.settings.quiet_s if self._dialect.pending else None)
        at_s = asyncio.get_running_loop().time()
        match news:
            case Chunk():
                heard, at_s = self._dialect.feed(news.data), news.at_s
            case None:
                heard = self._dialect.silence()
            case Up():
                heard = self._dialect.cut()
                self._plugged, self._down = True, None
                path = news.path or self.settings.port
                log.info("scanner %s: reading %s", self.settings.name, path)
            case Down():
                heard = self._dialect.cut()
                self._plugged, self._down = False, news.reason
                log.warning(
                    "scanner %s: %s: %s", self.settings.name, self.settings.port, news.reason
                )
        for item in heard:
            # A stop waits for the beep: a scan that is stored without one would be scanned twice.
            scan = asyncio.ensure_future(self._on_heard(item, at_s))
            try:
                await asyncio.shield(scan)
            except asyncio.CancelledError:
                await scan
                raise
        if isinstance(news, Up):
            await feedback.greet(self._port, self._dialect, self.settings.name)
        if not isinstance(news, Chunk) or heard:
            self._changed()

    async def _on_heard(self, heard: Heard, at_s: float) -> None:
        match heard:
            case Frame():
                await self._on_frame(heard, at_s)
            case NoRead():
                self.counters.no_reads += 1
            case Remark(text=text):
                log.info("scanner %s: %s", self.settings.name, text)
            case Say(data=data):
                await feedback.say(self._port, data, self.settings.name)

    async def _on_frame(self, frame: Frame, at_s: float) -> None:
        now, stamp = self._clock.now(), self._clock.stamp()
        # What waited for a slow disk came when it came: the repeat window goes by that.
        waited_us = int((asyncio.get_running_loop().time() - at_s) * 1_000_000)
        at = Moment(stamp.boot_id, max(0, stamp.monotonic_us - waited_us))
        digest, lost = repeats.digest(frame), self._lost
        frame = replace(frame, again=frame.again and digest != lost)
        self._lost = None
        outcome: Outcome = "stored"
        pattern: Pattern | None
        try:
            self._load_state()
            frame = self._whole(frame)
            today = self._clock.day_of(now)
            decision = deciding.decide(self.settings, self._state, frame, at, today)
            if isinstance(decision, Known):
                outcome = "known"
            pattern, text = await self._accept(decision, now, stamp)
        except Unavailable as error:
            pattern, text = self._refuse(str(error))
            outcome, self._lost = "lost", digest
        handshake = self._dialect.answer(outcome)
        if pattern is None:
            log.info("scanner %s: %s", self.settings.name, text)
            await feedback.say(self._port, handshake, self.settings.name)
        else:
            await self._signal(pattern, text, handshake)

    def _whole(self, frame: Frame) -> Frame:
        last = self._state.last
        if not frame.again or frame.problem is None or last is None or last.seq is None:
            return frame
        rows = self._outbox.rows(last.seq - 1, 1, 1)
        return repeats.whole(frame, codec.decode(Event, rows[0]).raw) if rows else frame

    async def _accept(
        self, decision: Decision, now: datetime, stamp: Clock
    ) -> tuple[Pattern | None, str]:
        """Do what was decided; return what to signal. Unavailable: nothing was stored."""
        match decision:
            case Refuse():
                self._state = decision.state
                return self._refuse(decision.message)
            case Known():
                return await self._repeat(decision, now, stamp)
            case Told():
                await self._outbox.append(
                    Record(None, self.settings.name, station_state.encode(decision.state))
                )
                self._state = decision.state
                if decision.refused:
                    return self._refuse(decision.text)
                self._problem = None
                return "good", decision.text
            case Store(scan=DockScan(unit=str(name))):
                async with self._outbox.alone_with(name):
                    known = self._outbox.unit(name)
                    return await self._store(station.unless_counted(decision, known), now, stamp)
            case Store():
                return await self._store(decision, now, stamp)

    async def _store(self, decision: Store, now: datetime, stamp: Clock) -> tuple[Pattern, str]:
        scan = decision.scan
        try:
            seq = await self._append(scan, decision.state, now, stamp)
        except Malformed as error:
            return self._refuse(str(error))
        if decision.refused is not None:
            # Kept as evidence, but no goods are booked: the person has to scan again.
            self._problem = decision.refused
            return "refused", f"seq {seq}: {decision.refused}"
        self._problem = None
        return self._good, f"seq {seq}: {scan.reason or scan.kind}"

    async def _repeat(
        self, known: Known, now: datetime, stamp: Clock
    ) -> tuple[Pattern | None, str]:
        text = known.text
        if known.scan is not None:
            try:
                seq = await self._append(known.scan, self._state, now, stamp)
                text = f"seq {seq}: {text}"
            except Unavailable as error:
                # What it repeats is stored: a bad beep would make somebody scan it a third time.
                text = f"{text}, not kept: {error}"
        if known.good is None:
            return None, text
        if not known.good:
            return "refused", text
        return ("good" if known.scan is None else self._good), text

    async def _append(self, scan: DockScan, state: State, now: datetime, stamp: Clock) -> int:
        """Store an event and the state that follows from it; return its seq."""
        name, counters = self.settings.name, self.counters
        seq = await self._outbox.append(
            recording.write_of(scan, state, name, now, stamp, self._rng)
        )
        self._state = state.after(seq, undoable=scan.undoable)
        counters.last_scan_us = stamp.monotonic_us
        match scan.kind:
            case "unreadable":
                counters.unreadable += 1
            case "repeat":
                counters.repeats += 1
            case _:
                counters.scans += 1
        return seq

    @property
    def _good(self) -> Pattern:
        return "good" if self._online() else "offline"

    def _refuse(self, message: str) -> tuple[Pattern, str]:
        self.counters.refused += 1
        self._problem = message
        return "refused", message

    def _load_state(self) -> None:
        """Take up what the station was told before this program or this outbox file began."""
        extent = self._outbox.extent
        if extent is not None and self._state_epoch == extent.epoch:
            return
        kept = self._outbox.station(self.settings.name)
        state = State() if kept is None else station_state.decode(kept)
        self._state = state.until(extent.last_seq) if extent else state
        self._state_epoch = extent.epoch if extent else None
