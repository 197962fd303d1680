"""The oracle finds every way in which a ledger can differ from what happened."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from firmware_sim import check, orders, truth
from firmware_sim.oracle import Fact, Posting
from firmware_sim.scenarios import Step
from firmware_sim.truth import Meaning
from sim_ledger import Ledger, LedgerApi, answered, play


def _verdict(entries, ledger, shop=None):
    return check.check(entries, shop, LedgerApi(ledger))


def _goods(ledger, kind="receive"):
    """Return the position of a fact about known goods, well inside the run."""
    return next(i for i, f in enumerate(ledger.facts) if i > 5 and f.kind == kind and f.postings)


@pytest.mark.parametrize("seed", range(5))
def test_an_honest_ledger_is_equal(seed):
    """Two scanners, a long shift, undos and counts included: no difference."""
    entries = play(600, seed, ("s1", "s2"))
    verdict = _verdict(entries, Ledger.of(entries))
    assert verdict.problems == []
    assert verdict.unreadable_kept
    assert verdict.unknown_held
    assert "EQUAL" in verdict.as_text()
    json.dumps(verdict.as_json())


def _lost(ledger):
    del ledger.facts[_goods(ledger)]


def _twice(ledger):
    at = _goods(ledger)
    ledger.facts.append(replace(ledger.facts[at], seq=len(ledger.facts) + 1))


def _swapped(ledger):
    at = next(
        i for i, (a, b) in enumerate(zip(ledger.facts, ledger.facts[1:], strict=False))
        if a.raw != b.raw
    )  # fmt: skip
    ledger.facts[at], ledger.facts[at + 1] = ledger.facts[at + 1], ledger.facts[at]


def _more(ledger):
    at = _goods(ledger)
    fact = ledger.facts[at]
    posting = replace(fact.postings[0], quantity=fact.postings[0].quantity + 1)
    ledger.facts[at] = replace(fact, postings=(posting,))


def _units(ledger):
    at = _goods(ledger)
    ledger.facts[at] = replace(ledger.facts[at], quantity=ledger.facts[at].quantity + 1)


def _elsewhere(ledger):
    at = _goods(ledger, "putaway")
    fact = ledger.facts[at]
    ledger.facts[at] = replace(fact, postings=(replace(fact.postings[0], target="A-01-99"),))


def _other_lot(ledger):
    at = _goods(ledger)
    fact = ledger.facts[at]
    ledger.facts[at] = replace(fact, postings=(replace(fact.postings[0], lot="LX"),))


def _other_kind(ledger):
    at = _goods(ledger)
    ledger.facts[at] = replace(ledger.facts[at], kind="return")


def _unknown_posted(ledger):
    at = next(i for i, f in enumerate(ledger.facts) if f.status == "held")
    posting = Posting("VLV-0000", "", "SUPPLIER", "DOCK-1", 1)
    ledger.facts[at] = replace(ledger.facts[at], postings=(posting,))


def _unknown_applied(ledger):
    at = next(i for i, f in enumerate(ledger.facts) if f.status == "held")
    ledger.facts[at] = replace(ledger.facts[at], status="applied")


def _unreadable_gone(ledger):
    ledger.facts.remove(next(f for f in ledger.facts if f.kind == "unreadable"))


def _undo_of_another(ledger):
    at = next(i for i, f in enumerate(ledger.facts) if f.kind == "undo")
    ledger.facts[at] = replace(ledger.facts[at], undo_of=ledger.facts[at].undo_of + 1)


def _count_ignored(ledger):
    at = _goods(ledger, "count")
    ledger.facts[at] = replace(ledger.facts[at], postings=())


def _forged(ledger):
    ledger.facts.append(replace(ledger.facts[_goods(ledger)], scanner="s9", seq=9_999))


def _seq_back(ledger):
    ledger.facts[10] = replace(ledger.facts[10], seq=3)


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (_lost, "LOST"), (_twice, "EXTRA"), (_swapped, "LOST"), (_more, "WRONG"),
        (_units, "WRONG"), (_elsewhere, "WRONG"), (_other_lot, "WRONG"), (_other_kind, "WRONG"),
        (_unknown_posted, "WRONG"), (_unknown_applied, "WRONG"), (_unreadable_gone, "LOST"),
        (_undo_of_another, "WRONG"), (_count_ignored, "STOCK"), (_forged, "EXTRA"),
        (_seq_back, "ORDER"),
    ],
)  # fmt: skip
def test_a_wrong_ledger_is_caught(damage, word):
    """One single wrong fact among hundreds makes the verdict fail, and names what is wrong."""
    entries = play(600, 2)
    ledger = Ledger.of(entries)
    damage(ledger)
    verdict = _verdict(entries, ledger)
    assert any(problem.startswith(word) for problem in verdict.problems), verdict.problems
    assert "NOT EQUAL" in verdict.as_text()


_SCAN = Step(
    b"]E04012345678901",
    Meaning(
        outcome="goods", kind="receive", sku="VLV-0000", units=1, eaches=1, target="DOCK-1"
    ),
)  # fmt: skip


def _silent(entries):
    return [entry for entry in entries if isinstance(entry, truth.Press)]


@pytest.mark.parametrize("stored", [1, 2])
def test_a_scan_without_a_beep_may_be_there_once(stored):
    """A silent press and its repetition: one or both are in the ledger, and both are right."""
    entries = _silent(answered(1, "s1", _SCAN)) + answered(2, "s1", _SCAN)
    ledger = Ledger()
    for press in _silent(entries)[2 - stored :]:
        ledger.append(press)
    verdict = _verdict(entries, ledger)
    assert verdict.problems == []
    assert verdict.silent_stored == stored - 1


def test_a_scan_without_a_beep_may_not_be_there_twice():
    """Three events of two presses are one too many."""
    entries = _silent(answered(1, "s1", _SCAN)) + answered(2, "s1", _SCAN)
    ledger = Ledger()
    for press in [*_silent(entries), *_silent(entries)[:1]]:
        ledger.append(press)
    assert any(p.startswith("EXTRA") for p in _verdict(entries, ledger).problems)


def _bounced():
    """A press whose trigger bounced, with its beep, and the repeat that a gateway keeps of it."""
    press, heard = answered(1, "s1", _SCAN)
    press = press.model_copy(update={"bounced": True})
    ledger = Ledger()
    first = ledger.append(press)
    ledger.facts.append(replace(first, seq=2, kind="repeat", quantity=0, postings=()))
    return [press, heard], ledger


def test_the_repeat_of_a_bounce_moves_nothing():
    """It may be kept, once, or not; the scan itself counts once."""
    entries, ledger = _bounced()
    verdict = _verdict(entries, ledger)
    assert verdict.problems == []
    assert verdict.kinds == {"receive": 1, "repeat": 1}
    assert verdict.silent_absent == 0
    del ledger.facts[1]
    assert _verdict(entries, ledger).problems == []


def _second_counts(facts):
    facts[1] = replace(facts[0], seq=2)


def _repeat_posts(facts):
    facts[1] = replace(facts[0], seq=2, kind="repeat")


def _two_repeats(facts):
    facts.append(replace(facts[1], seq=3))


def _only_repeat(facts):
    del facts[0]


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (_second_counts, "EXTRA"), (_repeat_posts, "WRONG"), (_two_repeats, "EXTRA"),
        (_only_repeat, "LOST"),
    ],
)  # fmt: skip
def test_a_bounce_that_is_booked_or_swallows_its_scan_is_caught(damage, word):
    """Twice in the ledger, a repeat that moves goods, one too many, or one without its scan."""
    entries, ledger = _bounced()
    damage(ledger.facts)
    assert any(p.startswith(word) for p in _verdict(entries, ledger).problems)


def test_a_second_press_may_be_a_repeat_of_the_first():
    """Nobody heard that the pallet was stored: scanned again, it is known already."""
    entries = _silent(answered(1, "s1", _SCAN)) + answered(3, "s1", _SCAN)
    entries[1] = entries[1].model_copy(update={"again_of": 2})  # the second try was refused
    ledger = Ledger()
    first = ledger.append(entries[0])
    ledger.facts.append(replace(first, seq=2, kind="repeat", postings=()))
    assert _verdict(entries, ledger).problems == []
    del ledger.facts[0]
    problems = _verdict(entries, ledger).problems
    assert any("repeat of a scan that is not there" in problem for problem in problems)


def test_another_box_is_no_repeat():
    """Two equal boxes, both heard: a gateway that takes the second for a repeat has lost it."""
    entries = answered(1, "s1", _SCAN) + answered(2, "s1", _SCAN)
    ledger = Ledger()
    first = ledger.append(entries[0])
    ledger.facts.append(replace(first, seq=2, kind="repeat", postings=()))
    assert any(p.startswith("LOST") for p in _verdict(entries, ledger).problems)


def test_a_refused_scan_must_not_be_there():
    """NOT stored means not stored."""
    entries = answered(1, "s1", _SCAN, "refused")
    assert _verdict(entries, Ledger()).problems == []
    ledger = Ledger()
    ledger.append(entries[0])
    assert any(p.startswith("EXTRA") for p in _verdict(entries, ledger).problems)


_SCRATCHED = Step(b"]E04012345678900", Meaning(outcome="unreadable", kind="unreadable"))


def test_an_unreadable_scan_is_kept_although_it_sounds_refused():
    """The operator must look at the label; the bytes are kept all the same."""
    entries = answered(1, "s1", _SCRATCHED, "refused")
    assert any(p.startswith("LOST") for p in _verdict(entries, Ledger()).problems)
    ledger = Ledger()
    ledger.append(entries[0])
    assert _verdict(entries, ledger).problems == []


def test_a_full_gateway_may_lose_unreadable_scans():
    """Where known goods were refused, nothing could be stored at that time."""
    entries = answered(1, "s1", _SCAN, "refused") + answered(2, "s1", _SCRATCHED, "refused")
    assert _verdict(entries, Ledger()).problems == []


def test_a_cut_scan_may_be_kept_as_unreadable_but_never_as_goods():
    """Half a frame is no scan."""
    press = answered(1, "s1", _SCAN)[0].model_copy(update={"cut": True})
    half = Meaning(outcome="unreadable", kind="unreadable")
    kept = press.model_copy(update={"raw": press.raw[:10], "meaning": half})
    ledger = Ledger()
    ledger.append(kept)
    assert _verdict([press], ledger).problems == []
    ledger = Ledger()
    ledger.append(press)
    assert _verdict([press], ledger).problems


def test_a_count_says_what_was_there_at_its_own_time():
    """A count that arrives late does not swallow what was sold after it."""
    count = Meaning(
        outcome="goods", kind="count", sku="VLV-0000", units=10, eaches=10, target="A-01-01"
    )  # fmt: skip
    entries = answered(1, "s1", Step(b"x", count))
    press = entries[0]
    sale = Fact(
        "api", "e", 1, "api", "ship", "applied", b"", press.at + timedelta(seconds=60), 3,
        postings=(Posting("VLV-0000", "", "A-01-01", "CUSTOMER", 3),),
    )  # fmt: skip
    ledger = Ledger([sale])
    counted = Posting("VLV-0000", "", "ADJUST", "A-01-01", 10)
    ledger.facts.append(
        Fact(
            "g1", "e1", 1, "s1", "count", "applied", b"x", press.at, 10, postings=(counted,)
        )
    )  # fmt: skip
    assert _verdict(entries, ledger).problems == []


def test_journals_of_two_runs_do_not_belong_together():
    """With hundreds of differences the verdict says so instead of listing them."""
    verdict = _verdict(play(600, 1), Ledger.of(play(600, 2)))
    assert any("same run" in problem for problem in verdict.problems)


def _asked(order, step, status, lines=None):
    return orders.Asked(
        at=datetime(2026, 11, 2, tzinfo=UTC), order=order, step=step, status=status,
        lines=lines or {"VLV-0000": 2},
    ).model_dump_json() + "\n"  # fmt: skip


def _shop(*lines):
    return orders.parse(lines)


def _shipped(order, quantity=2):
    return Fact(
        "api", "e", 1, "api", "ship", "applied", b"", datetime(2026, 11, 2, tzinfo=UTC), quantity,
        document=order, postings=(Posting("VLV-0000", "", "DOCK-1", "CUSTOMER", quantity),),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "facts", "right"),
    [
        ([("reserve", 201), ("commit", 200), ("ship", 200)], [_shipped("o1")], True),
        ([("reserve", 201), ("commit", 200), ("ship", 200)], [], False),
        ([("reserve", 201), ("commit", 200), ("ship", 200)], [_shipped("o1")] * 2, False),
        ([("reserve", 201), ("commit", 200), ("ship", 200)], [_shipped("o1", 3)], False),
        ([("reserve", 201), ("commit", 200), ("ship", None)], [], True),
        ([("reserve", 201), ("commit", 200), ("ship", None)], [_shipped("o1")], True),
        ([("reserve", 201), ("release", 200)], [_shipped("o1")], False),
        ([("reserve", 409)], [_shipped("o1")], False),
        ([("reserve", 201)], [_shipped("o2")], False),
    ],
)
def test_each_order_leaves_the_house_exactly_as_the_shop_was_told(steps, facts, right):
    """Shipped once, or never; perhaps only where no answer came."""
    shop = _shop(*(_asked("o1", step, status) for step, status in steps))
    assert (orders.differences(shop, facts) == []) is right


def test_what_the_shop_holds_is_reserved():
    """Certain promises and possible ones are told apart."""
    shop = _shop(
        _asked("o1", "reserve", 201), _asked("o2", "reserve", None), _asked("o3", "reserve", 409)
    )
    assert orders.promised(shop) == ({"VLV-0000": 2}, {"VLV-0000": 2})


def test_a_half_written_last_line_is_not_an_error_but_a_bad_one_is():
    """A killed simulator leaves half a line; anything else is damage."""
    line = answered(1, "s1", _SCAN)[0].model_dump_json() + "\n"
    assert len(truth.parse([line, line[:20]])) == 1
    with pytest.raises(truth.JournalError, match="line 1"):
        truth.parse(["{}\n"])
