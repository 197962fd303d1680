"""Promises a second, in process and over HTTP, against SELECT FOR UPDATE for each request."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

import bare_rows
from buyers import BUYERS, buy
from central import combiner, database
from central.reservations import Request, Wanted
from central.writer import Writer
from ledgers import SELLABLE, new_database, stock_catalogue
from measure import compare, process, rests
from neighbours import Mosquitto, answers, free_port, wait_until
from postgres import Postgres

pytestmark = [pytest.mark.bench, pytest.mark.postgres, pytest.mark.broker]
ROUNDS = 3
ITEMS = 10_000
REQUESTS = 6_000
#: Before it counts: what is slow the first time is over then, and the start's announcements.
WARM_UP = 1_000
#: Threads of the usual way in process: more do not make it faster here.
WRITERS = 8
TOKEN = "a-token-as-each-shop-has-one"
NAIVE_SHOP = Path(__file__).parent / "naive_shop.py"


def sku(n: int, skus: int) -> str:
    """Return what request n is about: not in the order of the rows."""
    return f"ITEM-{n * 7_919 % skus}"


def stock_of(skus: int) -> int:
    """Return what there is of each: the hot one is sold out before the last buyers come."""
    return REQUESTS * 3 // 4 if skus == 1 else 1_000


@pytest.fixture(params=[1, ITEMS], ids=["hot", "many"])
def skus(request: pytest.FixtureRequest) -> int:
    """Give how many SKUs the buyers want."""
    return int(request.param)


@pytest.fixture
def new(durable: Postgres, tmp_path: Path, skus: int) -> Callable[[str], str]:
    """Give what makes a ledger with goods on a kind of database."""
    folders = (tmp_path / str(n) for n in range(1_000))

    def make(kind: str) -> str:
        folder = next(folders)
        folder.mkdir()
        name = new_database(folder) if kind == "sqlite" else durable.create()
        if kind != "sqlite":
            stock_catalogue(name, folder)
        with database.using(database.open_writer(name)) as engine, engine.begin() as connection:
            connection.execute(
                text("INSERT INTO item (sku) VALUES (:sku)"),
                [{"sku": f"ITEM-{n}"} for n in range(ITEMS)],
            )
            connection.execute(
                text(
                    "INSERT INTO avail (item, site, on_hand, reserved, safety, ver) "
                    "SELECT i.id, s.id, :stock, 0, 0, 1 FROM item i, site s"
                ),
                {"stock": stock_of(skus)},
            )
        return name

    return make


def check(name: str, skus: int, granted: int, before: int = 0) -> None:
    """Assert that nothing was oversold, and that all was sold that could be.

    `before` were sold of other SKUs than the hot one.
    """
    with database.using(database.open_reader(name)) as engine, engine.begin() as connection:
        worst, promised = connection.execute(
            text("SELECT MAX(reserved - on_hand), SUM(reserved) FROM avail")
        ).one()
        lines = connection.execute(text("SELECT COUNT(*) FROM reservation_line")).scalar_one()
    assert worst <= 0
    assert promised == lines == granted + before
    assert granted == (stock_of(skus) if skus == 1 else REQUESTS)


def test_in_process(new: Callable[[str], str], skus: int) -> None:
    """64 shops at once; the usual way has 8 threads."""
    rates: list[tuple[float, float]] = []
    alone = []
    for _ in range(ROUNDS):
        name = new("postgresql")
        seconds, granted = usual(name, skus)
        check(name, skus, granted)
        floor = REQUESTS / seconds
        name = new("postgresql")
        seconds, granted = asyncio.run(ours(name, skus))
        check(name, skus, granted)
        rates.append((floor, REQUESTS / seconds))
        name = new("sqlite")
        seconds, granted = asyncio.run(ours(name, skus))
        check(name, skus, granted)
        alone.append((floor, REQUESTS / seconds))
    print(f"\nin process, {skus:>6} SKUs, postgresql: {compare(rates, 'promises')} (goal 3)")
    print(f"in process, {skus:>6} SKUs, sqlite:     {compare(alone, 'promises')}")


async def ours(name: str, skus: int) -> tuple[float, int]:
    """Return how long the requests take, seconds, and how many were granted."""
    with database.using(database.open_writer(name)) as engine:
        async with Writer(engine, SELLABLE) as writer:
            granted = 0

            async def shop(first: int) -> None:
                nonlocal granted
                for n in range(first, REQUESTS, BUYERS):
                    request = Request("web", f"k{n}", "main", 900, (Wanted(sku(n, skus), 1),))
                    answer = await writer.combine(combiner.reserve_all, request)
                    granted += answer.status == 201

            started = time.perf_counter()
            await asyncio.gather(*map(shop, range(BUYERS)))
            return time.perf_counter() - started, granted


def usual(name: str, skus: int) -> tuple[float, int]:
    """Return the same for SELECT FOR UPDATE, one transaction for each request."""
    engine = database._open_postgres(name, {}, pool_size=WRITERS)
    granted: list[bool] = []
    with database.using(engine):
        with engine.begin() as connection:
            rows = connection.execute(text("SELECT id, sku FROM item"))
            items = {row.sku: row.id for row in rows}

        def work(thread: int) -> None:
            for n in range(thread, REQUESTS, WRITERS):
                with engine.begin() as connection:
                    item = items[sku(n, skus)]
                    granted.append(bare_rows.reserve(connection, f"usual-{n}", item))

        return bare_rows.in_threads(WRITERS, work), sum(granted)


def test_over_http(
    new: Callable[[str], str], skus: int, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """64 buyers on connections that stay open, against a server of the same make."""
    rates: list[tuple[float, float]] = []
    alone = []
    for turn in range(ROUNDS):
        name, port = new("postgresql"), free_port()
        with process(str(NAIVE_SHOP), name, str(port), log=tmp_path / "naive.log") as shop:
            floor = sell(name, port, skus, f"naive-{turn}", shop.pid)
        for kind, found in (("postgresql", rates), ("sqlite", alone)):
            name = new(kind)
            with serving(name, mosquitto, tmp_path / "central.log") as (port, pid):
                found.append((floor, sell(name, port, skus, f"ours-{turn}", pid)))
    print(f"\nover HTTP,  {skus:>6} SKUs, postgresql: {compare(rates, 'promises')} (goal 3)")
    print(f"over HTTP,  {skus:>6} SKUs, sqlite:     {compare(alone, 'promises')}")


def sell(name: str, port: int, skus: int, keys: str, pid: int) -> float:
    """Return the answers a second of a server that is there, warm and at rest when it begins."""
    wait_until(lambda: answers(port), "the server answers")
    warm = asyncio.run(buy(port, WARM_UP, lambda n: f"ITEM-{n + 1}", f"{keys}-warm", TOKEN))
    wait_until(lambda: rests(pid), "the server has told all of it")
    bought = asyncio.run(buy(port, REQUESTS, lambda n: sku(n, skus), keys, TOKEN))
    check(name, skus, bought.granted, warm.granted)
    return bought.per_s


@contextmanager
def serving(name: str, mosquitto: Mosquitto, log: Path) -> Iterator[tuple[int, int]]:
    """Run a real central; give its port and process."""
    port = free_port()
    config = log.with_suffix(".toml")
    config.write_text(f'[api]\ntoken = "{TOKEN}"\n')
    command = ["-m", "central", "--config", str(config), "--database", name]
    command += ["--log-level", "warning"]
    command += ["--broker", f"127.0.0.1:{mosquitto.port}", "--port", str(port)]
    with process(*command, log=log) as running:
        yield port, running.pid
