"""Orders: any site, partial shipments, scans that ship, shortages, and a shop's own references."""

import asyncio
import random
from pathlib import Path

import pytest
from sqlalchemy import text

from central import levels, orders, reports, reservations, shipping
from central.requests import Answer
from central.reservations import Request, Wanted
from central.shipping import Parcel
from ledgers import Site, ask
from wire.events import Identifiers


async def buy(
    site: Site, key: str, *lines: tuple[str, int], at: str = "main", ref: str | None = None
) -> Answer:
    """Reserve for channel web."""
    wanted = tuple(Wanted(*line) for line in lines)
    return await site.run(reservations.reserve, Request("web", key, at, 900, wanted, ref))


async def state(site: Site, number: int) -> str:
    """Return a reservation's state."""
    return str(site.rows(f"SELECT state FROM reservation WHERE id = {number}")[0][0])


@pytest.mark.parametrize("quantities", [(2,), (1, 2, 3), (5, 1, 1, 7)])
async def test_64_buyers_of_the_last_100_get_exactly_100(
    site: Site, quantities: tuple[int, ...]
) -> None:
    """At once, two each or mixed: refusals take nothing from their neighbours in the commit."""
    await site.do(quantity=100)
    rng = random.Random(7)
    wanted = [rng.choice(quantities) for _ in range(64)] + [1] * (0 if quantities == (2,) else 64)
    answers = await asyncio.gather(
        *(ask(site, f"k{n}", ("VALVE", quantity)) for n, quantity in enumerate(wanted))
    )
    granted = [w for w, answer in zip(wanted, answers, strict=True) if answer.status == 201]
    assert sum(granted) == 100
    assert {answer.status for answer in answers} == {201, 409}
    assert site.available() == (100, 100)


async def test_one_that_fails_does_not_take_its_neighbours_along(site: Site) -> None:
    """A bug in one command of a commit: the others are carried out, each once."""
    await site.do(quantity=10)

    def bug(_: object) -> None:
        raise ZeroDivisionError

    answers = await asyncio.gather(
        ask(site, "k", ("VALVE", 1)),
        site.writer.submit(bug),
        ask(site, "l", ("VALVE", 20)),
        ask(site, "m", ("VALVE", 2)),
        return_exceptions=True,
    )
    assert isinstance(answers[1], ZeroDivisionError)
    assert [a.status for a in answers if isinstance(a, Answer)] == [201, 409, 201]
    assert site.available() == (10, 3)


async def test_any_site_is_the_first_that_has_all(site: Site, tmp_path: Path) -> None:
    """In the order of the sites' priorities; one request is never split over two."""
    site.bring(tmp_path, locations="N-1,north,bin\n")
    north = site.beside("gate", "north")
    await site.do(quantity=5)
    await north.do(quantity=8, location="N-1")
    hose = Identifiers(sku="HOSE")
    await north.do(quantity=1, location="N-1", identifiers=hose)
    assert (await buy(site, "a", ("VALVE", 2), at="any")).body["site"] == "main"
    assert (await buy(site, "b", ("VALVE", 1), ("HOSE", 1), at="any")).body["site"] == "north"
    await site.run(levels.set_priority, "main", 9)
    assert (await buy(site, "c", ("VALVE", 1), at="any")).body["site"] == "north"
    short = await buy(site, "d", ("VALVE", 3), ("HOSE", 1), at="any")
    assert (short.status, short.body["site"], short.body["lines"]) == (
        409, "north", [{"sku": "HOSE", "requested": 1, "available": 0}],
    )  # fmt: skip
    again = await buy(site, "b", ("VALVE", 1), ("HOSE", 1), at="any")
    assert again.body["site"] == "north"
    assert (await buy(site, "e", ("VALVE", 1), at="attic")).body["code"] == "no_such_site"


async def test_a_hold_can_be_extended(site: Site) -> None:
    """Until it is over or an order; then the answer says which."""
    await site.do(quantity=1)
    number = (await buy(site, "k", ("VALVE", 1))).body["id"]
    longer = await site.run(reservations.extend, number, 7_200)
    assert longer.body["expires"] > (await buy(site, "k", ("VALVE", 1))).body["expires"]
    await site.run(reservations.commit, number)
    assert (await site.run(reservations.extend, number, 9)).body["code"] == "is_committed"
    assert (await site.run(reservations.extend, 99, 9)).status == 404


async def test_the_state_decides_not_the_clock(site: Site) -> None:
    """A hold past its time that nobody swept may be committed; a swept one says what is left."""
    await site.do(quantity=1)
    first = (await buy(site, "k", ("VALVE", 1))).body["id"]
    with site.writer.engine.begin() as tx:
        tx.execute(text("UPDATE reservation SET expires_us = 1"))
    assert (await site.run(reservations.commit, first)).body["state"] == "committed"
    await site.do(quantity=1)
    second = (await buy(site, "l", ("VALVE", 1))).body["id"]
    with site.writer.engine.begin() as tx:
        tx.execute(text(f"UPDATE reservation SET expires_us = 1 WHERE id = {second}"))
    await site.writer.submit(reservations.expire)
    late = await site.run(reservations.commit, second)
    assert (late.body["code"], late.body["lines"]) == (
        "is_expired", [{"sku": "VALVE", "requested": 1, "available": 1}],
    )  # fmt: skip


async def test_an_order_leaves_in_parcels(site: Site) -> None:
    """Goods and promise together each time; the last one ends it; no more than promised goes."""
    await site.do(quantity=10)
    await site.do("putaway", quantity=6, to_location="A-1")
    number = (await buy(site, "k", ("VALVE", 5))).body["id"]
    part = await site.run(shipping.ship, number, [Parcel("VALVE", 2, location="DOCK-1")])
    assert (part.body["state"], part.body["changed"]) == ("committed", True)
    assert site.available() == (8, 3)
    assert site.places()["DOCK-1"] == 2
    wrong = await site.run(shipping.ship, number, [Parcel("VALVE", 2), Parcel("VALVE", 2)])
    assert (wrong.body["code"], wrong.body["lines"]) == (
        "not_promised", [{"sku": "VALVE", "requested": 4, "left": 3}],
    )  # fmt: skip
    nowhere = await site.run(shipping.ship, number, [Parcel("VALVE", 1, location="X-9")])
    assert nowhere.body["code"] == "no_such_location"
    assert (await site.run(shipping.ship, number)).body["state"] == "done"
    assert site.available() == (5, 0)
    assert (await site.run(shipping.ship, number, [Parcel("VALVE", 1)])).status == 409


async def test_what_is_shipped_is_not_given_back(site: Site) -> None:
    """Cancelled after a parcel left, only the rest is free again."""
    await site.do(quantity=10)
    number = (await buy(site, "k", ("VALVE", 5))).body["id"]
    await site.run(shipping.ship, number, [Parcel("VALVE", 2)])
    await site.run(reservations.release, number)
    assert site.available() == (8, 0)
    assert (await site.run(shipping.ship, number)).body["code"] == "not_shippable"


async def test_a_scan_ships_the_order_that_it_names(site: Site) -> None:
    """Promise and goods leave together, the rest of the scan without a promise."""
    await site.do(quantity=10)
    first = (await buy(site, "k", ("VALVE", 2), ref="order-7")).body["id"]
    second = (await buy(site, "l", ("VALVE", 2), ref="order-7")).body["id"]
    await site.do("ship", quantity=3, document="order-7")
    assert site.available() == (7, 1)
    assert (await state(site, first), await state(site, second)) == ("done", "committed")
    await site.do("ship", quantity=3, document="order-7")
    assert site.available() == (4, 0)
    await site.do("ship", quantity=1, document="order-8")
    assert site.available() == (3, 0)


async def test_an_undone_shipment_is_promised_again(site: Site) -> None:
    """The goods are back and belong to the order; unless it was cancelled meanwhile."""
    await site.do(quantity=10)
    number = (await buy(site, "k", ("VALVE", 2), ref="order-7")).body["id"]
    await site.do("ship", quantity=2, document="order-7")
    assert await state(site, number) == "done"
    await site.do("undo", undo_of=2)
    assert await state(site, number) == "committed"
    assert site.available() == (10, 2)
    await site.do("ship", quantity=1, document="order-7")
    await site.run(reservations.release, number)
    await site.do("undo", undo_of=4)
    assert site.available() == (10, 0)
    assert await state(site, number) == "released"


async def test_a_shop_speaks_of_its_order(site: Site) -> None:
    """Approved, label created, cancelled: by channel and reference, each done once."""
    await site.do(quantity=10)
    await buy(site, "k", ("VALVE", 2), ref="555")
    await buy(site, "l", ("VALVE", 1), ref="555")
    await buy(site, "m", ("VALVE", 3), ref="556")
    for _ in range(2):
        approved = await site.run(orders.approved, "web", "555")
        assert (approved.body["state"], approved.status) == ("committed", 200)
    for _ in range(2):
        assert (await site.run(orders.label_created, "web", "555")).body["state"] == "done"
    for _ in range(2):
        assert (await site.run(orders.cancelled, "web", "556")).body["state"] == "released"
    assert site.available() == (7, 0)
    assert (await site.run(orders.cancelled, "web", "555")).body["code"] == "is_done"
    assert (await site.run(orders.approved, "web", "556")).body["code"] == "is_released"
    for channel, ref in (("web", "999"), ("other", "555")):
        answer = await site.run(orders.approved, channel, ref)
        assert (answer.status, answer.body["code"]) == (404, "no_such_order")


async def test_a_shortage_names_the_orders_promised_last(site: Site) -> None:
    """Damage, counts and corrections post; whom the goods fail is said, and closed when covered."""
    await site.do(quantity=30)
    for n in range(30):
        await buy(site, f"k{n}", ("VALVE", 1), ref=f"order-{n}")
    await site.do("damage", quantity=2)
    detail = "SELECT detail FROM alert WHERE kind = 'shortage' AND closed_us IS NULL"
    assert site.rows(detail)[0][0].endswith("without goods now: order-29, order-28.")
    await site.do("count", quantity=5, minute=1)
    assert site.rows(detail)[0][0].endswith("order-10 and 5 more.")
    with site.reader.begin() as connection:
        named = reports.shortage(connection, "VALVE", "main")
    assert [row["order"] for row in named] == [f"order-{n}" for n in range(29, 4, -1)]
    assert named[0] == {"reservation": 30, "channel": "web", "order": "order-29", "missing": 1}
    await site.do(quantity=25, minute=2)
    assert site.open_alerts() == []


async def test_goods_that_never_were_there_can_be_shipped(site: Site) -> None:
    """Oversold on purpose, and the label is printed: the site's first place goes below zero."""
    await site.run(levels.set_share, levels.Share("main", "HOSE", "web", oversell=2))
    await site.run(levels.set_level, levels.Level("main", "HOSE"))
    number = (await buy(site, "k", ("HOSE", 2))).body["id"]
    assert (await site.run(shipping.ship, number)).body["state"] == "done"
    assert site.places() == {"CUSTOMER": 2, "DOCK-1": -2}
    assert "negative_bin" in site.open_alerts()
