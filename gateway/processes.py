"""The programs that run on this machine, and which files they hold open."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """A running program. `files` is empty where only root may see them."""

    pid: int
    name: str
    arguments: tuple[str, ...]
    files: frozenset[str]

    def __str__(self) -> str:
        """Return it as people find it again."""
        return f"{self.name} (process {self.pid})"


def running(root: Path) -> list[Process]:
    """Return the processes now; one that ends meanwhile is left out."""
    return [
        process
        for folder in (root / "proc").iterdir()
        if folder.name.isdigit() and (process := _read(folder)) is not None
    ]


def _read(folder: Path) -> Process | None:
    try:
        name = (folder / "comm").read_text("utf-8", "replace").strip()
        arguments = (folder / "cmdline").read_text("utf-8", "replace").split("\0")
    except OSError:
        return None
    return Process(int(folder.name), name, tuple(arguments[:-1]), frozenset(_open(folder / "fd")))


def _open(folder: Path) -> Iterator[str]:
    try:
        for link in folder.iterdir():
            yield str(link.readlink())
    except OSError:  # ended, or not ours to see
        return
