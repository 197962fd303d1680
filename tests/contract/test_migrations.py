"""Every schema that was ever released, with data in it, becomes today's; the ledger goes on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from central import database, reservations, schema, verify
from central.writer import Writer, number
from ledgers import SELLABLE, NewLedger, Site, ask
from postgres import Postgres
from schema_dumps import FOLDER, load

REVISIONS = sorted(file.stem[:4] for file in (database._MIGRATIONS / "versions").glob("0*.py"))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give a database without tables, of each kind in turn."""
    if request.param == "sqlite":
        yield str(tmp_path / "central.db")
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.create()
    yield url
    server.drop(url)


def test_the_migrations_make_the_tables_that_the_code_queries(new_ledger: NewLedger) -> None:
    """schema.py and the numbered migrations describe one database."""
    with database.using(database.open_writer(new_ledger())) as engine, engine.connect() as made:
        assert compare_metadata(MigrationContext.configure(made), schema.metadata) == []


@pytest.mark.parametrize("revision", REVISIONS)
async def test_an_earlier_ledger_goes_on(empty: str, revision: str) -> None:
    """It is brought up to date with all its rows, is proven, and takes scans and orders."""
    with (
        database.using(database.open_writer(empty)) as engine,
        database.using(database.open_reader(empty)) as reader,
    ):
        with engine.begin() as connection:
            database.upgrade(connection, revision)
            load(connection, revision)
        count = text("SELECT COUNT(*), SUM(qty), MAX(id) FROM entry")
        with engine.begin() as connection:
            before = connection.execute(count).one()
            assert before[0] > 50
        database.migrate(engine)
        with engine.begin() as connection:
            assert connection.execute(count).one() == before
            assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
        async with Writer(engine, SELLABLE) as writer:
            while await writer.submit(reservations.expire):  # holds that are over by now
                pass
            while await writer.submit(number):
                pass
            assert verify.run(reader) == []
            site = Site(writer, reader)
            assert (await site.do(quantity=5_000)).rejected == ()
            assert (await ask(site, "after the migration", ("VALVE", 1))).status == 201
            while await writer.submit(number):
                pass
        assert verify.run(reader) == []


def test_a_database_from_the_future_is_refused(new_ledger: NewLedger) -> None:
    """An old program does not touch a newer schema; it says what to install."""
    with database.using(database.open_writer(new_ledger())) as engine:
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(database.SchemaTooNew, match="9999"):
            database.migrate(engine)


def test_there_are_rows_for_each_schema() -> None:
    """A migration without a test on real rows is not finished."""
    assert REVISIONS[0] == "0001"
    assert (FOLDER / f"{REVISIONS[-1]}.json").exists()
