"""Two central processes on one PostgreSQL: what one does, the other's sales are right about."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text

from central import assortment, reservations, writer
from central.requests import Answer
from central.writer import Transaction, number
from ledgers import Site, ask
from neighbours import DEADLINE_S
from shops import eventually
from wire.events import Identifiers

pytestmark = pytest.mark.postgres
Two = tuple[Site, Site]


async def turns(site: Site) -> list[bool]:
    """Return what was told of selling out, in order: true for sold out."""
    while await site.writer.submit(number):
        pass
    rows = site.rows("SELECT body FROM outbox WHERE channel = 'turn' ORDER BY feed_seq")
    return ['"sold_out":true' in body for (body,) in rows]


async def test_what_one_takes_off_sale_the_other_does_not_promise(two: Two) -> None:
    """However often it knew the item before; and back on sale, both sell again."""
    await two[0].do(quantity=9)
    for n, site in enumerate(two):
        assert (await ask(site, f"before {n}", ("VALVE", 1))).status == 201
    await two[0].run(assortment.change_item, "VALVE", active=False)
    for n, site in enumerate(two):
        assert (await ask(site, f"off {n}", ("VALVE", 1))).status == 409
    await two[1].run(assortment.change_item, "VALVE", active=True)
    for n, site in enumerate(two):
        assert (await ask(site, f"on {n}", ("VALVE", 1))).status == 201
    assert await turns(two[0]) == [True, False]


async def test_selling_out_is_told_once(two: Two) -> None:
    """Whichever process sells the last one, and gives one back."""
    await two[0].do(quantity=10)
    answers = await asyncio.gather(*(ask(two[n % 2], f"k{n}", ("VALVE", 1)) for n in range(30)))
    granted = [answer.body["id"] for answer in answers if answer.status == 201]
    assert len(granted) == 10
    assert await turns(two[0]) == [True]
    await asyncio.gather(
        *(two[n % 2].run(reservations.release, each) for n, each in enumerate(granted))
    )
    assert await turns(two[1]) == [True, False]


async def test_taking_off_sale_among_buyers_promises_nothing_after_it(two: Two) -> None:
    """Buyers at both while it happens: who was refused stays refused, and the sums are right."""
    await two[0].do(quantity=1_000)

    async def buy(site: Site, name: str) -> None:
        for n in range(15):
            await ask(site, f"{name}-{n}", ("VALVE", 1))

    buyers = [buy(two[n % 2], f"b{n}") for n in range(6)]
    off = two[1].run(assortment.change_item, "VALVE", active=False)
    await asyncio.gather(*buyers[:3], off, *buyers[3:])
    assert (await ask(two[0], "late", ("VALVE", 1))).status == 409
    on_hand, reserved = two[0].available()
    assert (on_hand, reserved <= 90) == (1_000, True)


@asynccontextmanager
async def sweeping(site: Site, *, written: bool = False) -> AsyncIterator[threading.Event]:
    """Have a process give back what is over; it commits once the event is set, or at the end.

    `written`: the availability is changed already, else it is not locked yet.
    """
    swept, commit = threading.Event(), threading.Event()

    def sweep(tx: Transaction) -> int:
        over = reservations.expire(tx)
        if written:
            tx.books.flush()
        swept.set()
        commit.wait(DEADLINE_S)
        return over

    sweep_done = site.writer.submit(sweep)
    await asyncio.to_thread(swept.wait, DEADLINE_S)
    try:
        yield commit
    finally:
        commit.set()
        assert await sweep_done == 1


async def last_one_over(site: Site) -> None:
    """Let the hold of the only valve be over; hoses there are."""
    await site.do(quantity=1)
    assert (await ask(site, "first", ("VALVE", 1))).status == 201
    with site.writer.engine.begin() as connection:
        connection.execute(text("UPDATE reservation SET expires_us = 1"))


async def buy(site: Site, keys: list[str]) -> list[Answer]:
    """Reserve for each key by itself, or for all in one commit."""
    held = threading.Event()
    blocked = site.writer.submit(lambda _: held.wait(DEADLINE_S))  # so that they share the next
    asked = [ask(site, key, ("VALVE", 1)) for key in keys]
    asking = asyncio.gather(*asked)
    await asyncio.sleep(0)
    held.set()
    await blocked
    return list(await asking)


@pytest.mark.parametrize(("buyers", "written"), [(1, False), (1, True), (3, False)])
async def test_what_the_other_is_giving_back_is_waited_for(
    two: Two, buyers: int, written: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its goods are neither there yet nor lost: whoever asks meanwhile gets them."""
    monkeypatch.setattr(writer, "RETRY_PAUSES_S", (0.01,) * 1_000)
    await last_one_over(two[0])
    async with sweeping(two[0], written=written) as commit:
        asking = asyncio.create_task(buy(two[1], [f"k{n}" for n in range(buyers)]))
        await eventually(
            lambda: asking.done() or two[1].writer.counters.retries > 1, "it tries again"
        )
        assert not asking.done(), "refused, though the goods were on their way back"
        commit.set()
        statuses = sorted([answer.status for answer in await asking])
    assert statuses == [201] + [409] * (buyers - 1)


@pytest.mark.parametrize("buyers", [1, 3])
async def test_who_hangs_over_it_is_not_waited_for(two: Two, buyers: int) -> None:
    """After some tries the answer is no; what has goods of its own does not even try again."""
    await last_one_over(two[0])
    await two[1].do(identifiers=Identifiers(sku="HOSE"))
    async with sweeping(two[0]):
        sold = await ask(two[1], "hose", ("HOSE", 1))
        assert (sold.status, two[1].writer.counters.retries) == (201, 0)
        too_much = await ask(two[1], "hoses", ("HOSE", 1))
        assert (too_much.status, two[1].writer.counters.retries) == (409, 0)
        answers = await buy(two[1], [f"k{n}" for n in range(buyers)])
        assert {answer.status for answer in answers} == {409}
        assert two[1].writer.counters.retries == len(writer.RETRY_PAUSES_S)


async def test_all_that_is_over_is_given_back_before_a_refusal(two: Two) -> None:
    """More than one sweep takes, and of other items before it."""
    many = reservations.EXPIRED_PER_SWEEP_MAX + 1
    await two[0].do(quantity=many)
    await two[0].do(identifiers=Identifiers(sku="HOSE"), quantity=many)
    for sku in ("HOSE", "VALVE"):
        answers = await asyncio.gather(*(ask(two[0], f"{sku}{n}", (sku, 1)) for n in range(many)))
        assert {answer.status for answer in answers} == {201}
    with two[0].writer.engine.begin() as connection:
        connection.execute(text("UPDATE reservation SET expires_us = id"))
    assert (await ask(two[1], "all", ("VALVE", many))).status == 201
    while await two[0].writer.submit(reservations.expire):
        pass
