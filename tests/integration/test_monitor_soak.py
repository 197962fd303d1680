"""A day of the screen in miniature: half an hour of changes, and its memory stays flat."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from measure import cpu_s, rss_mb
from neighbours import ROOT, Mosquitto, need
from pseudo_terminal import on_a_terminal

pytestmark = [pytest.mark.soak, pytest.mark.broker]
SOAK_S = int(os.environ.get("SOAK_SECONDS", "1800"))
ITEMS, RATE = 100_000, 1_000
#: Views, filters, sorts and dialogs, again and again.
KEYS = ("2", "3", "4", "5", "1", "s", "S", "G", "g", "l", "l", "/valve\r", "\x1b", " ", " ", "\r")
RSS_MB_MAX, GROWTH_MAX = 200, 1.05


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[Mosquitto]:
    """Give a broker that does not write 100,000 messages to the disk twice a minute."""
    broker = Mosquitto(tmp_path, need("mosquitto", "apt-get install mosquitto"))
    broker.conf = broker.conf.replace("persistence true", "persistence false")
    broker.start()
    yield broker
    broker.stop()


def test_memory_stays_flat(forgetful: Mosquitto) -> None:
    """100,000 items, 1,000 changes a second, somebody at the keys: no growth after the first third.

    By then every item has moved and has room for its history; nothing that is kept grows with time.
    """
    blow = [str(each) for each in (forgetful.port, ITEMS, RATE, SOAK_S + 60)]
    command = [sys.executable, "-m", "monitor", "--broker", f"127.0.0.1:{forgetful.port}"]
    with (
        subprocess.Popen([sys.executable, str(ROOT / "tests" / "storm.py"), *blow]) as storm,
        on_a_terminal(*command, folder=str(ROOT)) as terminal,
    ):
        terminal.until(f"{ITEMS:,} SKUs")
        start, sizes = time.monotonic(), []
        cpu = cpu_s(terminal.pid)
        while (passed := time.monotonic() - start) < SOAK_S:
            terminal.keys(KEYS[len(sizes) % len(KEYS)])
            time.sleep(1.0)
            terminal.keys("\x1b")
            time.sleep(1.0)
            terminal.forget()
            sizes.append(rss_mb(terminal.pid))
            assert storm.poll() is None, "the storm is over before its time"
            if len(sizes) % 60 == 0:
                print(f"{passed:5.0f} s  {sizes[-1]:.0f} MB")
        taken = 100 * (cpu_s(terminal.pid) - cpu) / SOAK_S
        storm.kill()
        third = len(sizes) // 3
        early, late = max(sizes[: 2 * third]), max(sizes[2 * third :])
        print(f"memory {early:.0f} MB, then {late:.0f} MB; {taken:.0f} % of a core")
        assert late <= RSS_MB_MAX
        assert late <= early * GROWTH_MAX
