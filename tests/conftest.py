"""Fixtures that every kind of test may ask for."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from central import database, verify
from central.writer import Writer, number
from ledgers import SELLABLE, Site, new_database
from neighbours import Mosquitto, need


@pytest.fixture
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """Give a running broker of its own."""
    broker = Mosquitto(
        # Short and world-readable on the way: mosquitto runs as another user when started as root.
        tmp_path_factory.mktemp("broker"),
        need("mosquitto", "apt-get install mosquitto"),
    )
    for folder in (broker.folder, broker.folder.parent, broker.folder.parent.parent):
        folder.chmod(0o755)
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """Give a ledger with a small catalogue and one gateway's hand on it; prove it at the end."""
    path = new_database(tmp_path)
    engine, reader = database.open_writer(path), database.open_reader(path)
    async with Writer(engine, SELLABLE) as writer:
        site = Site(writer, reader)
        yield site
        while await writer.submit(number):
            pass
    assert verify.run(reader) == []
    reader.dispose()
    engine.dispose()
