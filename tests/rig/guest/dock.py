"""A gateway process in the guest, and what its disk and its log say about each scanner."""

import base64
import json
import re
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from neighbours import ROOT

#: What never happens must be told from what takes its time in a slow guest on a busy machine.
DEADLINE_S = 60.0
#: Shows a figure at the end of the run: what it is, and how much.
Measured = Callable[[str, float], None]
_POLL_S = 0.05
#: Characters of the log that a failure shows.
_SHOWN = 4_000
_LOG_TIME = "%Y-%m-%d %H:%M:%S,%f"


@dataclass(frozen=True, slots=True)
class Stored:
    """One event on the gateway's disk: the bytes of the code, and its kind."""

    raw: bytes
    kind: str = "receive"


def unreadable(raw: bytes) -> Stored:
    """Return what becomes of a code that broke off."""
    return Stored(raw, "unreadable")


@dataclass
class Dock:
    """A gateway on `scanners`: name to the lines of its block. It has no broker."""

    folder: Path
    scanners: Mapping[str, str]
    _process: subprocess.Popen[bytes] | None = None
    _events: dict[str, list[Stored]] = field(default_factory=lambda: defaultdict(list))
    _last_seq: int = 0

    def start(self) -> None:
        """Start it and return once it looks for every scanner."""
        blocks = [f"[[scanner]]\nname = '{name}'\n{text}" for name, text in self.scanners.items()]
        config = self.folder / "gateway.toml"
        config.write_text(
            "site = 'rig'\ngateway = 'dock'\ndata = 'data'\n[broker]\nhost = '127.0.0.1'\n"
            "[outbox]\ndisk_reserve_bytes = 0\n" + "\n".join(blocks)
        )
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gateway", "--config", str(config)], cwd=ROOT, stderr=log
            )
        self.wait_for(self._looks_for_all, "the gateway looks for every scanner")

    def stop(self) -> None:
        """End it in an orderly way."""
        assert self._process is not None
        self._process.terminate()
        assert self._process.wait(DEADLINE_S) == 0, self.log()

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        """Poll until `condition` is true; fail when it never becomes so, or the gateway ended."""
        process = self._process
        assert process is not None
        wait_for(lambda: process.poll() is not None or condition(), what, self.log)
        if process.poll() is not None:
            pytest.fail(f"the gateway has ended\n{self.log()[-_SHOWN:]}")

    def scanner(self, name: str) -> "Scanner":
        """Return what happens at a scanner from now on."""
        return Scanner(self, name, len(self.log()), len(self.events(name)))

    def log(self, since: int = 0) -> str:
        """Return what it wrote to standard error, from the character `since` on."""
        return self._log.read_text()[since:]

    def events(self, scanner: str) -> list[Stored]:
        """Return the scanner's events on the disk, in order."""
        with closing(sqlite3.connect(self._outbox, timeout=DEADLINE_S)) as outbox:
            rows = outbox.execute(
                "SELECT seq, event FROM events WHERE seq > ? ORDER BY seq", (self._last_seq,)
            ).fetchall()
        for seq, text in rows:
            event = json.loads(text)
            stored = Stored(base64.b64decode(event["raw"]), event["kind"])
            self._events[event["scanner"]].append(stored)
            self._last_seq = seq
        return self._events[scanner]

    def _looks_for_all(self) -> bool:
        log = self.log()
        return all(f"scanner {name}: " in log for name in self.scanners)

    @property
    def _log(self) -> Path:
        return self.folder / "gateway.log"

    @property
    def _outbox(self) -> Path:
        return self.folder / "data" / "outbox.db"


@dataclass
class Scanner:
    """One scanner of a gateway, seen from a moment on; what was waited for is not seen again."""

    dock: Dock
    name: str
    _log_at: int
    _event_at: int
    #: When the gateway wrote the line that was waited for last (time.time).
    said_s: float = 0.0

    def is_read(self) -> str:
        """Wait until the gateway reads it; return the device's path."""
        return self.says(r"reading (.+)")[2]

    def is_missed(self) -> None:
        """Wait until the gateway has noticed that it was unplugged."""
        self.says(r".*unplugged")

    def says(self, pattern: str) -> re.Match[str]:
        """Wait for a line about it in the log; return the match, of which 1 is the time."""
        line = re.compile(rf"^(\S+ \S+) .*scanner {self.name}: {pattern}", re.MULTILINE)
        self.dock.wait_for(lambda: line.search(self.log()), f"{line.pattern!r} is in the log")
        found = line.search(self.log())
        assert found is not None
        self._log_at += found.end()
        self.said_s = datetime.strptime(found[1], _LOG_TIME).astimezone().timestamp()
        return found

    def stores(self, *events: Stored) -> None:
        """Wait until this, and no more, is on the disk."""
        self.dock.wait_for(
            lambda: len(self.events()) >= len(events), f"{self.name} has stored {len(events)} more"
        )
        assert self.events() == list(events)
        self._event_at += len(events)

    def rests(self, quiet_s: float) -> None:
        """Wait until nothing was stored or logged for a while."""
        state, since_s = (0, 0), time.monotonic()

        def rested() -> bool:
            nonlocal state, since_s
            fresh = len(self.events()), len(self.log())
            if fresh != state:
                state, since_s = fresh, time.monotonic()
            return time.monotonic() - since_s > quiet_s

        self.dock.wait_for(rested, f"{self.name} is at rest")

    def events(self) -> list[Stored]:
        """Return what was stored since."""
        return self.dock.events(self.name)[self._event_at :]

    def log(self) -> str:
        """Return what was logged since, about all scanners."""
        return self.dock.log(self._log_at)


def wait_for(
    condition: Callable[[], object], what: str, log: Callable[[], str] = lambda: ""
) -> None:
    """Poll until `condition` is true; fail with `what` and the log when it never becomes so."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"never happened within {DEADLINE_S:.0f} s: {what}\n{log()[-_SHOWN:]}")
        time.sleep(_POLL_S)
