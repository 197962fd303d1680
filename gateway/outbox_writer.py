"""The writing thread's side of the outbox: the file opened when needed, and again after trouble."""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from gateway import salvage
from gateway.config import OutboxLimits
from gateway.outbox_file import Connect, Extent, OutboxFile, Record, Write
from wire.errors import Unavailable

Result = TypeVar("Result")


class OutboxWriter:
    """Commits to the outbox in `folder`. Every method raises Unavailable when the disk is not well.

    `extent` is what was on the disk after the last success; None before the first.
    """

    def __init__(self, folder: Path, limits: OutboxLimits, connect: Connect) -> None:
        self.extent: Extent | None = None
        self._folder, self._limits, self._connect = folder, limits, connect
        self._file: OutboxFile | None = None
        #: The epoch when it was first opened, and its last seq then.
        self._opened: tuple[UUID, int] | None = None

    def write(self, writes: Sequence[Write | Record], acked: tuple[UUID, int] | None) -> list[int]:
        """Commit all of them with the acknowledged seq; return the last seq after each."""
        return self._guarded(lambda file: self._write(file, writes, acked))

    def reopen(self) -> None:
        """Close the file and open it again, which checks every page of it."""
        self.close()
        self._guarded(OutboxFile.extent)

    def supersede(self, epoch: UUID) -> None:
        """Go on in a new epoch with what was written since this one was opened."""
        self._guarded(lambda file: self._supersede(file, epoch))

    def close(self) -> None:
        """Close the file; what is committed stays."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _guarded(self, action: Callable[[OutboxFile], Result]) -> Result:
        try:
            if self._file is None:
                self._open()
            assert self._file is not None
            result = action(self._file)
            self.extent = self._file.extent()
        except (sqlite3.Error, OSError) as problem:
            self.close()
            raise Unavailable(
                f"the disk of {self._folder} does not store scans: {problem}"
            ) from problem
        return result

    def _open(self) -> None:
        file = self._file = salvage.open_file(self._folder, self._limits, self._connect)
        if self.extent is not None and self.extent.epoch == file.epoch:
            file.forget_after(self.extent.last_seq)
        self._taken_up(file)

    def _taken_up(self, file: OutboxFile) -> None:
        self._file, self.extent = file, file.extent()
        if self._opened is None or self._opened[0] != file.epoch:
            self._opened = (file.epoch, file.last_seq)

    def _write(
        self, file: OutboxFile, writes: Sequence[Write | Record], acked: tuple[UUID, int] | None
    ) -> list[int]:
        if acked is not None and acked[0] == file.epoch:
            file.acked_seq = acked[1]
        if writes:
            return file.write(writes)
        file.touch()
        return []

    def _supersede(self, file: OutboxFile, epoch: UUID) -> None:
        assert self._opened is not None
        if file.epoch != epoch:
            return  # done already: central may say the same thing twice
        file.close()
        booked_seq = self._opened[1]
        self._taken_up(
            salvage.replace_file(
                self._folder, self._limits, self._connect, "superseded", booked_seq
            )
        )
