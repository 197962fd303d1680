"""Speed of the screen that managers leave open: start, keys, processor, memory. `make bench`.

A real mosquitto, changes spread evenly over all items, a terminal of 120x40 that takes at once what
is drawn, everything on one machine. Delays are given twice: as they were, and without the time in
which the monitor was ready to go on but others had the processors.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from central import database
from ledgers import new_database
from measure import cpu_s, process, rests, rss_mb, show, waited_s
from neighbours import ROOT, Mosquitto, free_port, wait_until
from pseudo_terminal import PseudoTerminal, on_a_terminal
from storm import BEATS_PER_S, KINDS, SITE, sku

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


def start(port: int) -> PseudoTerminal:
    """Return a monitor with all rows on its screen, and print how long that took."""
    began = time.monotonic()
    terminal = PseudoTerminal(monitor(port), (120, 40), str(ROOT))
    took = terminal.until(f"{ITEMS:,} SKUs") - began
    mine = took - waited_s(terminal.pid)
    print(f"  start      {took:.1f} s to all rows, {mine:.1f} s without waiting for others,"
          f" {cpu_s(terminal.pid):.1f} s of processor")  # fmt: skip
    return terminal


class Presses:
    """How long keys took until they were drawn, ms: as it was, and without waiting for others."""

    def __init__(self, terminal: PseudoTerminal, name: str) -> None:
        self._terminal, self._name = terminal, name
        self._raw: list[float] = []
        self._mine: list[float] = []

    def press(self, key: str, words: str) -> None:
        """Press a key, and let other work follow it."""
        waited = waited_s(self._terminal.pid)
        took = self._terminal.press(key, words)
        self._raw.append(took)
        self._mine.append(took - 1_000 * (waited_s(self._terminal.pid) - waited))
        time.sleep(0.1)

    def show(self) -> None:
        """Print it."""
        show(f"  {self._name}, as it was".ljust(28), self._raw)
        show("    without waiting".ljust(28), self._mine)


def keys(terminal: PseudoTerminal) -> None:
    """Press keys with other work between them, and print how long until each was drawn."""
    moved, ordered, filtered = (Presses(terminal, name) for name in ("move", "sort", "filter"))
    for _ in range(100):
        moved.press("G", f"SKU-{ITEMS - 1:06d}")
        moved.press("g", "SKU-000001")
    for title in TITLES * 16:
        ordered.press("s", title + "▲")
    terminal.keys("/")
    time.sleep(0.1)
    for _ in range(50):
        filtered.press("v", " of 100,000 SKUs")
        filtered.press("\x7f", "│ 100,000 SKUs")
    terminal.keys("\x1b")
    for each in (moved, ordered, filtered):
        each.show()


@pytest.mark.parametrize("rate", [1_000, 5_000])
def test_a_hundred_thousand_items(mosquitto: Mosquitto, rate: int) -> None:
    """Start to all rows (goal 3 s), processor (20 % at 1,000/s), keys (p99 50 ms), RSS (200 MB)."""
    print(f"\n{ITEMS:,} items, {rate:,} changes a second")
    print(f"  others     {os.getloadavg()[0]:.1f} programs that want a processor, before")
    with blowing(mosquitto.port, ITEMS, rate), closing(start(mosquitto.port)) as terminal:
        time.sleep(3)
        drawn = terminal.drawn
        print(f"  processor  {share(terminal):.1f} % of a core")
        print(f"  drawn      {(terminal.drawn - drawn) / CPU_S / 1_000:.0f} kB a second")
        keys(terminal)
        print(f"  memory     {rss_mb(terminal.pid):.0f} MB RSS")


def test_the_first_stock_from_central(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Start to all rows (goal 3 s) where central's HTTP API answers, page by page."""
    name = new_database(tmp_path)
    with database.using(database.open_writer(name)) as engine, engine.begin() as connection:
        rows = [{"id": n + 1, "sku": sku(n), "name": KINDS[n % 6]} for n in range(ITEMS)]
        connection.execute(text("DELETE FROM item"))
        connection.execute(text("INSERT INTO item (id, sku, name) VALUES (:id, :sku, :name)"), rows)
        site = connection.execute(text("SELECT id FROM site WHERE code = :code"), {"code": SITE})
        where = (
            site.scalar()
            or connection.execute(
                text("INSERT INTO site (code) VALUES (:code) RETURNING id"), {"code": SITE}
            ).scalar()
        )
        connection.execute(
            text("INSERT INTO avail (item, site, on_hand, reserved, safety, ver)"
                 " SELECT id, :site, id % 1000, 0, 0, 1 FROM item"), {"site": where},
        )  # fmt: skip
    command = ["-m", "central", "--database", name, "--log-level", "warning", "--broker"]
    command += [f"127.0.0.1:{mosquitto.port}", "--port", str(free_port())]
    print(f"\n{ITEMS:,} items, central beside it")
    with process(*command, log=tmp_path / "central.log") as central:
        time.sleep(5)  # before, it may rest because it has not begun
        wait_until(lambda: rests(central.pid), "central has announced everything", 120)
        cpu = cpu_s(central.pid)
        with closing(start(mosquitto.port)):
            print(f"  central    {cpu_s(central.pid) - cpu:.1f} s of processor")


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
