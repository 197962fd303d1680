"""gateway.keyboard_port and gateway.pos_port on pipes in place of device nodes: what they read, and
how they stop. tests/rig has the kernel's own devices."""

import asyncio
import fcntl
import os
import struct
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from gateway import hid_report, profiles
from gateway.config import Scanner
from gateway.framing import Frame
from gateway.port import Chunk, Down, ThreadPort, Up
from gateway.pos_port import PosPort
from typist import EVENT, events, packed, press, strokes
from wire.errors import Unavailable

# `make setup` goes on without evdev where there is no compiler.
keyboard_port = pytest.importorskip("gateway.keyboard_port", exc_type=ImportError)
DEADLINE_S = 20
SYN_REPORT = (0, 0, 0)


@dataclass
class Pipe:
    """A pipe that keeps writes apart as a device keeps reports; `path` opens its reading end."""

    reading: int
    writing: int

    @property
    def path(self) -> str:
        """The reading end as a file."""
        return f"/proc/self/fd/{self.reading}"

    @property
    def fd(self) -> int:
        """The reading end, as python-evdev names it."""
        return self.reading

    def close(self) -> None:
        """Nothing: the fixture does."""


class KeyboardOnAPipe(keyboard_port.KeyboardPort):
    """A keyboard port that is given an open device instead of grabbing one."""

    device: Pipe

    def _open(self) -> tuple[object, str]:
        return keyboard_port._Keyboard(self.device, b""), "pipe"


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """Return a pipe in packet mode."""
    reading, writing = os.pipe2(os.O_DIRECT | os.O_NONBLOCK)
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 128 * 4_096)  # a page for each report
    yield Pipe(reading, writing)
    os.close(reading)
    os.close(writing)


@asynccontextmanager
async def running(port: ThreadPort) -> AsyncIterator[ThreadPort]:
    """Run a port until the block ends."""
    task = asyncio.create_task(port.run())
    try:
        yield port
    finally:
        task.cancel()
        async with asyncio.timeout(DEADLINE_S):
            await asyncio.wait([task])


def keyboard(pipe: Pipe, **options) -> KeyboardOnAPipe:
    """Return a keyboard port that reads a pipe."""
    port = KeyboardOnAPipe(Scanner(name="s", source="keyboard", port="p", **options), lambda: "p")
    port.device = pipe
    return port


def pos(pipe: Pipe) -> PosPort:
    """Return a POS port that reads a pipe."""
    return PosPort(
        Scanner(name="s", source="pos", port="p", profile="honeywell"), lambda: pipe.path
    )


async def after(port: ThreadPort, kind: type):
    """Return the next news of a kind."""
    async with asyncio.timeout(DEADLINE_S):
        while not isinstance(news := await port.next(), kind):
            pass
    return news


async def test_keys_come_as_they_were_typed_and_then_the_word_that_it_is_quiet(pipe: Pipe) -> None:
    """Whole events are handed over, then one SYN_REPORT no earlier than `gap_ms` after the read."""
    async with running(keyboard(pipe, gap_ms=30)) as port:
        await after(port, Up)
        typed = packed(events(press(("", 0x04))))
        os.write(pipe.writing, typed)
        chunk = await after(port, Chunk)
        assert chunk.data == typed
        seconds, micros, *event = EVENT.unpack((await after(port, Chunk)).data)
        assert tuple(event) == SYN_REPORT
        assert chunk.at_s <= seconds + micros / 1e6 <= time.monotonic()
        assert await port.next(0.1) is None


async def test_a_code_that_ends_with_silence_is_ended_by_the_driver(pipe: Pipe) -> None:
    """Port and dialect together: no clock of the program is asked when a code is over."""
    settings = Scanner(name="s", source="keyboard", port="p", terminator="gap", gap_ms=30)
    dialect, heard = profiles.dialect_of(settings), []
    async with running(keyboard(pipe, gap_ms=30)) as port:
        await after(port, Up)
        now_us = time.monotonic_ns() // 1_000
        os.write(pipe.writing, packed(events(strokes("us", "AB"), now_us, step_us=1)))
        while not heard:
            heard += dialect.feed((await after(port, Chunk)).data)
    assert heard == [Frame(b"AB")]


async def test_a_flood_of_keys_waits_in_order(pipe: Pipe) -> None:
    """Two thousand keystrokes that nobody looks at yet are kept by the program, not the kernel."""
    async with running(keyboard(pipe, gap_ms=10_000)) as port:
        await after(port, Up)
        found = events(press(*[("", 0x1E)] * 1_000))
        for at in range(0, len(found), 2):
            while True:
                try:
                    os.write(pipe.writing, packed(found[at : at + 2]))
                    break
                except BlockingIOError:
                    await asyncio.sleep(0)
        data = b""
        while len(data) < len(found) * EVENT.size:
            data += (await after(port, Chunk)).data
        assert data == packed(found)


@pytest.mark.parametrize("make", [keyboard, pos])
async def test_a_stop_does_not_wait_for_the_scanner(pipe: Pipe, make) -> None:
    """A port that waits for a scanner ends when it is told to, although no byte ever comes."""
    async with running(make(pipe)) as port:
        await after(port, Up)
        with pytest.raises(Unavailable):
            await port.write(b"\x06")


@pytest.mark.parametrize(
    ("path", "reason"),
    [("/nonexistent", "not plugged in"), ("/dev/null", "no keyboard")],
)
async def test_a_path_that_is_no_keyboard_is_told(path: str, reason: str) -> None:
    """A missing device may come; another kind of device is named for what it is not."""
    settings = Scanner(name="s", source="keyboard", port=path)
    async with running(keyboard_port.KeyboardPort(settings, lambda: path)) as port:
        assert reason in (await after(port, Down)).reason


async def test_reports_come_one_by_one(pipe: Pipe) -> None:
    """Each chunk is one report, however fast they come."""
    async with running(pos(pipe)) as port:
        await after(port, Up)
        reports = [bytes((2, at)) + bytes(62) for at in range(40)]
        for report in reports:
            os.write(pipe.writing, report)
        assert [(await after(port, Chunk)).data for _ in reports] == reports


async def test_a_full_ring_is_told_as_a_loss(pipe: Pipe) -> None:
    """After 63 reports that waited the kernel may have thrown one away, and the port says so."""
    for at in range(64):
        os.write(pipe.writing, struct.pack("64s", b"\x02" + bytes((at,))))
    async with running(pos(pipe)) as port:
        await after(port, Up)
        chunks = [(await after(port, Chunk)).data for _ in range(66)]
        assert [at for at, data in enumerate(chunks) if data == hid_report.LOST] == [63, 65]
        os.write(pipe.writing, bytes(64))
        assert (await after(port, Chunk)).data == bytes(64)


async def test_a_pos_scanner_has_one_reader(pipe: Pipe) -> None:
    """Every reader of such a device gets every report, so a second one is kept out."""
    async with running(pos(pipe)) as first:
        await after(first, Up)
        async with running(pos(pipe)) as second:
            assert "another program" in (await after(second, Down)).reason
    async with running(pos(pipe)) as third:
        await after(third, Up)
