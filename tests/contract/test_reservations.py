"""Promises: nothing is promised twice, whatever is asked at once, repeated or late."""

import asyncio

from sqlalchemy import text

from central import reservations, shipping
from central.requests import Answer
from ledgers import Site, ask


async def turn(site: Site, action: str, number: int) -> Answer:
    """Commit, release or ship."""
    command = shipping.ship if action == "ship" else getattr(reservations, action)
    return await site.writer.submit(lambda tx: command(tx, number))


async def test_64_buyers_of_the_last_10_get_exactly_10(site: Site) -> None:
    """A flash sale grants what is there and refuses the rest."""
    await site.do(quantity=10)
    answers = await asyncio.gather(*(ask(site, f"k{n}", ("VALVE", 1)) for n in range(64)))
    assert sorted(a.status for a in answers) == [201] * 10 + [409] * 54
    assert site.available() == (10, 10)


async def test_all_lines_or_none(site: Site) -> None:
    """One short line refuses the request, names every shortage, and gives the others back."""
    await site.do(quantity=10)
    answer = await ask(site, "k", ("VALVE", 3), ("HOSE", 2), ("GHOST", 1))
    assert answer.status == 409
    assert answer.body["lines"] == [
        {"sku": "GHOST", "requested": 1, "available": 0},
        {"sku": "HOSE", "requested": 2, "available": 0},
    ]
    assert site.available() == (10, 0)


async def test_two_lines_of_one_sku_are_one_demand(site: Site) -> None:
    """Each line alone would pass; together they are more than there is."""
    await site.do(quantity=5)
    assert (await ask(site, "k", ("VALVE", 3), ("VALVE", 3))).status == 409
    assert (await ask(site, "l", ("VALVE", 3), ("VALVE", 2))).status == 201
    assert site.available() == (5, 5)


async def test_a_repeated_key_gets_the_first_answer(site: Site) -> None:
    """Also a refusal stands, although stock has arrived since; other content is an error."""
    refused = await ask(site, "k", ("VALVE", 1))
    await site.do(quantity=5)
    assert (await ask(site, "k", ("VALVE", 1))).body == refused.body
    first = await ask(site, "l", ("VALVE", 1))
    assert (await ask(site, "l", ("VALVE", 1))).body == first.body
    assert (await ask(site, "l", ("VALVE", 2))).status == 422
    assert site.available() == (5, 1)


async def test_commit_and_release_have_one_winner(site: Site) -> None:
    """Done twice at once they are done once; after a release nothing can be committed."""
    await site.do(quantity=5)
    number = (await ask(site, "k", ("VALVE", 2))).body["id"]
    commits = await asyncio.gather(*(turn(site, "commit", number) for _ in range(2)))
    assert [a.status for a in commits] == [200, 200]
    assert sum(a.body["changed"] for a in commits) == 1
    releases = await asyncio.gather(*(turn(site, "release", number) for _ in range(8)))
    assert sum(a.body["changed"] for a in releases) == 1
    assert (await turn(site, "commit", number)).status == 409
    assert site.available() == (5, 0)


async def test_shipping_takes_goods_and_promise_together(site: Site) -> None:
    """The fullest place first; available does not blip; a second ship changes nothing."""
    await site.do(quantity=4)
    await site.do("putaway", quantity=3, to_location="A-1")
    number = (await ask(site, "k", ("VALVE", 4))).body["id"]
    await turn(site, "commit", number)
    assert (await turn(site, "ship", number)).body["state"] == "done"
    assert (await turn(site, "ship", number)).body["changed"] is False
    assert site.places() == {"CUSTOMER": 4, "SUPPLIER": -4}
    assert site.available() == (0, 0)
    assert (await turn(site, "release", number)).status == 409


async def test_a_shipment_of_missing_goods_is_still_a_fact(site: Site) -> None:
    """The label is printed: what no place has goes below zero and opens an alert."""
    await site.do(quantity=2)
    number = (await ask(site, "k", ("VALVE", 2))).body["id"]
    await site.do("damage", quantity=1)
    await turn(site, "ship", number)
    assert site.places()["DOCK-1"] == -1
    assert ("negative_bin",) in site.rows("SELECT kind FROM alert WHERE closed_us IS NULL")


async def test_damage_under_a_promise_is_a_shortage(site: Site) -> None:
    """The physical fact posts; the undercut promise becomes an open alert until it is covered."""
    await site.do(quantity=2)
    await ask(site, "k", ("VALVE", 2))
    await site.do("damage", quantity=1)
    shortage = "SELECT kind FROM alert WHERE closed_us IS NULL AND kind = 'shortage'"
    assert site.rows(shortage)
    await site.do(quantity=1)
    assert not site.rows(shortage)


async def test_a_hold_gives_its_goods_back_when_its_time_is_over(site: Site) -> None:
    """Expiry is a state with one winner too; the goods can be promised again."""
    await site.do(quantity=1)
    number = (await ask(site, "k", ("VALVE", 1))).body["id"]
    with site.writer.engine.begin() as tx:
        tx.execute(text("UPDATE reservation SET expires_us = 1"))
    assert (await ask(site, "l", ("VALVE", 1))).status == 201
    assert (await turn(site, "commit", number)).body["code"] == "is_expired"
    assert site.available() == (1, 1)


async def test_unknown_reservations_are_told_apart(site: Site) -> None:
    """A number that never existed is 404, for every action."""
    for action in ("commit", "release", "ship"):
        assert (await turn(site, action, 404)).status == 404
