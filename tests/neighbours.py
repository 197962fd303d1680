"""Real neighbours for tests on free ports, and waiting on conditions instead of sleeping."""

import contextlib
import itertools
import os
import random
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
#: How long a condition may take on a loaded two-core machine before it counts as never.
DEADLINE_S = 30.0
CI = os.environ.get("CI") == "true"


def wait_until(condition: Callable[[], object], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Poll until `condition` is true; fail with `what` when it never becomes so."""
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"never happened within {deadline_s:.0f} s: {what}")
        time.sleep(0.01)


def free_port() -> int:
    """Return a TCP port nobody listens on now, nor will get one by connecting to somebody.

    It stays ours while its server is down: tests that run side by side have ports of their own, and
    of those each comes again only after all others.
    """
    while True:
        port = next(_ports)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _own_ports() -> Iterator[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    count = 22_000 // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    ports = range(10_000 + worker * count, 10_000 + (worker + 1) * count)
    # Not the generator that hypothesis starts anew for each test. Other runs begin elsewhere.
    begin = random.SystemRandom().randrange(count)
    return itertools.cycle([*ports[begin:], *ports[:begin]])


_ports = _own_ports()


def answers(port: int) -> bool:
    """True once an HTTP server says anything."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def need(program: str, how: str) -> str:
    """Return the path of a program; skip on a laptop that lacks it, fail in CI."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")
    if path is None:
        message = f"{program} is not installed: {how}"
        if CI:
            pytest.fail(message)
        pytest.skip(message)
    return path


@dataclass
class Mosquitto:
    """A real broker on our own mosquitto.conf, with only port and data directory replaced."""

    folder: Path
    program: str
    port: int = field(default_factory=free_port)
    conf: str = (ROOT / "mosquitto.conf").read_text()
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and return once it answers."""
        data = self.folder / "mosquitto"
        data.mkdir(parents=True, exist_ok=True)
        data.chmod(0o777)  # started as root, mosquitto drops to its own user
        lines = self.conf.splitlines()
        replaced = {
            "listener": f"listener {self.port} 127.0.0.1",
            "persistence_location": f"persistence_location {data}/",
        }
        text = "\n".join(replaced.get(line.split(" ")[0], line) for line in lines)
        config = self.folder / "mosquitto.conf"
        config.write_text(text + "\n")
        with (self.folder / "mosquitto.log").open("ab") as output:
            self.process = subprocess.Popen([self.program, "-c", str(config)], stderr=output)
        wait_until(self.answers, "mosquitto listens")

    def answers(self) -> bool:
        """True when a TCP connection succeeds."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """End it in an orderly way."""
        while self.process is not None:
            self.process.terminate()  # it loses one that comes while it begins
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(1)
                self.process = None

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def wipe(self) -> None:
        """Forget everything it stored."""
        shutil.rmtree(self.folder / "mosquitto", ignore_errors=True)
