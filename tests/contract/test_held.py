"""Scans that wait for a person: mapped, completed or dismissed, each ends once and in its place."""

from pathlib import Path

import pytest

from central import reports, rules, settling, verify
from central.alerts import Announcement
from ledgers import Site, ask, scan
from wire.events import Event, Identifiers

STRANGER = Identifiers(text="NEW-1")


async def test_mapping_a_barcode_applies_what_waited_for_it(site: Site) -> None:
    """With the eaches it stands for; the alert closes, the event stays as it was."""
    told: list[Announcement] = []
    site.writer.on_commit = told.extend
    await site.send(scan(1, identifiers=STRANGER, quantity=2), scan(2, identifiers=STRANGER))
    answer = await site.run(settling.map_barcode, "NEW-1", "VALVE", 6, "api:office")
    assert answer.body == {
        "code": "NEW-1", "sku": "VALVE", "each_per": 6, "applied": 2, "waiting": 0,
    }  # fmt: skip
    assert site.places() == {"DOCK-1": 18, "SUPPLIER": -18}
    assert site.open_alerts() == []
    assert site.rows("SELECT status FROM event ORDER BY seq") == [("held",), ("held",)]
    assert site.rows("SELECT seq, status, who FROM settlement ORDER BY seq") == [
        (1, "applied", "api:office"),
        (2, "applied", "api:office"),
    ]
    lines = [each.body for each in told if each.channel == "activity"]
    assert len(lines) == 2
    assert b'"sku":"VALVE"' in lines[0]


async def test_mapped_twice_is_applied_once(site: Site) -> None:
    """Also a scan that comes again, and one that is made afterwards, count once each."""
    await site.do(identifiers=STRANGER)
    for _ in range(2):
        await site.run(settling.map_barcode, "NEW-1", "VALVE", 6, "api:office")
        await site.catch_up()
        await site.send(scan(1, identifiers=STRANGER))
    await site.do(identifiers=STRANGER)
    assert site.places()["DOCK-1"] == 12


async def test_a_count_since_then_has_seen_the_goods(site: Site) -> None:
    """A held scan is applied at its own time, however late somebody maps its code."""
    await site.do(identifiers=STRANGER, quantity=5)
    await site.do("count", quantity=3, minute=10)
    await site.run(settling.map_barcode, "NEW-1", "VALVE", 1, "api:office")
    assert site.places()["DOCK-1"] == 3


async def test_a_held_count_is_applied_in_its_place(site: Site) -> None:
    """What came after it is added, not lost."""
    await site.do("count", identifiers=STRANGER, quantity=5)
    await site.do(quantity=2, minute=10)
    await site.run(settling.map_barcode, "NEW-1", "VALVE", 1, "api:office")
    assert site.places()["DOCK-1"] == 7


async def test_thousands_are_applied_in_portions(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A portion a transaction, so that the writer is free in between; the rest goes on by itself.

    Also when central was killed in between, or another program imported the code: what waits and
    what is known are both in the tables.
    """
    monkeypatch.setattr(settling, "PORTION", 30)
    await site.send(*(scan(n, identifiers=STRANGER) for n in range(1, 101)))
    answer = await site.run(settling.map_barcode, "NEW-1", "VALVE", 1, "api:office")
    assert (answer.body["applied"], answer.body["waiting"]) == (30, 70)
    assert site.places()["DOCK-1"] == 30
    assert site.open_alerts() == ["unknown_barcode"]
    await site.catch_up()
    assert site.places()["DOCK-1"] == 100
    assert site.open_alerts() == []


async def test_an_import_applies_what_waits(site: Site, tmp_path: Path) -> None:
    """A catalogue import by another program is noticed; an item's number frees scans as well."""
    await site.do(identifiers=STRANGER)
    await site.do(identifiers=Identifiers(sku="PUMP"))
    site.bring(tmp_path, items="sku,name,barcode,each_per\nPUMP,pump,NEW-1,4\n")
    await site.catch_up()
    assert site.available("PUMP") == (5, 0)
    assert site.open_alerts() == []


async def test_a_code_that_looks_like_an_items_number_waits_for_its_own(site: Site) -> None:
    """It is not taken for the item, and trying it does not go on for ever."""
    await site.do(identifiers=Identifiers(text="SKU:VALVE"))
    await site.catch_up()
    assert site.open_alerts() == ["unknown_barcode"]
    await site.run(settling.map_barcode, "SKU:VALVE", "HOSE", 1, "api:office")
    assert site.available("HOSE") == (1, 0)


async def test_one_that_cannot_be_digested_does_not_stop_the_others(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is held again with the reason; a person sees it under another alert."""
    decide = rules.decide

    def choking(event: Event, each_per: int) -> rules.Decision:
        if event.scanner == "cursed":
            raise OverflowError("too large for the database")
        return decide(event, each_per)

    await site.send(*(scan(n, identifiers=STRANGER) for n in (1, 2)))
    await site.send(scan(3, identifiers=STRANGER, scanner="cursed"))
    monkeypatch.setattr(rules, "decide", choking)
    await site.run(settling.map_barcode, "NEW-1", "VALVE", 1, "api:office")
    await site.catch_up()
    assert site.places()["DOCK-1"] == 2
    assert site.open_alerts() == ["held_scan"]
    with site.reader.begin() as connection:
        waiting = reports.held_events(connection)
    assert [(w["seq"], w["code"]) for w in waiting] == [(3, "indigestible")]


async def test_what_a_mapped_scan_still_lacks_is_said(site: Site) -> None:
    """Its code is known now, its location is not: it waits on, for that."""
    await site.do(identifiers=STRANGER, location=None)
    await site.run(settling.map_barcode, "NEW-1", "VALVE", 1, "api:office")
    assert site.rows("SELECT code, key FROM held") == [("no_location", "")]
    assert site.open_alerts() == ["held_scan"]


@pytest.mark.parametrize(
    ("code", "sku", "each_per", "refusal"),
    [
        ("NEW-1", "GHOST", 1, "no_such_item"),
        ("HOSE-1", "VALVE", 1, "barcode_taken"),
        ("NEW-1", "VALVE", 0, "bad_barcode"),
        ("", "VALVE", 1, "bad_barcode"),
        ("sku:NEW-1", "VALVE", 1, "bad_barcode"),
    ],
)
async def test_a_wrong_mapping_is_refused(
    site: Site, code: str, sku: str, each_per: int, refusal: str
) -> None:
    """Each with its own code, and nothing is changed."""
    answer = await site.run(settling.map_barcode, code, sku, each_per, "api:office")
    assert answer.body["code"] == refusal


async def test_pack_levels_are_frozen_on_the_entry(site: Site) -> None:
    """A label that stands for more from now on does not rewrite what was scanned."""
    await site.run(settling.map_barcode, "BOX", "VALVE", 6, "api:office")
    await site.do(identifiers=Identifiers(text="BOX"))
    await site.run(settling.map_barcode, "BOX", "VALVE", 8, "api:office")
    await site.do(identifiers=Identifiers(text="BOX"))
    assert site.places()["DOCK-1"] == 14


async def test_a_person_completes_a_scan(site: Site) -> None:
    """With what was missing, under that person's name; the event itself is not changed."""
    await site.do(quantity=4, location=None)
    assert site.open_alerts() == ["held_scan"]
    fields = {"location": "A-1", "quantity": 5}
    answer = await site.run(settling.resolve_held, 1, fields, "api:office", "asked Ann")
    assert answer.status == 200
    assert site.places() == {"A-1": 5, "SUPPLIER": -5}
    assert site.rows("SELECT status, who, fields, note FROM settlement") == [
        ("applied", "api:office", '{"location": "A-1", "quantity": 5}', "asked Ann")
    ]
    assert '"location":"A-1"' not in site.rows("SELECT body FROM event")[0][0]
    assert site.open_alerts() == []
    again = await site.run(settling.resolve_held, 1, fields, "api:office")
    assert (again.status, again.body["code"]) == (409, "not_held")


async def test_a_person_names_the_goods(site: Site) -> None:
    """For a label that nobody will ever map: a SKU, and then the quantity counts eaches."""
    await site.do(identifiers=Identifiers(text="smudged"), quantity=3)
    await site.run(settling.resolve_held, 1, {"sku": "HOSE", "lot": "L1"}, "api:office")
    assert site.available("HOSE") == (3, 0)
    assert site.rows("SELECT lot FROM stock WHERE qty > 0") == [("L1",)]
    assert site.open_alerts() == []


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"scanner": "other"}, "not_correctable"),
        ({"quantity": -1}, "invalid_request"),
        ({"location": "NOWHERE"}, "no_such_location"),
        ({"location": "DOCK-1", "to_location": "DOCK-1"}, "still_held"),
        ({}, "still_held"),
    ],
)
async def test_what_does_not_complete_a_scan_is_refused(
    site: Site, fields: dict[str, object], refusal: str
) -> None:
    """It waits on as before."""
    await site.do("move", location=None)
    answer = await site.run(settling.resolve_held, 1, fields, "api:office")
    assert answer.body["code"] == refusal
    assert site.rows("SELECT COUNT(*) FROM held") == [(1,)]
    assert site.open_alerts() == ["held_scan"]


async def test_a_person_dismisses_a_scan(site: Site) -> None:
    """It was nothing; only the record of it and of who said so remains."""
    await site.do(identifiers=Identifiers(text="a parking ticket"))
    answer = await site.run(settling.dismiss_held, 1, "api:office", "no goods")
    assert answer.body == {"event": 1, "state": "dismissed"}
    assert site.places() == {}
    assert site.open_alerts() == []
    assert (await site.run(settling.dismiss_held, 1, "api:office")).body["code"] == "not_held"
    assert (await site.run(settling.dismiss_held, 9, "api:office")).body["code"] == "no_such_event"


async def test_an_undo_reaches_a_scan_that_was_applied_late(site: Site) -> None:
    """Held, mapped, undone: its entries are taken back like any others."""
    await site.do(identifiers=STRANGER, quantity=3)
    await site.run(settling.map_barcode, "NEW-1", "VALVE", 1, "api:office")
    await site.do("undo", undo_of=1)
    assert site.places() == {}


async def test_a_held_shipment_ships_its_order_when_it_is_settled(site: Site) -> None:
    """The promise and the goods leave together then."""
    await site.do(quantity=5)
    await ask(site, "k", ("VALVE", 2))
    await site.do("ship", identifiers=STRANGER, quantity=2, document="order-1")
    assert site.available() == (5, 2)
    await site.run(settling.map_barcode, "NEW-1", "VALVE", 1, "api:office")
    assert site.available() == (3, 0)
    assert verify.run(site.reader) == []
