"""gateway.tcp_port on real sockets: both directions, one connection at a time, nothing mixed."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.config import Scanner
from gateway.port import Chunk, Down, News, Up
from gateway.tcp_port import TcpPort
from neighbours import free_port
from wire.errors import Unavailable

DEADLINE_S = 20


@asynccontextmanager
async def running(address: str) -> AsyncIterator[TcpPort]:
    """Run a port until the block ends, which must not take long."""
    port = TcpPort(Scanner(name="s", source="tcp", port=address), lambda: address)
    task = asyncio.create_task(port.run())
    try:
        yield port
    finally:
        task.cancel()
        async with asyncio.timeout(DEADLINE_S):
            await asyncio.wait([task])


async def news(port: TcpPort) -> News:
    """Return what happens next."""
    happened = await port.next(DEADLINE_S)
    assert happened is not None
    return happened


async def after(port: TcpPort, kind: type) -> News:
    """Return the next news of a kind."""
    while not isinstance(happened := await news(port), kind):
        pass
    return happened


async def read(port: TcpPort, size: int) -> bytes:
    """Return that many bytes; nothing else may happen in between."""
    data = b""
    while len(data) < size:
        chunk = await news(port)
        assert isinstance(chunk, Chunk)
        data += chunk.data
    return data


async def dial(number: int) -> socket.socket:
    """Connect to a port as a scanner does, as soon as somebody listens."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                return await asyncio.to_thread(socket.create_connection, ("127.0.0.1", number))
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)


async def test_we_connect_to_a_camera_that_comes_and_goes() -> None:
    """All bytes both ways; what ends is told, and connected again as often as it comes back."""
    number = free_port()
    async with running(f"tcp://127.0.0.1:{number}") as port:
        told = await after(port, Down)
        assert "TCP server" in told.reason
        with pytest.raises(Unavailable, match="no scanner is connected"):
            await port.write(b"x")
        for _ in range(3):
            with socket.create_server(("127.0.0.1", number)) as server:
                line, _ = await asyncio.to_thread(server.accept)
                with line:
                    assert await after(port, Up) == Up(f"127.0.0.1:{number}")
                    line.sendall(bytes(range(256)))
                    assert await read(port, 256) == bytes(range(256))
                    await port.write(b"\x06")
                    assert await asyncio.to_thread(line.recv, 1) == b"\x06"
            assert await after(port, Down) == Down("the scanner ended the connection")


async def test_a_scanner_connects_to_us() -> None:
    """Until it does, the port says what it waits for; afterwards it may leave and come again."""
    number = free_port()
    async with running(f"tcp-listen://127.0.0.1:{number}") as port:
        waiting = await after(port, Down)
        assert f"connect to 127.0.0.1:{number}" in waiting.reason
        for _ in range(2):
            with await dial(number) as scanner:
                up = await after(port, Up)
                assert up.path == f"127.0.0.1 port {scanner.getsockname()[1]}"
                scanner.sendall(b"5901234123457\r")
                assert await read(port, 14) == b"5901234123457\r"
                await port.write(b"\x06")
                assert await asyncio.to_thread(scanner.recv, 1) == b"\x06"
            assert isinstance(await news(port), Down)


async def test_the_newest_connection_replaces_the_old_one() -> None:
    """A scanner that was switched off comes again: its old bytes first, then an end, then its new.

    What we say goes to the new one, and the old one is closed.
    """
    number = free_port()
    async with running(f"tcp-listen://127.0.0.1:{number}") as port:
        with await dial(number) as old:
            await after(port, Up)
            old.sendall(b"HALF")
            with await dial(number) as new:
                new.sendall(b"WHOLE\r")
                assert await read(port, 4) == b"HALF"
                assert isinstance(await news(port), Down)
                assert isinstance(await news(port), Up)
                assert await read(port, 6) == b"WHOLE\r"
                await port.write(b"\x06")
                assert await asyncio.to_thread(new.recv, 1) == b"\x06"
                assert await asyncio.to_thread(old.recv, 1) == b""


async def test_bytes_of_many_connections_never_mix() -> None:
    """Each connection's bytes lie between its own Up and Down, none of them lost."""
    number = free_port()
    async with running(f"tcp-listen://127.0.0.1:{number}") as port:
        scanners = []
        for each in range(20):
            scanners.append(await dial(number))
            scanners[-1].sendall(b"%02d" % each)
        seen: list[bytes] = []
        async with asyncio.timeout(DEADLINE_S):
            while not seen or seen[-1] != b"19":
                match await news(port):
                    case Up():
                        seen.append(b"")
                    case Chunk(data=data):
                        seen[-1] += data
        assert seen == [b"%02d" % each for each in range(20)]
        for scanner in scanners:
            scanner.close()


async def test_a_port_in_use_says_what_to_do_and_is_taken_when_free() -> None:
    """The message names the tool that finds the other program."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = other.getsockname()[1]
        async with running(f"tcp-listen://127.0.0.1:{number}") as port:
            assert "ss -ltnp" in (await after(port, Down)).reason
            other.close()
            assert "waits for the scanner" in (await after(port, Down)).reason
            with await dial(number):
                await after(port, Up)


async def test_an_address_of_another_machine_says_what_to_do() -> None:
    """One listens on addresses that one has."""
    async with running("tcp-listen://192.0.2.1:9004") as port:
        assert "0.0.0.0" in (await after(port, Down)).reason


async def test_a_name_nobody_knows_is_told() -> None:
    """A misspelt host is the port's trouble."""
    async with running("tcp://no-such-camera.invalid:23") as port:
        assert "IP address" in (await after(port, Down)).reason


async def test_a_scanner_that_reads_nothing_is_not_waited_for() -> None:
    """When the way back is blocked, writing fails after its timeout instead of hanging the dock."""
    number = free_port()
    async with running(f"tcp-listen://127.0.0.1:{number}") as port:
        with await dial(number):
            await after(port, Up)
            async with asyncio.timeout(DEADLINE_S):
                with pytest.raises(Unavailable, match="takes no feedback"):
                    await port.write(bytes(20_000_000))


async def test_a_flood_is_held_back_not_piled_up() -> None:
    """A consumer that is slow makes the scanner wait: nothing is lost and memory stays bounded."""
    number, flood = free_port(), os.urandom(8_000_000)
    async with running(f"tcp-listen://127.0.0.1:{number}") as port:
        with await dial(number) as scanner:
            await after(port, Up)
            sending = asyncio.create_task(asyncio.to_thread(scanner.sendall, flood))
            await asyncio.sleep(0.3)
            assert not sending.done()
            assert port._news.qsize() <= 64
            assert await read(port, len(flood)) == flood
            await sending


async def test_a_silent_scanner_is_asked_whether_it_lives() -> None:
    """The kernel probes an idle connection and gives up one that acknowledges nothing."""
    number = free_port()
    async with running(f"tcp-listen://127.0.0.1:{number}") as port:
        with await dial(number):
            await after(port, Up)
            peer = port._peer
            assert peer is not None
            assert peer.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            seconds = [
                peer.getsockopt(socket.IPPROTO_TCP, option)
                for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            ]
            assert seconds[0] + seconds[1] * seconds[2] < 20
            assert peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 20_000
            assert peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_looking_connects_at_once() -> None:
    """Told that something was plugged in, it does not wait for its next try."""
    number = free_port()
    async with running(f"tcp://127.0.0.1:{number}") as port:
        await after(port, Down)
        port._reopen_s = 3_600.0
        await asyncio.sleep(0.6)
        with socket.create_server(("127.0.0.1", number)):
            port.look()
            await after(port, Up)


async def test_a_stop_ends_while_nobody_listens_to_it() -> None:
    """With its queue full and its scanner sending, the port still ends at once."""
    number = free_port()
    async with running(f"tcp-listen://127.0.0.1:{number}") as port:
        scanner = await dial(number)
        sending = asyncio.create_task(asyncio.to_thread(scanner.sendall, bytes(2_000_000)))
        async with asyncio.timeout(DEADLINE_S):
            while not port._news.full():
                await asyncio.sleep(0.01)
    scanner.close()
    await asyncio.gather(sending, return_exceptions=True)
