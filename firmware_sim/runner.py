"""Plays a scenario on devices, as a person would, and writes the truth journal."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from firmware_sim import faults, scenarios, truth
from firmware_sim.device import Device
from firmware_sim.journal import Journal
from firmware_sim.scenarios import Step
from wire.errors import Unavailable

#: Silence after which a person pulls the trigger again.
PATIENCE_S = 3.0
#: After "NOT stored" a person looks up, wonders, and tries again.
REFUSED_PAUSE_S = 1.5
#: Goods refused this often are put aside; a station label is tried until it works.
REFUSALS_MAX = 3
#: Longer than a gateway's window for trigger bounce: two equal boxes are two scans, not a bounce.
SAME_LABEL_GAP_S = 0.6
#: A scan that was repeated may be answered twice, late: nobody goes on before it is quiet again,
#: or the late beep would be taken for the answer to the next scan.
QUIET_S = 10.0
#: A port that was just opened may still be flushed by whoever opened it.
SETTLE_S = 0.3
#: How long the plug stays out after it was pulled.
UNPLUGGED_S = 0.5
#: The pause between the pieces of a frame that arrives torn.
_PIECE_GAP_S = 0.005


def _now() -> datetime:
    return datetime.now(UTC)


class Numbers:
    """Hands out press numbers that never repeat within one journal."""

    def __init__(self, last: int = 0) -> None:
        """Go on after `last`."""
        self._last = last

    def next(self) -> int:
        """Return the next number."""
        self._last += 1
        return self._last


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a person works: scans a second, and how long they wait for a beep."""

    rate: float = 1.0
    patience_s: float = PATIENCE_S


@dataclass(frozen=True, slots=True)
class _Waiting:
    n: int
    line: int
    sent_at: float


@dataclass
class Operator:
    """One person with one scanner. `stop` ends the work after the scan in hand."""

    station: scenarios.Station
    device: Device
    journal: Journal
    numbers: Numbers
    pace: Pace
    rng: random.Random
    stop: asyncio.Event
    weather: faults.Weather = faults.CALM
    _line: int = 0
    _unanswered: deque[_Waiting] = field(default_factory=lambda: deque(maxlen=1_000))
    _answers: asyncio.Queue[truth.Beep] = field(default_factory=lambda: asyncio.Queue(1_000))
    _pressed_at: dict[bytes, float] = field(default_factory=dict)

    async def work(self, steps: Iterator[Step]) -> None:
        """Do the steps until `stop` is set or none is left."""
        listener = asyncio.create_task(self._listen(), name=f"{self.station.scanner} ears")
        try:
            for step in steps:
                await self._pause(step.gap / self.pace.rate)
                if self.stop.is_set() or listener.done():
                    break
                await self._do(step)
                await self._quiet()
        finally:
            listener.cancel()
            with suppress(asyncio.CancelledError):
                await listener

    async def _do(self, step: Step) -> bool:
        """Scan until it is done; return False when it was given up.

        Labels that belong to a scan are scanned again before it, for they count once only. An UNDO
        is never repeated: if it was stored without a beep, it would take back one scan more.
        """
        again_of: int | None = None
        refusals = 0
        outcome = step.meaning.outcome
        while await self._reach_line():
            for label in step.first:
                if not await self._do(label):
                    return False
            again_of, beep = await self._press(step, again_of)
            if beep in {"good", "offline"} or outcome == "undo":
                return True
            if beep == "refused":
                refusals += 1
                if outcome in {"bad_label", "unreadable"}:
                    return True  # it will not read better next time
                if refusals == REFUSALS_MAX and outcome != "label":
                    self._note(f"put aside after {refusals} refusals: {step.meaning.text}")
                    return False
                await self._pause(REFUSED_PAUSE_S)
            if self.stop.is_set():
                return False
        return False

    async def _press(self, step: Step, again_of: int | None) -> tuple[int, truth.Beep | None]:
        await self._keep_apart(step.raw)
        delivery = self._delivery(step)
        n, line = self.numbers.next(), self.device.line
        self.journal.write(
            truth.Press(
                n=n, at=_now(), scanner=self.station.scanner, raw=step.raw.hex(),
                meaning=step.meaning, again_of=again_of, cut=delivery.unplug,
                bounced=delivery.bounced,
            )
        )  # fmt: skip
        self._forget_other_lines(line)
        self._unanswered.append(_Waiting(n, line, time.monotonic()))
        try:
            await self._send(delivery)
        except Unavailable as error:
            self._note(f"press {n} got lost: {error}")
        self._pressed_at[step.raw] = time.monotonic()
        if delivery.unplug:
            await self._replug()
            return n, None
        patience_s = QUIET_S if step.meaning.outcome == "undo" else self.pace.patience_s
        return n, await self._answer(patience_s)

    def _delivery(self, step: Step) -> faults.Delivery:
        delivery = faults.deliver(step.raw, self.weather, self.rng)
        # After a bounce that took the quantity with it, nobody could say what the second means.
        if delivery.bounced and (step.meaning.outcome != "goods" or step.first):
            return faults.deliver(step.raw, faults.CALM, self.rng)
        return delivery

    async def _send(self, delivery: faults.Delivery) -> None:
        for position, piece in enumerate(delivery.pieces):
            if position:
                await asyncio.sleep(_PIECE_GAP_S)
            await self.device.press(piece)

    async def _replug(self) -> None:
        self._note("the plug came out")
        self.device.unplug()
        await asyncio.sleep(UNPLUGGED_S)
        self.device.plug()

    async def _listen(self) -> None:
        """Give each answer to the oldest press of its connection that still lacks one."""
        while True:
            line, signal = await self.device.hear()
            self._forget_other_lines(line)
            if signal == "rejected":
                self._note("central rejected an earlier scan")
            elif not self._unanswered:
                self._note(f"a beep ({signal}) that nobody asked for")
            else:
                waiting = self._unanswered.popleft()
                after_ms = round((time.monotonic() - waiting.sent_at) * 1_000, 3)
                self.journal.write(
                    truth.Heard(n=waiting.n, at=_now(), beep=signal, after_ms=after_ms)
                )
                self._answers.put_nowait(signal)

    def _forget_other_lines(self, line: int) -> None:
        while self._unanswered and self._unanswered[0].line != line:
            self._unanswered.popleft()

    async def _answer(self, patience_s: float) -> truth.Beep | None:
        try:
            return await asyncio.wait_for(self._answers.get(), patience_s)
        except TimeoutError:
            return None

    async def _quiet(self) -> None:
        """Return when every press is answered, or will not be any more."""
        self._forget_other_lines(self.device.line)
        while self._unanswered and await self._answer(QUIET_S):
            self._forget_other_lines(self.device.line)
        self._unanswered.clear()
        while not self._answers.empty():
            self._answers.get_nowait()

    async def _reach_line(self) -> bool:
        """Wait until somebody listens; False when told to stop first."""
        connected = asyncio.create_task(self.device.connected())
        stopped = asyncio.create_task(self.stop.wait())
        await asyncio.wait({connected, stopped}, return_when=asyncio.FIRST_COMPLETED)
        reached = connected.done()
        connected.cancel()
        stopped.cancel()
        if reached and self.device.line != self._line:
            self._line = self.device.line
            await asyncio.sleep(SETTLE_S)
        return reached

    async def _keep_apart(self, raw: bytes) -> None:
        before = self._pressed_at.get(raw)
        if before is not None:
            await asyncio.sleep(max(0.0, before + SAME_LABEL_GAP_S - time.monotonic()))
        if len(self._pressed_at) > 1_000:
            self._pressed_at.clear()

    async def _pause(self, seconds: float) -> None:
        if seconds > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stop.wait(), seconds)

    def _note(self, text: str) -> None:
        self.journal.write(truth.Note(at=_now(), scanner=self.station.scanner, text=text))
