"""Grants a second of one hot item, as a ratio to the bare conditional UPDATE. `make bench`."""

import asyncio
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from central import database
from central.writer import Writer
from ledgers import SELLABLE, Site, ask, new_database

pytestmark = pytest.mark.bench
BUYERS, GRANTS = 64, 4_000
_BARE = text(
    "UPDATE avail SET reserved = reserved + 1, ver = ver + 1 WHERE item = 1 AND site = 1 "
    "AND on_hand - reserved - safety >= 1"
)


def bare(path: str) -> float:
    """Return the seconds that GRANTS updates of one row take, a transaction each."""
    engine = database.open_writer(path)
    started = time.perf_counter()
    for _ in range(GRANTS):
        with engine.begin() as connection:
            assert connection.execute(_BARE).rowcount == 1
    seconds = time.perf_counter() - started
    engine.dispose()
    return seconds


async def ours(path: str, stock: int) -> float:
    """Return the seconds until BUYERS that ask one after the other were granted GRANTS eaches."""
    engine, reader = database.open_writer(path), database.open_reader(path)
    async with Writer(engine, SELLABLE) as writer:
        site = Site(writer, reader)
        await site.do(quantity=stock)
        granted = 0

        async def buyer(name: int) -> None:
            nonlocal granted
            for n in range(GRANTS // BUYERS):
                answer = await ask(site, f"{name}-{n}", ("VALVE", 1))
                granted += answer.status == 201

        started = time.perf_counter()
        await asyncio.gather(*(buyer(n) for n in range(BUYERS)))
        seconds = time.perf_counter() - started
        assert granted == min(GRANTS // BUYERS * BUYERS, stock)
        assert site.available() == (stock, granted)
    reader.dispose()
    engine.dispose()
    return seconds


async def test_grants_of_a_hot_item(tmp_path_factory: pytest.TempPathFactory) -> None:
    """64 buyers at once, with keys, answers, lines and announcements, against the UPDATE alone."""

    def path() -> str:
        return new_database(Path(tmp_path_factory.mktemp("grants")))

    for _ in range(2):
        floor_path = path()
        engine = database.open_writer(floor_path)
        with engine.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO avail (item, site, on_hand, reserved, safety, ver) "
                    "VALUES (1, 1, 1000000, 0, 0, 0)"
                )
            )
        engine.dispose()
        floor = await asyncio.to_thread(bare, floor_path)
        granted = await ours(path(), stock=1_000_000)
        sold_out = await ours(path(), stock=100)
        print(
            f"\nbare UPDATE {GRANTS / floor:.0f}/s, grants {GRANTS / granted:.0f}/s "
            f"({floor / granted:.2f}x), sold out {GRANTS / sold_out:.0f}/s "
            f"({floor / sold_out:.2f}x)"
        )
