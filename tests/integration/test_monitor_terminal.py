"""The monitor in a real terminal: keys in one burst, resizing, and giving the terminal back."""

import asyncio
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fake_central import FakeCentral, fake_central
from neighbours import ROOT, Mosquitto, need, wait_until
from stock_messages import alert, central, item, publish

pytestmark = pytest.mark.broker


class Terminal:
    """A tmux of its own with one window."""

    def __init__(self, program: str, folder: Path) -> None:
        self._command = [program, "-S", str(folder / "tmux"), "-f", "/dev/null"]

    def tmux(self, *arguments: str) -> str:
        """Run a tmux command and return its output."""
        # A COLUMNS or LINES around the tests would be taken for the size of this terminal.
        sizeless = {name: os.environ[name] for name in os.environ.keys() - {"COLUMNS", "LINES"}}
        return subprocess.run(
            [*self._command, *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
            env=sizeless,
        ).stdout

    def keys(self, *keys: str) -> None:
        """Press named keys."""
        self.tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        """Type text in one write, as a paste or a keyboard scanner does."""
        self.tmux("send-keys", "-l", text)

    @property
    def text(self) -> str:
        """What stands on the screen."""
        return self.tmux("capture-pane", "-p")

    def shows(self, words: str) -> None:
        """Wait until the screen shows some words."""
        end = time.monotonic() + 30
        while words not in self.text:
            assert time.monotonic() < end, f"{words!r} never came; the screen:\n{self.text}"
            time.sleep(0.05)


@pytest.fixture
def fake() -> Iterator[FakeCentral]:
    """Give a central that would take anything."""
    with fake_central() as server:
        server.answers["POST", "/v1/alerts/"] = {}
        yield server


@pytest.fixture
def terminal(mosquitto: Mosquitto, fake: FakeCentral, tmp_path: Path) -> Iterator[Terminal]:
    """Give a terminal with a running monitor that shows three items and an alert."""
    items = [item("VALVE-1", name="valve"), item("HOSE-1", name="hose"), item("X-1", 1, 0)]
    asyncio.run(publish(mosquitto.port, [central(), alert("a1"), *items]))
    terminal = Terminal(need("tmux", "apt-get install tmux"), tmp_path)
    monitor = shlex.join(
        [
            sys.executable,
            "-m",
            "monitor",
            "--broker",
            f"127.0.0.1:{mosquitto.port}",
            "--central",
            fake.url,
        ]
    )
    shell = f"PYTHONPATH={shlex.quote(str(ROOT))} {monitor}; echo ended with $?; exec cat"
    terminal.tmux(
        "new-session", "-d", "-x", "120", "-y", "40", "-c", str(tmp_path), "sh", "-c", shell
    )
    try:
        terminal.shows("VALVE-1")
        terminal.shows("● LIVE")
        yield terminal
    finally:
        terminal.tmux("kill-server")


def test_a_filter_typed_in_one_burst_is_only_typed(
    terminal: Terminal, fake: FakeCentral, tmp_path: Path
) -> None:
    """However fast it comes, a filter sets off none of the keys that it is made of."""
    for view, name in (("1", "Stock"), ("4", "Alerts"), ("2", "Docks"), ("5", "Activity")):
        terminal.type(f"{view}/valve lsSeEyrqctaAmxiR+?12345jkgG/")
        terminal.shows(f"╭─ {name}")
        terminal.shows("/ valve lsSeEyrqctaAmxiR+?12345jkgG/")
        terminal.shows("Nothing passes this filter.")
        terminal.keys("Escape")
        terminal.shows("filter: words")
    assert not [asked for asked in fake.asked if asked[0] == "POST"]
    assert not [*tmp_path.glob("*.csv"), *tmp_path.glob("*.svg")]
    terminal.type("1/valve")
    terminal.keys("Enter")
    terminal.shows("1 of 3 SKUs")


def test_a_barcode_typed_into_any_view_changes_nothing(
    terminal: Terminal, fake: FakeCentral, tmp_path: Path
) -> None:
    """A scanner in keyboard mode types letters and Enter: no deed, no file, and it can go on."""
    codes = {
        "1": ("+12ay",),
        "2": ("i123", "R1yy"),
        "4": ("a47", "AyR1y", "m061", "x7yxy"),
        "5": ("x7",),
    }
    for view, typed in codes.items():
        for code in typed:
            terminal.keys(view)
            terminal.type(f"{code}\r")
            for _ in range(3):
                terminal.keys("Escape")
                time.sleep(0.15)  # a key right behind Escape would be Alt and that key
    terminal.keys("1")
    terminal.shows("VALVE-1")
    terminal.type("1/valve")
    terminal.keys("Enter")
    terminal.shows("1 of 3 SKUs")
    assert not [*tmp_path.glob("*.csv"), *tmp_path.glob("*.svg")]
    assert not [asked for asked in fake.asked if asked[0] == "POST"]
    terminal.keys("4")
    terminal.shows("shortage")
    time.sleep(0.3)  # a person's pause
    terminal.keys("a")
    wait_until(lambda: [asked for asked in fake.asked if asked[0] == "POST"], "a alone does it")


def test_no_mash_of_keys_ends_it(terminal: Terminal) -> None:
    """Random bursts of every key but q, over every view and dialog: it lives, and can be used."""
    rng = random.Random(11)
    keys = "/sSrl cyet?12345jkgGaAmxiR+\r\r\x1b\x1b\x1b"
    for _ in range(40):
        terminal.type("".join(rng.choice(keys) for _ in range(rng.randrange(1, 12))))

    def calm() -> bool:
        terminal.keys("Escape")
        time.sleep(0.2)  # a key right behind Escape would be Alt and that key
        terminal.keys("1")
        return "filter: words" in terminal.text and "Docks and scanners" in terminal.text

    wait_until(calm, "it can be used again")
    terminal.type("/VALVE-1")
    terminal.shows("/ VALVE-1")


def test_it_fits_every_size_and_gives_the_terminal_back(terminal: Terminal) -> None:
    """Resizing keeps what matters in sight; q ends it, and the terminal is as it was before."""
    for width, height in ((80, 24), (60, 18), (160, 50)):
        terminal.tmux("resize-window", "-x", str(width), "-y", str(height))
        wait_until(
            lambda height=height: len(terminal.text.splitlines()) == height, "tmux has resized"
        )
        for words in ("● LIVE", "central ●", "VALVE-1", "0 ✖", "Alerts"):
            terminal.shows(words)
        assert max(map(len, terminal.text.splitlines())) <= width
    terminal.keys("q")
    terminal.shows("ended with 0")
    assert "VALVE-1" not in terminal.text


def test_a_service_manager_can_end_it(terminal: Terminal) -> None:
    """SIGTERM ends it in order: exit code 0 and a usable terminal."""
    shell = terminal.tmux("display-message", "-p", "#{pane_pid}").strip()
    children = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
    subprocess.run(["kill", f"-{signal.SIGTERM}", *children], check=True)
    terminal.shows("ended with 0")
    assert "VALVE-1" not in terminal.text
