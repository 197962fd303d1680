"""Two central processes on one PostgreSQL: nothing is sold twice, lost, or seen wrong by the other.

Each writer has its own thread, connections and memory, as in a process of its own.
"""

import asyncio
import random
import uuid
from typing import Any

import pytest
from sqlalchemy import text

from central import catalogue, combiner, database, reservations, shipping
from central.arrivals import Arrival
from central.requests import Answer
from central.reservations import Request, Wanted
from ledgers import EACH, scan
from ledgers import Site as Ledger
from wire.events import Identifiers

pytestmark = pytest.mark.postgres
Two = tuple[Ledger, Ledger]


async def reserve(ledger: Ledger, key: str, *lines: tuple[str, int]) -> Answer:
    """Reserve as the HTTP door does."""
    request = Request("web", key, "main", 900, tuple(Wanted(*line) for line in lines), None)
    return await ledger.writer.combine(combiner.reserve_all, request)


async def test_the_last_ten_are_sold_ten_times(two: Two) -> None:
    """120 buyers at two processes: the row decides, not what a process remembers."""
    await two[0].do(quantity=10)
    answers = await asyncio.gather(
        *(reserve(two[n % 2], f"k{n}", ("VALVE", 1)) for n in range(120))
    )
    assert sorted(a.status for a in answers) == [201] * 10 + [409] * 110
    assert two[0].available() == (10, 10)


async def test_orders_in_opposite_directions_do_not_wait_in_a_circle(two: Two) -> None:
    """Lines of many orders, scans and shipments of the same items go through in the end."""
    rng = random.Random(4)
    await two[0].do(quantity=900)
    await two[0].do(quantity=900, identifiers=Identifiers(text="HOSE"))

    async def buy(ledger: Ledger, key: str) -> int:
        lines = [("VALVE", rng.randint(1, 3)), ("HOSE", rng.randint(1, 3))]
        answer = await reserve(ledger, key, *rng.sample(lines, 2))
        number = answer.body["id"]
        if rng.random() < 0.5:
            action = rng.choice((shipping.ship, reservations.release))
            await ledger.writer.submit(lambda tx: action(tx, number))
        return answer.status

    async def work(ledger: Ledger) -> None:
        for _ in range(20):
            goods = [Identifiers(gtin14=EACH), Identifiers(text="HOSE")]
            events = [
                scan(ledger.seq + n, rng.choice(("receive", "ship")), identifiers=each)
                for n, each in enumerate(rng.sample(goods, 2), 1)
            ]
            ledger.seq += len(events)
            await ledger.send(*events)

    two[1].seq = 0
    two[0].seq = 2
    statuses = await asyncio.gather(
        *(buy(two[n % 2], f"k{n}") for n in range(100)), work(two[0]), work(two[1])
    )
    assert statuses[:100] == [201] * 100


async def test_one_key_is_one_reservation(two: Two) -> None:
    """The same request at both processes at once gets one answer."""
    await two[0].do(quantity=50)
    for n in range(10):
        first, second = await asyncio.gather(
            *(reserve(ledger, f"k{n}", ("VALVE", 1)) for ledger in two)
        )
        assert first == second
    assert two[0].available() == (50, 10)


async def test_an_order_is_shipped_once(two: Two) -> None:
    """The label printer asks both processes: the goods leave once."""
    await two[0].do(quantity=50)
    for n in range(10):
        number = (await reserve(two[0], f"k{n}", ("VALVE", 2))).body["id"]

        def ship(tx: Any, number: int = number) -> Answer:
            return shipping.ship(tx, number)

        answers = await asyncio.gather(*(ledger.writer.submit(ship) for ledger in two))
        assert sum(a.body["changed"] for a in answers) == 1
    assert two[0].available() == (30, 0)
    assert two[0].places()["CUSTOMER"] == 20


async def test_a_place_made_by_the_other_is_known(two: Two) -> None:
    """Both scan a new label at once; stock there is sellable for both, also when undone."""
    await asyncio.gather(*(ledger.do(location="NEW-1", quantity=3) for ledger in two))
    await two[1].do("ship", location="NEW-1", quantity=2)
    await two[0].do("undo", undo_of=1)
    await two[0].do("move", location="NEW-1", to_location="NEW-2")
    await two[1].do("ship", location="NEW-2")
    assert two[0].rows("SELECT COUNT(*) FROM location WHERE code = 'NEW-1'") == [(1,)]
    assert two[0].available() == (0, 0)


async def test_alerts_of_one_are_closed_by_the_other(two: Two) -> None:
    """Neither opens what is open, nor keeps open what is over."""
    is_open = "SELECT kind, count FROM alert WHERE closed_us IS NULL ORDER BY kind"
    for first, second in ((two[0], two[1]), (two[1], two[0])):
        await first.do("ship", quantity=2)
        assert two[0].rows(is_open) == [("negative_bin", 1), ("shortage", 1)]
        await second.do(quantity=2)
        assert two[0].rows(is_open) == []
    stranger = Identifiers(text="NOBODY KNOWS THIS")
    await asyncio.gather(*(ledger.do(identifiers=stranger) for ledger in two))
    assert two[0].rows(is_open) == [("unknown_barcode", 2)]


async def test_counts_and_scans_of_two_gateways_meet_on_one_bin(two: Two) -> None:
    """One gateway counts while the other scans, in any order: as if they had come in turn."""
    for turn in range(30):
        moment = turn * 10
        ledger, other = two if turn % 2 else (two[1], two[0])
        await asyncio.gather(
            ledger.do("count", quantity=5, minute=moment + 5),
            other.do(quantity=3, minute=moment + 4),  # the count has seen these
            other.do(quantity=2, minute=moment + 6),
        )
        assert two[0].places()["DOCK-1"] == 7


async def test_an_import_counts_for_both(two: Two, tmp_path: Any) -> None:
    """An item that is new in the catalogue is found by every process with its next scan."""
    code = Identifiers(text="BRAND-NEW")
    for ledger in two:
        await ledger.do(identifiers=code)
    (tmp_path / "items.csv").write_text("sku,name,barcode,each_per\nNEW,new,BRAND-NEW,2\n")
    with database.using(database.open_writer(two[0].database)) as engine, engine.begin() as tx:
        catalogue.import_items(tx, tmp_path / "items.csv")
    for ledger in two:
        await ledger.do(identifiers=code)
    assert two[0].available("NEW") == (4, 0)


async def test_a_stale_writer_applies_nothing_twice(two: Two) -> None:
    """A process that still believes in an old mark is stopped by the rows themselves."""
    epoch = uuid.uuid4()

    def arrival(first: int, last: int) -> Arrival:
        events = tuple(scan(n) for n in range(first, last + 1))
        return Arrival("main", "gate-c", epoch, first, events)

    await two[0].writer.apply([arrival(1, 2)])
    await two[1].writer.apply([arrival(1, 4)])
    (again,) = await two[0].writer.apply([arrival(1, 5)])
    assert (again.fresh, again.applied_seq) == (1, 5)
    assert two[0].available() == (5, 0)


async def test_a_standby_that_lacks_the_last_commits_is_noticed(two: Two) -> None:
    """After a failover the marks are read again, so what is missing comes again: no hole."""
    gone = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    gone += " AND datname = current_database()"
    await two[0].send(*(scan(n, "unreadable") for n in range(1, 6)))
    with database.using(database.open_writer(two[0].database)) as engine, engine.begin() as tx:
        tx.execute(text(gone))
        tx.execute(text("SET LOCAL session_replication_role = replica"))  # else it is append-only
        tx.execute(text("DELETE FROM event WHERE seq > 3"))
        tx.execute(text("UPDATE stream SET applied_seq = 3"))
    done = await two[0].send(scan(6, "unreadable"))
    assert (done.hole, done.applied_seq) == (True, 3)
    assert (await two[0].send(*(scan(n, "unreadable") for n in range(4, 7)))).applied_seq == 6
