"""The writing thread's side of the outbox: the file opened when needed, and again after trouble."""

import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from gateway import salvage
from gateway.ballast import Ballast
from gateway.config import OutboxLimits
from gateway.outbox_file import Connect, Extent, OutboxFile, Outcome, Record, Revision, Write
from wire.errors import Unavailable

Result = TypeVar("Result")


class OutboxWriter:
    """Commits to the outbox in `folder`. Every method raises Unavailable when the disk is not well.

    `extent` is what was on the disk after the last success, None before the first; `refusal` is why
    a scan would be refused although the disk works.
    """

    def __init__(self, folder: Path, limits: OutboxLimits, connect: Connect, owner: str) -> None:
        self.extent: Extent | None = None
        self.refusal: str | None = None
        self._folder, self._limits, self._connect = folder, limits, connect
        self._owner = owner
        self._ballast = Ballast(folder)
        self._file: OutboxFile | None = None
        #: The epoch when it was first opened, and its last seq then.
        self._opened: tuple[UUID, int] | None = None

    def write(
        self, writes: Sequence[Write | Record], acked: tuple[UUID, int] | None
    ) -> list[Outcome]:
        """Commit all of them; without any, store the acknowledged seq and so try the disk."""
        return self._guarded(lambda file: self._write(file, writes, acked))

    def revise(self, after: int, change: Revision) -> int:
        """Let `change` see the next pending events above `after`; return the last seq it saw."""
        return self._guarded(lambda file: file.revise(after, change))

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
        may_try_again = self._limits.disk_reserve_bytes > 0
        while True:
            try:
                if self._file is None:
                    self._open()
                assert self._file is not None
                result = action(self._file)
                self.extent, self.refusal = self._file.extent(), self._file.refusal
            except (sqlite3.Error, OSError) as problem:
                again = may_try_again and self._ballast.make_room()
                self.close()  # which folds the log into the file: its room is free again, too
                if again:
                    may_try_again = False
                    continue
                raise Unavailable(
                    f"the disk of {self._folder} does not store scans: {problem}{self._advice()}"
                ) from problem
            if self.refusal is None and self._limits.disk_reserve_bytes and self._ballast.load():
                self.refusal = self._file.refusal  # what it takes up is no room for scans
            return result

    def _open(self) -> None:
        file = self._file = salvage.open_file(self._folder, self._limits, self._connect)
        known = self.extent
        if known is not None and known.epoch == file.epoch:
            file.forget_after(known.last_seq)
            if file.last_seq < known.last_seq:  # put back to an older copy while we ran
                file = self._replaced("corrupt")
        if file.owner and self._owner and file.owner != self._owner:
            file = self._renamed(file)
        file.belong_to(self._owner)
        self._taken_up(file)

    def _renamed(self, file: OutboxFile) -> OutboxFile:
        """Return a new outbox for the new name; Unavailable while the old one holds scans.

        Central books by name and epoch: under another name it would book them all once more.
        """
        extent = file.extent()
        if extent.last_seq > extent.acked_seq:
            self.close()
            raise Unavailable(
                f"{self._folder} holds {extent.last_seq - extent.acked_seq} scans of the gateway "
                f"{file.owner} that central has not booked, and this is {self._owner}; give it its "
                "old name until they are booked, or another data folder"
            )
        return self._replaced("renamed")

    def _replaced(self, why: salvage.Why, booked_seq: int = 0) -> OutboxFile:
        self.close()
        return salvage.replace_file(self._folder, self._limits, self._connect, why, booked_seq)

    def _taken_up(self, file: OutboxFile) -> None:
        if self._opened is None or self._opened[0] != file.epoch:
            self._opened = (file.epoch, file.last_seq)
        file.opened_seq = self._opened[1]
        self._file, self.extent = file, file.extent()

    def _write(
        self, file: OutboxFile, writes: Sequence[Write | Record], acked: tuple[UUID, int] | None
    ) -> list[Outcome]:
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
        self._taken_up(self._replaced("superseded", self._opened[1]))

    def _advice(self) -> str:
        """Return what a person can do about the commonest reasons."""
        path = self._folder / salvage.FILE_NAME
        if path.is_dir():
            return f"; {path} is a folder: move it away"
        if not self._folder.is_dir():
            return "; the folder is gone: mount its disk, or make it again"
        try:
            if os.statvfs(self._folder).f_flag & os.ST_RDONLY:
                return "; it is mounted read-only: look for its errors in dmesg, then remount it"
        except OSError:
            return ""
        for each in (self._folder, path):
            if each.exists() and not os.access(each, os.R_OK | os.W_OK, effective_ids=True):
                return f"; user {os.geteuid()} may not write {each}: give it to that user"
        return ""
