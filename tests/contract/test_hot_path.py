"""What is done without SQLAlchemy or pydantic for speed does what they would do."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError

from central import catalogue, database, driver, names, schema
from central.arrivals import body_of, id_in
from central.writer import Transaction
from ledgers import NewLedger, Site, scan
from neighbours import wait_until
from wire.events import Availability

ODD = [
    "plain",
    'quo"te',
    "back\\slash",
    "tab\tnew\nline\x01",
    "Rührgerät",
    "部品",
    "👍",
    "</script>",
]


TWICE = "INSERT INTO site (id, code) VALUES (77, 'b')"


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("us", [0, 1_764_000_000_000_000, 1_764_000_000_123_456])
def test_the_message_is_the_models(odd: str, us: int) -> None:
    """Put together by hand, it is what the model says, byte for byte."""
    label = names.label("main", odd, odd, 1)
    made = names.message(label, 7, 2, 1, 9, names.moment(us), odd)
    model = Availability(
        sku=odd, site="main", name=odd, version=9, on_hand=7, reserved=2, safety=1, available=4,
        as_of=datetime.fromtimestamp(us / 1e6, UTC), cause=odd,
    )  # fmt: skip
    assert made == model.model_dump_json().encode()


def test_the_id_is_found_in_the_json() -> None:
    """Whatever else an event says."""
    event = scan(7, note='"id":"x"', scanner='"id":"y"')
    assert id_in(body_of(event)) == str(event.id)


async def test_a_new_name_is_told_by_the_commit_that_gives_it(site: Site) -> None:
    """The names of the commit before are not told again."""
    await site.do()

    def rename_and_count(tx: Transaction) -> bytes:
        catalogue.put_item(tx.connection, "VALVE", "valve DN32")
        tx.books.changed(1, 1, "receive")
        tx.books.close()
        return tx.books.announcements[-1].body

    assert b"valve DN32" in await site.writer.submit(rename_and_count)


def test_what_fails_is_the_databases_error(new_ledger: NewLedger) -> None:
    """At once, or when the pipeline ends; the savepoint before it still holds."""
    with database.using(database.open_writer(new_ledger())) as engine, engine.begin() as connection:
        with connection.begin_nested():
            driver.change(connection, TWICE, [()])
        with pytest.raises(DBAPIError):
            _add_and_go_on(connection)
        found = connection.execute(select(schema.site.c.code).where(schema.site.c.id == 77))
        assert found.scalars().all() == ["b"]
        assert driver.ask(connection, "SELECT code FROM site WHERE id = 77")() == [("b",)]


def _add_and_go_on(connection: Connection) -> None:
    with connection.begin_nested():
        driver.change(connection, TWICE, [()])
        driver.change(connection, "UPDATE site SET code = 'c' WHERE id = 77", [()])
        connection.execute(text("SELECT 1"))


async def test_the_log_is_moved_while_the_ledger_is_written(site: Site) -> None:
    """Without any commit having to do it."""
    if site.writer.engine.dialect.name != "sqlite":
        pytest.skip("SQLite's log")
    file = site.database

    def changed_ns() -> int:
        return Path(file).stat().st_mtime_ns

    before = changed_ns()
    await site.do()
    await asyncio.to_thread(wait_until, lambda: changed_ns() > before, "the file has it")
