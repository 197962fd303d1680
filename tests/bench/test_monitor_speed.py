"""Speed of the screen that managers leave open: start, keys, processor, memory. `make bench`.

A real mosquitto, changes spread evenly over all items, a terminal of 120x40 that takes at once what
is drawn, everything on one machine.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from measure import cpu_s, rss_mb, show
from neighbours import ROOT, Mosquitto, wait_until
from pseudo_terminal import PseudoTerminal, on_a_terminal
from storm import BEATS_PER_S

pytestmark = [pytest.mark.bench, pytest.mark.broker]
ITEMS, RIVAL_ITEMS = 100_000, 10_000
CPU_S, BLOW_S = 20, 600
RIVAL = str(Path(__file__).parent / "rival_table.py")
TITLES = ("Description", "On hand", "Reserved", "Available", "Age", "SKU")


@contextmanager
def blowing(port: int, items: int, rate: int) -> Iterator[None]:
    """Have items on the broker, and changes until the block ends."""
    arguments = [str(each) for each in (port, items, rate, BLOW_S)]
    with subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "storm.py"), *arguments], stdout=subprocess.PIPE
    ) as storm:
        assert storm.stdout is not None
        assert storm.stdout.readline() == b"filled\n"
        try:
            yield
        finally:
            storm.kill()


def monitor(port: int) -> list[str]:
    """Return the command that shows it."""
    return [sys.executable, "-m", "monitor", "--broker", f"127.0.0.1:{port}"]


def share(terminal: PseudoTerminal) -> float:
    """Return the percentage of a core that a program takes for a while."""
    cpu, start = cpu_s(terminal.pid), time.monotonic()
    time.sleep(CPU_S)
    return 100 * (cpu_s(terminal.pid) - cpu) / (time.monotonic() - start)


def keys(terminal: PseudoTerminal) -> None:
    """Press keys with other work between them, and print how long until each was drawn."""
    moved, sorted_, filtered = [], [], []
    for _ in range(100):
        moved.append(terminal.press("G", f"SKU-{ITEMS - 1:06d}"))
        time.sleep(0.05)
        moved.append(terminal.press("g", "SKU-000001"))
        time.sleep(0.05)
    for title in TITLES * 8:
        sorted_.append(terminal.press("s", title + "▲"))
        time.sleep(0.1)
    terminal.keys("/")
    for _ in range(40):
        time.sleep(0.1)
        filtered.append(terminal.press("v", " of 100,000 SKUs"))
        time.sleep(0.1)
        filtered.append(terminal.press("\x7f", "│ 100,000 SKUs"))
    terminal.keys("\x1b")
    for name, delays in (("move", moved), ("sort", sorted_), ("filter", filtered)):
        show(f"  {name}", delays)


@pytest.mark.parametrize("rate", [1_000, 5_000])
def test_a_hundred_thousand_items(mosquitto: Mosquitto, rate: int) -> None:
    """Start to all rows (goal 3 s), processor (20 % at 1,000/s), keys (p99 50 ms), RSS (200 MB)."""
    print(f"\n{ITEMS:,} items, {rate:,} changes a second")
    with blowing(mosquitto.port, ITEMS, rate):
        start = time.monotonic()
        with on_a_terminal(*monitor(mosquitto.port), folder=str(ROOT)) as terminal:
            print(f"  start      {terminal.until(f'{ITEMS:,} SKUs') - start:.1f} s to all rows")
            time.sleep(3)
            drawn = terminal.drawn
            print(f"  processor  {share(terminal):.1f} % of a core")
            print(f"  drawn      {(terminal.drawn - drawn) / CPU_S / 1_000:.0f} kB a second")
            keys(terminal)
            print(f"  memory     {rss_mb(terminal.pid):.0f} MB RSS")


def test_nothing_falls_behind(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """5,000 changes a second for 20 s: the last one is heard and drawn with the others."""
    heard, seconds = tmp_path / "heard", 20
    command = [*monitor(mosquitto.port), "--record", str(heard)]
    with on_a_terminal(*command, folder=str(ROOT)) as terminal:
        wait_until(lambda: heard.exists() and "connected" in heard.read_text(), "connected")
        blow = [str(each) for each in (mosquitto.port, 10_000, 5_000, seconds)]
        subprocess.run(
            [sys.executable, str(ROOT / "tests" / "storm.py"), *blow], check=True, timeout=120
        )
        end = time.monotonic()
        terminal.until(f"beacon {seconds * BEATS_PER_S:07d}")
        late_ms = (time.monotonic() - end) * 1_000
        print(f"\nthe last of {seconds * 5_000:,} changes was drawn {late_ms:.0f} ms after its end")
        versions = re.findall(r'SKU-000000.{20,80}version\\":(\d+)', heard.read_text())
        assert int(versions[-1]) == seconds * BEATS_PER_S + 1


def test_against_the_stock_table(mosquitto: Mosquitto) -> None:
    """The same stock at 1,000 changes a second in our table and in Textual's DataTable."""
    print(f"\n{RIVAL_ITEMS:,} items, 1,000 changes a second")
    with blowing(mosquitto.port, RIVAL_ITEMS, 1_000):
        taken = {}
        for name, command in (
            ("ours", monitor(mosquitto.port)),
            ("DataTable", [sys.executable, RIVAL, str(mosquitto.port)]),
        ):
            os.environ["PYTHONPATH"] = str(ROOT)
            with on_a_terminal(*command, folder=str(ROOT)) as terminal:
                terminal.until(f"{RIVAL_ITEMS:,} SKUs", 120)
                time.sleep(3)
                taken[name] = share(terminal)
                print(f"  {name:<10} {taken[name]:.1f} % of a core, {rss_mb(terminal.pid):.0f} MB")
        print(f"  ratio      {taken['ours'] / taken['DataTable']:.2f}x")
