"""What the feed says besides levels: orders, movements across the border, sold out and back."""

from typing import Any

import pytest

from central import adjustments, reservations, shipping
from central.adjustments import Adjustment
from central.books import Books
from central.feed_messages import Change, message_of
from central.requests import Caller
from central.rules import Reason
from central.writer import number
from ledgers import EACH, Site, ask, scan
from wire.events import Identifiers

LEVELS = "inventory.availability.changed"


async def news(site: Site) -> list[tuple[str, dict[str, Any]]]:
    """Return what the feed has told so far, without the levels: type and data."""
    while await site.writer.submit(number):
        pass
    rows = site.rows("SELECT feed_seq, channel, agg_key, body FROM outbox ORDER BY feed_seq")
    messages = [message_of(Change(*row)) for row in rows]
    return [(each.type, each.data) for each in messages if each and each.type != LEVELS]


async def types(site: Site) -> list[str]:
    """Return the types alone."""
    return [kind for kind, _ in await news(site)]


async def test_an_order_is_told_step_by_step(site: Site) -> None:
    """Created, committed, shipped in two parcels, fulfilled: each step once, whoever repeats it."""
    await site.do(quantity=5)
    before = len(await types(site))
    held = (await ask(site, "k", ("VALVE", 3))).body
    assert (await ask(site, "k", ("VALVE", 3))).body["id"] == held["id"]
    for _ in range(2):
        await site.run(reservations.commit, held["id"])
    for quantity in (1, 2):
        await site.run(shipping.ship, held["id"], [shipping.Parcel("VALVE", quantity)])
    told = (await news(site))[before:]
    assert [kind for kind, _ in told] == [
        "reservation.created", "reservation.committed", "shipment.recorded",
        "reservation.fulfilled", "shipment.recorded",
    ]  # fmt: skip
    order = {"id": held["id"], "channel": "web", "site": "main", "order_ref": "order-1"}
    lines = [{"sku": "VALVE", "quantity": 3}]
    assert told[0][1] == order | {"state": "held", "expires": held["expires"], "lines": lines}
    assert told[1][1] == order | {"state": "committed"}
    assert told[2][1]["lines"] == [
        {"sku": "VALVE", "quantity": 1, "location": "DOCK-1", "reason": "ship", "ref": "order-1",
         "reservation": held["id"]}
    ]  # fmt: skip


async def test_promises_that_end_are_told(site: Site) -> None:
    """Refused with what is short, released, expired."""
    await site.do(quantity=1)
    before = len(await types(site))
    released = (await ask(site, "k", ("VALVE", 1))).body["id"]
    await site.run(reservations.release, released)
    await ask(site, "l", ("VALVE", 2))
    await ask(site, "m", ("VALVE", 1), ttl_s=0)
    await site.run(reservations.expire)
    told = [each for each in (await news(site))[before:] if each[0].startswith("reservation")]
    assert [kind.removeprefix("reservation.") for kind, _ in told] == [
        "created", "released", "rejected", "created", "expired",
    ]  # fmt: skip
    assert told[2][1]["lines"] == [{"sku": "VALVE", "requested": 2, "available": 1}]


async def test_a_hold_that_is_shipped_was_approved_by_that(site: Site) -> None:
    """A scan that names the order ships a hold: committed, and fulfilled with the last piece."""
    await site.do(quantity=5)
    await ask(site, "k", ("VALVE", 2))
    before = len(await types(site))
    await site.do("ship", quantity=1, document="order-1")
    assert (await types(site))[before:] == ["reservation.committed", "shipment.recorded"]
    await site.do("ship", quantity=1, document="order-1")
    assert (await types(site))[before + 2 :] == ["reservation.fulfilled", "shipment.recorded"]


async def test_sold_out_and_back_are_told_at_the_turn(site: Site) -> None:
    """Once each, with what is available; not for an item that was never told to be sold out."""

    async def turns() -> list[tuple[str, int]]:
        return [
            (kind.removeprefix("inventory."), data["available"])
            for kind, data in await news(site)
            if kind in {"inventory.out_of_stock", "inventory.back_in_stock"}
        ]

    await site.do(quantity=2)
    assert await turns() == []
    held = [(await ask(site, f"k{n}", ("VALVE", 1))).body["id"] for n in range(2)]
    await site.do("ship", quantity=1)  # beyond what was promised: still sold out
    assert await turns() == [("out_of_stock", 0)]
    await site.do(quantity=1)
    await site.run(reservations.release, held[0])
    assert await turns() == [("out_of_stock", 0), ("back_in_stock", 1)]


async def test_movements_across_the_border_are_told_together(site: Site) -> None:
    """A line for what is alike, one message for a kind; a move inside is none; undo is below 0."""
    lot = Identifiers(gtin14=EACH, lot="L1")
    await site.do(quantity=5, identifiers=lot, document="po:1")
    await site.do("putaway", quantity=5, identifiers=lot, to_location="A-1")
    await site.do("return", quantity=1, location="Q-1")
    await site.do("ship", quantity=2, location="A-1", identifiers=lot)
    await site.do("undo", undo_of=4, identifiers=Identifiers())
    less = Adjustment("main", "A-1", "VALVE", -1, Reason.SHRINKAGE, "L1", ref="audit:7")
    await site.run(adjustments.adjust, Caller("office", "k"), less)
    at = {"sku": "VALVE", "location": "A-1", "lot": "L1"}
    told = [(kind, data["site"], data["lines"]) for kind, data in await news(site)]
    assert told == [
        ("receipt.recorded", "main", [
            at | {"location": "DOCK-1", "quantity": 5, "reason": "receive", "ref": "po:1"}]),
        ("return.recorded", "main", [
            {"sku": "VALVE", "location": "Q-1", "quantity": 1, "reason": "return"}]),
        ("shipment.recorded", "main", [at | {"quantity": 2, "reason": "ship"}]),
        ("shipment.recorded", "main", [at | {"quantity": -2, "reason": "undo"}]),
        ("inventory.adjusted", "main", [
            at | {"quantity": -1, "reason": "shrinkage", "ref": "audit:7"}]),
    ]  # fmt: skip


async def test_a_scan_that_fails_tells_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that is parked after it was posted is not told; its neighbours are."""
    flush = Books._flush_stock

    def choking(self: Books) -> None:
        if any(item == 2 for item, *_ in self._stock):
            raise OverflowError("too large for the database")
        flush(self)

    monkeypatch.setattr(Books, "_flush_stock", choking)
    hose = Identifiers(text="HOSE-1")
    done = await site.send(scan(1), scan(2, identifiers=hose, quantity=7), scan(3))
    assert [each.seq for each in done.rejected] == [2]
    lines = [data["lines"] for kind, data in await news(site) if kind == "receipt.recorded"]
    assert [[(line["sku"], line["quantity"]) for line in each] for each in lines] == [
        [("VALVE", 2)]
    ]
