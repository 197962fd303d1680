"""A whole site for every acceptance test."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from ears import Ears
from firmware_sim.journal import Journal
from firmware_sim.runner import Numbers
from hands import Grab, Hand
from neighbours import Mosquitto
from postgres import Postgres
from sites import Site, Warehouse


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """Give a catalogue and a database to copy."""
    return Warehouse(tmp_path_factory.mktemp("warehouse")).build()


@pytest.fixture
def site(tmp_path: Path, mosquitto: Mosquitto, warehouse: Warehouse) -> Iterator[Site]:
    """Give a site of which only the broker runs yet."""
    site = Site(tmp_path, mosquitto, warehouse)
    yield site
    site.end()


@pytest.fixture
def shared_site(
    tmp_path: Path, mosquitto: Mosquitto, warehouse: Warehouse, postgres: Postgres
) -> Iterator[Site]:
    """Give a site whose ledger is on PostgreSQL, with its catalogue."""
    site = Site(tmp_path, mosquitto, warehouse, url=postgres.create())
    warehouse.stock(site.url)
    yield site
    site.end()
    postgres.drop(site.url)


@pytest.fixture
def ears(mosquitto: Mosquitto) -> Iterator[Ears]:
    """Give somebody who hears everything on the broker."""
    ears = Ears(mosquitto.port)
    yield ears
    ears.close()


@pytest.fixture
async def grab(site: Site) -> AsyncIterator[Grab]:
    """Give a way to take scanners in hand: `await grab("a-1")`, when its gateway runs."""
    async with AsyncExitStack() as stack:
        journal, numbers = stack.enter_context(Journal(site.truth)), Numbers()

        async def take(*scanners: str) -> list[Hand]:
            hands = [Hand(site, scanner, journal, numbers) for scanner in scanners]
            for hand in hands:
                await stack.enter_async_context(hand)
            for hand in hands:
                await hand.ready()
            return hands

        yield take
