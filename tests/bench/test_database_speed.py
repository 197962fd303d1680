"""The ledger's writer on SQLite and on PostgreSQL, against the same rows written by hand."""

import asyncio
import statistics
import time
import uuid
from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import Engine, text

import bare_rows
from central import combiner, database
from central.arrivals import Arrival
from central.reservations import Request, Wanted
from central.writer import Writer
from ledgers import SELLABLE, new_database, scan, stock_catalogue
from postgres import Postgres
from wire.events import Event, Identifiers

pytestmark = [pytest.mark.bench, pytest.mark.postgres]

ITEMS = 500
SCANS = {1: 500, 500: 10_000}
ROUNDS = 5
REQUESTS = 600
SHOPS_AT_ONCE = 64
#: Threads of the usual way: more do not make it faster here.
WRITERS = 8


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
                rates.append((bare, count / asyncio.run(our_scans(engine, batch, count))))
        print(f"{engine.dialect.name:<10} batch {batch:>3}: {compare(rates, 'scans')} (goal 0.6)")


def compare(rates: Sequence[tuple[float, float]], what: str) -> str:
    """Return a line about (floor, ours) of each round, per second."""
    floor, ours = (statistics.median(column) for column in zip(*rates, strict=True))
    ratios = sorted(ours / floor for floor, ours in rates)
    return (
        f"{ours:>7,.0f} {what}/s, {statistics.median(ratios):.2f} of the floor's {floor:,.0f}; "
        f"rounds {ratios[0]:.2f} to {ratios[-1]:.2f}"
    )


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
    async with Writer(engine, SELLABLE) as writer:
        started = time.perf_counter()
        for page in pages:
            await writer.apply([page])
        return time.perf_counter() - started


@pytest.mark.parametrize("skus", [1, ITEMS])
def test_promises_granted(new: Callable[[], str], skus: int) -> None:
    """64 shops at once, on one SKU and on many; the usual way locks the row for each request."""
    print()
    rates: dict[str, list[float]] = {"ours": [], "usual": []}
    for _ in range(2):
        with database.using(database.open_writer(new())) as engine:
            fill(engine)
            rates["ours"].append(REQUESTS / asyncio.run(our_promises(engine, skus)))
        kind = engine.dialect.name
        if kind == "postgresql":
            name = engine.url.render_as_string(hide_password=False)
            rates["usual"].append(REQUESTS / usual_promises(name, skus))
    line = f"{kind:<10} {skus:>3} SKUs: {max(rates['ours']):>6,.0f} grants/s"
    if rates["usual"]:
        usual = max(rates["usual"])
        line += f", {max(rates['ours']) / usual:.1f}x the usual way's {usual:,.0f} (goal 3x)"
    print(line)


def fill(engine: Engine) -> None:
    """Have enough of everything at hand."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO avail (item, site, on_hand, reserved, safety, ver) "
                "SELECT i.id, s.id, 1000000, 0, 0, 1 FROM item i, site s"
            )
        )


async def our_promises(engine: Engine, skus: int) -> float:
    """Return how long it takes to grant REQUESTS, seconds."""
    async with Writer(engine, SELLABLE) as writer:

        async def shop(first: int) -> None:
            for n in range(first, REQUESTS, SHOPS_AT_ONCE):
                sku = f"ITEM-{n % skus}"
                request = Request("web", f"k{n}", "main", 900, (Wanted(sku, 1),))
                answer = await writer.combine(combiner.reserve_all, request)
                assert answer.status == 201

        started = time.perf_counter()
        await asyncio.gather(*map(shop, range(SHOPS_AT_ONCE)))
        return time.perf_counter() - started


def usual_promises(url: str, skus: int) -> float:
    """Return the same for SELECT FOR UPDATE, one transaction for each request, seconds."""
    engine = database._open_postgres(url, {}, pool_size=WRITERS)

    def work(thread: int) -> None:
        for n in range(thread, REQUESTS, WRITERS):
            with engine.begin() as connection:
                assert bare_rows.reserve(connection, f"usual-{n}", 1 + n % skus)

    with database.using(engine):
        return bare_rows.in_threads(WRITERS, work)
