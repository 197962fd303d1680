"""A whole gateway on a clock that is wrong, jumps, and is put right while people scan."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clocks import HOUR_US, NOON_US, SECOND_US, Machine
from gateway import app, config
from gateway.errands import Errands
from gateway.outbox_lock import locked
from gateway_rig import GOOD, OFFLINE, Central, Process
from neighbours import DEADLINE_S, Mosquitto

pytestmark = pytest.mark.broker
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture
def rig(mosquitto: Mosquitto, tmp_path: Path) -> Process:
    """Give two scanners and the configuration of a gateway."""
    return Process(tmp_path, mosquitto.port)


@asynccontextmanager
async def gateway(
    rig: Process, machine: Machine, log: pytest.LogCaptureFixture
) -> AsyncIterator[None]:
    """Run a gateway in this process, on the clocks of `machine`, once it reads its scanner."""
    log.set_level("INFO")
    with locked(config.load(rig.config).data):
        running = asyncio.create_task(
            app.run(lambda: config.load(rig.config), Errands(), machine.read)
        )
        await until(lambda: "scanner left: reading" in log.text, "it reads")
        yield
        running.cancel()
        await asyncio.wait([running])


async def until(condition: Callable[[], object], what: str) -> None:
    """Wait for something without standing in the gateway's way."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)
    assert condition(), what


async def scan(rig: Process, code: bytes) -> bytes:
    """Scan and return the beep."""
    return await asyncio.to_thread(rig.left.scan, code)


async def test_what_was_scanned_before_the_clock_was_right_gets_its_time(
    mosquitto: Mosquitto, rig: Process, caplog: pytest.LogCaptureFixture
) -> None:
    """A board boots in 1970 without a broker; when it knows the time, so do its scans."""
    mosquitto.stop()
    machine, truth = Machine(), []
    async with gateway(rig, machine, caplog):
        for number in range(5):
            machine.wait(60 * SECOND_US)
            truth.append(machine.uptime_us)
            assert await scan(rig, b"EARLY-%d" % number) == OFFLINE
        machine.wait(HOUR_US)
        machine.step(NOON_US, synced=True)
        booted = EPOCH + timedelta(microseconds=machine.wall_us - machine.uptime_us)
        await until(lambda: corrected(rig) == 5, "all are dated")
        assert await scan(rig, b"RIGHT") == OFFLINE
        mosquitto.start()
        central = Central(mosquitto.port)
        await until(lambda: len(central.events) == 6, "they arrive")
        early = central.events[:5]
        assert [event.event_time - booted for event in early] == [
            timedelta(microseconds=uptime_us) for uptime_us in truth
        ]
        assert all(event.clock.corrected and not event.clock.synced for event in early)
        right = central.events[5]
        assert (right.clock.synced, right.clock.corrected) == (True, False)
        await until(lambda: central.state and central.state.outbox.pending == 0, "none waits")
        assert central.state is not None
        assert central.state.clock.booted_at == booted
        assert central.state.since - booted < timedelta(minutes=1)
        assert central.state.scanners[0].last_scan == right.event_time
        central.close()


async def test_a_scan_that_central_has_can_be_dated_by_the_boot(
    central: Central, rig: Process, caplog: pytest.LogCaptureFixture
) -> None:
    """What left before the clock was right keeps its number and its uptime; the state dates it."""
    machine = Machine()
    async with gateway(rig, machine, caplog):
        assert await scan(rig, b"EARLY") in (GOOD, OFFLINE)
        await until(lambda: central.state and central.state.last_seq == 1, "it is told")
        await until(lambda: central.events, "it arrives")
        assert central.state is not None
        assert central.state.clock.booted_at is None
        machine.step(NOON_US, synced=True)
        await until(lambda: central.state and central.state.clock.booted_at, "the boot is dated")
        (event,) = central.events
        clock = central.state.clock
        assert clock.booted_at is not None
        assert event.clock.boot_id == clock.boot_id
        moment = clock.booted_at + timedelta(microseconds=event.clock.monotonic_us)
        assert moment - event.event_time == timedelta(microseconds=NOON_US)


async def test_a_clock_that_jumps_for_hours_costs_nothing(
    central: Central, rig: Process, caplog: pytest.LogCaptureFixture
) -> None:
    """Forward and back while people scan, synchronised or not: each scan once, in order."""
    machine = Machine(wall_us=NOON_US, synced=True)
    codes = [b"CODE-%03d" % number for number in range(60)]
    async with gateway(rig, machine, caplog):
        for number, code in enumerate(codes):
            if number % 5 == 4:
                machine.step((-1) ** number * number * HOUR_US, synced=number % 3 > 0)
            machine.wait(SECOND_US)
            assert await scan(rig, code) in (GOOD, OFFLINE)
        await until(lambda: central.raws() == codes, "each is applied once, in order")
        await until(lambda: central.state and central.state.outbox.pending == 0, "none waits")
        assert central.state is not None
        assert central.state.outbox.problem is None


def corrected(rig: Process) -> int:
    """Return how many scans on the disk have been dated anew."""
    path = rig.folder / "data" / "outbox.db"
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        query = "SELECT COUNT(*) FROM events WHERE CAST(event AS TEXT) LIKE '%\"corrected\":true%'"
        return int(connection.execute(query).fetchone()[0])
