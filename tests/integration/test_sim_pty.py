"""The simulated serial scanner against a plain serial reader."""

import asyncio
import os

import pytest
import serial

from firmware_sim import pty_serial
from firmware_sim.pty_serial import PtyScanner
from wire.errors import Unavailable

_DEADLINE_S = 20.0


@pytest.fixture
async def scanner(tmp_path):
    """Give a plugged-in scanner."""
    async with PtyScanner("s1", tmp_path / "ports" / "s1") as device:
        yield device


def _open(device):
    return serial.Serial(str(device.link), timeout=_DEADLINE_S)


async def _soon(awaitable):
    return await asyncio.wait_for(awaitable, _DEADLINE_S)


async def test_every_byte_arrives_and_none_comes_back(scanner):
    """All 256 values pass both ways unchanged by the terminal, without an echo."""
    data = bytes(range(256))
    with _open(scanner) as port:
        await _soon(scanner.connected())
        await scanner.press(data)
        assert await asyncio.to_thread(port.read, 256) == data
        port.write(data)  # its signal bytes come out in order; the rest is no signal
        heard = [await _soon(scanner.hear()) for _ in range(4)]
    assert heard == [(1, "good"), (1, "offline"), (1, "rejected"), (1, "refused")]


async def test_nothing_is_typed_before_somebody_listens(scanner):
    """A press into an open cable is refused, and the device says when it makes sense."""
    with pytest.raises(Unavailable):
        await scanner.press(b"lost\r")
    waiting = asyncio.create_task(scanner.connected())
    await asyncio.sleep(0)
    assert not waiting.done()
    with _open(scanner) as port:
        await _soon(waiting)
        await scanner.press(b"heard\r")
        assert await asyncio.to_thread(port.read_until, b"\r") == b"heard\r"


async def test_what_a_dead_gateway_did_not_read_does_not_greet_the_next(scanner):
    """Bytes of the old connection are gone, and the connection has a new number."""
    with _open(scanner):
        await _soon(scanner.connected())
        first = scanner.line
        await scanner.press(b"never read\r")
    while scanner._open.is_set():
        await asyncio.sleep(0.01)
    await asyncio.sleep(3 * pty_serial.OPEN_POLL_S)  # the kernel delivers late, and then no more
    reader = os.open(scanner.link, os.O_RDWR | os.O_NOCTTY)
    try:
        await _soon(scanner.connected())
        assert scanner.line == first + 1
        await scanner.press(b"read\r")
        data = b""
        while not data.endswith(b"\r"):
            data += await asyncio.to_thread(os.read, reader, 100)
        assert data == b"read\r"
    finally:
        os.close(reader)


async def test_unplugged_is_an_error_and_plugged_again_the_same_path_works(scanner):
    """The gateway's port breaks; the stable path leads to a new terminal afterwards."""
    with _open(scanner) as port:
        await _soon(scanner.connected())
        scanner.unplug()
        assert not scanner.link.is_symlink()
        with pytest.raises((OSError, serial.SerialException)):
            await asyncio.to_thread(port.read, 1)
    scanner.plug()
    with _open(scanner) as port:
        await _soon(scanner.connected())
        await scanner.press(b"again\r")
        assert await asyncio.to_thread(port.read_until, b"\r") == b"again\r"


async def test_a_real_device_is_never_replaced(tmp_path):
    """A path that is no symlink belongs to somebody else."""
    real = tmp_path / "ttyUSB0"
    real.write_text("a real device")
    with pytest.raises(FileExistsError, match="real file or device"):
        async with PtyScanner("s1", real):
            pass
    assert real.read_text() == "a real device"


async def test_a_link_that_a_killed_simulator_left_is_replaced(tmp_path):
    """A dangling symlink does not stop the next run."""
    link = tmp_path / "s1"
    link.symlink_to("/dev/pts/no-such-terminal")
    async with PtyScanner("s1", link) as device:
        with _open(device):
            await _soon(device.connected())
