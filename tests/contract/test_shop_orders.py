"""Orders that shops have sold: promised, shipped, returned; once each, in any order, never lost."""

import asyncio
import itertools
import random
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from central import levels, reservations
from central.channels import order_desk
from central.channels.order_events import OrderEvent
from central.reservations import Request, Wanted
from ledgers import Site
from shop_hands import again, channel, event, say
from wire.events import Identifiers

MINUTE_US = 60 * 1_000_000


async def reserve(site: Site, quantity: int, ref: str = "1001", key: str = "k") -> int:
    """Let a storefront hold valves for an order, before it is paid."""
    wanted = Request("web", key, "main", 900, (Wanted("VALVE", quantity),), ref)
    return int((await site.run(reservations.reserve, wanted)).body["id"])


def states(site: Site) -> list[str]:
    """Return the states of all reservations."""
    return [state for (state,) in site.rows("SELECT state FROM reservation ORDER BY id")]


def alerts(site: Site) -> list[tuple[str, str]]:
    """Return (ref, title) of the open alerts about orders that wait."""
    return site.rows(  # type: ignore[return-value]
        "SELECT ref, title FROM alert WHERE kind = 'order_waiting' AND closed_us IS NULL "
        "ORDER BY ref"
    )


async def test_an_order_from_sold_to_gone(site: Site) -> None:
    """Nothing was held for it: it is promised, leaves in two parcels, and one piece comes back."""
    await site.do(quantity=10)
    answer = await say(site, event("approved", lines={"VALVE": 3}))
    assert (answer.status, answer.body["state"]) == (200, "done")
    assert site.available() == (10, 3)
    await say(site, event("shipped", lines={"VALVE": 2}))
    assert (site.available(), states(site)) == ((8, 1), ["committed"])
    await say(site, event("shipped"))  # all that is left
    assert (site.available(), states(site)) == ((7, 0), ["done"])
    await say(site, event("returned", lines={"VALVE": 1}))
    assert site.places() == {"CUSTOMER": 2, "DOCK-1": 7, "Q-1": 1, "SUPPLIER": -10}
    assert site.rows("SELECT reason, ref FROM entry ORDER BY id DESC LIMIT 1") == [
        ("return", "order:web/1001")
    ]
    assert alerts(site) == []


async def test_what_was_held_is_committed_and_not_held_again(site: Site) -> None:
    """A storefront that reserved before the payment: its own hold becomes the order."""
    await site.do(quantity=10)
    await reserve(site, 3)
    await say(site, event("approved", lines={"VALVE": 3}))
    assert (site.available(), states(site)) == ((10, 3), ["committed"])
    await reserve(site, 2, "1002", "l")
    await say(site, event("approved", "1002"))  # names no lines
    assert (site.available(), states(site)) == ((10, 5), ["committed", "committed"])


async def test_a_hold_that_was_over_is_promised_anew(site: Site) -> None:
    """The payment took longer than the hold: the shop has sold it, so it is promised again."""
    await site.do(quantity=3)
    await reserve(site, 3)
    with site.writer.engine.begin() as tx:
        tx.execute(text("UPDATE reservation SET expires_us = 1"))
    await site.writer.submit(reservations.expire)
    await say(site, event("approved", lines={"VALVE": 3}))
    assert (site.available(), states(site)) == ((3, 3), ["expired", "committed"])


async def test_a_cancelled_order_gives_back_what_is_not_shipped(site: Site) -> None:
    """Of five, two had left: three are free again; said twice it is done once."""
    await site.do(quantity=10)
    await say(site, event("approved", lines={"VALVE": 5}))
    await say(site, event("shipped", lines={"VALVE": 2}))
    for _ in range(2):
        await say(site, event("cancelled"))
        assert (site.available(), states(site)) == ((8, 0), ["released"])


async def test_the_same_delivery_is_one_delivery(site: Site) -> None:
    """Forty at the same moment, the same and others: each order is promised once."""
    await site.do(quantity=100)
    said = [event("approved", f"{n % 4}", id=f"d{n % 4}", lines={"VALVE": 3}) for n in range(40)]
    answers = await asyncio.gather(*(say(site, each) for each in said))
    assert sorted(answer.body["state"] for answer in answers) == ["done"] * 4 + ["repeated"] * 36
    assert site.available() == (100, 12)
    shipped = [event("shipped", "1", id="s", lines={"VALVE": 1}) for _ in range(10)]
    await asyncio.gather(*(say(site, each) for each in shipped))
    assert site.available() == (99, 11)


@pytest.mark.postgres
async def test_two_processes_hear_the_same_order(two: tuple[Site, Site]) -> None:
    """The shop's deliveries go to either: created, cancelled and shipped at the same moment."""
    await two[0].do(quantity=200)
    said: list[OrderEvent] = []
    for order in map(str, range(12)):
        said += [event("approved", order, id=f"a{order}", lines={"VALVE": 4})] * 2
        said += [event("shipped", order, id=f"s{order}", lines={"VALVE": 3})] * 2
        if int(order) % 2:
            said += [event("cancelled", order, id=f"c{order}")] * 2
    random.Random(3).shuffle(said)
    await asyncio.gather(*(say(two[n % 2], each) for n, each in enumerate(said)))
    assert two[0].available() == (200 - 36, 6)
    assert alerts(two[0]) == []


def order_history(kind: str) -> list[OrderEvent]:
    """Return all that a shop says of an order, with the times of its own clock if it says any."""
    history = [
        event("approved", lines={"VALVE": 6, "HOSE": 2}, whole=True, at_us=1),
        event("shipped", lines={"VALVE": 2}, at_us=2),
        event("shipped", lines={"VALVE": 1, "HOSE": 2}, at_us=3),
        event("cancelled", at_us=4),
        event("returned", lines={"HOSE": 1}, at_us=5),
    ]
    if kind == "reopened":
        history.append(event("approved", lines={"VALVE": 5, "HOSE": 2}, whole=True, at_us=6))
    return [replace(each, at_us=None) for each in history] if kind == "timeless" else history


@pytest.mark.parametrize("kind", ["timed", "timeless", "reopened"])
async def test_any_order_ends_the_same(site: Site, kind: str) -> None:
    """Cancelled before created, shipped before approved, all twice: the result of the right order.

    Each shuffled history is of an order of its own.
    """
    rng = random.Random(11)
    await site.do(quantity=1_000)
    await site.do(quantity=1_000, identifiers=Identifiers(sku="HOSE"))
    orders = 8
    for number in range(orders):
        said = order_history(kind) * 2
        rng.shuffle(said)
        for each in said:
            named = replace(each, id=f"{number}:{each.id}", order_ref=str(number))
            assert (await say(site, named)).status == 200
    left = 2 if kind == "reopened" else 0  # 5 valves wanted in the end, 3 shipped
    assert site.available() == (1_000 - 3 * orders, left * orders)
    assert site.available("HOSE") == (1_000 - 2 * orders, 0)
    assert site.places()["Q-1"] == orders
    assert alerts(site) == []


async def test_too_few_is_held_and_the_rest_follows(site: Site) -> None:
    """The order is sold. What there is is held for it, an alert names it, and goods that come are
    its own before anybody else's."""
    await site.do(quantity=2)
    answer = await say(site, event("approved", label="#1001", lines={"VALVE": 5, "HOSE": 1}))
    assert (answer.status, answer.body["state"]) == (200, "waiting")
    assert site.available() == (2, 2)
    assert alerts(site) == [
        ("web:1001", "order #1001 of web waits: 1 HOSE, 3 VALVE missing"),
    ]
    assert await again(site) == 0
    await site.do(quantity=2)
    assert await again(site) == 1
    assert site.available() == (4, 4)
    assert alerts(site)[0][1].endswith("1 HOSE, 1 VALVE missing")
    await site.do(quantity=4)
    await site.do(quantity=4, identifiers=Identifiers(sku="HOSE"))
    await again(site)
    assert (site.available(), site.available("HOSE")) == ((8, 5), (4, 1))
    assert (alerts(site), await again(site)) == ([], 0)


async def test_an_unknown_sku_waits_for_the_catalogue(site: Site, tmp_path: Path) -> None:
    """The lines that are known are promised; the others once they are imported."""
    await site.do(quantity=5)
    answer = await say(site, event("approved", lines={"VALVE": 1, "LAMP": 2}))
    assert answer.body["detail"] == "2 LAMP unknown here"
    assert site.available() == (5, 1)
    shipped = await say(site, event("shipped", lines={"VALVE": 1, "LAMP": 2}))
    assert (shipped.body["state"], site.available()) == ("waiting", (4, 0))
    site.bring(tmp_path, items="sku,name,barcode,each_per\nLAMP,lamp,LAMP-1,1\n")
    assert await again(site) == 1
    assert site.available("LAMP") == (-2, 0)
    assert (alerts(site), await again(site)) == ([], 0)


async def test_a_shipment_is_a_fact(site: Site) -> None:
    """Gone is gone: beyond the promise, before the order, after its cancellation."""
    await site.do(quantity=10)
    await say(site, event("shipped", "early", lines={"VALVE": 1}))
    assert site.available() == (9, 0)
    await say(site, event("approved", "early", lines={"VALVE": 3}))
    assert site.available() == (9, 2)
    await say(site, event("shipped", "early", lines={"VALVE": 4}))
    assert site.available() == (5, 0)
    await say(site, event("approved", "late", lines={"VALVE": 2}))
    await say(site, event("cancelled", "late"))
    await say(site, event("shipped", "late", lines={"VALVE": 2}))
    assert site.available() == (3, 0)


async def test_what_a_dock_scanned_out_is_not_shipped_twice(site: Site) -> None:
    """The scan names the order and comes first; the label of the same goods changes nothing."""
    await site.do(quantity=10)
    await say(site, event("approved", lines={"VALVE": 3}))
    await site.do("ship", quantity=2, document="1001")
    await say(site, event("shipped", lines={"VALVE": 2}))
    assert site.available() == (8, 1)
    quiet = channel(ships=False)
    await say(site, event("approved", "1002", lines={"VALVE": 3}), quiet)
    await say(site, event("shipped", "1002"), quiet)
    assert site.available() == (8, 4)


async def test_an_order_that_was_made_smaller_gives_back_the_rest(site: Site) -> None:
    """The newest approval is what the customer wants; a bigger one holds more."""
    await site.do(quantity=10)
    for minute, wanted in enumerate((5, 2, 4)):
        said = event("approved", lines={"VALVE": wanted}, whole=True, at_us=minute * MINUTE_US)
        await say(site, said)
        assert site.available() == (10, wanted)
    await say(site, event("shipped", lines={"VALVE": 3}, whole=True, at_us=9 * MINUTE_US))
    assert site.available() == (7, 0)  # nothing more will come


async def test_a_payment_that_failed_and_was_tried_again(site: Site) -> None:
    """Failed, then processing, heard in either order: the order stands."""
    await site.do(quantity=10)
    failed = event("cancelled", "a", at_us=1)
    paid = event("approved", "a", lines={"VALVE": 2}, whole=True, at_us=2)
    for n, said in enumerate(itertools.permutations((failed, paid))):
        for each in said:
            await say(site, OrderEvent(f"{n}{each.id}", each.step, f"{n}", each.lines, True,
                                       each.at_us))  # fmt: skip
    assert site.available() == (10, 4)


async def test_a_person_ends_what_cannot_be_done(site: Site) -> None:
    """Dismissed, it is tried no more; unknown numbers and unknown channels are said to be so."""
    await say(site, event("approved", lines={"VALVE": 2}))
    await say(site, event("shipped", "mystery"))
    (first, _), (second, title) = alerts(site)
    assert (first, second) == ("web:1001", "web:mystery")
    assert title.endswith("it was shipped, but nobody has said what it is")
    numbers = [number for (number,) in site.rows("SELECT id FROM shop_order ORDER BY id")]
    waits = await site.run(order_desk.retry, {"web": channel()}, numbers[0])
    assert waits.body["state"] == "waiting"
    for number in numbers:
        assert (await site.run(order_desk.dismiss, number)).status == 200
    assert alerts(site) == []
    await site.do(quantity=5)
    assert (await again(site), site.available()) == (0, (5, 0))
    assert (await site.run(order_desk.dismiss, 999)).body["code"] == "no_such_order"
    gone = await site.run(order_desk.retry, {}, numbers[0])
    assert gone.body["code"] == "no_such_channel"


async def test_a_channel_that_reserves_by_itself_is_taken_at_its_word(site: Site) -> None:
    """`approved = "commit"`: an order that nothing was held for is a mistake that a person sees."""
    await site.do(quantity=5)
    strict = channel(approved="commit")
    await say(site, event("approved", lines={"VALVE": 1}), strict)
    assert alerts(site)[0][1].endswith("nothing was reserved for it")
    await reserve(site, 1)
    await site.run(order_desk.retry, {"web": strict}, 1)
    assert (alerts(site), site.available()) == ([], (5, 1))


async def test_returns_need_a_place(site: Site) -> None:
    """Into the place that the channel names, a bin that sells included; a wrong one waits."""
    await site.do(quantity=5)
    await say(site, event("shipped", lines={"VALVE": 3}))
    await say(site, event("returned", "other", lines={"VALVE": 1}), channel(returns_to="NOWHERE"))
    assert alerts(site)[0][1].endswith(
        "its return cannot be booked: there is no location NOWHERE in use at main"
    )
    shelf = channel(returns_to="A-1")
    await site.run(order_desk.retry, {"web": shelf}, 2)
    await say(site, event("returned"), shelf)
    assert (alerts(site), site.available()) == ([], (6, 0))
    nowhere = channel(site="north")
    answer = await say(site, event("returned", "third", lines={"VALVE": 1}), nowhere)
    assert "north has no quarantine" in answer.body["detail"]


async def test_a_return_waits_for_its_shipment(site: Site) -> None:
    """Heard of too early, it is booked when the goods have left; the shipment itself is done."""
    await site.do(quantity=5)
    assert (await say(site, event("returned"))).body["state"] == "waiting"
    assert (await say(site, event("shipped", lines={"VALVE": 2}))).body["state"] == "done"
    assert (site.places()["Q-1"], site.available(), alerts(site)) == (2, (3, 0), [])


async def test_a_share_of_the_channel_counts_for_its_orders(site: Site) -> None:
    """What a channel may not have is not promised to its orders; they wait, and say so."""
    await site.do(quantity=5)
    await site.run(levels.set_share, levels.Share("main", "VALVE", "web", buffer=3))
    await say(site, event("approved", lines={"VALVE": 4}))
    assert (site.available(), len(alerts(site))) == ((5, 2), 1)
    assert await again(site) == 0  # there are some, but none for this channel
    await site.run(levels.set_share, levels.Share("main", "VALVE", "web", buffer=2))
    assert (await again(site), site.available()) == (1, (5, 3))
    await site.run(levels.set_share, levels.Share("main", "VALVE", "web", cap=4))
    assert (await again(site), site.available(), alerts(site)) == (1, (5, 4), [])


async def test_what_happened_before_the_channel_began_is_not_ours(site: Site) -> None:
    """Old orders that the shop speaks of again move nothing."""
    await site.do(quantity=5)
    young = channel(since="2026-01-01T00:00:00Z")
    old = event("shipped", lines={"VALVE": 1}, at_us=1_700_000_000_000_000)
    assert (await say(site, old, young)).body["state"] == "ignored"
    assert site.available() == (5, 0)


async def test_one_id_for_two_events_is_refused(site: Site) -> None:
    """A program that numbers its events wrongly hears of it, and loses no order in silence."""
    await site.do(quantity=5)
    await say(site, event("approved", id="x", lines={"VALVE": 1}))
    for other in (
        event("approved", id="x", lines={"VALVE": 2}),
        event("approved", "9", id="x", lines={"VALVE": 1}),
    ):
        answer = await say(site, other)
        assert (answer.status, answer.body["code"]) == (422, "id_reused")
    assert site.available() == (5, 1)


async def test_old_orders_are_forgotten(site: Site) -> None:
    """What ended long ago goes; what waits, or was heard of lately, stays."""
    await site.do(quantity=5)
    await say(site, event("approved", "old", lines={"VALVE": 1}))
    await say(site, event("approved", "waits", lines={"VALVE": 9}))
    with site.writer.engine.begin() as tx:
        tx.execute(text("UPDATE order_step SET received_us = 1"))
    await say(site, event("approved", "new", lines={"VALVE": 1}))
    assert await site.run(order_desk.forget_old) == 1
    assert site.rows("SELECT ref FROM shop_order ORDER BY ref") == [("new",), ("waits",)]
