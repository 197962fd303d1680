"""Child processes that end with us: started with a log file each, watched, stopped in order."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

START_TIMEOUT_S = 20.0
#: A program that has not ended this long after SIGTERM is killed; its data is made for that.
STOP_TIMEOUT_S = 10.0
_POLL_S = 0.02
_PR_SET_PDEATHSIG = 1


class ChildFailed(Exception):
    """A program did not start or ended by itself; the message has its last words."""


class Child:
    """One program of ours in its own process."""

    def __init__(self, name: str, command: list[str]) -> None:
        self.name = name
        self.command = command
        self.log = Path(os.devnull)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, log: Path) -> None:
        """Start it with standard output and errors going to `log`."""
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Ctrl+C is for us; we stop the others in order.
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509  no threads here
            )

    @property
    def pid(self) -> int:
        """The process id; 0 before the start."""
        return self._process.pid if self._process else 0

    def exit_code(self) -> int | None:
        """Return the exit code, None while it runs."""
        return self._process.poll() if self._process else None

    def check(self) -> None:
        """Raise ChildFailed when it has ended."""
        code = self.exit_code()
        if code is not None:
            raise ChildFailed(f"{self.name} ended with code {code}: {self.last_words()}")

    def last_words(self) -> str:
        """Return the end of its log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else f"it said nothing; see {self.log}"

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def wait(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Wait for its end, kill it when it takes too long; return the exit code."""
        if self._process is None:
            return 0
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> int:
        """Stop it in an orderly way; return the exit code."""
        self.ask_to_stop()
        return self.wait()


def wait_for_port(child: Child, port: int) -> None:
    """Return once something listens on 127.0.0.1:`port`; ChildFailed when `child` ends first."""
    end = time.monotonic() + START_TIMEOUT_S
    while True:
        child.check()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if time.monotonic() > end:
            raise ChildFailed(f"{child.name} does not answer on port {port}; see {child.log}")
        time.sleep(_POLL_S)


def _die_with_parent() -> None:
    """Have the kernel end the child when we are killed, so that nothing is left behind."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
