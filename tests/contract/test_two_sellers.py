"""Two central processes on one PostgreSQL: what one takes off sale, the other sells no more."""

import asyncio

import pytest

from central import assortment, reservations
from central.writer import number
from ledgers import Site, ask

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
