"""One boot of the guest that runs a list of tests, and their reports as they come in."""

import compileall
import json
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from neighbours import ROOT
from rig import packages
from rig.machine import Machine

#: Tells the guest's pytest where its reports go.
REPORTS_IN = "DOCKTALLY_RIG_REPORTS"
#: Longer than the boot and the slowest test take; then the guest is taken for dead.
_SILENCE_S = 400.0
_POLL_S = 0.05
_END_S = 30.0


class Dead(Exception):
    """The guest ended, hangs or does something else; the message has its last words."""


class GuestSession:
    """The guest's pytest."""

    def __init__(self, tests: Sequence[str]) -> None:
        """Boot; CannotPrepare when the packages cannot be had."""
        cache = packages.default()
        self._folder = tempfile.TemporaryDirectory(prefix="docktally-rig-")
        self._machine = Machine(cache, Path(self._folder.name))
        reports = self._machine.folder / "reports"
        reports.touch()
        self._lines, self._begun = reports.open(), ""
        # Python is ten times slower there, and what it compiles is forgotten.
        compileall.compile_dir(sysconfig.get_path("purelib"), quiet=2, workers=0)
        for program in ("wire", "gateway", "firmware_sim"):
            compileall.compile_dir(ROOT / program, quiet=2)
        self._process = self._machine.start(
            [
                *(sys.executable, "-m", "pytest", "-m", "rig", "--basetemp", "/run/tests"),
                # Slow to start, and nothing here asks for them; tests/conftest.py imports central.
                *("-p", "no:hypothesispytest", "-p", "no:anyio", "-p", "no:cacheprovider"),
                *("--confcutdir", "tests/rig", *tests),
            ],
            working=ROOT,
            environment={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME": "/run",
                "DOCKTALLY_RIG_CACHE": str(cache.folder),
                REPORTS_IN: str(reports),
            },
        )

    def reports_of(self, test: str) -> Iterator[dict[str, Any]]:
        """Yield the reports of a test as pytest serialized them; raise Dead when none come.

        Tests must be asked for in the order in which they were given.
        """
        last = False
        while not last:
            report: dict[str, Any] = json.loads(self._next_line())
            if report["nodeid"] != test:
                raise Dead(f"the guest ran {report['nodeid']} when it was to run {test}")
            yield report
            last = report["when"] == "teardown"

    def end(self) -> None:
        """Wait for the guest's end, or make it."""
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._lines.close()
        self._folder.cleanup()

    def _next_line(self) -> str:
        end_s = time.monotonic() + _SILENCE_S
        while True:
            ended = self._process.poll() is not None
            self._begun += self._lines.readline()
            if self._begun.endswith("\n"):
                line, self._begun = self._begun, ""
                return line
            if ended:
                raise Dead(f"the guest ended early\n{self._last_words()}")
            if time.monotonic() > end_s:
                self._process.kill()
                raise Dead(f"the guest said nothing for {_SILENCE_S:.0f} s\n{self._last_words()}")
            time.sleep(_POLL_S)

    def _last_words(self) -> str:
        output = self._machine.folder / "output"
        words = output.read_text(errors="replace") if output.exists() else ""
        return f"{words}\n{self._machine.last_words()}"
