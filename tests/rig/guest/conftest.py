"""What the device tests share: udev, and one gateway: to start one takes ten seconds here."""

import grp
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from neighbours import ROOT
from rig import packages
from rig.guest.dock import Dock, Measured, wait_for
from rig.guest.scanners import configuration

_RULES = ROOT / "deploy" / "60-docktally.rules"
_UDEV_RULES = Path("/etc/udev/rules.d")
_UDEV_FILES, _UDEV_CONTROL = Path("/lib/udev"), Path("/run/udev/control")


@pytest.fixture(scope="session", autouse=True)
def udev() -> Iterator[None]:
    """Run Debian's udev with Debian's rules and ours."""
    tree = packages.default().tree
    _UDEV_RULES.mkdir(parents=True, exist_ok=True)
    shutil.copy(_RULES, _UDEV_RULES)
    if "input" not in {group.gr_name for group in grp.getgrall()}:
        with Path("/etc/group").open("a") as groups:  # as udev's installation does
            groups.write("input:x:4242:\n")
    _UDEV_FILES.mkdir(parents=True, exist_ok=True)
    subprocess.run(["/bin/mount", "--bind", tree / "lib/udev", _UDEV_FILES], check=True)
    folders = (tree / path / "x86_64-linux-gnu" for path in ("usr/lib", "lib"))
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": ":".join(map(str, folders)),
        "SYSTEMD_IGNORE_CHROOT": "1",  # what we run in has all devices
    }
    udevadm = tree / "bin/udevadm"  # which is the daemon when it is called so
    with subprocess.Popen(["systemd-udevd"], executable=udevadm, env=environment) as daemon:
        wait_for(_UDEV_CONTROL.exists, "udev listens")
        subprocess.run([udevadm, "trigger", "--action=add"], check=True, env=environment)
        subprocess.run([udevadm, "settle"], check=True, env=environment)
        yield
        daemon.terminate()


@pytest.fixture(scope="session")
def dock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dock]:
    """Give a gateway that looks for every scanner of this dock; none is plugged in yet."""
    dock = Dock(tmp_path_factory.mktemp("gateway"), configuration())
    dock.start()
    yield dock
    dock.stop()


@pytest.fixture
def measured(record_property: Callable[[str, object], None]) -> Measured:
    """Give a way to show a measurement at the end; times are those of a guest that crawls."""
    return lambda what, value: record_property(what, f"{value:.2f}".removesuffix(".00"))
