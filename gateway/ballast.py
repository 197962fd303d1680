"""A file that only takes up room, so that some can be had on a disk that others have filled."""

import os
import shutil
from pathlib import Path

#: Room for a new log and some hundred labels and acknowledgements.
_BALLAST_BYTES = 256 * 1024


class Ballast:
    """The ballast in `folder`: `load` it when all is well; it makes room when nothing else does."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "outbox.ballast"
        self._loaded = False

    def load(self) -> bool:
        """Take up the room, if there is some; return False when it was taken up before."""
        if self._loaded:
            return False
        self._loaded = True
        try:
            with self._path.open("ab") as file:
                os.posix_fallocate(file.fileno(), 0, _BALLAST_BYTES)
        except OSError:
            self._path.unlink(missing_ok=True)
        return True

    def make_room(self) -> bool:
        """Give the room back if nothing else is left; return whether another try may help."""
        self._loaded = False
        try:
            if shutil.disk_usage(self._path.parent).free >= _BALLAST_BYTES:
                return False
            self._path.unlink(missing_ok=True)
        except OSError:
            return False
        return True
