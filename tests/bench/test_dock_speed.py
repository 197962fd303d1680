"""Speed of one dock: from a scanner's bytes to the beep that says "on the disk". `make bench`.

No broker and no central: what an operator waits for needs neither.
"""

import os
import pty
import socket
import sqlite3
import subprocess
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway import ssi
from measure import cpu_s, process, rss_mb, show, usage
from neighbours import free_port, wait_until

pytestmark = pytest.mark.bench
FLOOR = str(Path(__file__).parent / "floor.py")
CODE = b"]E05901234123457"
SCANS, SCANS_PER_S = 1_000, 50
SCANNERS, EACH_PER_S, LONG_S = 8, 20, int(os.environ.get("BENCH_SECONDS", "300"))
HEAD = "site = 'main'\ngateway = 'gate'\ndata = 'data'\n[broker]\nport = {broker}\n[outbox]\n"
HEAD += "disk_reserve_bytes = 0\n"
SCANNER = """
[[scanner]]
name = "{name}"
port = "{port}"
repeat_window_ms = 0
{extra}
feedback = {{ good = "\\u0006", offline = "\\u0006", refused = "\\u0015" }}
"""
SSI = b"".join((b"\x0b", CODE[3:]))


@dataclass
class Line:
    """The scanner's end of a cable."""

    send: Callable[[bytes], object]
    receive: Callable[[], bytes]

    def scan(self, code: bytes, answer: int = 1) -> float:
        """Send a code; return the ms until its answer of `answer` bytes is there."""
        start = time.perf_counter()
        self.send(code)
        got = b""
        while len(got) < answer:
            got += self.receive()
        return (time.perf_counter() - start) * 1_000


@contextmanager
def terminal() -> Iterator[tuple[str, Line]]:
    """Give a pseudo terminal and its scanner."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    try:
        yield (
            os.ttyname(slave),
            Line(lambda data: os.write(master, data), lambda: os.read(master, 64)),
        )
    finally:
        os.close(master)
        os.close(slave)


@contextmanager
def gateway(folder: Path, *scanners: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a real gateway without a broker; return once it reads all its scanners."""
    folder.mkdir(exist_ok=True)
    config = folder / "gateway.toml"
    config.write_text(HEAD.format(broker=free_port()) + "".join(scanners))
    log = folder / "gateway.log"
    with process("-m", "gateway", "--config", str(config), log=log) as running:
        wait_until(lambda: log.read_text().count(": reading ") == len(scanners), "it reads")
        yield running


def presses(line: Line, code: bytes, answer: int = 1) -> list[float]:
    """Scan at the pace of the benchmark, after a few to warm up."""
    delays = []
    start = time.perf_counter()
    for number in range(SCANS + 20):
        time.sleep(max(0.0, start + number / SCANS_PER_S - time.perf_counter()))
        delays.append(line.scan(code, answer))
    return delays[20:]


def test_scan_to_committed(tmp_path: Path) -> None:
    """50 scans/s at one scanner: from its last byte to the beep after the commit."""
    print()
    low = {"serial": floor_serial(tmp_path), "tcp": floor_tcp(tmp_path)}
    for name, ours in (
        ("serial", ours_serial(tmp_path)),
        ("tcp", ours_tcp(tmp_path)),
        ("ssi", ours_ssi(tmp_path)),
    ):
        floor = low["tcp" if name == "tcp" else "serial"]
        print(f"ratio      {name}: p50 {ours[0] / floor[0]:.2f}x   p99 {ours[1] / floor[1]:.2f}x")


def floor_serial(folder: Path) -> tuple[float, float]:
    """Measure the floor on a pseudo terminal."""
    with (
        terminal() as (port, line),
        process(FLOOR, "dock", "0", str(folder / "s.db"), port, log=folder / "s", ready=b"ready"),
    ):
        return show("floor tty", presses(line, CODE + b"\n"))


def floor_tcp(folder: Path) -> tuple[float, float]:
    """Measure the floor on a TCP connection."""
    at = free_port()
    with (
        process(
            FLOOR, "dock", str(at), str(folder / "t.db"), "-", log=folder / "t", ready=b"ready"
        ),
        client(at) as line,
    ):
        return show("floor tcp", presses(line, CODE + b"\n"))


def ours_serial(folder: Path) -> tuple[float, float]:
    """Measure a gateway on a pseudo terminal."""
    with (
        terminal() as (port, line),
        gateway(folder / "serial", SCANNER.format(name="s", port=port, extra="")),
    ):
        return show("serial", presses(line, CODE + b"\r"))


def ours_tcp(folder: Path) -> tuple[float, float]:
    """Measure a gateway that a network scanner connects to."""
    at = free_port()
    where = f"tcp-listen://127.0.0.1:{at}"
    scanner = SCANNER.format(name="t", port=where, extra='source = "tcp"')
    with process_listening(folder / "tcp", scanner, at), client(at) as line:
        return show("tcp", presses(line, CODE + b"\r"))


@contextmanager
def process_listening(folder: Path, scanner: str, at: int) -> Iterator[None]:
    """Run a gateway whose scanner comes by itself: it reads once somebody connects."""
    folder.mkdir()
    config = folder / "gateway.toml"
    config.write_text(HEAD.format(broker=free_port()) + scanner)
    with process("-m", "gateway", "--config", str(config), log=folder / "gateway.log"):
        wait_until(lambda: _listens(at), "the gateway listens")
        yield


def _listens(at: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", at)) == 0


@contextmanager
def client(at: int) -> Iterator[Line]:
    """Connect as a network scanner."""
    with socket.create_connection(("127.0.0.1", at)) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield Line(line.sendall, lambda: line.recv(64))


def ours_ssi(folder: Path) -> tuple[float, float]:
    """Measure a gateway that speaks SSI: up to the CMD_ACK behind the commit."""
    packet = bytes((4 + len(SSI), 0xF3, 0, 0)) + SSI
    packet += (-sum(packet) & 0xFFFF).to_bytes(2, "big")
    scanner = SCANNER.replace("feedback", "#")
    with terminal() as (port, line):
        extra = 'profile = "zebra"'
        with gateway(folder / "ssi", scanner.format(name="z", port=port, extra=extra)):
            time.sleep(0.5)
            line.receive()  # the greeting
            answer = len(ssi.encode("CMD_ACK")) + len(ssi.encode("BEEP", b"\0"))
            return show("ssi", presses(line, packet, answer))


def test_eight_scanners_for_minutes(tmp_path: Path) -> None:
    """8 scanners at 20 scans/s each: everything that beeped is on the disk, nothing else."""
    beeps: list[list[float]] = [[] for _ in range(SCANNERS)]
    with terminals() as lines:
        stanzas = [SCANNER.format(name=f"s{n}", port=port, extra="") for n, (port, _) in lines]
        with gateway(tmp_path, *stanzas) as running:
            threads = [
                threading.Thread(target=work, args=(line, n, beeps[n])) for n, (_, line) in lines
            ]
            before = cpu_s(running.pid)
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            share = (cpu_s(running.pid) - before) / LONG_S
            print()
            show("8 scanners", [delay for each in beeps for delay in each])
            print(f"           {usage('gateway', running.pid)}, {100 * share:.0f} % of a core")
            assert rss_mb(running.pid) > 0
    with closing(sqlite3.connect(tmp_path / "data" / "outbox.db")) as outbox:
        (stored,) = outbox.execute("SELECT count(*) FROM events").fetchone()
    sent = SCANNERS * EACH_PER_S * LONG_S
    print(f"           {stored:,} of {sent:,} scans stored")
    assert stored == sent == sum(map(len, beeps))


@contextmanager
def terminals() -> Iterator[list[tuple[int, tuple[str, Line]]]]:
    """Give the scanners of a busy dock."""
    made = [terminal() for _ in range(SCANNERS)]
    try:
        yield list(enumerate(each.__enter__() for each in made))
    finally:
        for each in made:
            each.__exit__(None, None, None)


def work(line: Line, scanner: int, delays: list[float]) -> None:
    """Scan other codes all the time, as fast as the benchmark says."""
    start = time.perf_counter()
    for number in range(EACH_PER_S * LONG_S):
        time.sleep(max(0.0, start + number / EACH_PER_S - time.perf_counter()))
        delays.append(line.scan(b"BOX-%d-%06d\r" % (scanner, number)))


def test_start_to_first_scan(tmp_path: Path) -> None:
    """From starting the program to the first beep, with a scan that waits in the cable."""
    print()
    took = []
    for turn in range(5):
        with terminal() as (port, line):
            folder = tmp_path / str(turn)
            start = time.perf_counter()
            with gateway(folder, SCANNER.format(name="s", port=port, extra="")) as running:
                line.scan(CODE + b"\r")
                took.append(time.perf_counter() - start)
                print(f"start      {took[-1]:.2f} s (goal 2)   {usage('gateway', running.pid)}")
