"""What a monitor heard, kept in a file, and heard again from it: for training and post-mortems.

One JSON object a line; a name that ends in .gz is compressed. First what it is, then each message
and each word about the broker connection with the moment it was heard:

    {"docktally_recording": 1, "topic_root": "docktally/v1"}
    {"at": 1772438400.12, "link": [true, "broker ...: connected"]}
    {"at": 1772438400.34, "topic": "...", "payload": "{...}", "retain": true}

A payload that is not UTF-8 is in `payload64`, as base64.
"""

import asyncio
import base64
import contextlib
import gzip
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

from wire.link import Message
from wire.settings import ConfigError

FORMAT = 1
_MARK = "docktally_recording"
#: What is lost at most when the machine dies.
_FLUSH_S = 1.0
#: Entries applied in one go while a replay is behind its time; then keys have their turn.
_AT_ONCE = 200


class Recorder:
    """Writes a recording. A file that is there is not overwritten: OSError."""

    def __init__(self, path: Path, topic_root: str) -> None:
        self.path = path
        #: Why nothing is recorded any more; empty while all is well.
        self.problem = ""
        self._file: IO[str] | None = _open(path, "xt")
        self._flushed = 0.0
        self._write({_MARK: FORMAT, "topic_root": topic_root}, 0.0)

    def message(self, message: Message, now: float) -> None:
        """Record a message."""
        entry: dict[str, Any] = {"at": round(now, 3), "topic": message.topic}
        try:
            entry["payload"] = message.payload.decode()
        except UnicodeDecodeError:
            entry["payload64"] = base64.b64encode(message.payload).decode()
        self._write(entry | {"retain": message.retain}, now)

    def link(self, up: bool, reason: str, now: float) -> None:  # noqa: FBT001
        """Record that the broker connection came or went."""
        self._write({"at": round(now, 3), "link": [up, reason]}, now)

    def close(self) -> None:
        """End the recording."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as error:
                self._fail(error)

    def _write(self, entry: dict[str, Any], now: float) -> None:
        if self._file is None:
            return
        try:
            self._file.write(json.dumps(entry, ensure_ascii=False, separators=(",", ":")) + "\n")
            if abs(now - self._flushed) > _FLUSH_S:
                self._file.flush()
                self._flushed = now
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()
        self.problem = f"Recording stopped: {self.path}: {error.strerror or error}"


class Replay:
    """Plays a recording: `now` is its time, `run` tells a hearer what it holds.

    With `speed` 10, ten minutes take one; 0 is as fast as possible.
    """

    def __init__(self, path: Path, speed: float) -> None:
        self.speed = speed
        self.ended = False
        self.topic_root = _head(path)
        self._entries = _entries(path)
        self._next = next(self._entries, None)
        self._at: float = self._next["at"] if self._next else time.time()
        self._clock = time.monotonic()
        self._standing = False

    def now(self) -> float:
        """Return the moment that the replay has reached, seconds since 1970."""
        if self._standing or self.ended or self.speed == 0:
            return self._at
        return self._at + (time.monotonic() - self._clock) * self.speed

    @property
    def standing(self) -> bool:
        """True while it stands still."""
        return self._standing

    def stand(self) -> None:
        """Stand still, or go on."""
        self._at, self._clock = self.now(), time.monotonic()
        self._standing = not self._standing

    def words(self) -> str:
        """Return how it goes, in a word or two."""
        if self.ended:
            return "ended"
        return "stands still" if self._standing else f"{self.speed:g}x"

    async def run(
        self,
        on_message: Callable[[Message], None],
        on_link: Callable[[bool, str], None],
    ) -> None:
        """Tell everything at its time."""
        told = 0
        while self._next is not None:
            entry, ahead = self._next, self._next["at"] - self.now()
            if self._standing or (ahead > 0 and self.speed > 0):
                wait_s = 0.05 if self._standing else min(0.05, ahead / self.speed)
                await asyncio.sleep(wait_s)
                continue
            if self.speed == 0:
                self._at = entry["at"]
            _tell(entry, on_message, on_link)
            self._next = next(self._entries, None)
            told += 1
            if told % _AT_ONCE == 0:
                await asyncio.sleep(0)
        self._at = self.now()
        self.ended = True


def _tell(
    entry: dict[str, Any],
    on_message: Callable[[Message], None],
    on_link: Callable[[bool, str], None],
) -> None:
    if "link" in entry:
        on_link(*entry["link"])
    else:
        coded = entry.get("payload64")
        payload = base64.b64decode(coded) if coded is not None else entry["payload"].encode()
        on_message(Message(entry["topic"], payload, 0, entry["retain"]))


def _open(path: Path, mode: str) -> IO[str]:
    if path.suffix == ".gz":
        return cast("IO[str]", gzip.open(path, mode, encoding="utf-8"))
    return cast("IO[str]", path.open(mode, encoding="utf-8"))


def _head(path: Path) -> str:
    try:
        with _open(path, "rt") as file:
            head = json.loads(file.readline())
        if head[_MARK] == FORMAT:
            return str(head["topic_root"])
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, EOFError):
        pass
    raise ConfigError(f"{path} is no recording of this version of docktally monitor")


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the entries up to the end, or to where the recording was cut off."""
    with _open(path, "rt") as file:
        file.readline()
        try:
            for line in file:
                yield json.loads(line)
        except (ValueError, EOFError, OSError):
            return
