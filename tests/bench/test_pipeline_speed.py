"""Speed of the whole path, as ratios to a floor measured in the same run. `make bench`."""

import asyncio
import functools
import itertools
import os
import pty
import queue
import random
import statistics
import subprocess
import sys
import time
import tty
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from gateway.config import OutboxLimits
from gateway.outbox import Outbox
from gateway.outbox_file import Record
from ledgers import EACH, new_database, scan, stock_catalogue
from neighbours import Mosquitto, free_port, wait_until
from postgres import Postgres
from wire.events import Event

pytestmark = [pytest.mark.bench, pytest.mark.broker]
HERE = Path(__file__).parent
SCANS_PER_S, SECONDS = 50, 20
BACKLOG = 100_000
GATEWAY = """\
site = "main"
gateway = "gate"
data = "gate"

[outbox]
disk_reserve_bytes = 1048576
{scanner}
"""
SCANNER = """
[[scanner]]
name = "dock-1"
port = "{port}"
location = "DOCK-1"
repeat_window_ms = 0
feedback = {{ good = "\\u0006", offline = "\\u0006" }}
"""


@contextmanager
def process(
    *command: str, log: Path, ready: bytes | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends."""
    with log.open("wb") as errors:
        running = subprocess.Popen(
            [sys.executable, *command], stdout=subprocess.PIPE, stderr=errors
        )
    try:
        if ready is not None:
            assert running.stdout is not None
            assert running.stdout.readline().strip() == ready
        yield running
    finally:
        running.kill()
        running.communicate()


class Ear:
    """A third client that notes when a topic changes."""

    def __init__(self, port: int, topic: str) -> None:
        self.heard: queue.SimpleQueue[float] = queue.SimpleQueue()
        self.payload = b""
        self.client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self.client.on_message = self._on_message
        self.client.connect("127.0.0.1", port)
        self.client.subscribe(topic, qos=1)
        self.client.loop_start()

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        self.payload = message.payload
        if not message.retain:  # else an earlier run said it
            self.heard.put(time.perf_counter())

    def stop(self) -> None:
        """Go away."""
        self.client.disconnect()
        self.client.loop_stop()


def press(master: int, ear: Ear, count: int) -> list[float]:
    """Scan at the pace of the benchmark; return ms from the last byte to the third client."""
    delays = []
    start = time.perf_counter()
    for number in range(count):
        due = start + number / SCANS_PER_S
        time.sleep(max(0.0, due - time.perf_counter()))
        os.write(master, f"]E0{EACH[1:]}\r".encode())
        written = time.perf_counter()
        delays.append((ear.heard.get(timeout=10) - written) * 1_000)
    return delays


def show(name: str, delays: list[float]) -> tuple[float, float]:
    """Print and return p50 and p99 in ms."""
    cuts = statistics.quantiles(delays, n=100)
    print(f"{name:<10} p50 {cuts[49]:6.2f} ms   p99 {cuts[98]:6.2f} ms   max {max(delays):6.2f} ms")
    return cuts[49], cuts[98]


@contextmanager
def central(folder: Path, mosquitto: Mosquitto, url: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """Run a real central, on a file of its own or on the database named."""
    name = url or new_database(folder)
    command = ["-m", "central", "--database", name, "--log-level", "warning"]
    command += ["--broker", f"127.0.0.1:{mosquitto.port}", "--port", str(free_port())]
    with process(*command, log=folder / "central.log") as running:
        yield running


@contextmanager
def gateway(folder: Path, mosquitto: Mosquitto, port: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a real gateway, with a scanner when `port` names one."""
    scanner = SCANNER.format(port=port) if port else ""
    (folder / "gateway.toml").write_text(GATEWAY.format(scanner=scanner))
    command = ["-m", "gateway", "--config", str(folder / "gateway.toml")]
    command += ["--broker", f"127.0.0.1:{mosquitto.port}"]
    with process(*command, log=folder / "gateway.log") as running:
        yield running


def test_scan_to_availability(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """50 scans/s: last byte on the PTY to the retained availability at a third client."""
    count = SCANS_PER_S * SECONDS
    master, slave = pty.openpty()
    tty.setraw(slave)
    port, device = str(mosquitto.port), os.ttyname(slave)
    floor = str(HERE / "floor.py")
    results: dict[str, list[list[float]]] = {"floor": [], "docktally": []}
    for turn in range(2):  # interleaved, so that a noisy minute hits both
        work = tmp_path / f"floor-{turn}"
        work.mkdir()
        with (
            process(floor, "ledger", port, str(work / "l.db"), log=work / "l", ready=b"ready"),
            process(
                floor, "scanner", port, str(work / "s.db"), device, log=work / "s", ready=b"ready"
            ),
        ):
            ear = Ear(mosquitto.port, "floor/stock")
            press(master, ear, 20)
            results["floor"].append(press(master, ear, count // 2))
            ear.stop()
        work = tmp_path / f"docktally-{turn}"
        work.mkdir()
        with central(work, mosquitto), gateway(work, mosquitto, device):
            ear = Ear(mosquitto.port, "docktally/v1/main/availability/VALVE")
            wait_until(functools.partial(warmed, master, ear), "the first scan arrives")
            press(master, ear, 20)
            results["docktally"].append(press(master, ear, count // 2))
            ear.stop()
    print()
    low = show("floor", [*itertools.chain(*results["floor"])])
    ours = show("docktally", [*itertools.chain(*results["docktally"])])
    print(
        f"ratio      p50 {ours[0] / low[0]:.2f}x (goal 2x)   p99 {ours[1] / low[1]:.2f}x (goal 3x)"
    )
    os.close(master)
    os.close(slave)


@pytest.mark.postgres
def test_scan_to_availability_through_another_process(
    tmp_path: Path, mosquitto: Mosquitto, durable: Postgres
) -> None:
    """The same on PostgreSQL: one process has the gateway, and another one tells the broker."""
    url = durable.create()
    stock_catalogue(url, tmp_path)
    master, slave = pty.openpty()
    tty.setraw(slave)
    with ExitStack() as programs:
        for name in ("leader", "owner"):
            folder = tmp_path / name
            folder.mkdir()
            programs.enter_context(central(folder, mosquitto, url))
            time.sleep(5)  # the second one gets its share of the gateways, "gate" among them
        programs.enter_context(gateway(tmp_path, mosquitto, os.ttyname(slave)))
        ear = Ear(mosquitto.port, "docktally/v1/main/availability/VALVE")
        wait_until(functools.partial(warmed, master, ear), "the first scan arrives")
        press(master, ear, 20)
        delays = press(master, ear, SCANS_PER_S * SECONDS)
        ear.stop()
    print()
    show("two on PG", delays)
    print("goal       p99 50 ms")
    os.close(master)
    os.close(slave)


def warmed(master: int, ear: Ear) -> bool:
    """Press until a scan arrives: the programs have just started."""
    os.write(master, f"]E0{EACH[1:]}\r".encode())
    try:
        ear.heard.get(timeout=1)
    except queue.Empty:
        return False
    time.sleep(1)
    while not ear.heard.empty():
        ear.heard.get()
    return True


def test_backlog_drain(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """100,000 scans from a gateway's outbox into the SQLite ledger."""
    (tmp_path / "gate").mkdir()
    asyncio.run(fill(tmp_path / "gate", BACKLOG))
    ear = Ear(mosquitto.port, "docktally/v1/main/gate/ack")
    with central(tmp_path, mosquitto) as ledger:
        wait_for_state(mosquitto.port)
        with gateway(tmp_path, mosquitto, "") as gate:
            first = ear.heard.get(timeout=60)
            wait_until(lambda: f'"applied_seq":{BACKLOG},'.encode() in ear.payload, "drained", 120)
            took = time.perf_counter() - first
            # The first answer already stands for some events; none of them are counted twice.
            print(f"\ndrain      {BACKLOG / took:,.0f} events/s (goal 15,000)   {took:.1f} s")
            print(f"           {usage('central', ledger.pid)}")
            print(f"           {usage('gateway', gate.pid)}")
    ear.stop()


def test_idle_gateway(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """Memory and processor of a gateway that waits for scans."""
    master, slave = pty.openpty()
    with central(tmp_path, mosquitto), gateway(tmp_path, mosquitto, os.ttyname(slave)) as gate:
        wait_for_state(mosquitto.port)
        time.sleep(5)
        before, start = cpu_s(gate.pid), time.perf_counter()
        time.sleep(20)
        share = (cpu_s(gate.pid) - before) / (time.perf_counter() - start)
        print(f"\nidle       {100 * share:.2f} % of a core (goal 2)   {usage('gateway', gate.pid)}")
    os.close(master)
    os.close(slave)


async def fill(folder: Path, count: int) -> None:
    """Put scans into a new outbox, as if the link had been down for a day."""
    outbox = Outbox(folder, OutboxLimits(disk_reserve_bytes=0))
    running = asyncio.create_task(outbox.run())
    rng = random.Random(1)
    template = scan(1, event_time=datetime.now(UTC))
    for _ in range(0, count, 200):
        writes = [write_of(template, uuid.UUID(int=rng.getrandbits(128))) for _ in range(200)]
        await asyncio.gather(*(outbox.append(write) for write in writes))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def write_of(template: Event, identity: uuid.UUID) -> Callable[[int], Record]:
    """Return what makes the outbox row of a scan."""

    def write(seq: int) -> Record:
        event = template.model_copy(update={"seq": seq, "id": identity})
        return Record(event.model_dump_json(exclude_none=True).encode(), "dock-1", None)

    return write


def wait_for_state(port: int) -> None:
    """Wait until central says that it is online."""
    ear = Ear(port, "docktally/v1/central/state")
    wait_until(lambda: b'"online":true' in ear.payload, "central is online")
    ear.stop()


def cpu_s(pid: int) -> float:
    """Return the processor seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def usage(name: str, pid: int) -> str:
    """Return the memory and processor time of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    rss = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    return f"{name}: {int(rss) / 1024:.0f} MB RSS, {cpu_s(pid):.1f} s CPU"
