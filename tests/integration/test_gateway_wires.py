"""A real gateway process and scanners that speak: an SSI decoder, cameras on the network."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from firmware_sim.ssi_engine import SsiEngine
from firmware_sim.tcp_scanner import TcpScanner
from gateway_rig import Central, Process
from neighbours import Mosquitto, free_port, wait_until
from wire.events import ScannerState

pytestmark = pytest.mark.broker
EAN_8, EAN, QR = 0x0A, 0x0B, 0x1C
GOOD, REFUSED = 0x00, 0x06
#: More than two packets hold.
LONG = b"".join(b"%03d " % number for number in range(150))
_ZEBRA = "[[scanner]]\nname='gun'\nport='{port}'\nprofile='zebra'\n"
_CAMERA = "[[scanner]]\nname='{name}'\nsource='tcp'\nport='{port}'\nprofile='{name}'\n"


async def eventually(condition: Callable[[], object], what: str) -> None:
    """Wait while the scanners of this loop go on working."""
    await asyncio.to_thread(wait_until, condition, what)


@pytest.fixture
def process(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Process]:
    """Give a gateway that is not started yet."""
    process = Process(tmp_path, mosquitto.port)
    yield process
    process.kill()


@pytest.fixture
async def gun(process: Process) -> AsyncIterator[SsiEngine]:
    """Give a decoder on a port that the gateway is configured for."""
    add(process, _ZEBRA.format(port=process.folder / "gun"))
    async with SsiEngine("gun", process.folder / "gun") as engine:
        yield engine


def add(process: Process, scanner: str) -> None:
    """Configure one more scanner."""
    process.config.write_text(process.config.read_text() + scanner)


async def started(process: Process, *names: str) -> None:
    """Start the gateway and wait until it reads these scanners, and central is there."""
    await asyncio.to_thread(process.start)
    for name in names:
        await eventually(lambda name=name: f"scanner {name}: reading" in process.log(), name)
    await asyncio.to_thread(process.wait_online)


def state(central: Central, name: str) -> ScannerState:
    """Return the newest state of a scanner."""
    assert central.state is not None
    return next(each for each in central.state.scanners if each.name == name)


async def test_a_decoder_is_greeted_and_answered(
    central: Central, process: Process, gun: SsiEngine
) -> None:
    """Its parameters are set at each plug-in; scans are taken, beeped, and no-reads counted."""
    await started(process, "gun")
    settings = {0x9F: 1, 0xEE: 1, 0x5E: 1, 0xEC: 0}
    await eventually(lambda: gun.parameters == settings, "the decoder is set up")
    assert await gun.scan(EAN, b"5901234123457")
    assert await gun.scan(QR, LONG)
    assert await gun.scan(EAN, b"NR")
    await eventually(lambda: len(central.events) == 2, "both scans arrive")
    short, long = central.events
    assert short.raw == b"]E05901234123457"
    assert short.identifiers.gtin14 == "05901234123457"
    assert long.raw == b"]Q1" + LONG
    await eventually(lambda: gun.beeps == [GOOD, GOOD], "both scans are beeped")
    await eventually(lambda: state(central, "gun").no_reads == 1, "the no-read is counted")
    gun.unplug()
    gun.parameters.clear()
    gun.plug()
    await eventually(lambda: gun.parameters == settings, "the decoder is set up again")


def counted(central: Central) -> list[bytes]:
    """Return what central has, without what was said twice."""
    return [event.raw for event in central.events if event.kind != "repeat"]


async def test_a_bad_line_costs_no_scan_and_doubles_none(
    central: Central, process: Process, gun: SsiEngine
) -> None:
    """Broken packets are asked for again; a lost answer is repeated, and the scan counts once."""
    gun.response_s = 1.0
    add(process, "repeat_window_ms = 10000\n")
    await started(process, "gun")
    gun.broken, gun.unheard = {2, 3, 9}, {5, 7}
    assert await gun.scan(EAN, b"5901234123457")
    assert await gun.scan(EAN_8, b"96385074")
    assert await gun.scan(EAN, b"0012345678905")
    assert await gun.scan(QR, LONG)
    assert gun.sent >= 1 + 3 + 2 + 5
    await eventually(lambda: len(counted(central)) == 4, "four scans arrive")
    assert counted(central)[-1] == b"]Q1" + LONG
    assert state(central, "gun").unreadable == 0


async def test_killed_before_commit(central: Central, process: Process, gun: SsiEngine) -> None:
    """Nothing was stored: the repetition after the restart is the scan."""
    gun.response_s = 15.0
    await started(process, "gun")
    assert process.running is not None
    os.kill(process.running.pid, signal.SIGSTOP)
    scan = asyncio.create_task(gun.scan(EAN, b"5901234123457"))
    await eventually(lambda: gun.sent == 1, "the packet is under way")
    process.kill()
    await started(process, "gun")
    assert await scan
    await eventually(lambda: central.raws() == [b"]E05901234123457"], "it counts")


async def test_a_full_outbox_is_refused_to_the_decoder(
    central: Central, process: Process, gun: SsiEngine
) -> None:
    """It is told to send again, then gives up; with room again the next scan is taken.

    What it was told is stored is at central, and nothing else.
    """
    text = process.config.read_text()
    process.config.write_text(
        text.replace("disk_reserve_bytes = 0", "disk_reserve_bytes = 0\nmax_bytes = 65536")
    )
    central.deaf = True
    await started(process, "gun")
    taken, number = [], 0
    while len(taken) == number:
        number += 1
        if await gun.scan(0x03, b"BOX-%05d" % number):
            taken.append(b"]C0BOX-%05d" % number)
        assert number < 1_000
    await eventually(lambda: gun.beeps[-1] == REFUSED, "the person hears it")
    await eventually(lambda: state(central, "gun").problem, "the state says why")
    central.deaf = False
    async with asyncio.timeout(60):
        while not await gun.scan(0x03, b"AFTER"):
            await asyncio.sleep(0.2)
    await eventually(lambda: central.raws() == [*taken, b"]C0AFTER"], "central has what was taken")


@pytest.mark.parametrize("name", ["keyence", "cognex"])
@pytest.mark.parametrize("scheme", ["tcp", "tcp-listen"])
async def test_a_camera_is_read_in_both_directions(
    central: Central, process: Process, name: str, scheme: str
) -> None:
    """Scans arrive once, no-reads are counted, answers are neither; it may come and go."""
    number = free_port()
    add(process, _CAMERA.format(name=name, port=f"{scheme}://127.0.0.1:{number}"))
    add(process, "[scanner.feedback]\ngood = 'OK!'\noffline = 'OK!'\n")
    async with TcpScanner(name, number, listen=scheme == "tcp") as camera:
        await started(process, name)
        for each in range(3):
            await eventually(lambda: camera.connected, "the camera is connected")
            await camera.confirm()
            await camera.read(b"]C0BOX-%d" % each)
            await camera.miss()
            wanted = b"OK!" * (each + 1)
            await eventually(lambda wanted=wanted: camera.heard == wanted, "it is told")
            await eventually(
                lambda each=each: state(central, name).no_reads == each + 1, "the miss is counted"
            )
            camera.hang_up()
            await eventually(
                lambda each=each: process.log().count("ended the connection") == each + 1,
                "its loss is seen",
            )
    await eventually(lambda: len(central.events) == 3, "all scans arrive")
    assert central.raws() == [b"]C0BOX-0", b"]C0BOX-1", b"]C0BOX-2"]


async def test_a_lost_answer_counts_once_without_any_window(
    central: Central, process: Process, gun: SsiEngine
) -> None:
    """The retransmit bit alone tells it from a second box: no time window helps here."""
    gun.response_s = 1.0
    add(process, "repeat_window_ms = 0\n")
    await started(process, "gun")
    for _ in range(3):
        gun.unheard.add(gun.sent + 1)
        assert await gun.scan(EAN, b"5901234123457")
    gun.unheard |= {gun.sent + 1, gun.sent + 4}
    assert await gun.scan(QR, LONG)
    assert await gun.scan(EAN, b"5901234123457")
    await eventually(lambda: len(central.events) >= 5, "five scans arrive")
    await asyncio.sleep(0.5)
    box = b"]E05901234123457"
    assert counted(central) == [box, box, box, b"]Q1" + LONG, box]


@pytest.mark.parametrize(
    ("code_type", "data", "frame"),
    [
        (EAN, b"5901234123457", b"]E05901234123457"),
        (QR, b"SHORT", b"]Q1SHORT"),
        (QR, LONG, b"]Q1" + LONG),
    ],
    ids=["linear", "small 2D", "large 2D"],
)
async def test_killed_between_commit_and_answer(
    central: Central, process: Process, gun: SsiEngine, code_type: int, data: bytes, frame: bytes
) -> None:
    """The scan is on the disk, its answer never came: the repetition after the restart is known.

    Of a large symbol only the last packet is repeated; it ends like what is stored.
    """
    gun.response_s = 5.0
    gun.unheard = {-(-len(data) // 250)}
    await started(process, "gun")
    scan = asyncio.create_task(gun.scan(code_type, data))
    await eventually(lambda: frame in central.raws(), "it is stored")
    process.kill()
    await started(process, "gun")
    assert await scan
    await asyncio.sleep(1)
    assert counted(central) == [frame]
    assert await gun.scan(code_type, data)
    await eventually(lambda: counted(central) == [frame, frame], "the next box counts")
