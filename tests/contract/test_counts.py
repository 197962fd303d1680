"""Counts: a place is what a person saw there, in whatever order the scans arrive."""

import random

import pytest

import histories
from histories import History
from ledgers import EACH, NOON, Site
from wire.events import Clock, Identifiers

UNSET = Clock(boot_id="boot", monotonic_us=1, synced=False)


async def test_a_count_sets_the_place_right(site: Site) -> None:
    """The difference is posted against ADJUST; the count itself is the record."""
    await site.do(quantity=10)
    await site.do("count", quantity=7, minute=1)
    assert site.places() == {"DOCK-1": 7, "ADJUST": 3, "SUPPLIER": -10}


async def test_what_happened_before_a_count_is_in_it(site: Site) -> None:
    """A scan that arrives after a count, but was made before it, does not count twice."""
    await site.do("count", quantity=7, minute=10)
    late = site.beside("other")
    await late.do(quantity=5, minute=3)
    assert site.places()["DOCK-1"] == 7
    await late.do(quantity=5, minute=12)
    assert site.places()["DOCK-1"] == 12


async def test_of_one_gateway_the_order_of_scanning_decides(site: Site) -> None:
    """A clock that was set back does not make goods part of a count that came before them."""
    await site.do("count", quantity=7, minute=10)
    await site.do(quantity=5, minute=3)
    assert site.places()["DOCK-1"] == 12


async def test_nothing_happens_after_central_heard_of_it(site: Site) -> None:
    """A count by a clock far ahead does not swallow what other gateways scan from now on."""
    year = 60 * 24 * 365 * 10
    await site.do("count", quantity=7, minute=year)
    await site.beside("other").do(quantity=5, event_time=NOON.replace(year=NOON.year + 9))
    assert site.places()["DOCK-1"] == 12


async def test_an_older_count_changes_what_was_then(site: Site) -> None:
    """A late count leaves today's stock to the newer one, and stands when that is taken back."""
    await site.do("count", quantity=7, minute=10)
    late = await site.beside("other").do("count", quantity=99, minute=5)
    assert late.rejected == ()
    assert site.places()["DOCK-1"] == 7
    await site.do("undo", undo_of=1)
    assert site.places()["DOCK-1"] == 99


async def test_undoing_a_count_brings_back_what_it_had_absorbed(site: Site) -> None:
    """Late scans that a count had swallowed are there again without it."""
    await site.do("count", quantity=7, minute=10)
    await site.beside("other").do(quantity=5, minute=3)
    await site.do("undo", undo_of=1)
    assert site.places() == {"DOCK-1": 5, "SUPPLIER": -5}
    again = await site.do("undo", undo_of=1)
    assert again.rejected[0].code == "nothing_to_undo"


async def test_a_count_that_changes_nothing_can_be_undone(site: Site) -> None:
    """It posted no entry, and yet it divided time."""
    await site.do(quantity=7)
    await site.do("count", quantity=7, minute=10)
    await site.do("undo", undo_of=2)
    await site.beside("other").do(quantity=5, minute=5)
    assert site.places()["DOCK-1"] == 12


async def test_a_salvaged_scan_stands_at_its_own_time(site: Site) -> None:
    """What was recorded late is not later than what was scanned before it was recorded."""
    await site.do("count", quantity=7, minute=10)
    await site.do(quantity=5, minute=3, recorded_late=True)
    await site.do(quantity=1, minute=11)
    assert site.places()["DOCK-1"] == 8


async def test_a_clock_that_nothing_set_is_not_believed_silently(site: Site) -> None:
    """Where such a clock decides between count and movement, a person is asked to count again."""
    await site.do("count", quantity=7, minute=10)
    other = site.beside("other")
    await other.do(quantity=5, minute=3, clock=UNSET.model_copy(update={"corrected": True}))
    assert site.open_alerts() == []
    await other.do(quantity=5, minute=4, clock=UNSET)
    assert site.open_alerts() == ["late_count"]
    await site.do("count", quantity=12, minute=20)
    assert site.open_alerts() == []


async def test_a_late_count_by_a_clock_that_nothing_set_asks_too(site: Site) -> None:
    """Also the count itself may have been before or after what others scanned."""
    await site.do(quantity=5, minute=10)
    await site.beside("other").do("count", quantity=7, minute=3, clock=UNSET)
    assert site.open_alerts() == ["late_count"]
    assert site.places()["DOCK-1"] == 12


async def test_lots_are_counted_apart(site: Site) -> None:
    """A count of one lot says nothing about the other."""
    for lot in ("L1", "L2"):
        await site.do(quantity=5, identifiers=Identifiers(gtin14=EACH, lot=lot))
    await site.do("count", quantity=2, minute=1, identifiers=Identifiers(gtin14=EACH, lot="L1"))
    assert site.places()["DOCK-1"] == 7


async def test_two_counts_in_one_microsecond(site: Site) -> None:
    """The one that arrives later stands; undone, the other does."""
    await site.do("count", quantity=7)
    other = site.beside("other")
    await other.do("count", quantity=9)
    assert site.places()["DOCK-1"] == 9
    await other.do("undo", undo_of=1)
    assert site.places()["DOCK-1"] == 7


@pytest.mark.parametrize("part", range(4))
async def test_any_order_of_arrival_ends_as_it_happened(site: Site, part: int) -> None:
    """Thousands of histories: at every moment the entries say what the order of happening gives.

    With counts, movements, undos, clocks that are set back, repeats, gateways that interleave at
    will, and a barcode that is mapped at any point; `stock` and verify agree at the end.
    """
    # A statement costs PostgreSQL a journey to its server.
    for number in range(500 if site.writer.engine.dialect.name == "sqlite" else 100):
        name = f"H{part}-{number}"
        history = History.make(random.Random(part * 1_000_000 + number), name)
        with site.writer.engine.begin() as connection:
            histories.play(connection, history)
            entries = histories.said(connection, name)
        for moment_us, lies in history.truth():
            assert histories.at(entries, moment_us) == lies, (part, number, history.scans)
