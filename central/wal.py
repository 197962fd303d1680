"""Moves what SQLite's log holds into the database file, beside the ledger's writer.

By itself SQLite does that in the commit that makes the log long enough: of some eighty scans, the
last would wait for a second flush, of pages all over the file.
"""

import contextlib
import sqlite3
import threading
from typing import Self

#: Often enough that little is left to do, seldom enough that a busy page is written once.
EVERY_S = 0.5


class Checkpoints:
    """Does so from a thread of its own while the context lasts, soon after each `committed`."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._some = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)

    def committed(self) -> None:
        """Note that there is something in the log."""
        self._some.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._some.set()
        self._thread.join()

    def _run(self) -> None:
        with contextlib.closing(sqlite3.connect(self._file, isolation_level=None)) as connection:
            while True:
                self._some.wait()
                if self._over.wait(EVERY_S):
                    return
                self._some.clear()
                # Passive: it waits for nobody. What it could not do, the next one does; SQLite's
                # own, in a commit, is the last resort.
                with contextlib.suppress(sqlite3.OperationalError):
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
