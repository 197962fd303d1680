"""The rows that go out: numbered without holes, told from there, and removed when they are old."""

import asyncio

from sqlalchemy import text

from central import database, outbox, verify
from central.outbound import RETAINED
from central.writer import number
from ledgers import Site
from neighbours import DEADLINE_S


def is_sqlite(site: Site) -> bool:
    """Return whether this ledger has one writer, which needs no waking by the database."""
    return site.writer.engine.dialect.name == "sqlite"


async def feed(site: Site) -> list[int]:
    """Number what waits; return all numbers in order."""
    while await site.writer.submit(number):
        pass
    return [n for (n,) in site.rows("SELECT feed_seq FROM outbox ORDER BY feed_seq")]


async def test_numbers_have_no_holes(site: Site) -> None:
    """Each announcement gets the next number, in the order of commits: a level and a receipt."""
    for _ in range(3):
        await site.do()
    assert await feed(site) == [1, 2, 3, 4, 5, 6]
    await site.do()
    assert await feed(site) == [1, 2, 3, 4, 5, 6, 7, 8]


async def test_what_is_numbered_is_what_is_told(site: Site) -> None:
    """The relay gets the rows as they were written, for names with slashes too."""
    told: list[outbox.Announcement] = []
    site.writer.on_commit = told.extend
    await site.do()
    await site.do("ship", quantity=2)
    numbered = await site.writer.submit(number)
    assert [(each.channel, each.body) for each in numbered] == [
        (each.channel, each.body) for each in told
    ]
    retained = [each for each in told if each.channel in RETAINED]
    assert [each for each in numbered if each.channel in RETAINED] == retained
    assert [each.channel for each in told].count("availability") == 2


async def test_old_rows_are_removed_and_the_numbers_go_on(site: Site) -> None:
    """Below the floor nothing is promised; above it there are no holes; the newest row stays."""
    for _ in range(5):
        await site.do()
    await feed(site)
    with site.writer.engine.begin() as connection:
        connection.execute(text("UPDATE outbox SET created_us = 1 WHERE feed_seq <= 3"))
    assert await site.writer.submit(lambda tx: outbox.prune(tx.connection, 2)) == 3
    assert await feed(site) == [4, 5, 6, 7, 8, 9, 10]
    assert await site.writer.submit(lambda tx: outbox.floor(tx.connection)) == 3
    assert await site.writer.submit(lambda tx: outbox.prune(tx.connection, 2)) == 0
    everything = 2**62
    assert await site.writer.submit(lambda tx: outbox.prune(tx.connection, everything)) == 6
    await site.do()
    assert await feed(site) == [10, 11, 12]
    assert verify.run(site.reader) == []


async def test_a_hole_in_the_feed_is_found(site: Site) -> None:
    """A row that vanished above the floor is not taken for one that was removed as old."""
    for _ in range(3):
        await site.do()
    await feed(site)
    with site.writer.engine.begin() as connection:
        corruption = connection.begin_nested()
        connection.execute(text("DELETE FROM outbox WHERE feed_seq = 2"))
        assert {each.invariant for each in verify.findings(connection)} == {"V10"}
        corruption.rollback()


async def test_the_relay_is_woken_by_a_commit(site: Site) -> None:
    """On PostgreSQL whoever listens hears that something goes out, and not before it is there."""
    engine = site.writer.engine
    if is_sqlite(site):
        return
    with database.listening(engine, outbox.WAITING) as wait:
        waiting = asyncio.create_task(asyncio.to_thread(wait, DEADLINE_S))
        await site.do()
        await waiting
        with engine.begin() as connection:
            assert outbox.is_waiting(connection)
