"""Corrections, counts, transfers and reversals by people and programs: once each, and on record."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from central import adjustments, requests
from central.adjustments import Adjustment, Count, Reversal, Transfer
from central.requests import Answer, Caller
from central.rules import Reason
from ledgers import NOON, Site

ADJUSTMENT = Adjustment("main", "A-1", "VALVE", 5, Reason.PROMOTION, note="fair", ref="po:123")
_COMMANDS = {
    Adjustment: adjustments.adjust,
    Count: adjustments.count,
    Transfer: adjustments.transfer,
    Reversal: adjustments.reverse,
}


async def ask(site: Site, request: Any, key: str = "k", client: str = "office") -> Answer:
    """Run the command of a request."""
    return await site.run(_COMMANDS[type(request)], Caller(client, key), request)


def entry_numbers(site: Site) -> list[int]:
    """Return the numbers of all entries."""
    return [number for (number,) in site.rows("SELECT id FROM entry ORDER BY id")]


async def test_a_correction_is_an_event_with_reason_and_reference(site: Site) -> None:
    """Source, note and cause are on record; the entry carries reason and reference."""
    answer = await ask(site, ADJUSTMENT)
    assert answer.status == 201
    assert site.places() == {"A-1": 5, "ADJUST": -5}
    assert site.rows("SELECT reason, ref FROM entry") == [("promotion", "po:123")]
    assert site.rows("SELECT source FROM stream") == [("api:office",)]
    event = json.loads(site.rows("SELECT body FROM event")[0][0])
    assert (event["kind"], event["reason"], event["note"]) == ("adjust", "promotion", "fair")
    less = Adjustment("main", "A-1", "VALVE", -2, Reason.SHRINKAGE)
    await ask(site, less, "l")
    assert site.places() == {"A-1": 3, "ADJUST": -3}


async def test_a_repeated_key_is_one_request(site: Site) -> None:
    """The first answer again, also at once; other content under it is refused, for ever."""
    first, second = await asyncio.gather(ask(site, ADJUSTMENT), ask(site, ADJUSTMENT))
    assert first == second
    other = Adjustment("main", "A-1", "VALVE", 6, Reason.PROMOTION)
    assert (await ask(site, other)).body["code"] == "key_reused"
    assert (await ask(site, Reversal(1))).body["code"] == "key_reused"
    assert (await ask(site, ADJUSTMENT, client="shop")).status == 201
    assert site.places()["A-1"] == 10


async def test_a_key_is_forgotten_after_two_days(site: Site) -> None:
    """Not before; then it may be used for something else, and the table does not grow for ever."""
    await ask(site, ADJUSTMENT)
    await ask(site, ADJUSTMENT, "other")
    assert await site.writer.submit(requests.forget_old) == 0
    with site.writer.engine.begin() as connection:
        age = text("UPDATE answer SET created_us = created_us - :us WHERE key = 'k'")
        connection.execute(age, {"us": requests.KEPT_US + 1})
    assert await site.writer.submit(requests.forget_old) == 1
    assert [key for (key,) in site.rows("SELECT key FROM answer")] == ["other"]
    assert (await ask(site, replace(ADJUSTMENT, quantity=1))).status == 201
    assert site.places()["A-1"] == 11


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (Adjustment("main", "A-1", "GHOST", 1, Reason.OTHER), "no_such_item"),
        (Adjustment("main", "A-9", "VALVE", 1, Reason.OTHER), "no_such_location"),
        (Adjustment("attic", "A-1", "VALVE", 1, Reason.OTHER), "no_such_location"),
        (Adjustment("main", "A-1", "VALVE", 0, Reason.OTHER), "quantity_zero"),
        (Adjustment("main", "SUPPLIER", "VALVE", 1, Reason.OTHER), "outside"),
        (Count("main", "CUSTOMER", "VALVE", 1), "outside"),
        (Transfer("main", "A-1", "A-1", "VALVE", 1), "same_place"),
        (Transfer("main", "SCRAP", "SCRAP", "VALVE", 1, to_site="north"), "same_place"),
        (Transfer("attic", "SUPPLIER", "CUSTOMER", "VALVE", 1), "no_such_location"),
        (Transfer("main", "A-1", "B-1", "VALVE", 0), "quantity_zero"),
        (Reversal(99), "no_such_entry"),
    ],
)
async def test_a_mistaken_request_can_be_mended_under_its_key(
    site: Site, request_: Any, code: str
) -> None:
    """What was never judged does not use the key up, and records nothing."""
    assert (await ask(site, request_)).body["code"] == code
    assert site.rows("SELECT COUNT(*) FROM event") == [(0,)]
    assert (await ask(site, ADJUSTMENT)).status == 201


async def test_a_count_is_refused_when_something_else_is_booked(site: Site) -> None:
    """Compare and set: who counted believes to know what is booked. The refusal stands."""
    await site.do(quantity=10)
    stale = Count("main", "DOCK-1", "VALVE", 7, expected=9)
    answer = await ask(site, stale)
    assert (answer.status, answer.body["code"], answer.body["booked"]) == (
        409, "stale_quantity", 10,
    )  # fmt: skip
    await site.do("ship", quantity=1)
    assert await ask(site, stale) == answer
    assert (await ask(site, stale, "l")).status == 201
    assert site.places()["DOCK-1"] == 7


async def test_a_count_entered_later_stands_at_its_own_time(site: Site) -> None:
    """A person counted at noon and types it in afterwards."""
    await site.do(quantity=4, minute=-5)
    await site.do(quantity=2, minute=5)
    await ask(site, Count("main", "DOCK-1", "VALVE", 3, at=NOON))
    assert site.places()["DOCK-1"] == 5
    await ask(site, Count("main", "DOCK-1", "VALVE", 9, at=NOON - timedelta(hours=1)), "l")
    assert site.places()["DOCK-1"] == 5


async def test_goods_move_between_places_and_sites(site: Site, tmp_path: Path) -> None:
    """Also to another site, into a quarantine, and to SCRAP; stock can be sold where it is."""
    await site.do(quantity=10)
    site.bring(tmp_path, locations="N-1,north,bin\n")
    await ask(site, Transfer("main", "DOCK-1", "N-1", "VALVE", 4, to_site="north"), "a")
    await ask(site, Transfer("main", "DOCK-1", "Q-1", "VALVE", 1, reason=Reason.DAMAGED), "b")
    await ask(site, Transfer("main", "Q-1", "SCRAP", "VALVE", 1, reason=Reason.EXPIRED), "c")
    assert site.places() == {"DOCK-1": 5, "N-1": 4, "SCRAP": 1, "SUPPLIER": -10}
    assert site.rows(
        "SELECT s.code, a.on_hand FROM avail a JOIN site s ON s.id = a.site ORDER BY s.code"
    ) == [("main", 5), ("north", 4)]
    assert site.rows("SELECT DISTINCT reason FROM entry ORDER BY reason") == [
        ("damaged",), ("expired",), ("receive",), ("transfer",),
    ]  # fmt: skip


async def test_an_entry_is_reversed_once(site: Site) -> None:
    """Whoever tries again, under whatever key, is refused; a reversal cannot be reversed."""
    await site.do(quantity=4)
    number = entry_numbers(site)[0]
    answers = await asyncio.gather(*(ask(site, Reversal(number), f"k{n}") for n in range(4)))
    assert sorted(a.status for a in answers) == [201, 409, 409, 409]
    assert site.places() == {}
    assert site.rows("SELECT reason, reverses FROM entry ORDER BY id DESC LIMIT 1") == [
        ("undo", number)
    ]
    assert (await ask(site, Reversal(entry_numbers(site)[-1]), "z")).body["code"] == "reversed"
    undone = await site.do("undo", undo_of=1)
    assert undone.rejected[0].code == "nothing_to_undo"


async def test_reversing_a_counts_entry_takes_the_count_back(site: Site) -> None:
    """With all that it had absorbed; what it had absorbed is no entry to reverse by itself."""
    await site.do("count", quantity=7, minute=10)
    await site.beside("other").do(quantity=5, minute=3)
    counted, _, absorbed = entry_numbers(site)
    assert (await ask(site, Reversal(absorbed))).body["code"] == "not_reversible"
    assert (await ask(site, Reversal(counted), "l")).status == 201
    assert site.places() == {"DOCK-1": 5, "SUPPLIER": -5}


async def test_scans_can_adjust_too(site: Site) -> None:
    """From a place is less, to a place is more; a reason outside the list is `other`."""
    await site.do("adjust", location=None, to_location="A-1", quantity=5, reason="promotion")
    await site.do("adjust", location="A-1", quantity=2, reason="the cat")
    await site.do("adjust", location="A-1", quantity=1)
    assert site.places() == {"A-1": 2, "ADJUST": -2}
    assert site.rows("SELECT reason FROM entry ORDER BY id") == [
        ("promotion",), ("other",), ("correction",),
    ]  # fmt: skip


async def test_a_return_sells_again_where_its_location_says(site: Site) -> None:
    """Into a bin it can be sold; into a quarantine it cannot."""
    await site.do("return", location="A-1", quantity=2)
    await site.do("return", location="Q-1", quantity=3)
    assert site.places() == {"A-1": 2, "CUSTOMER": -5, "Q-1": 3}
    assert site.available() == (2, 0)


async def test_names_of_the_outside_are_no_bins(site: Site) -> None:
    """A scan to SCRAP is scrapped, and nobody can count there."""
    await site.do(quantity=4)
    await site.do("damage", quantity=1, to_location="SCRAP")
    await site.do("move", quantity=1, to_location="SUPPLIER")
    assert site.places() == {"DOCK-1": 2, "SCRAP": 1, "SUPPLIER": -3}
    held = await site.do("count", quantity=1, location="SCRAP")
    assert held.rejected[0].code == "not_countable"


async def test_damage_where_the_broken_lie_is_held(site: Site) -> None:
    """From the damaged place to itself nothing moves; a person is asked where it went."""
    held = await site.do("damage", quantity=1, location="BROKEN")
    assert held.rejected[0].code == "same_place"
