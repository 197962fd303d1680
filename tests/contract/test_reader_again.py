"""A scanner that heard no answer: what the gateway did before it was killed is known afterwards."""

import asyncio
import contextlib
import random
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway.clock import DockClock
from gateway.config import OutboxLimits, Scanner
from gateway.framing import Frame
from gateway.outbox import Outbox
from gateway.reader import Reader
from gateway_rig import Pty
from wire import codec
from wire.events import Event

GOOD, REFUSED, ACK, NAK = b"\x01", b"\x02", b"\x06", b"\x15"
ITEM = b"]E05901234123457"
UNDO = b"%DT-C-UNDO-C"


class Bench:
    """A reader on a real terminal and a real outbox; frames come as its dialect hands them over."""

    def __init__(self, reader: Reader, outbox: Outbox, scanner: Pty) -> None:
        self.reader, self.outbox, self.scanner = reader, outbox, scanner

    async def frame(self, data: bytes, *, again: bool = False) -> bytes:
        """Hand a frame over and return what the scanner is told."""
        now_s = asyncio.get_running_loop().time()
        await self.reader._on_frame(Frame(data, again=again), now_s)
        return await asyncio.to_thread(self.scanner.told)

    def events(self) -> list[tuple[str, int | None, str | None]]:
        """Return kind, repeat_of and reason of what is stored."""
        rows = [codec.decode(Event, row) for row in self.outbox.rows(0, 100, 10**9)]
        return [(event.kind, event.repeat_of, event.reason) for event in rows]


@asynccontextmanager
async def bench(folder: Path, scanner: Pty, limits: OutboxLimits) -> AsyncIterator[Bench]:
    """Run a gateway's reader until the block ends, as suddenly as a power cut ends it."""
    settings = Scanner.model_validate(
        {
            "name": "left", "port": str(scanner.link), "ack_nak": True, "repeat_window_ms": 0,
            "feedback": {"good": "\x01", "refused": "\x02"},
        }
    )  # fmt: skip
    outbox = Outbox(folder, limits)
    async with asyncio.TaskGroup() as tasks:
        storing = tasks.create_task(outbox.run())
        with contextlib.suppress(Exception):
            await outbox.probe()
        reader = Reader(
            settings,
            outbox,
            lambda: True,
            lambda: None,
            random.Random(1),
            DockClock(),
            lambda *_: None,
        )
        reading = tasks.create_task(reader.run())
        async with asyncio.timeout(20):
            while not reader.state().online:
                await asyncio.sleep(0.01)
        yield Bench(reader, outbox, scanner)
        reading.cancel()
        storing.cancel()


class Ear(Pty):
    """A scanner that collects what it is told."""

    def told(self) -> bytes:
        """Return all bytes up to a pause."""
        heard = b""
        while byte := self.beep(0.2 if heard else 20.0):
            heard += byte
        return heard


@pytest.fixture
def scanner(tmp_path: Path) -> Ear:
    """Give a scanner's terminal, beside the folder of a gateway."""
    (tmp_path / "data").mkdir()
    return Ear(tmp_path / "left")


LIMITS = OutboxLimits(disk_reserve_bytes=0)


async def test_a_scan_that_was_stored_and_not_answered_counts_once(
    tmp_path: Path, scanner: Ear
) -> None:
    """Killed between commit and answer: sent again, it is acknowledged, beeped, and not counted."""
    async with bench(tmp_path / "data", scanner, LIMITS) as before:
        assert await before.frame(ITEM) == ACK + GOOD
    async with bench(tmp_path / "data", scanner, LIMITS) as after:
        for _ in range(2):
            assert await after.frame(ITEM, again=True) == ACK + GOOD
        repeat = ("repeat", 1, "sent again by the scanner")
        assert after.events() == [("receive", None, None), repeat, repeat]
        assert after.reader.state().repeats == 2
        assert await after.frame(ITEM) == ACK + GOOD
        assert after.events()[-1] == ("receive", None, None)


async def test_an_undo_that_was_not_answered_is_obeyed_once(tmp_path: Path, scanner: Ear) -> None:
    """Its second copy would take back another scan."""
    async with bench(tmp_path / "data", scanner, LIMITS) as before:
        for data in (ITEM, ITEM, UNDO):
            assert await before.frame(data) == ACK + GOOD
    async with bench(tmp_path / "data", scanner, LIMITS) as after:
        assert await after.frame(UNDO, again=True) == ACK + GOOD
        assert [kind for kind, _, _ in after.events()] == ["receive", "receive", "undo"]


async def test_a_box_that_was_not_stored_is_no_repeat_of_an_equal_one(
    tmp_path: Path, scanner: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of two equal boxes met a full disk: when the scanner sends it again, it counts."""
    async with bench(tmp_path / "data", scanner, OutboxLimits(disk_reserve_bytes=1)) as dock:
        assert await dock.frame(ITEM) == ACK + GOOD
        with monkeypatch.context() as full:
            full.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
            assert await dock.frame(ITEM) == NAK + REFUSED
            assert await dock.frame(ITEM, again=True) == NAK + REFUSED
        assert await dock.frame(ITEM, again=True) == ACK + GOOD
        assert dock.events() == [("receive", None, None)] * 2


async def test_a_repeat_that_finds_no_room_is_known_all_the_same(
    tmp_path: Path, scanner: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its scan is stored: a bad beep would make somebody scan it once more."""
    async with bench(tmp_path / "data", scanner, OutboxLimits(disk_reserve_bytes=1)) as dock:
        assert await dock.frame(ITEM) == ACK + GOOD
        with monkeypatch.context() as full:
            full.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
            assert await dock.frame(ITEM, again=True) == ACK + GOOD
        assert dock.events() == [("receive", None, None)]


async def test_a_scan_that_was_not_stored_counts_when_it_is_sent_again(
    tmp_path: Path, scanner: Ear
) -> None:
    """The disk was full, and the scanner was told so; now there is room."""
    full = OutboxLimits(disk_reserve_bytes=2**60)
    async with bench(tmp_path / "data", scanner, full) as before:
        assert await before.frame(ITEM) == NAK + REFUSED
    async with bench(tmp_path / "data", scanner, LIMITS) as after:
        assert await after.frame(ITEM, again=True) == ACK + GOOD
        assert after.events() == [("receive", None, None)]
