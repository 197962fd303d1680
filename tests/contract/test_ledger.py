"""The ledger: each scan once, in order, every sum right. Each test ends with a proof (verify)."""

import uuid
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from central import database, rules
from central.arrivals import Arrival
from central.writer import Writer
from ledgers import CASE, EACH, SELLABLE, NewLedger, Site, scan
from wire.events import Event, Identifiers, Origin


async def test_receiving_moves_goods_in(site: Site) -> None:
    """A scan at the dock is stock at the dock, and the supplier's side carries the opposite."""
    done = await site.do()
    assert (done.applied_seq, done.rejected) == (1, ())
    assert site.places() == {"DOCK-1": 1, "SUPPLIER": -1}
    assert site.available() == (1, 0)


async def test_a_case_counts_its_eaches(site: Site) -> None:
    """The pack table turns two cases of twelve into 24, frozen on the entry."""
    await site.do(quantity=2, identifiers=Identifiers(gtin14=CASE))
    assert site.places()["DOCK-1"] == 24


async def test_goods_travel_through_the_house(site: Site) -> None:
    """Putaway, move, pick, ship, return and damage each post between the right places."""
    await site.do(quantity=10)
    await site.do("putaway", quantity=8, to_location="A-1")
    await site.do("move", quantity=3, location="A-1", to_location="B-1")
    await site.do("pick", quantity=2, location="B-1", to_location="DOCK-1")
    await site.do("ship", quantity=3)
    await site.do("return", quantity=1)
    await site.do("damage", quantity=1, location="A-1")
    assert site.places() == {
        "A-1": 4, "B-1": 1, "DOCK-1": 2, "BROKEN": 1, "CUSTOMER": 2, "SUPPLIER": -10,
    }  # fmt: skip
    assert site.available() == (7, 0)


async def test_repeats_change_nothing(site: Site) -> None:
    """A batch that comes again, alone or with news behind it, is applied once."""
    first = [scan(n) for n in range(1, 4)]
    await site.send(*first)
    again = await site.send(*first, scan(4))
    assert (again.fresh, again.applied_seq) == (1, 4)
    assert site.available() == (4, 0)


async def test_a_hole_waits_for_what_is_missing(site: Site) -> None:
    """Events behind a gap are not applied; the answer names where to go on."""
    await site.send(scan(1))
    gap = await site.send(scan(3))
    assert gap.hole
    assert gap.applied_seq == 1
    assert (await site.send(scan(2), scan(3))).applied_seq == 3


async def test_other_content_under_a_known_seq_is_an_alarm(site: Site) -> None:
    """The first content stands, and a person is told that two gateways share a name."""
    await site.send(scan(1))
    await site.send(scan(1, quantity=100))
    assert site.available() == (1, 0)
    assert site.rows("SELECT kind FROM alert WHERE closed_us IS NULL") == [("seq_reuse",)]


async def test_a_repeat_that_was_dated_anew_is_the_same_event(site: Site) -> None:
    """A gateway whose clock was put right sends another time: no alarm, the first one stands."""
    first = scan(1)
    corrected = first.clock.model_copy(update={"corrected": True})
    update = {"event_time": first.event_time + timedelta(days=9_000), "clock": corrected}
    await site.send(first)
    again = await site.send(first.model_copy(update=update), scan(2))
    assert (again.applied_seq, again.rejected) == (2, ())
    assert site.available() == (2, 0)
    assert site.rows("SELECT kind FROM alert") == []
    occurred_us = int(first.event_time.timestamp() * 1_000_000)
    assert site.rows("SELECT occurred_us FROM event WHERE seq = 1") == [(occurred_us,)]


async def test_a_new_epoch_starts_again_at_one(site: Site) -> None:
    """A gateway with a new disk reuses numbers without colliding."""
    await site.send(scan(1))
    site.epoch = uuid.uuid4()
    await site.send(scan(1))
    assert site.available() == (2, 0)


async def test_what_was_booked_before_the_disk_broke_is_not_booked_again(site: Site) -> None:
    """A salvaged scan under a new number counts only if its old number never arrived."""
    old = site.epoch
    await site.send(scan(1))
    site.epoch = uuid.uuid4()
    again = scan(1, salvaged_from=Origin(epoch=old, seq=1))
    late = scan(2, salvaged_from=Origin(epoch=old, seq=2), quantity=5)
    lost = scan(3, salvaged_from=Origin(epoch=uuid.uuid4(), seq=1))
    assert (await site.send(again, late, lost)).rejected == ()
    assert site.available() == (7, 0)
    assert site.rows("SELECT COUNT(*) FROM stream") == [(2,)]
    codes = site.rows("SELECT code FROM event ORDER BY id")
    assert codes == [(None,), ("booked_before",), (None,), (None,)]


async def test_an_unknown_barcode_is_kept_and_does_not_block(site: Site) -> None:
    """It is answered as rejected, raises one counted alert, and the next scan is applied."""
    stranger = Identifiers(gtin14="04006381333931")
    done = await site.send(scan(1, identifiers=stranger), scan(2, identifiers=stranger), scan(3))
    assert [(r.seq, r.code) for r in done.rejected] == [
        (1, "unknown_barcode"),
        (2, "unknown_barcode"),
    ]
    assert done.applied_seq == 3
    assert site.rows("SELECT kind, count FROM alert") == [("unknown_barcode", 2)]
    assert site.rows("SELECT status FROM event ORDER BY id") == [("held",), ("held",), ("applied",)]


async def test_a_repeat_is_recorded_and_nothing_else(site: Site) -> None:
    """It needs no item that anybody knows, moves nothing, opens no alert and delays nothing."""
    stranger = Identifiers(gtin14="04006381333931")
    done = await site.send(
        scan(1),
        scan(2, kind="repeat", repeat_of=1, quantity=0, reason="same bytes again after 5 ms"),
        scan(3, kind="repeat", repeat_of=None, identifiers=stranger, location=None),
        scan(4),
    )
    assert (done.applied_seq, done.rejected) == (4, ())
    assert site.available() == (2, 0)
    assert site.rows("SELECT COUNT(*) FROM alert") == [(0,)]
    assert site.rows("SELECT kind, status FROM event ORDER BY id") == [
        ("receive", "applied"), ("repeat", "applied"), ("repeat", "applied"),
        ("receive", "applied"),
    ]  # fmt: skip


async def test_an_undo_of_a_repeat_takes_nothing_back(site: Site) -> None:
    """Ours never send one; if somebody does, the goods stay where they are."""
    await site.send(scan(1), scan(2, kind="repeat", repeat_of=1))
    done = await site.send(scan(3, kind="undo", undo_of=2))
    assert [rejected.code for rejected in done.rejected] == ["nothing_to_undo"]
    assert site.available() == (1, 0)


async def test_private_codes_and_skus_find_their_item(site: Site) -> None:
    """A label that is no GTIN is looked up as a private code, then as a SKU."""
    await site.do(identifiers=Identifiers(text="HOSE-1"))
    await site.do(identifiers=Identifiers(text="HOSE"))
    await site.do(identifiers=Identifiers(sku="HOSE"))
    assert site.available("HOSE") == (3, 0)


async def test_lots_are_kept_apart(site: Site) -> None:
    """Stock is per item, place and lot."""
    await site.do(identifiers=Identifiers(gtin14=EACH, lot="L1"))
    await site.do(identifiers=Identifiers(gtin14=EACH, lot="L2"), quantity=2)
    assert site.rows("SELECT lot, qty FROM stock WHERE qty > 0 ORDER BY lot") == [
        ("L1", 1),
        ("L2", 2),
    ]


async def test_physical_facts_post_below_zero(site: Site) -> None:
    """Shipping what was never received is a fact: it posts, and an alert is open until then."""
    await site.do("ship", quantity=2)
    assert site.available() == (-2, 0)
    open_alerts = "SELECT kind FROM alert WHERE closed_us IS NULL ORDER BY kind"
    assert site.rows(open_alerts) == [("negative_bin",), ("shortage",)]
    await site.do(quantity=5)
    assert site.rows(open_alerts) == []


async def test_undo_takes_back_exactly_once(site: Site) -> None:
    """An undo reverses every entry of its event; a second one is refused as a value."""
    await site.do(quantity=4)
    await site.do("undo", undo_of=1)
    again = await site.do("undo", undo_of=1)
    assert again.rejected[0].code == "nothing_to_undo"
    assert site.places() == {}


async def test_undo_in_the_same_message(site: Site) -> None:
    """A scan and its undo may arrive together."""
    await site.send(scan(1), scan(2, "undo", undo_of=1))
    assert site.places() == {}


async def test_undo_of_a_held_scan_drops_it(site: Site) -> None:
    """What waits for a person and is taken back waits no more."""
    await site.do(identifiers=Identifiers(text="nobody knows"))
    await site.do("undo", undo_of=1)
    assert site.rows("SELECT status FROM event WHERE seq = 1") == [("held",)]
    assert site.rows("SELECT seq, status, who FROM settlement") == [(1, "undone", "dock-1")]
    assert site.open_alerts() == []


async def test_unreadable_scans_are_recorded(site: Site) -> None:
    """A frame that nobody could read keeps its bytes and posts nothing."""
    done = await site.do("unreadable", raw=b"\x00\xff\xfe", identifiers=Identifiers())
    assert done.rejected == ()
    assert site.places() == {}
    assert "AP/+" in site.rows("SELECT body FROM event")[0][0]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"kind": "putaway"}, "no_destination"),
        ({"kind": "receive", "location": None}, "no_location"),
        ({"kind": "move", "to_location": "DOCK-1"}, "same_place"),
        ({"kind": "receive", "quantity": 0}, "quantity_zero"),
        ({"kind": "undo"}, "undo_of_nothing"),
    ],
)
async def test_what_cannot_be_posted_is_held_with_a_reason(
    site: Site, fields: dict[str, object], code: str
) -> None:
    """Something missing is said, kept, and blocks nobody."""
    done = await site.do(**fields)  # type: ignore[arg-type]
    assert [r.code for r in done.rejected] == [code]
    assert (await site.do()).applied_seq == 2


async def test_an_indigestible_event_is_parked_alone(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event that code or database choke on is parked; its neighbours are applied."""
    decide = rules.decide

    def choking(event: Event, each_per: int) -> rules.Decision:
        if event.scanner == "cursed":
            raise OverflowError("too large for the database")
        return decide(event, each_per)

    monkeypatch.setattr(rules, "decide", choking)
    done = await site.send(scan(1), scan(2, scanner="cursed"), scan(3))
    assert [(r.seq, r.code) for r in done.rejected] == [(2, "malformed")]
    assert done.applied_seq == 3
    assert site.available() == (2, 0)


async def test_entries_cannot_be_changed(site: Site) -> None:
    """The database itself refuses UPDATE and DELETE of the journal."""
    await site.do()
    await site.do(identifiers=Identifiers(text="nobody knows"))
    await site.do("undo", undo_of=2)
    tables = ("entry SET qty = 2", "event SET kind = 'x'", "settlement SET who = 'me'")
    for statement in (
        *(f"UPDATE {table}" for table in tables),
        *(f"DELETE FROM {table.split()[0]}" for table in tables),
    ):
        with pytest.raises(DatabaseError, match="append-only"), site.writer.engine.begin() as tx:
            tx.execute(text(statement))


async def test_availability_versions_only_grow(site: Site) -> None:
    """Each change of an item gets a higher version, and the last announcement says what is true."""
    told = []
    site.writer.on_commit = told.extend
    for _ in range(5):
        await site.do()
    bodies = [a.body for a in told if a.channel == "availability"]
    versions = [int(body.split(b'"version":')[1].split(b",")[0]) for body in bodies]
    assert versions == sorted(set(versions))
    assert b'"on_hand":5' in bodies[-1]


async def test_what_is_committed_survives_a_new_writer(new_ledger: NewLedger) -> None:
    """A second process on the same database goes on at the high-water mark."""
    path = new_ledger()
    epoch = uuid.uuid4()
    for seq in (1, 2):
        engine = database.open_writer(path)
        async with Writer(engine, SELLABLE) as writer:
            events = tuple(scan(n) for n in range(1, seq + 1))
            done = await writer.apply([Arrival("main", "gate", epoch, 1, events)])
        engine.dispose()
        assert (done[0].fresh, done[0].applied_seq) == (1, seq)
