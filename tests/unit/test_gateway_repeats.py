"""gateway.repeats: the same bytes again are kept and not counted, and never swallow a box."""

import pytest

from dock import GTIN, Bench, counted
from gateway import labels
from gateway.decision import Known, Refuse, Store, Told
from gateway.framing import Frame
from gateway.labels import Label

UNDO = labels.text_of(Label("command", "UNDO"))
UNREADABLE = "]E05901234123450"


def test_a_bounce_is_kept_and_not_counted() -> None:
    """It says which event it repeats, and after how long; no second beep."""
    bench = Bench()
    bench.item()
    known = bench.scan(GTIN, after_ms=213)
    assert isinstance(known, Known)
    assert known.good is None
    scan = bench.events[1]
    assert (scan.kind, scan.repeat_of, scan.raw, scan.symbology) == (
        "repeat", 1, GTIN.encode(), "]E0",
    )  # fmt: skip
    assert scan.reason == "same bytes again after 213 ms"
    assert len(counted(bench.events)) == 1


def test_each_broken_code_has_its_bad_beep() -> None:
    """Two codes that break in the same way, one after the other, are no repeat."""
    bench = Bench(repeat_window_ms=10_000)
    for _ in range(2):
        assert isinstance(bench.take(Frame(b"]E0590", "incomplete"), 1), Store)
    assert [scan.kind for scan in bench.events] == ["unreadable", "unreadable"]


def test_three_equal_boxes_count_three() -> None:
    """Beyond the window every scan is meant."""
    bench = Bench()
    for _ in range(3):
        bench.item(after_ms=300)
    assert len(counted(bench.events)) == 3


def test_a_chain_of_bounces_swallows_no_box() -> None:
    """The window counts from the scan that counted, not from its last repeat."""
    bench = Bench()
    kinds = []
    for after_ms in (1_000, 150, 149, 1, 299, 1):
        bench.scan(GTIN, after_ms=after_ms)
        kinds.append(bench.events[-1].kind)
    assert kinds == ["receive", "repeat", "repeat", "receive", "repeat", "receive"]


def test_a_window_of_zero_counts_everything() -> None:
    """Some people scan faster than a trigger bounces."""
    bench = Bench(repeat_window_ms=0)
    for _ in range(3):
        bench.item(after_ms=0)
    assert len(counted(bench.events)) == 3


def test_another_code_between_them_makes_it_count() -> None:
    """Also one that was refused: the person did something else in between."""
    bench = Bench(repeat_window_ms=10_000)
    for between in ("]C0OTHER", "%DT-broken", UNREADABLE):
        bench.item()
        bench.scan(between, after_ms=1)
        bench.item(after_ms=1)
        bench.now_ms += 10_000
    assert len([scan for scan in counted(bench.events) if scan.raw == GTIN.encode()]) == 6


def test_the_window_survives_a_restart_but_no_reboot() -> None:
    """What was stored is known on the disk; after a reboot nobody knows how long ago it was."""
    bench = Bench()
    bench.item()
    bench.restart()
    assert isinstance(bench.scan(GTIN, after_ms=200), Known)
    bench.restart(boot="boot-2")
    bench.item(after_ms=1)
    assert len(counted(bench.events)) == 2


def test_a_bouncing_label_is_obeyed_once_and_stores_nothing() -> None:
    """UNDO above all: its repeat would take back one scan more."""
    bench = Bench()
    bench.item()
    bench.item()
    bench.undo()
    assert bench.scan(UNDO, after_ms=100) == Known("same bytes again after 100 ms")
    assert [scan.kind for scan in bench.events] == ["receive", "receive", "undo"]
    assert len(counted(bench.events)) == 1
    assert isinstance(bench.scan(UNDO, after_ms=400), Store)
    assert not counted(bench.events)


def test_a_bouncing_refusal_is_not_taken_for_consent() -> None:
    """What was refused with a new state (a forgotten quantity) is not booked by its bounce."""
    bench = Bench()
    bench.tell("quantity", "5")
    assert isinstance(bench.scan(GTIN, after_ms=90_000), Refuse)
    assert isinstance(bench.scan(GTIN, after_ms=50), Known)
    assert not bench.events


def test_a_bouncing_unreadable_code_is_kept_once_as_such() -> None:
    """Its repeat names it, so that nobody counts two bad labels."""
    bench = Bench()
    bench.scan(UNREADABLE)
    bench.scan(UNREADABLE, after_ms=50)
    assert [(scan.kind, scan.repeat_of) for scan in bench.events] == [
        ("unreadable", None),
        ("repeat", 1),
    ]


@pytest.mark.parametrize("window_ms", [0, 300, 10_000])
def test_what_the_scanner_sent_again_is_known(window_ms: int) -> None:
    """It heard no answer, so the person did not either: kept as a repeat, and signalled again."""
    bench = Bench(repeat_window_ms=window_ms)
    bench.item()
    bench.restart()
    known = bench.send(GTIN.encode(), again=True, after_ms=2_000)
    assert isinstance(known, Known)
    assert known.good is True
    assert bench.events[1].reason == "sent again by the scanner"
    assert len(counted(bench.events)) == 1


@pytest.mark.parametrize(("boot", "after_ms"), [("boot-1", 10_001), ("boot-2", 100)])
def test_what_was_sent_again_much_later_counts(boot: str, after_ms: int) -> None:
    """A scanner gives up after seconds: this is another scan, whatever its bit says."""
    bench = Bench()
    bench.item()
    bench.restart(boot=boot)
    bench.send(GTIN.encode(), again=True, after_ms=after_ms)
    assert len(counted(bench.events)) == 2


def test_what_never_arrived_counts_when_it_is_sent_again() -> None:
    """The first copy got lost on the line: the second is the scan."""
    bench = Bench()
    bench.item("]C0OTHER")
    bench.send(GTIN.encode(), again=True)
    assert len(counted(bench.events)) == 2


def test_an_undo_that_is_sent_again_is_obeyed_once() -> None:
    """Across a restart, too."""
    bench = Bench()
    bench.item()
    bench.item()
    bench.undo()
    bench.restart()
    assert bench.send(UNDO.encode(), again=True) == Known("sent again by the scanner", None, True)
    assert len(counted(bench.events)) == 1


def test_what_was_refused_has_its_chance_when_it_is_sent_again() -> None:
    """Nothing was stored for it, so there is nothing to repeat."""
    bench = Bench()
    bench.tell("command", "PICK")
    assert isinstance(bench.scan(GTIN), Refuse)
    assert isinstance(bench.send(GTIN.encode(), again=True), Refuse)
    assert not bench.events


def test_an_unreadable_code_that_is_sent_again_sounds_bad_again() -> None:
    """The person has to hear that nothing was booked."""
    bench = Bench()
    bench.scan(UNREADABLE)
    known = bench.send(UNREADABLE.encode(), again=True)
    assert isinstance(known, Known)
    assert known.good is False


def test_a_broken_frame_never_equals_a_whole_one() -> None:
    """The first half of a code is not a repeat of a code that looks like it."""
    bench = Bench(repeat_window_ms=10_000)
    bench.item()
    assert isinstance(bench.take(Frame(GTIN.encode(), "incomplete"), 10), Store)
    assert bench.events[-1].kind == "unreadable"


def test_undo_goes_over_repeats() -> None:
    """It takes back the scan that counted, not what said it again."""
    bench = Bench()
    bench.item()
    bench.scan(GTIN, after_ms=10)
    undo = bench.undo()
    assert isinstance(undo, Store)
    assert undo.scan.undo_of == 1
    bench.item(after_ms=10)
    assert [scan.kind for scan in counted(bench.events)] == ["receive"]


def test_a_label_that_bounces_is_told_once() -> None:
    """MOVE takes the first location as from: its bounce must not become the to."""
    bench = Bench()
    bench.tell("command", "MOVE")
    place = labels.text_of(Label("location", "A"))
    assert isinstance(bench.scan(place), Told)
    bench.scan(place, after_ms=10)
    assert (bench.state.location, bench.state.to_location) == ("A", None)
