"""What simulated people do."""

import random
from datetime import date
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim import catalog, faults, gs1, scenarios
from firmware_sim.scenarios import Station
from gateway import barcode
from gateway.barcode import Barcode, Unreadable
from sim_ledger import CATALOGUE

_EACH_PER = {gs1.gtin14(code): (sku, n) for sku, _, code, n in catalog.item_rows(CATALOGUE)}
_TODAY = date(2026, 11, 2)
_ALONE = Station("s1", "DOCK-1")


def _steps(name: str, seed: int, count: int, station: Station = _ALONE):
    return list(islice(scenarios.play(name, CATALOGUE, station, random.Random(seed)), count))


@pytest.mark.parametrize("name", scenarios.SCENARIOS)
def test_a_seed_gives_the_same_script_again(name):
    """Scripts replay from their seed and never end."""
    assert _steps(name, 1, 300) == _steps(name, 1, 300)
    assert _steps(name, 1, 300) != _steps(name, 2, 300)


def test_a_shift_has_all_of_a_dock_in_it():
    """Every kind of work and every kind of trouble comes up."""
    steps = _steps("shift", 1, 3_000)
    kinds = {step.meaning.kind for step in steps if step.meaning.outcome == "goods"}
    assert kinds == {"receive", "putaway", "move", "pick", "ship", "return", "damage", "count"}
    assert {step.meaning.outcome for step in steps} == {
        "goods", "held", "unreadable", "undo", "label", "bad_label",
    }  # fmt: skip
    assert any(step.meaning.lot for step in steps)
    assert any(step.first for step in steps)


def test_scanners_keep_to_their_own_bins():
    """No bin is touched by two scanners, so their counts and moves never race."""
    touched = []
    for index in range(3):
        steps = _steps("shift", 1, 2_000, Station(f"s{index}", "DOCK-1", index, 3))
        places = {p for s in steps for p in (s.meaning.origin, s.meaning.target)}
        touched.append(places & set(CATALOGUE.bins))
    assert all(touched)
    assert not (touched[0] & touched[1] | touched[1] & touched[2] | touched[0] & touched[2])


def test_undo_follows_the_scan_it_takes_back():
    """Nothing lies between a scan and its UNDO, or another scan would be taken back."""
    steps = _steps("shift", 1, 3_000)
    before = [a for a, b in pairwise(steps) if b.meaning.outcome == "undo"]
    assert before
    assert all(step.meaning.outcome == "goods" for step in before)


@pytest.mark.parametrize("seed", range(3))
def test_the_gateway_reads_every_barcode_as_it_is_meant(seed):
    """Two independent programs agree on item, lot, quantity, and on what cannot be read."""
    for step in _steps("shift", seed, 1_500):
        read = barcode.parse(step.raw, today=_TODAY)
        match step.meaning.outcome:
            case "unreadable":
                assert isinstance(read, Unreadable), step
            case "goods":
                assert isinstance(read, Barcode), (step, read)
                sku, each_per = _EACH_PER[read.gtin14 or read.content_gtin14 or ""]
                meant = step.meaning
                assert (meant.sku, meant.lot) == (sku, read.lot or "")
                assert meant.eaches == meant.units * each_per
                printed = read.var_count or (read.count if read.content_gtin14 else None)
                assert step.first or meant.units == (printed or 1)
            case "held":
                assert isinstance(read, Barcode), (step, read)
                assert read.gtin14 not in _EACH_PER


@given(st.integers(0, 2**32), st.sampled_from([item.each for item in CATALOGUE.items]))
def test_a_scratched_barcode_has_a_wrong_check_digit(seed, each):
    """One digit differs, and the gateway refuses to guess."""
    raw = faults.scratched(each, random.Random(seed))
    assert raw != gs1.trade_item(each)
    assert isinstance(barcode.parse(raw, today=_TODAY), Unreadable)


@given(st.integers(0, 2**32))
def test_a_torn_frame_is_complete_and_a_cut_one_is_not(seed):
    """Weather tears, doubles or cuts frames, and says which."""
    raw = b"]E04006381333931"
    told = faults.deliver(raw, faults.BOUNCING, random.Random(seed))
    sent = b"".join(told.pieces)
    assert all(told.pieces)
    if told.unplug:
        assert raw.startswith(sent)
        assert len(sent) < len(raw)
    else:
        assert sent == (raw + b"\r") * (2 if told.bounced else 1)


@given(st.integers(0, 2**32))
def test_garbage_never_ends_its_own_frame(seed):
    """Terminators do not occur in it; a NUL and invalid UTF-8 do."""
    noise = faults.garbage(random.Random(seed))
    assert not set(noise) & set(b"\r\n\t\x02\x03")
    assert b"\x00" in noise
    with pytest.raises(UnicodeDecodeError):
        noise.decode()
