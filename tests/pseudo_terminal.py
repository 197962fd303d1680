"""A program on a pseudo terminal of our own: keys in, bytes out, fast or slow as a test wants."""

import fcntl
import os
import pty
import re
import signal
import struct
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_ESCAPES = re.compile(rb"\x1b\[[0-9;:?<=>]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.")


class PseudoTerminal:
    """A running program. `bytes_per_s` is how fast what it draws is taken; None: at once."""

    def __init__(self, command: list[str], size: tuple[int, int], folder: str) -> None:
        self.pid, self._file = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            # COLUMNS and LINES would be taken for the size; readline sets them behind our back.
            sizeless = {name: os.environ[name] for name in os.environ.keys() - {"COLUMNS", "LINES"}}
            terminal = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
            os.execve(command[0], command, sizeless | terminal)
        width, height = size
        fcntl.ioctl(self._file, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.bytes_per_s: float | None = None
        self.drawn = 0  # bytes taken so far
        self._seen = bytearray()
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def keys(self, keys: str) -> None:
        """Press keys in one burst."""
        os.write(self._file, keys.encode())

    @property
    def raw(self) -> bytes:
        """What was drawn since `forget`, as it came."""
        with self._news:
            return bytes(self._seen)

    @property
    def bells(self) -> int:
        """How often the bell rang since `forget`."""
        return _ESCAPES.sub(b"", self.raw).count(b"\x07")

    def forget(self) -> None:
        """Forget what was drawn so far."""
        with self._news:
            self._seen.clear()

    def until(self, words: str, deadline_s: float = 60.0) -> float:
        """Return the moment (monotonic, seconds) at which some words were drawn."""
        end, wanted = time.monotonic() + deadline_s, words.encode()
        with self._news:
            while wanted not in _ESCAPES.sub(b"", bytes(self._seen)):
                left = end - time.monotonic()
                assert left > 0, f"{words!r} never came; the last: {bytes(self._seen[-300:])!r}"
                self._news.wait(left)
            return time.monotonic()

    def press(self, keys: str, words: str) -> float:
        """Press keys and return the ms until words were drawn that were not there before."""
        self.forget()
        start = time.monotonic()
        self.keys(keys)
        return (self.until(words) - start) * 1_000

    def _read(self) -> None:
        while True:
            limit = self.bytes_per_s
            try:
                data = os.read(self._file, 65_536 if limit is None else 256)
            except OSError:
                return
            if not data:
                return
            with self._news:
                self._seen += data
                self.drawn += len(data)
                self._news.notify_all()
            if limit is not None:
                time.sleep(len(data) / limit)

    def close(self) -> None:
        """End it, however it ends."""
        self.end()

    def end(self) -> int:
        """End the program as a service manager does; return its exit status."""
        self.bytes_per_s = None
        os.kill(self.pid, signal.SIGTERM)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self._file)
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.02)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._file)
        return -signal.SIGKILL


@contextmanager
def on_a_terminal(
    *command: str, size: tuple[int, int] = (120, 40), folder: str = "."
) -> Iterator[PseudoTerminal]:
    """Run a program on a pseudo terminal until the block ends."""
    terminal = PseudoTerminal(list(command), size, folder)
    try:
        yield terminal
    finally:
        terminal.end()
