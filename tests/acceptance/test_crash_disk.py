"""A dock's disk is full: the person hears that the scan is NOT stored, and nothing else is lost."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ears import Ears
from hands import Grab, Hand
from sites import SITE, Site, eventually

pytestmark = pytest.mark.broker


@pytest.fixture
def small_disk(site: Site) -> Iterator[Path]:
    """Give the first gateway a disk of 2 MB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    disk = site.folder / "gate-a" / "data"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False).returncode != 0:
        pytest.skip("this machine may not mount a small disk")
    yield disk
    site.kill("gate-a")
    subprocess.run(["umount", str(disk)], check=True)


def fill(ballast: Path) -> None:
    """Write until the disk is full."""
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    assert shutil.disk_usage(ballast).free == 0


async def refused_and_shown(site: Site, hand: Hand) -> None:
    """Scan until a scan is refused, and see that everybody who asks is told why."""
    await hand.receive_until("refused", site.warehouse.catalogue().items[1])
    with closing(Ears(site.broker.port)) as late:
        await eventually(
            lambda: (state := late.state(SITE, "gate-a")) and state.outbox.problem,
            "the retained state names the problem",
        )
    assert await hand.receive(site.warehouse.catalogue().items[2]) == "refused"


async def well_again(site: Site, ears: Ears, hand: Hand) -> None:
    """See that the gateway is well by itself, and that only what was refused is missing."""
    await eventually(
        lambda: (state := ears.state(SITE, "gate-a")) and state.outbox.problem is None,
        "the gateway says that it is well again",
    )
    await hand.receive_until("good", site.warehouse.catalogue().items[3])
    site.prove()


async def test_a_full_disk(site: Site, ears: Ears, grab: Grab, small_disk: Path) -> None:
    """Without a free block scans are refused audibly; with space again they are stored."""
    site.configure("disk_reserve_bytes = 262144")
    site.start()
    hand, other = await grab("a-1", "b-1")
    await hand.receive_until("good", site.warehouse.catalogue().items[0])
    ballast = small_disk / "ballast"
    fill(ballast)
    await refused_and_shown(site, hand)
    assert await other.receive(site.warehouse.catalogue().items[0]) == "good"
    ballast.unlink()
    await well_again(site, ears, hand)


async def test_a_full_outbox(site: Site, ears: Ears, grab: Grab) -> None:
    """At its bound the outbox refuses audibly; when central takes the backlog all goes on."""
    site.configure("max_bytes = 65536\ndisk_reserve_bytes = 0")
    site.start()
    (hand,) = await grab("a-1")
    await hand.receive_until("good", site.warehouse.catalogue().items[0])
    site.kill("central")
    await refused_and_shown(site, hand)
    site.start("central")
    await well_again(site, ears, hand)
