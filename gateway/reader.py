"""One scanner from its bytes to its beep: frames, meaning, station, outbox, feedback."""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from gateway import barcode, feedback, labels, ports, profiles, recording, station
from gateway.barcode import Unreadable
from gateway.clock import DockClock
from gateway.config import Scanner
from gateway.dialect import Heard, NoRead, Outcome, Remark, Say
from gateway.framing import Frame
from gateway.outbox import Outbox
from gateway.outbox_file import Record
from gateway.port import Chunk, Down, Up
from gateway.station import Decision, Refuse, State, Store, Told
from wire.errors import Malformed, Unavailable
from wire.events import Pattern, ScannerState

log = logging.getLogger(__name__)

_PROBLEMS = {
    "overflow": "64 KiB came without a terminator; check the scanner's suffix",
    "incomplete": "the code broke off: the scanner was unplugged or fell silent",
    "outside_envelope": "these bytes came outside STX and ETX; check the scanner's framing",
    "keys_lost": "keystrokes went missing; scan again, slower if it happens often",
    "bad_report": "the scanner sent a report that cannot be; scan again",
}

#: Hears of every signal to a person: scanner, pattern, text.
Tell = Callable[[str, Pattern, str], None]

#: A scan engine that was asleep takes this long to wake up.
_GREETING_PAUSE_S = 0.06


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
        self._defaults = station.Defaults(settings.kind, settings.location)
        self._port = ports.open_port(settings)
        self._dialect = profiles.dialect_of(settings)
        self._signals = profiles.signals_of(settings)
        self._plugged = False
        self._down: str | None = "not opened yet"
        self._problem: str | None = None
        self._last: tuple[bytes, float] = (b"", float("-inf"))
        self._state = State()
        self._state_epoch: UUID | None = None

    async def run(self) -> None:
        """Read the scanner until cancelled, through every unplug."""
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
            last_scan=None if last_us is None else self._clock.moment_of(last_us),
            problem=self._down or self._problem,
        )

    async def _turn(self) -> None:
        news = await self._port.next(self._quiet_s if self._dialect.pending else None)
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
            await self._greet()
        if not isinstance(news, Chunk) or heard:
            self._changed()

    @property
    def _quiet_s(self) -> float:
        settings = self.settings
        gap = settings.terminator == "gap" or settings.source == "keyboard"
        return (settings.gap_ms if gap else settings.frame_timeout_ms) / 1_000

    async def _greet(self) -> None:
        try:
            for words in self._dialect.greet():
                await self._port.write(words)
                await asyncio.sleep(_GREETING_PAUSE_S)
        except Unavailable as error:
            log.warning("scanner %s: %s", self.settings.name, error)

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
        data, last_s = self._last
        if frame.data == data and (at_s - last_s) * 1_000 < self.settings.repeat_window_ms:
            self.counters.repeats += 1
            log.info("scanner %s: same code again at once, ignored", self.settings.name)
            await feedback.say(self._port, self._dialect.answer("known"), self.settings.name)
            return
        now = self._clock.now()
        outcome: Outcome = "stored"
        try:
            self._load_state()
            pattern, text = await self._accept(frame, now)
            self._last = (frame.data, at_s)
        except Unavailable as error:
            pattern, text = self._refuse(str(error))
            outcome = "lost"
        await self._signal(pattern, text, self._dialect.answer(outcome))

    async def _accept(self, frame: Frame, now: datetime) -> tuple[Pattern, str]:
        """Store what the frame means; return what to signal. Unavailable: nothing was stored."""
        decision = self._decide(frame, now)
        match decision:
            case Refuse():
                return self._refuse(decision.message)
            case Told():
                await self._outbox.append(
                    Record(None, self.settings.name, station.encode(decision.state))
                )
                self._state = decision.state
                self._problem = None
                return "good", "noted"
            case Store():
                return await self._store(decision, now)

    def _decide(self, frame: Frame, now: datetime) -> Decision:
        if frame.problem is not None:
            cut = Unreadable(frame.data, None, frame.problem, _PROBLEMS[frame.problem])
            return station.on_barcode(self._defaults, self._state, cut)
        label = labels.read(frame.data)
        if label is not None:
            return station.on_label(self._defaults, self._state, label, frame.data)
        meaning = barcode.parse(
            frame.data,
            today=self._clock.day_of(now),
            symbology=self.settings.symbology,
            region=self.settings.region,
            separators=self.settings.separators,
            aim_required=self.settings.aim_required,
        )
        try:
            return station.on_barcode(self._defaults, self._state, meaning)
        except ValueError as error:  # a field that is longer or larger than the protocol allows
            odd = Unreadable(frame.data, meaning.aim, "bad_value", str(error))
            return station.on_barcode(self._defaults, self._state, odd)

    async def _store(self, decision: Store, now: datetime) -> tuple[Pattern, str]:
        scan = decision.scan
        stamp = self._clock.stamp()
        try:
            write = recording.write_of(
                scan, decision.state, self.settings.name, now, stamp, self._rng
            )
        except Malformed as error:
            return self._refuse(str(error))
        seq = await self._outbox.append(write)
        self._state = decision.state.after(seq, undoable=scan.undoable)
        self.counters.last_scan_us = stamp.monotonic_us
        if scan.kind == "unreadable":
            # Kept as evidence, but no goods are booked: the person has to scan again.
            self.counters.unreadable += 1
            self._problem = scan.reason
            return "refused", f"seq {seq}: {scan.reason}"
        self.counters.scans += 1
        self._problem = None
        return ("good" if self._online() else "offline"), f"seq {seq}: {scan.kind}"

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
        self._state = State() if kept is None else station.decode(kept)
        self._state_epoch = extent.epoch if extent else None
