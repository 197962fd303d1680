"""The ledger's writer on SQLite and on PostgreSQL, against the same rows written by hand."""

import asyncio
import time
import uuid
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, text

import bare_rows
from central import app, database
from central.arrivals import Arrival
from central.writer import Writer
from ledgers import SELLABLE, new_database, scan, stock_catalogue
from measure import compare
from postgres import Postgres
from wire.events import Event, Identifiers

pytestmark = [pytest.mark.bench, pytest.mark.postgres]

ITEMS = 500
SCANS = {1: 500, 500: 10_000}
ROUNDS = 5


@pytest.fixture(params=["sqlite", "postgresql"])
def new(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, durable: Postgres
        ) -> Callable[[], str]:  # fmt: skip
    """Give what makes a ledger of ITEMS items."""

    def make() -> str:
        folder = tmp_path_factory.mktemp("bench")
        name = new_database(folder) if request.param == "sqlite" else durable.create()
        if request.param != "sqlite":
            stock_catalogue(name, folder)
        with database.using(database.open_writer(name)) as engine, engine.begin() as connection:
            connection.execute(
                text("INSERT INTO item (sku) VALUES (:sku)"),
                [{"sku": f"ITEM-{n}"} for n in range(ITEMS)],
            )
        return name

    return make


def test_scans_applied(new: Callable[[], str]) -> None:
    """Receipts of many items, one and 500 in a message."""
    print()
    for batch, count in SCANS.items():
        rates: list[tuple[float, float]] = []
        for _ in range(ROUNDS):  # interleaved, so that a noisy minute hits both
            with database.using(database.open_writer(new())) as engine:
                bare = count / bare_scans(engine, batch, count)
            with database.using(database.open_writer(new())) as engine:
                with asyncio.Runner(loop_factory=app.new_loop) as runner:
                    seconds = runner.run(our_scans(engine, batch, count))
                rates.append((bare, count / seconds))
        print(f"{engine.dialect.name:<10} batch {batch:>3}: {compare(rates, 'scans')} (goal 0.6)")


def receipts(count: int) -> list[Event]:
    """Return receipts of one each of ITEMS items, again and again."""
    return [
        scan(seq, identifiers=Identifiers(sku=f"ITEM-{seq % ITEMS}")) for seq in range(1, count + 1)
    ]


def bare_scans(engine: Engine, batch: int, count: int) -> float:
    """Return how long it takes by hand, seconds."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO stream (site, source, epoch, applied_seq, seen_us) "
                "VALUES ('main', 'gate', 'e', 0, 0)"
            )
        )
        items = {row.sku: row.id for row in connection.execute(text("SELECT id, sku FROM item"))}
    events = receipts(count)
    app.calm_collector()  # as central does when it has started
    started = time.perf_counter()
    for first in range(0, count, batch):
        bare_rows.apply(engine, 1, events[first : first + batch], items)
    return time.perf_counter() - started


async def our_scans(engine: Engine, batch: int, count: int) -> float:
    """Return how long the ledger takes, seconds, for events that are decoded already."""
    epoch, events = uuid.uuid4(), receipts(count)
    pages = [
        Arrival("main", "gate", epoch, first + 1, tuple(events[first : first + batch]))
        for first in range(0, count, batch)
    ]
    app.calm_collector()  # as central does when it has started
    async with Writer(engine, SELLABLE) as writer:
        started = time.perf_counter()
        for page in pages:
            await writer.apply([page])
        return time.perf_counter() - started
