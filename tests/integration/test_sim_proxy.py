"""The bad network in front of a real TCP echo."""

import asyncio
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from firmware_sim.broker_proxy import BrokerProxy
from neighbours import ROOT, free_port

_DEADLINE_S = 20.0


@pytest.fixture
async def echo():
    """Give the port of a server that sends everything back."""

    async def serve(reader, writer):
        while data := await reader.read(1_000):
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.fixture
async def proxy(echo):
    """Give a proxy in front of the echo."""
    async with BrokerProxy("127.0.0.1", echo).serving() as running:
        yield running


@pytest.fixture
async def dial():
    """Give a way to open connections that are closed at the end."""
    writers = []

    async def connect(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writers.append(writer)
        return reader, writer

    yield connect
    for writer in writers:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _say(stream, text):
    reader, writer = stream
    writer.write(text)
    return await asyncio.wait_for(reader.readexactly(len(text)), _DEADLINE_S)


async def _is_over(stream):
    """True once the other end broke the connection."""
    try:
        return await asyncio.wait_for(stream[0].read(1), _DEADLINE_S) == b""
    except ConnectionError:
        return True


async def test_a_good_network_changes_nothing(proxy, dial):
    """Everything comes through both ways, much or little."""
    stream = await dial(proxy.port)
    data = bytes(range(256)) * 4_000
    assert await _say(stream, b"hello") == b"hello"
    assert await _say(stream, data) == data


async def test_a_cut_breaks_what_is_there_and_what_comes_until_restored(proxy, dial):
    """Old connections end, new ones end at once, and after restore all is well."""
    old = await dial(proxy.port)
    await _say(old, b"up")
    proxy.cut()
    assert await _is_over(old)
    assert await _is_over(await dial(proxy.port))
    proxy.restore()
    new = await dial(proxy.port)
    assert await _say(new, b"up again") == b"up again"


async def test_half_open_is_silent_until_restore_breaks_it(proxy, dial):
    """Nothing arrives and nobody is told; a forgotten connection does not come back to life."""
    stream = await dial(proxy.port)
    await _say(stream, b"up")
    proxy.half_open()
    stream[1].write(b"into the void")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(stream[0].read(1), 0.3)
    proxy.restore()
    assert await _is_over(stream)
    new = await dial(proxy.port)
    assert await _say(new, b"up again") == b"up again"


async def test_delay_is_added(proxy, dial):
    """What comes through comes later, and whole."""
    proxy.delay_s = 0.2
    stream = await dial(proxy.port)
    begun = asyncio.get_running_loop().time()
    assert await _say(stream, b"slow") == b"slow"
    assert asyncio.get_running_loop().time() - begun >= 0.4


async def test_an_absent_broker_is_a_broken_connection(proxy, dial):
    """The proxy survives that nobody is behind it."""
    proxy.target_port = free_port()
    assert await _is_over(await dial(proxy.port))


async def test_the_command_cuts_and_restores_by_itself(echo, dial):
    """`sim proxy` works for a while, not for a while, and again; SIGTERM ends it well."""
    port = free_port()
    process = subprocess.Popen(  # noqa: ASYNC220  a test's loop has nothing else to do
        [
            sys.executable, "-m", "firmware_sim", "proxy", "--listen", str(port), "--to",
            f"127.0.0.1:{echo}", "--cut-after", "0.5", "--cut-for", "0.3",
        ],
        cwd=ROOT,
    )  # fmt: skip
    try:
        deaths = 0
        async with asyncio.timeout(_DEADLINE_S):
            while deaths < 2:
                try:
                    stream = await dial(port)
                    assert await _say(stream, b"up") == b"up"
                    deaths += await _is_over(stream)
                except (OSError, asyncio.IncompleteReadError):
                    await asyncio.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, _DEADLINE_S) == 0
    finally:
        process.kill()
        process.wait()
