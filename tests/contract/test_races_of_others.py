"""Races that other systems shipped, about promises: each is run here with many at once.

Named after what goes wrong. The numbers are those of the issues where it was reported. What was
granted is read from the reservations' rows: a counter that was overwritten looks plausible.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from central import adjustments, levels, writer
from central.adjustments import Count
from central.levels import Share
from central.requests import Answer, Caller
from central.reservations import Request, Wanted
from ledgers import Site
from rush import Clerk, Job, Rush, rushing
from wire.events import Identifiers

OPEN = "r.state IN ('held', 'committed')"


@pytest.fixture
async def rush(site: Site) -> AsyncIterator[Rush]:
    """Give clerks at the ledger of `site`."""
    with rushing(site.database) as clerks:
        yield clerks


def statuses(answers: list[Answer]) -> list[int]:
    """Return the HTTP statuses, sorted."""
    return sorted(answer.status for answer in answers)


def promised(site: Site, sku: str = "VALVE") -> int:
    """Return what the rows of open reservations promise."""
    query = (
        "SELECT COALESCE(SUM(l.qty - l.done), 0) FROM reservation_line l JOIN reservation r "
        f"ON r.id = l.res JOIN item i ON i.id = l.item WHERE {OPEN} AND i.sku = '{sku}'"
    )
    return int(site.rows(query)[0][0])


def buy(key: str, *lines: tuple[str, int], **more: Any) -> Job:
    """Return a buyer."""
    return lambda clerk: clerk.reserve(key, *lines, **more)


def turn(action: str, number: int) -> Job:
    """Return somebody who commits, releases or ships."""
    return lambda clerk: clerk.turn(action, number)


def expire(clerk: Clerk) -> int:
    """Do what the sweeper does."""
    return clerk.expire()


def end_hold(site: Site, number: int) -> None:
    """Let the time of a hold be over."""
    with site.writer.engine.begin() as connection:
        connection.execute(text(f"UPDATE reservation SET expires_us = 1 WHERE id = {number}"))


class TestCheckAndWriteApart:
    """(a) What was checked is not there any more when it is written."""

    async def test_120_buyers_of_4_tickets(self, site: Site, rush: Rush) -> None:
        """woocommerce#24009: 4 tickets, 120 buyers, stock ends at -16; also woocommerce#44273,
        #12467, medusa#16569, saleor#543 and PR 6897, magento/inventory#2722, spree#3792."""
        await site.do(quantity=4)
        answers = rush.shares([buy(f"k{n}", ("VALVE", 1)) for n in range(120)])
        assert statuses(answers) == [201] * 4 + [409] * 116
        assert promised(site) == 4
        assert site.available() == (4, 4)

    async def test_120_buyers_who_share_commits(self, site: Site, rush: Rush) -> None:
        """woocommerce#24009 again, five buyers decided together in each of 24 transactions."""
        await site.do(quantity=14)
        wanted = [
            [Request("web", f"k{n}-{m}", "main", 900, (Wanted("VALVE", 1),)) for m in range(5)]
            for n in range(24)
        ]
        told = rush.shares([lambda clerk, some=some: clerk.reserve_all(some) for some in wanted])
        assert statuses([each for some in told for each in some]) == [201] * 14 + [409] * 106
        assert promised(site) == 14

    async def test_what_is_held_is_kept_until_it_is_paid(self, site: Site, rush: Rush) -> None:
        """vendure#3508, #1738, PR 4930: the check was made when items were added, the goods were
        taken when the money came; between them another order took them."""
        await site.do(quantity=6)
        held = [clerk_answer.body["id"] for clerk_answer in rush.shares(
            [buy(f"k{n}", ("VALVE", 1)) for n in range(6)])]  # fmt: skip
        paying = [turn("commit", number) for number in held]
        others = [buy(f"other{n}", ("VALVE", 1)) for n in range(6)]
        answers = rush.at_once(*(job for pair in zip(paying, others, strict=True) for job in pair))
        assert statuses(answers[::2]) == [200] * 6
        assert statuses(answers[1::2]) == [409] * 6
        assert promised(site) == 6

    async def test_money_that_comes_too_late_is_told_so(
        self, site: Site, rush: Rush, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """vendure#3065: the card is charged, then the goods are gone. A hold is committed, or it
        is over and its goods are somebody else's: never both, and never nobody's."""
        monkeypatch.setattr(writer, "RETRY_PAUSES_S", (0.01,) * 1_000)  # however slow the disk
        for n in range(6):
            await site.do(quantity=1)
            first = rush.at_once(buy(f"k{n}", ("VALVE", 1)))[0].body["id"]
            end_hold(site, first)
            paid, _, second = rush.at_once(
                turn("commit", first), expire, buy(f"l{n}", ("VALVE", 1))
            )
            # Goods that are on their way back when the second asks are waited for.
            assert (paid.status, second.status) in {(200, 409), (409, 201)}
            if paid.status == 409:
                assert paid.body["code"] == "is_expired"
            late = rush.at_once(turn("commit", first))[0]
            assert late.status == paid.status
            if late.status == 409:
                assert late.body["lines"] == [{"sku": "VALVE", "requested": 1, "available": 0}]
            assert promised(site) == n + 1

    async def test_reservations_and_allocations_both_count(self, site: Site, rush: Rush) -> None:
        """saleor, allocate_stocks at 723cd4e: a generator was used up by the query of the
        reservations, so allocations that were there counted as none under the lock."""
        await site.do(quantity=30)
        numbers = [each.body["id"] for each in rush.shares(
            [buy(f"k{n}", ("VALVE", 2)) for n in range(10)])]  # fmt: skip
        rush.shares([turn("commit", number) for number in numbers[:5]])
        assert promised(site) == 20
        answers = rush.shares([buy(f"l{n}", ("VALVE", 1)) for n in range(40)])
        assert statuses(answers) == [201] * 10 + [409] * 30
        assert promised(site) == 30

    async def test_a_channel_s_share_is_not_overdrawn(self, site: Site, rush: Rush) -> None:
        """The-Leetcode-City#1654: COUNT(*) FOR UPDATE SKIP LOCKED counts fewer sold than there
        are, so a limited edition is sold beyond its limit."""
        await site.do(quantity=100)
        await site.run(levels.set_share, Share("main", "VALVE", "web", cap=7))
        answers = rush.shares([buy(f"k{n}", ("VALVE", 1)) for n in range(36)])
        assert statuses(answers) == [201] * 7 + [409] * 29
        assert site.rows("SELECT used FROM channel_item") == [(7,)]


class TestLostUpdate:
    """(b) Read, change, write back: of two at once, one is lost."""

    async def test_every_promise_is_counted(self, site: Site, rush: Rush) -> None:
        """medusa#16569, vendure stock-level.service 3.7.3, nopCommerce#8085, django-oscar#1811:
        the counter says less than the rows."""
        await site.do(quantity=500)
        quantities = [n % 5 + 1 for n in range(60)]
        answers = rush.shares([buy(f"k{n}", ("VALVE", q)) for n, q in enumerate(quantities)])
        assert statuses(answers) == [201] * 60
        assert site.available() == (500, sum(quantities))
        versions = site.rows("SELECT COUNT(DISTINCT g_ver), COUNT(*) FROM reservation_line")
        assert versions == [(60, 60)]

    async def test_of_two_people_who_set_one_is_told(self, site: Site, rush: Rush) -> None:
        """solidus set_count_on_hand, nopCommerce#8085: both saw 10, each wrote what it saw. With
        `expected` (Shopify's compare-and-set) the second is told that the stock is another."""
        await site.do(quantity=10)

        def set_to(n: int, quantity: int) -> Job:
            seen = Count("main", "DOCK-1", "VALVE", quantity, expected=10 + n)
            return lambda clerk: clerk.do(
                lambda tx: adjustments.count(tx, Caller(f"office-{quantity}", f"k{n}"), seen)
            )

        for n in range(6):
            answers = rush.at_once(set_to(n, 11 + n), set_to(n, 90 + n))
            assert statuses(answers) == [201, 409]
            stale = next(each for each in answers if each.status == 409)
            assert stale.body["code"] == "stale_quantity"
            await site.do("count", quantity=11 + n, minute=10**6)


class TestSharedItemPerLine:
    """(c) Each line alone would pass; together they are more than there is."""

    async def test_two_lines_of_one_item(self, site: Site, rush: Rush) -> None:
        """medusa#16502: each line of a batch is checked alone against the same availability."""
        await site.do(quantity=5)
        answers = rush.shares([buy(f"k{n}", ("VALVE", 2), ("VALVE", 2)) for n in range(24)])
        assert statuses(answers) == [201] + [409] * 23
        assert promised(site) == 4
        for answer in answers:
            if answer.status == 409:
                assert answer.body["lines"] == [{"sku": "VALVE", "requested": 4, "available": 1}]

    async def test_orders_of_several_items_get_all_or_nothing(self, site: Site, rush: Rush) -> None:
        """woocommerce ReserveStock: products are held one by one, and given back one by one when
        a later one is short."""
        await site.do(quantity=10)
        await site.do(quantity=5, identifiers=Identifiers(text="HOSE-1"))
        both = ([("VALVE", 1), ("HOSE", 1)], [("HOSE", 1), ("VALVE", 1)])
        answers = rush.shares([buy(f"k{n}", *both[n % 2]) for n in range(36)])
        assert statuses(answers) == [201] * 5 + [409] * 31
        assert (promised(site), promised(site, "HOSE")) == (5, 5)
        assert (site.available(), site.available("HOSE")) == ((10, 5), (5, 5))


class TestDoubleReleaseAndCommit:
    """(d) Two who both believe that they are the first."""

    async def test_checkout_and_payment_both_commit(self, site: Site, rush: Rush) -> None:
        """woocommerce#38786, woocommerce-payments#3345, #8292, stripe#981: the checkout and the
        payment's webhook both run "reduce if not yet reduced"."""
        await site.do(quantity=40)
        for n in range(6):
            number = rush.at_once(buy(f"k{n}", ("VALVE", 2)))[0].body["id"]
            answers = rush.at_once(*[turn("commit", number)] * 6)
            assert statuses(answers) == [200] * 6
            assert sum(each.body["changed"] for each in answers) == 1
        assert (site.available(), promised(site)) == ((40, 12), 12)

    async def test_the_label_is_printed_twice(self, site: Site, rush: Rush) -> None:
        """woocommerce#27953: of two that ship at once, the goods leave once."""
        await site.do(quantity=40)
        for n in range(6):
            number = rush.at_once(buy(f"k{n}", ("VALVE", 2)))[0].body["id"]
            answers = rush.at_once(*[turn("ship", number)] * 4)
            assert sum(each.body["changed"] for each in answers) == 1
        assert (site.available(), site.places()["CUSTOMER"]) == ((28, 0), 12)

    async def test_a_reservation_is_released_twice(self, site: Site, rush: Rush) -> None:
        """medusa#12401: released by the fulfilment and by an explicit delete, the counter falls
        below zero."""
        await site.do(quantity=9)
        rush.at_once(buy("other", ("VALVE", 3)))
        for n in range(6):
            number = rush.at_once(buy(f"k{n}", ("VALVE", 2)))[0].body["id"]
            end_hold(site, number)
            answers = rush.at_once(*[turn("release", number)] * 4, expire, expire)
            changed = sum(each.body.get("changed", False) for each in answers[:4])
            assert changed + sum(answers[4:]) == 1
            assert (site.available(), promised(site)) == ((9, 3), 3)

    async def test_shipped_or_cancelled_but_not_both(self, site: Site, rush: Rush) -> None:
        """magento/inventory#1849: the order is cancelled while its label is printed."""
        await site.do(quantity=40)
        shipped = 0
        for n in range(8):
            number = rush.at_once(buy(f"k{n}", ("VALVE", 2)))[0].body["id"]
            ship, cancel = rush.at_once(turn("ship", number), turn("release", number))
            assert {ship.status, cancel.status} == {200, 409}
            shipped += 2 * (ship.status == 200)
        assert site.available() == (40 - shipped, 0)
        assert promised(site) == 0
