"""Fixtures that every kind of test may ask for."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from central import database, verify
from central.writer import Writer, number
from ledgers import SELLABLE, NewLedger, Site, new_database, stock_catalogue
from neighbours import Mosquitto, need
from postgres import Postgres


@contextmanager
def open_folder(name: str) -> Iterator[Path]:
    """Give a folder for a server that runs as another user when the tests run as root.

    It is not among pytest's folders: each pytest closes those to other users.
    """
    with tempfile.TemporaryDirectory(prefix=f"docktally-{name}-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def mosquitto() -> Iterator[Mosquitto]:
    """Give a running broker of its own."""
    program = need("mosquitto", "apt-get install mosquitto")
    with open_folder("broker") as folder:
        broker = Mosquitto(folder, program)
        broker.start()
        yield broker
        broker.kill()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Give the one PostgreSQL server of all tests; each makes databases of its own."""
    with open_folder("postgres") as folder:
        server = Postgres(folder)
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="session")
def postgres_template(
    postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Give the name of a database with the small catalogue; a copy of it takes milliseconds."""
    url = postgres.create()
    stock_catalogue(url, tmp_path_factory.mktemp("catalogue"))
    yield url.rpartition("/")[2]
    postgres.drop(url)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def new_ledger(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NewLedger]:
    """Give what makes a ledger with the small catalogue, on each kind of database in turn."""
    if request.param == "sqlite":
        yield lambda: new_database(tmp_path_factory.mktemp("ledger"))
        return
    server: Postgres = request.getfixturevalue("postgres")
    template: str = request.getfixturevalue("postgres_template")
    made: list[str] = []

    def make() -> str:
        made.append(server.create(template))
        return made[-1]

    yield make
    for url in made:
        server.drop(url)


@pytest.fixture
async def site(new_ledger: NewLedger) -> AsyncIterator[Site]:
    """Give a ledger with a small catalogue and one gateway's hand on it; prove it at the end."""
    database_name = new_ledger()
    engine, reader = database.open_writer(database_name), database.open_reader(database_name)
    async with Writer(engine, SELLABLE) as writer:
        site = Site(writer, reader, database_name)
        yield site
        while await writer.submit(number):
            pass
    findings = verify.run(reader)
    reader.dispose()
    engine.dispose()  # first: what stays open would be blamed on the next test
    assert findings == []


@pytest.fixture
async def two(postgres: Postgres, postgres_template: str) -> AsyncIterator[tuple[Site, Site]]:
    """Give the hands of two central processes on one PostgreSQL ledger; prove it at the end."""
    url = postgres.create(postgres_template)
    reader = database.open_reader(url)
    engines = [database.open_writer(url) for _ in range(2)]
    async with Writer(engines[0], SELLABLE) as first, Writer(engines[1], SELLABLE) as second:
        yield (
            Site(first, reader, url, gateway="gate-a"),
            Site(second, reader, url, gateway="gate-b"),
        )
        while await first.submit(number):
            pass
    findings = verify.run(reader)
    for engine in (reader, *engines):
        engine.dispose()
    postgres.drop(url)
    assert findings == []
