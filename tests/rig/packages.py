"""QEMU, busybox, udev and a kernel out of Debian packages, unpacked in a cache, never installed.

The packages come from the machine's own apt sources, so their signatures are checked by apt. What
the machine has already is used where it is.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

#: With everything they need that the machine lacks; udev's own library is a part of every system.
_WITH_DEPENDENCIES = ("qemu-system-x86", "busybox-static", "libkmod2", "libacl1", "libblkid1")
#: Alone: udev would pull a newer systemd in, the kernel an initramfs that nobody boots.
_ALONE = ("udev",)
#: Follows Debian's newest kernel. The cloud kernel will not do: it has neither USB nor uinput.
_KERNEL_META = "linux-image-amd64"
#: Raise it when the lists above change, so that old caches are filled again.
_CACHE_VERSION = 1


class CannotPrepare(Exception):
    """The cache cannot be filled; the message says what to do."""


class Cache:
    """The folder that holds the unpacked packages: `tree` like a root folder, `kernel` apart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tree = folder / "tree"
        self.kernel = folder / "kernel"

    def fill(self) -> None:
        """Download and unpack what is missing; raise CannotPrepare.

        Several runs may ask at once: one fills, the others wait.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with _locked(self.folder / "lock"):
            stamp = self.folder / f"filled-{_CACHE_VERSION}"
            if stamp.exists():
                return
            print(f"rig: fetching QEMU and a kernel into {self.folder}, once", file=sys.stderr)
            for old in (self.tree, self.kernel, *self.folder.glob("filled-*")):
                shutil.rmtree(old) if old.is_dir() else old.unlink(missing_ok=True)
            try:
                names = self._download()
            except subprocess.CalledProcessError:  # old package lists name what is gone
                _update_lists()
                try:
                    names = self._download()
                except subprocess.CalledProcessError as error:
                    raise CannotPrepare(_advice(error)) from error
            stamp.write_text("\n".join(names) + "\n")

    def find(self, *paths: str) -> Path:
        """Return the first of these files, in the cache or else on the machine."""
        for root in (self.tree, Path("/")):
            for path in paths:
                if (root / path).exists():
                    return root / path
        raise CannotPrepare(
            f"neither {self.tree} nor this machine has {' or '.join(paths)}; "
            f"remove {self.folder} and try again"
        )

    def _download(self) -> list[str]:
        kernel = _kernel_package()
        programs = [*_missing(_WITH_DEPENDENCIES), *_ALONE]
        debs = self.folder / "debs"
        shutil.rmtree(debs, ignore_errors=True)
        debs.mkdir()
        _apt("download", *programs, kernel, folder=debs)
        for deb in sorted(debs.iterdir()):
            target = self.kernel if deb.name.startswith(kernel) else self.tree
            subprocess.run(["dpkg-deb", "-x", deb, target], check=True)
        names = sorted(deb.name for deb in debs.iterdir())
        shutil.rmtree(debs)
        return names


def default() -> Cache:
    """Return the cache of $DOCKTALLY_RIG_CACHE, else the one in the user's cache folder."""
    given = os.environ.get("DOCKTALLY_RIG_CACHE")
    return Cache(Path(given) if given else Path.home() / ".cache" / "docktally-rig")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _kernel_package() -> str:
    """Return the package behind the one that follows the newest kernel."""
    words = _run("apt-cache", "depends", "--important", _KERNEL_META).split()
    return next(word for word in words if word.startswith("linux-image-") and word != _KERNEL_META)


def _missing(names: Sequence[str]) -> list[str]:
    """Return these and the packages they need, as far as they are not installed."""
    plan = _apt("install", "--simulate", "--no-install-recommends", *names)
    return [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]


def _apt(command: str, *arguments: str, folder: Path | None = None) -> str:
    # As ourselves: apt's own user may not write into our folder.
    words = ("apt-get", "-q", "-o", "APT::Sandbox::User=root", command, *arguments)
    return _run(*words, folder=folder)


def _update_lists() -> None:
    """Fetch the package lists where we may; what comes of it shows at the next try."""
    subprocess.run(["apt-get", "-q", "update"], check=False, capture_output=True)


def _run(*words: str, folder: Path | None = None) -> str:
    try:
        return subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True).stdout
    except FileNotFoundError as error:
        raise CannotPrepare(
            f"{words[0]} is missing: the rig takes QEMU and a kernel from Debian packages, "
            "so it needs Debian 12 on amd64"
        ) from error


def _advice(error: subprocess.CalledProcessError) -> str:
    last = (error.stderr or "").strip().splitlines()[-1:]
    return (
        f"apt cannot fetch what the rig needs ({' '.join(last)}). Run `apt-get update` as root "
        "and look at /etc/apt/sources.list: the rig needs Debian 12's main and security packages"
    )
