"""Append-only JSON lines on disk, each one safe before the writer goes on."""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import BaseModel


class Journal:
    """A journal file that several writers of one thread append to."""

    def __init__(self, path: Path) -> None:
        """Open `path` for appending, cutting off a half line that a killed writer left."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            whole = path.read_bytes()
            os.truncate(path, whole.rfind(b"\n") + 1)
        self._file = path.open("ab", buffering=0)

    def write(self, line: BaseModel) -> None:
        """Append one line; it is on the disk when this returns."""
        self._file.write(line.model_dump_json(exclude_none=True).encode() + b"\n")
        os.fsync(self._file.fileno())

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._file.close()
