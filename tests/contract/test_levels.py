"""Levels, shares of channels, kinds of places, lots: what people set, and what is said about it."""

import asyncio
from datetime import date
from pathlib import Path

import pytest

from central import levels, reports
from central.levels import Level, Share
from central.requests import Answer
from central.reservations import Request, Wanted, release, reserve
from ledgers import EACH, NOON, Site, ask, scan
from wire.events import Identifiers


async def buy(site: Site, key: str, quantity: int, channel: str = "web") -> Answer:
    """Reserve valves for a channel."""
    lines = (Wanted("VALVE", quantity),)
    return await site.run(reserve, Request(channel, key, "main", 900, lines))


async def test_a_low_level_is_told_at_its_crossing(site: Site) -> None:
    """Opened at or below it, once; closed above it; whatever moved the stock."""
    await site.do(quantity=10)
    assert (await site.run(levels.set_level, Level("main", "VALVE", low_stock=4))).status == 200
    await buy(site, "k", 5)
    assert site.open_alerts() == []
    for n in range(3):
        await buy(site, f"l{n}", 1)
    assert site.open_alerts() == ["low_stock"]
    assert site.rows("SELECT count FROM alert") == [(1,)]
    await site.do(quantity=9)
    assert site.open_alerts() == []
    await site.run(levels.set_level, Level("main", "VALVE", low_stock=100))
    assert site.open_alerts() == ["low_stock"]
    await site.run(levels.set_level, Level("main", "VALVE"))
    assert site.open_alerts() == []


async def test_safety_stock_is_kept_back(site: Site) -> None:
    """It is announced at once, and nobody is promised it."""
    await site.do(quantity=10)
    await site.run(levels.set_level, Level("main", "VALVE", safety=8))
    refused = await buy(site, "k", 3)
    assert refused.body["lines"] == [{"sku": "VALVE", "requested": 3, "available": 2}]
    assert (await buy(site, "l", 2)).status == 201


async def test_levels_come_with_the_catalogue(site: Site, tmp_path: Path) -> None:
    """For each site, also before the item ever was there; central carries them over."""
    await site.do(quantity=10)
    head = "sku,name,barcode,each_per,site,safety,low_stock\n"
    site.bring(tmp_path, items=head + f"VALVE,,{EACH},1,main,3,5\nHOSE,,,,north,,2\n")
    await site.catch_up()
    assert site.rows("SELECT safety, low_stock, on_hand FROM avail ORDER BY item") == [
        (3, 5, 10), (0, 2, 0),
    ]  # fmt: skip
    assert site.open_alerts() == ["low_stock"]


async def test_a_channel_keeps_its_buffer_back(site: Site) -> None:
    """A market place that hears of sales late gets fewer than the own shop."""
    await site.do(quantity=10)
    await site.run(levels.set_share, Share("main", "VALVE", "market", buffer=7))
    assert (await buy(site, "k", 4, "market")).body["lines"][0]["available"] == 3
    assert (await buy(site, "l", 3, "market")).status == 201
    assert (await buy(site, "m", 1, "market")).status == 409
    assert (await buy(site, "n", 7)).status == 201


async def test_a_channel_may_oversell(site: Site) -> None:
    """Up to its number, and a person is told that goods must come."""
    await site.do(quantity=1)
    await site.run(levels.set_share, Share("main", "VALVE", "web", oversell=2))
    assert (await buy(site, "k", 4)).status == 409
    assert (await buy(site, "l", 3)).status == 201
    assert site.available() == (1, 3)
    assert site.open_alerts() == ["shortage"]


async def test_a_channel_ends_at_its_cap(site: Site) -> None:
    """At once by many, exactly; what is given back may be promised again, what is shipped not."""
    await site.do(quantity=100)
    await site.run(levels.set_share, Share("main", "VALVE", "web", cap=10))
    answers = await asyncio.gather(*(buy(site, f"k{n}", 1) for n in range(20)))
    granted = [answer.body["id"] for answer in answers if answer.status == 201]
    assert len(granted) == 10
    refused = next(answer for answer in answers if answer.status == 409)
    assert refused.body["lines"] == [{"sku": "VALVE", "requested": 1, "available": 0}]
    await site.run(release, granted[0])
    assert (await buy(site, "l", 2)).body["lines"][0]["available"] == 1
    assert (await buy(site, "m", 1)).status == 201
    raised = await site.run(levels.set_share, Share("main", "VALVE", "web", cap=12))
    assert raised.body["used"] == 10
    assert (await buy(site, "n", 2)).status == 201
    assert (await buy(site, "o", 5, "other")).status == 201
    assert site.available() == (100, 17)


async def test_a_request_beyond_stock_and_cap_names_both(site: Site) -> None:
    """Every short line is named with what this channel could have of it."""
    await site.do(quantity=10)
    await site.do(quantity=10, identifiers=Identifiers(sku="HOSE"))
    await site.run(levels.set_share, Share("main", "HOSE", "web", cap=3))
    answer = await ask(site, "k", ("VALVE", 11), ("HOSE", 4))
    assert answer.body["lines"] == [
        {"sku": "VALVE", "requested": 11, "available": 10},
        {"sku": "HOSE", "requested": 4, "available": 3},
    ]
    only_capped = await ask(site, "l", ("VALVE", 10), ("HOSE", 4))
    assert only_capped.body["lines"] == [{"sku": "HOSE", "requested": 4, "available": 3}]
    assert site.available("HOSE") == (10, 0)


@pytest.mark.parametrize(
    ("command", "wanted", "code"),
    [
        (levels.set_level, Level("main", "GHOST"), "no_such_item"),
        (levels.set_level, Level("attic", "VALVE"), "no_such_site"),
        (levels.set_level, Level("main", "VALVE", safety=-1), "negative"),
        (levels.set_share, Share("main", "GHOST", "web"), "no_such_item"),
        (levels.set_share, Share("main", "VALVE", "web", cap=-1), "negative"),
    ],
)
async def test_wrong_settings_are_refused(
    site: Site, command: object, wanted: object, code: str
) -> None:
    """With a code of their own."""
    assert (await site.run(command, wanted)).body["code"] == code  # type: ignore[arg-type]


async def test_a_place_that_changes_its_kind_changes_what_can_be_sold(
    site: Site, tmp_path: Path
) -> None:
    """The import says so, and central sums up again: promises, alerts and all."""
    await site.do(quantity=10, location="A-1")
    await site.do(quantity=5, location="Q-1")
    await buy(site, "k", 8)
    said = site.bring(tmp_path, locations="A-1,main,quarantine\nB-1,main,bin\n")
    assert said[0] == "2 locations imported"
    assert "A-1 is a quarantine now, no bin" in said[1]
    assert len(said) == 2
    assert site.available() == (10, 8)
    await site.catch_up()
    assert site.available() == (0, 8)
    assert site.open_alerts() == ["shortage"]
    site.bring(tmp_path, locations="Q-1,main,bin\nA-1,main,bin\n")
    await site.catch_up()
    assert site.available() == (15, 8)
    assert site.open_alerts() == []


async def test_the_first_label_says_when_a_lot_expires(site: Site) -> None:
    """One that contradicts opens an alert; a person decides; expired stock can be listed."""
    labels = [("L1", date(2027, 5, 31)), ("L1", date(2027, 6, 30)), ("L2", date(2027, 1, 1))]
    for lot, expires in labels:
        await site.do(identifiers=Identifiers(gtin14=EACH, lot=lot, expiry=expires))
    assert site.open_alerts() == ["lot_expiry"]
    with site.reader.begin() as connection:
        old = reports.expired(connection, date(2027, 5, 31))
        assert [(row["lot"], row["expires"], row["quantity"]) for row in old] == [
            ("L2", "2027-01-01", 1), ("L1", "2027-05-31", 2),
        ]  # fmt: skip
        assert reports.expired(connection, date(2026, 12, 31)) == []
    await site.run(levels.set_expiry, "VALVE", "L1", date(2027, 6, 30))
    assert site.open_alerts() == []
    await site.do(identifiers=Identifiers(gtin14=EACH, lot="L1", expiry=date(2027, 6, 30)))
    assert site.open_alerts() == []


async def test_two_labels_in_one_message_can_contradict(site: Site) -> None:
    """Also within one transaction the first stands."""
    labels = [Identifiers(gtin14=EACH, lot="L1", expiry=date(2027, m, 1)) for m in (5, 6)]
    await site.send(*(scan(n, identifiers=label) for n, label in enumerate(labels, 1)))
    assert site.open_alerts() == ["lot_expiry"]
    assert site.rows("SELECT expires FROM lot") == [("2027-05-01",)]


async def test_stock_at_a_moment(site: Site) -> None:
    """What lay there then by what is known now, and what the ledger said then."""
    noon_us = int(NOON.timestamp() * 1e6)
    await site.do(quantity=10)
    before_us = site.rows("SELECT MAX(recorded_us) FROM entry")[0][0]
    await site.do("putaway", quantity=4, to_location="A-1", minute=30)
    await site.beside("late").do("count", quantity=7, minute=10)

    def lies(**bounds: int) -> dict[str, int]:
        with site.reader.begin() as connection:
            rows = reports.stock_at(connection, sku="VALVE", **bounds)
        return {row["location"]: row["quantity"] for row in rows if row["site"]}

    assert lies() == {"A-1": 4, "DOCK-1": 3}
    assert lies(happened_us=noon_us + 20 * 60_000_000) == {"DOCK-1": 7}
    assert lies(happened_us=noon_us + 5 * 60_000_000) == {"DOCK-1": 10}
    assert lies(known_us=before_us) == {"DOCK-1": 10}
    assert lies(happened_us=noon_us - 1) == {}


async def test_all_items_at_a_moment_page_by_page(site: Site) -> None:
    """So many items an answer, in the order of their numbers."""
    await site.do()
    await site.do(identifiers=Identifiers(sku="HOSE"))
    with site.reader.begin() as connection:
        first = reports.stock_at(connection, limit=1)
        second = reports.stock_at(connection, after_sku="HOSE", limit=1)
    assert ({r["sku"] for r in first}, {r["sku"] for r in second}) == ({"HOSE"}, {"VALVE"})
