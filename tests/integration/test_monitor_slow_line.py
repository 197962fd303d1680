"""A terminal that takes what is drawn more slowly than it changes: ssh in a warehouse."""

import subprocess
import sys
from pathlib import Path

import pytest

from neighbours import ROOT, Mosquitto, wait_until
from pseudo_terminal import on_a_terminal
from storm import BEATS_PER_S

pytestmark = pytest.mark.broker
ITEMS, RATE, SECONDS = 20, 300, 4
#: All rows are in sight and change all the time: that is some 100 kB a second if all is drawn.
SLOW_BYTES_PER_S = 5_000.0


def test_a_slow_line_shows_less_often_and_hears_everything(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """What is heard is never held up by what is drawn, and in the end the newest is shown."""
    recording = tmp_path / "heard"
    monitor = [sys.executable, "-m", "monitor", "--broker", f"127.0.0.1:{mosquitto.port}"]
    with on_a_terminal(*monitor, "--record", str(recording), folder=str(ROOT)) as terminal:
        wait_until(lambda: recording.exists() and "connected" in recording.read_text(), "connected")
        terminal.bytes_per_s = SLOW_BYTES_PER_S
        blow = [str(each) for each in (mosquitto.port, ITEMS, RATE, SECONDS)]
        storm = subprocess.Popen([sys.executable, str(ROOT / "tests" / "storm.py"), *blow])
        assert storm.wait(timeout=60) == 0
        last = f"beacon {SECONDS * BEATS_PER_S:07d}"
        wait_until(lambda: last in recording.read_text(), "the last change is heard")
        terminal.until(last, deadline_s=30)
