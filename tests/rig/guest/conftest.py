"""What the device tests share: udev, and one gateway, whose start takes half a minute here."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from neighbours import ROOT
from rig import packages
from rig.guest.dock import Dock
from rig.guest.scanners import WEDGE_PATH, configuration

_RULES = ROOT / "deploy" / "60-docktally.rules"
_UDEV_RULES = Path("/etc/udev/rules.d")
_UDEV_FILES = Path("/lib/udev")


@pytest.fixture(scope="session", autouse=True)
def udev() -> Iterator[None]:
    """Run Debian's udev with Debian's rules and ours."""
    tree = packages.default().tree
    _UDEV_RULES.mkdir(parents=True, exist_ok=True)
    if _RULES.exists():
        shutil.copy(_RULES, _UDEV_RULES)
    _UDEV_FILES.mkdir(parents=True, exist_ok=True)
    subprocess.run(["/bin/mount", "--bind", tree / "lib/udev", _UDEV_FILES], check=True)
    folders = (tree / path / "x86_64-linux-gnu" for path in ("usr/lib", "lib"))
    environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, folders))}
    udevadm = tree / "bin/udevadm"  # which is the daemon when it is called so
    with subprocess.Popen(["systemd-udevd"], executable=udevadm, env=environment) as daemon:
        subprocess.run([udevadm, "trigger", "--action=add"], check=True, env=environment)
        subprocess.run([udevadm, "settle"], check=True, env=environment)
        yield
        daemon.terminate()


@pytest.fixture(scope="session")
def dock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dock]:
    """Give a gateway that looks for every scanner of this dock; none is plugged in yet."""
    WEDGE_PATH.parent.mkdir()
    dock = Dock(tmp_path_factory.mktemp("gateway"), configuration())
    dock.start()
    yield dock
    dock.stop()


@pytest.fixture
def measured(record_property: Callable[[str, object], None]) -> Callable[[str, float], None]:
    """Give a way to show how long something took: seconds, in a guest ten times slower than us."""
    return lambda what, seconds: record_property(what, f"{seconds:.2f} s")
