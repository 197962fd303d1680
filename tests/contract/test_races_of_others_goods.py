"""Races that other systems shipped, about goods, messages and corrections: with many at once.

The first half is test_races_of_others.py.
"""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from central import adjustments, api, orders
from central.adjustments import Adjustment, Count, Reversal, Transfer
from central.arrivals import Arrival
from central.requests import Answer, Caller
from central.rules import Reason
from ledgers import Site, scan
from rush import Clerk, Job, Rush, rushing
from wire.events import Identifiers

Both = tuple[httpx.AsyncClient, ...]


@pytest.fixture
async def rush(site: Site) -> AsyncIterator[Rush]:
    """Give clerks at the ledger of `site`."""
    with rushing(site.database) as clerks:
        yield clerks


def by_hand(key: str, command: Any, request: Any) -> Job:
    """Return somebody who corrects stock."""
    return lambda clerk: clerk.do(lambda tx: command(tx, Caller(f"office-{key}", key), request))


def receive(gateway: str, quantity: int, **fields: Any) -> Job:
    """Return a gateway that scans once."""
    event = scan(1, **{"quantity": quantity, **fields})
    arrival = Arrival("main", gateway, uuid.uuid4(), 1, (event,))
    return lambda clerk: clerk.apply(arrival)


def buy(key: str, quantity: int, **more: Any) -> Job:
    """Return a buyer of valves."""
    return lambda clerk: clerk.reserve(key, ("VALVE", quantity), **more)


def turn(action: str, number: int) -> Job:
    """Return somebody who commits, releases or ships."""
    return lambda clerk: clerk.turn(action, number)


def granted(rush: Rush, key: str, quantity: int) -> int:
    """Reserve; return the reservation's number."""
    answer: Answer = rush.at_once(buy(key, quantity))[0]
    assert answer.status == 201
    return int(answer.body["id"])


class TestLockThatLocksNothing:
    """(e) The row was locked by somebody, so another was made; or there was no row to lock."""

    async def test_pick_count_and_reserve_at_once(self, site: Site, rush: Rush) -> None:
        """odoo PR 272560, #268942, #62139: SKIP LOCKED makes a second quant, whose merge has more
        reserved than there is; a job repairs it every ten minutes."""
        rng = random.Random(7)
        await site.do(quantity=60)
        picked = taken = 0
        for n in range(5):
            seen = Count("main", "A-1", "VALVE", rng.randint(0, 9))
            move = Transfer("main", "DOCK-1", "A-1", "VALVE", 1)
            answers = rush.at_once(
                by_hand(f"c{n}", adjustments.count, seen),
                *(by_hand(f"m{n}-{m}", adjustments.transfer, move) for m in range(4)),
                *(buy(f"k{n}-{m}", 1) for m in range(5)),
            )
            assert {each.status for each in answers[:5]} == {201}
            picked += 4
            taken += sum(each.status == 201 for each in answers[5:])
        rows = "SELECT item, loc, lot, COUNT(*) FROM stock GROUP BY item, loc, lot"
        assert {row[3] for row in site.rows(rows)} == {1}
        assert site.places()["DOCK-1"] == 60 - picked
        assert site.available()[1] == taken == 25

    async def test_twenty_processes_and_ten_in_stock(self, site: Site, rush: Rush) -> None:
        """odoo PR 32857: "20 concurrent processes can reserve with 10 in stock"."""
        await site.do(quantity=10)
        answers = rush.shares([buy(f"k{n}", 1) for n in range(20)])
        assert sorted(each.status for each in answers) == [201] * 10 + [409] * 10

    async def test_the_first_of_an_item_come_all_at_once(self, site: Site, rush: Rush) -> None:
        """erpnext PR 58434, #51562, PR 25779: FOR UPDATE of no row locks nothing, so the balance
        after the first movements is wrong."""
        goods = {"identifiers": Identifiers(text="HOSE-1")}
        for n in range(5):
            where = {"location": f"FIRST-{n}", **goods}
            rush.at_once(*(receive(f"g{n}-{m}", m + 1, **where) for m in range(10)))
            assert site.places()[f"FIRST-{n}"] == 55
        assert site.available("HOSE") == (275, 0)

    async def test_the_last_row_is_judged_as_it_is_now(self, site: Site, rush: Rush) -> None:
        """Goods arrive, break and are sold in the same moment: the promise is judged by the row
        that the others left, and a shortage is told, never silent."""
        for n in range(6):
            await site.do("count", quantity=site.available()[1] + 2 if n else 2, minute=n)
            broken = Adjustment("main", "DOCK-1", "VALVE", -1, Reason.DAMAGED)
            answers = rush.at_once(
                *(by_hand(f"b{n}-{m}", adjustments.adjust, broken) for m in range(2)),
                *(buy(f"k{n}-{m}", 1) for m in range(6)),
            )
            assert {each.status for each in answers[:2]} == {201}
            on_hand, reserved = site.available()
            assert (reserved > on_hand) == ("shortage" in site.open_alerts())


class TestDriftOnCancel:
    """(f) A counter that is derived moves once too often when something is taken back."""

    async def test_shipped_in_part_then_cancelled(self, site: Site, rush: Rush) -> None:
        """magento/inventory#1878, #1849: the cancellation gives back what has left the house: five
        phantom units are for sale."""
        await site.do(quantity=50)
        for n in range(5):
            number = granted(rush, f"k{n}", 8)
            rush.at_once(lambda clerk, number=number: ship_some(clerk, number, 3))
            rush.at_once(*[turn("release", number)] * 3)
            assert site.available() == (50 - 3 * (n + 1), 0)
        answers = rush.shares([buy(f"l{n}", 1) for n in range(60)])
        assert sum(each.status == 201 for each in answers) == 35

    async def test_an_undo_leaves_no_ghost(self, site: Site, rush: Rush) -> None:
        """erpnext#54528, #55387: cancelled, the ledger is right and the bin keeps ghost stock.
        Here the scanner's undo and a person's reversal of the same receipt meet."""
        for n in range(5):
            await site.do(quantity=4)
            (entry,) = site.rows("SELECT MAX(id) FROM entry")[0]
            epoch, seq = site.epoch, site.seq
            undo = Arrival("main", "gate", epoch, seq + 1, (scan(seq + 1, "undo", undo_of=seq),))
            applied, *answers = rush.at_once(
                lambda clerk, undo=undo: clerk.apply(undo),
                *(by_hand(f"r{n}-{m}", adjustments.reverse, Reversal(entry)) for m in range(3)),
            )
            site.seq += 1
            done = sum(each.status == 201 for each in answers) + (applied.rejected == ())
            assert done == 1
            site.writer._forget()
            assert site.available() == (0, 0)

    async def test_every_promise_has_its_lines(self, site: Site, rush: Rush) -> None:
        """saleor#5334: one order in a hundred has no allocation row."""
        await site.do(quantity=400)
        numbers = [each.body["id"] for each in rush.shares([buy(f"k{n}", 1) for n in range(100)])]
        rush.shares([turn("commit", number) for number in numbers])
        without = "SELECT COUNT(*) FROM reservation WHERE state = 'committed' AND id NOT IN "
        assert site.rows(without + "(SELECT res FROM reservation_line)") == [(0,)]
        assert site.available() == (400, 100)


def ship_some(clerk: Clerk, number: int, quantity: int) -> Answer:
    """Ship a part of a reservation."""
    from central.shipping import Parcel, ship

    answer: Answer = clerk.do(lambda tx: ship(tx, number, [Parcel("VALVE", quantity)]))
    return answer


class TestDuplicateDelivery:
    """(g) The same message comes twice, at the same instant or in the wrong order."""

    async def test_a_click_that_is_sent_twice(self, site: Site, rush: Rush) -> None:
        """erpnext#24841: a double click on submit moves the goods twice."""
        more = Adjustment("main", "DOCK-1", "VALVE", 2, Reason.CORRECTION)
        for n in range(5):
            answers = rush.at_once(*[by_hand(f"k{n}", adjustments.adjust, more)] * 6)
            assert {each.status for each in answers} == {201}
            assert len({each.body["event"] for each in answers}) == 1
        assert site.available() == (10, 0)

    async def test_an_order_that_is_told_twice(self, site: Site, rush: Rush) -> None:
        """ShopifySharp#919: duplicate webhooks at the same instant make two orders."""
        await site.do(quantity=50)
        for n in range(6):
            answers = rush.at_once(*[buy(f"order-{n}", 3)] * 8)
            assert {each.status for each in answers} == {201}
            assert len({each.body["id"] for each in answers}) == 1
        assert site.available() == (50, 18)

    async def test_the_cancellation_comes_first(self, site: Site, rush: Rush) -> None:
        """shopify-app-js#603: orders/updated before orders/create. What is cancelled at the same
        moment as it is paid ends cancelled, or is paid and then cancelled: nothing stays held."""
        await site.do(quantity=9)
        for n in range(6):
            order = f"order-{n}"
            rush.at_once(buy(f"k{n}", 1, order_ref=order))

            def say(what: Any, order: str = order) -> Job:
                return lambda clerk: clerk.do(lambda tx: what(tx, "web", order))

            paid, cancelled, again = rush.at_once(
                say(orders.approved), say(orders.cancelled), say(orders.cancelled)
            )
            assert paid.status in {200, 409}
            assert cancelled.status == again.status == 200
            assert site.available() == (9, 0)

    async def test_a_batch_that_comes_twice_at_once(self, site: Site, rush: Rush) -> None:
        """The gateway sends again what a slow central has in hand: each scan counts once."""
        epoch = uuid.uuid4()
        for n in range(5):
            first = n * 10 + 1
            events = tuple(scan(seq) for seq in range(first, first + 10))
            same = Arrival("main", "dock-7", epoch, first, events)
            done = rush.at_once(*[lambda clerk, same=same: clerk.apply(same)] * 6)
            assert sum(each.fresh for each in done) == 10
            assert {each.applied_seq for each in done} == {first + 9}
        assert site.available() == (50, 0)


class TestRefusedFacts:
    """(h) What happened is refused, or what is given back."""

    async def test_a_release_while_stock_is_negative(self, site: Site, rush: Rush) -> None:
        """medusa#12796: once stock is negative no order can be cancelled."""
        await site.do(quantity=6)
        numbers = [granted(rush, f"k{n}", 1) for n in range(6)]
        await site.do("ship", quantity=15)
        assert site.available() == (-9, 6)
        answers = rush.at_once(*(turn("release", number) for number in numbers))
        assert [each.status for each in answers] == [200] * 6
        assert site.available() == (-9, 0)

    async def test_scans_are_posted_whatever_was_promised(self, site: Site, rush: Rush) -> None:
        """A CHECK on the counter would refuse the damage, or stop the batch that has it in it."""
        await site.do(quantity=8)
        buyers = [buy(f"k{n}", 1) for n in range(6)]
        facts = [receive(f"g{n}", 3, kind="damage" if n % 2 else "ship") for n in range(6)]
        done = rush.at_once(*(job for pair in zip(buyers, facts, strict=True) for job in pair))
        assert all(each.rejected == () and each.fresh == 1 for each in done[1::2])
        on_hand, reserved = site.available()
        assert on_hand == 8 - 6 * 3
        assert reserved == sum(each.status == 201 for each in done[::2])
        assert {"negative_bin", "shortage"} - {None if reserved else "shortage"} <= set(
            site.open_alerts()
        )

    async def test_goods_come_back_whatever_the_books_say(self, site: Site, rush: Rush) -> None:
        """A return of more than was ever shipped is a fact: somebody holds the goods."""
        answers = rush.at_once(*(receive(f"g{n}", 2, kind="return") for n in range(8)))
        assert all(each.rejected == () for each in answers)
        assert site.places() == {"CUSTOMER": -16, "DOCK-1": 16}


@pytest.fixture
async def doors(site: Site) -> AsyncIterator[Both]:
    """Give HTTP clients of two central processes on PostgreSQL, and of the one on SQLite."""
    from central import database
    from central.writer import Writer
    from ledgers import SELLABLE

    async with AsyncExitStack() as stack:
        writers = [site.writer]
        if site.writer.engine.dialect.name == "postgresql":
            engine = stack.enter_context(database.using(database.open_writer(site.database)))
            writers.append(await stack.enter_async_context(Writer(engine, SELLABLE)))
        clients = []
        for writer in writers:
            app = api.build(writer, site.reader, api.Settings("1"))
            transport = httpx.ASGITransport(app)
            client = httpx.AsyncClient(transport=transport, base_url="http://central")
            clients.append(await stack.enter_async_context(client))
        yield tuple(clients)


class TestOverHttp:
    """The whole way in: concurrent requests, not function calls."""

    async def test_two_requests_for_the_same_five(self, site: Site, doors: Both) -> None:
        """InvenTree PR 12478: two requests each allocate the same 5 units, both answer 201, in
        nine of ten tries."""
        body = {"channel": "web", "site": "main", "lines": [{"sku": "VALVE", "quantity": 5}]}
        for n in range(15):
            await site.do(quantity=5)
            answers = await asyncio.gather(*(
                doors[m % len(doors)].post(
                    "/v1/reservations", json=body, headers={"Idempotency-Key": f"{n}-{m}"}
                )
                for m in range(2)
            ))  # fmt: skip
            assert sorted(each.status_code for each in answers) == [201, 409]
        assert site.available() == (75, 75)

    async def test_stock_is_taken_at_once(self, site: Site, doors: Both) -> None:
        """InvenTree PR 12718, #12380, #12385: take_stock reads, subtracts and saves, and what goes
        below zero is cut off, so more is consumed than was there and nobody sees it."""
        await site.do(quantity=20)
        body = {"site": "main", "location": "DOCK-1", "sku": "VALVE", "quantity": -1,
                "reason": "other"}  # fmt: skip
        answers = await asyncio.gather(*(
            doors[n % len(doors)].post(
                "/v1/adjustments", json=body, headers={"Idempotency-Key": f"k{n}"}
            )
            for n in range(30)
        ))  # fmt: skip
        assert {each.status_code for each in answers} == {201}
        assert site.available() == (-10, 0)
        assert "negative_bin" in site.open_alerts()
        assert site.rows("SELECT SUM(qty) FROM entry WHERE reason = 'other'") == [(30,)]
