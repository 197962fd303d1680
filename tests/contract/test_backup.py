"""Copies of the ledger: proven, put back into either database, never under a running central."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from central import commands, database, leases, verify
from central.writer import Writer, number
from ledger_rows import rows_of
from ledgers import EACH, SELLABLE, NewLedger, Site, ask
from postgres import Postgres
from wire.events import Identifiers

#: What a restore renews on purpose: versions, feed numbers, and a marker among the reservations.
_RENEWED = {"avail", "outbox", "reservation"}


def kept_rows(name: str) -> dict[str, list[Any]]:
    """Return the rows that a restore does not renew."""
    return {table: rows for table, rows in rows_of(name).items() if table not in _RENEWED}


@contextlib.asynccontextmanager
async def hand_on(name: str) -> AsyncIterator[Site]:
    """Give a gateway's hand on a ledger."""
    with (
        database.using(database.open_writer(name)) as engine,
        database.using(database.open_reader(name)) as reader,
    ):
        async with Writer(engine, SELLABLE) as writer:
            yield Site(writer, reader)
            while await writer.submit(number):
                pass


async def fill(name: str) -> None:
    """Let some scans and promises be in a ledger."""
    async with hand_on(name) as site:
        await site.do(quantity=20, identifiers=Identifiers(gtin14=EACH, lot="L1"))
        await site.do("putaway", quantity=5, to_location="NEW-1")
        await site.do(identifiers=Identifiers(text="NOBODY KNOWS"))
        await ask(site, "k", ("VALVE", 3))


def rows(name: str, query: str) -> list[Any]:
    """Return what SQL says."""
    with database.using(database.open_reader(name)) as reader, reader.begin() as connection:
        return list(connection.execute(text(query)).all())


def prove(name: str) -> list[verify.Finding]:
    """Return what is wrong with a ledger."""
    with database.using(database.open_reader(name)) as reader:
        return verify.run(reader)


def backup(name: str, file: Path) -> int:
    """Run the command."""
    return commands.backup([str(file), "--database", name])


def restore(name: str, file: Path, *options: str) -> int:
    """Run the command."""
    return commands.restore([str(file), "--database", name, *options])


def test_a_copy_comes_back_equal(new_ledger: NewLedger, tmp_path: Path) -> None:
    """All tables are the same after a backup and a restore; the copy is one proven file."""
    name, copy = new_ledger(), tmp_path / "copy.db"
    asyncio.run(fill(name))
    before = kept_rows(name)
    assert backup(name, copy) == 0
    assert [file.name for file in tmp_path.iterdir()] == ["copy.db"]
    assert kept_rows(str(copy)) == before
    assert restore(name, copy, "--force") == 0
    assert kept_rows(name) == before
    assert prove(name) == []


@pytest.mark.postgres
def test_a_ledger_moves_to_postgresql_and_back(
    postgres: Postgres, tmp_path: Path, new_ledger: NewLedger
) -> None:
    """A copy goes into an empty database of the other kind; row numbers go on behind it."""
    name, url = new_ledger(), postgres.create()
    asyncio.run(fill(name))
    before = kept_rows(name)
    back = str(tmp_path / "back.db")
    for source, target in ((name, url), (url, back)):
        copy = tmp_path / f"{target[-8:].replace('/', '')}.copy"
        assert backup(source, copy) == 0
        assert restore(target, copy) == 0
        assert kept_rows(target) == before
    asyncio.run(fill(url))
    assert prove(url) == []
    postgres.drop(url)


async def test_what_was_told_before_is_never_newer(new_ledger: NewLedger, tmp_path: Path) -> None:
    """After a restore each version, feed number and reservation number is a new one."""
    name, copy = new_ledger(), tmp_path / "copy.db"
    await fill(name)
    assert backup(name, copy) == 0
    async with hand_on(name) as site:
        for _ in range(3):
            await site.do()
        await site.do(identifiers=Identifiers(text="HOSE"))
        lost = (await ask(site, "lost", ("HOSE", 1))).body["id"]
    told = dict(rows(name, "SELECT item, ver FROM avail"))
    ((newest,),) = rows(name, "SELECT MAX(feed_seq) FROM outbox")
    assert restore(name, copy, "--force") == 0
    async with hand_on(name) as site:
        await site.do(identifiers=Identifiers(text="HOSE"))
        assert (await ask(site, "new", ("HOSE", 1))).body["id"] > lost
    now = dict(rows(name, "SELECT item, ver FROM avail"))
    assert now.keys() == told.keys()
    assert all(now[item] > version for item, version in told.items())
    assert rows(name, "SELECT MIN(feed_seq) FROM outbox")[0][0] > newest
    assert prove(name) == []


def test_a_ledger_is_not_overwritten_by_mistake(
    new_ledger: NewLedger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --force nothing happens; a file that is replaced is set aside."""
    name, copy = new_ledger(), tmp_path / "copy.db"
    asyncio.run(fill(name))
    assert backup(name, copy) == 0
    assert backup(name, copy) == 1
    assert "exists already" in capsys.readouterr().err
    assert restore(name, copy) == 1
    assert "--force" in capsys.readouterr().err
    assert restore(name, tmp_path / "nothing.db", "--force") == 1
    assert "there is no file" in capsys.readouterr().err
    assert restore(name, copy, "--force") == 0
    if not database.is_shared(name):
        (aside,) = Path(name).parent.glob("central.db.replaced-*[0-9]")
        assert kept_rows(str(aside)) == kept_rows(name)


def test_nothing_is_restored_under_a_running_central(
    new_ledger: NewLedger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not even with --force."""
    name, copy = new_ledger(), tmp_path / "copy.db"
    assert backup(name, copy) == 0
    if database.is_shared(name):
        with database.using(database.open_leases(name)) as engine:
            with engine.begin() as connection:
                leases.tend(connection, "a")
            assert restore(name, copy, "--force") == 1
            with engine.begin() as connection:
                leases.leave(connection, "a")
    else:
        with database.claimed(name):
            assert restore(name, copy, "--force") == 1
    assert "stop" in capsys.readouterr().err
    assert restore(name, copy, "--force") == 0


def test_a_copy_that_is_not_proven_is_not_put_back(
    new_ledger: NewLedger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its findings are said, and the ledger stays as it is."""
    name, copy = new_ledger(), tmp_path / "copy.db"
    asyncio.run(fill(name))
    before = kept_rows(name)
    assert backup(name, copy) == 0
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("UPDATE avail SET on_hand = on_hand + 1")
    assert restore(name, copy, "--force") == 1
    assert "V4" in capsys.readouterr().err
    (tmp_path / "text").write_text("no ledger")
    assert restore(name, tmp_path / "text", "--force") == 1
    assert kept_rows(name) == before
