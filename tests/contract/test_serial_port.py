"""gateway.serial_port on pseudo terminals: opens, reads, writes, and comes back by itself."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from gateway.config import Scanner
from gateway.devices import path_of
from gateway.port import Chunk, Down, Up
from gateway.serial_port import SerialPort
from gateway_rig import Pty
from machines import Machine
from wire.errors import Unavailable

DEADLINE_S = 20


def running(path: Path | str) -> AbstractAsyncContextManager[SerialPort]:
    """Run a port on a path until the block ends."""
    return run(SerialPort(Scanner(name="s", port=str(path)), lambda: str(path)))


@asynccontextmanager
async def run(port: SerialPort) -> AsyncIterator[SerialPort]:
    """Run a port until the block ends."""
    task = asyncio.create_task(port.run())
    try:
        yield port
    finally:
        task.cancel()
        await asyncio.wait([task])


async def after(port: SerialPort, kind: type) -> object:
    """Return the next news of a kind."""
    async with asyncio.timeout(DEADLINE_S):
        while not isinstance(news := await port.next(), kind):
            pass
    return news


async def read(port: SerialPort, size: int) -> bytes:
    """Return that many bytes as they come."""
    data = b""
    while len(data) < size:
        data += (await after(port, Chunk)).data
    return data


async def test_bytes_go_both_ways(tmp_path: Path) -> None:
    """What the device sends arrives unchanged, all 256 bytes; what we write reaches it."""
    device = Pty(tmp_path / "link")
    async with running(device.link) as port:
        await after(port, Up)
        device.send(bytes(range(256)))
        assert await read(port, 256) == bytes(range(256))
        await port.write(b"\x06")
        assert device.beep() == b"\x06"


async def test_a_device_that_is_missing_may_come(tmp_path: Path) -> None:
    """A missing path is told once and opened when it appears; until then nothing can be written."""
    link = tmp_path / "link"
    async with running(link) as port:
        assert (await after(port, Down)).reason == "not plugged in"
        with pytest.raises(Unavailable, match="not connected"):
            await port.write(b"x")
        assert await port.next(0.6) is None
        device = Pty(link)
        await after(port, Up)
        device.send(b"hello")
        assert await read(port, 5) == b"hello"


async def test_a_replugged_device_is_found_under_its_link(tmp_path: Path) -> None:
    """Ten times unplugged and back as another device: every time it is told and read again."""
    device = Pty(tmp_path / "link")
    async with running(device.link) as port:
        for number in range(10):
            await after(port, Up)
            device.send(b"%d" % number)
            assert await read(port, 1) == b"%d" % number
            device.unplug()
            await after(port, Down)
            device.plug()


async def test_a_usb_device_is_found_by_identity(tmp_path: Path) -> None:
    """Back as ttyUSB1 at another USB port it is read again; a stranger that took ttyUSB0 is not."""
    machine = Machine(tmp_path / "m")
    port = "usb:0403:6001:FT-SCAN-77"
    first, second, stranger = (Pty(tmp_path / name) for name in ("first", "second", "stranger"))
    bridge = machine.usb("1-1", "0403:6001", "FT-SCAN-77")
    machine.serial("ttyUSB0", bridge, behind=first.link.resolve())
    settings = Scanner(name="s", port=port)
    async with run(SerialPort(settings, lambda: path_of("serial", port, machine.root))) as reading:
        assert (await after(reading, Up)).path.endswith("ttyUSB0")
        machine.unplug(bridge)
        machine.serial(
            "ttyUSB0", machine.usb("1-1", "0403:6001", "FT-SCAN-78"), behind=stranger.link.resolve()
        )
        first.unplug()
        await after(reading, Down)
        machine.serial(
            "ttyUSB1", machine.usb("1-2", "0403:6001", "FT-SCAN-77"), behind=second.link.resolve()
        )
        assert (await after(reading, Up)).path.endswith("ttyUSB1")
        stranger.send(b"no")
        second.send(b"yes")
        assert await read(reading, 3) == b"yes"


async def test_a_device_has_one_reader(tmp_path: Path) -> None:
    """A second reader of the same device is kept out, and let in when the first is gone."""
    device = Pty(tmp_path / "link")
    async with running(device.link) as first:
        await after(first, Up)
        async with running(device.link) as second:
            assert "another program" in (await after(second, Down)).reason
            device.send(b"mine")
            assert await read(first, 4) == b"mine"
    async with running(device.link) as third:
        await after(third, Up)


async def test_a_device_that_takes_nothing_is_not_waited_for(tmp_path: Path) -> None:
    """When the way back is blocked, writing fails after its timeout instead of hanging the dock."""
    device = Pty(tmp_path / "link")
    async with running(device.link) as port:
        await after(port, Up)
        async with asyncio.timeout(DEADLINE_S):
            with pytest.raises(Unavailable, match="takes no feedback"):
                await port.write(b"x" * 1_000_000)


async def test_a_flood_is_held_back_not_piled_up(tmp_path: Path) -> None:
    """A consumer that is slow makes the port wait: nothing is lost and memory stays bounded."""
    device = Pty(tmp_path / "link")
    flood = os.urandom(300_000)
    async with running(device.link) as port:
        await after(port, Up)
        sending = asyncio.create_task(asyncio.to_thread(device.send, flood))
        await asyncio.sleep(0.2)
        assert port._queue.qsize() <= 64
        assert await read(port, len(flood)) == flood
        await sending


async def test_a_wrong_url_is_told(tmp_path: Path) -> None:
    """An address that cannot be one is shown as the port's trouble."""
    async with running("socket://nonsense:port") as port:
        assert (await after(port, Down)).reason
