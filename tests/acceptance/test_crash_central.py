"""Central is away, dies between commits, or cannot write: the docks go on."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from hands import Grab
from neighbours import wait_until
from sites import Site

pytestmark = pytest.mark.broker


async def test_central_away_and_back(site: Site, grab: Grab) -> None:
    """Without central scans go on and sound "offline"; when it is back they are in the ledger."""
    site.start()
    (hand,) = await grab("a-1")
    items = site.warehouse.catalogue().items
    await hand.receive_until("good", items[0])
    site.kill("central")
    await hand.receive_until("offline", items[0])
    assert {await hand.receive(item) for item in items} == {"offline"}
    site.start("central")
    await hand.receive_until("good", items[0])
    site.prove()


def test_central_killed_between_commits(site: Site) -> None:
    """Killed again and again after a handful of commits, central goes on where it was."""
    site.start()
    site.people(31, rate=20)
    for _ in range(5):
        goal = site.position() + 15
        wait_until(lambda goal=goal: site.position() >= goal, "central commits some more")
        site.kill("central")
        site.start("central")
    site.prove()


@contextmanager
def locked(site: Site) -> Iterator[None]:
    """Hold the write lock of central's database, as a backup that hangs does."""
    with closing(sqlite3.connect(site.database, isolation_level=None)) as other:
        other.execute("PRAGMA busy_timeout = 30000")
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(4, id="waited for"),
        pytest.param(40, marks=pytest.mark.soak, id="longer than central waits"),
    ],
)
def test_the_database_is_locked_by_another(site: Site, seconds: int) -> None:
    """Scans go on while the ledger cannot be written; afterwards it has each of them once."""
    site.start()
    site.people(32, rate=10)
    wait_until(lambda: site.position() > 20, "scans arrive")
    with locked(site):
        before = site.position()
        end = time.monotonic() + seconds
        wait_until(lambda: time.monotonic() > end, "time is up", deadline_s=seconds + 10)
        site.work_on(presses=20)
        assert site.position() == before
    wait_until(lambda: site.position() > before, "the ledger is written again")
    site.prove()
