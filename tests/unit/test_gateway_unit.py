"""gateway.unit: a label that exists once counts once for each step, whoever scans it again."""

from datetime import date

import pytest

from dock import Bench, Shelf, counted
from gateway import unit
from gateway.barcode import Barcode, parse
from gateway.decision import Store

SSCC = "]C100340123450000000000"
SERIAL = "]C1010590123412345721SER-1"
PLATE = "[)>\x1e06\x1d1JUN123456789\x1dP12\x1dQ5\x1e\x04"
LINK = "]Q1https://id.gs1.org/01/05901234123457/21/SER-1"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (SSCC, "00:340123450000000000"),
        ("340123450000000000", "00:340123450000000000"),
        (SERIAL, "01:05901234123457:SER-1"),
        (LINK, "01:05901234123457:SER-1"),
        ("]C1800605901234123457" + "0102\x1d21X", "8006:059012341234570102:X"),
        ("]C1800309506000134352A7", "8003:09506000134352A7"),
        ("]C1800309506000134352", None),  # a type of crate, not one crate
        ("]C180049506000A1", "8004:9506000A1"),
        (PLATE, "J:UN123456789"),
        ("]C10105901234123457", None),
        ("]C1010590123412345710LOT", None),
        ("]E05901234123457", None),
        ("]C0HELLO", None),
        ("[)>\x1e06\x1d1J" + "X" * 80 + "\x1e\x04", None),
    ],
)
def test_which_labels_exist_once(text: str, name: str | None) -> None:
    """SSCC, item with serial number, licence plate; the same in every notation."""
    barcode = parse(text.encode(), today=date(2026, 1, 1))
    found = unit.name_of(barcode) if isinstance(barcode, Barcode) else None
    assert found == name


@pytest.mark.parametrize("text", [SSCC, SERIAL, PLATE])
def test_scanned_again_it_is_a_repeat_that_sounds_good(text: str) -> None:
    """However much later, at whatever scanner of the gateway, after a restart."""
    shelf = Shelf()
    left, right = Bench(shelf), Bench(shelf)
    left.item(text)
    left.restart()
    for bench in (left, right, left):
        decision = bench.scan(text, after_ms=3_600_000)
        assert isinstance(decision, Store)
        assert decision.refused is None
        assert (decision.scan.kind, decision.scan.repeat_of) == ("repeat", 1)
        assert decision.scan.reason == "this label was counted before: receive DOCK-1"
    assert len(counted(shelf.events)) == 1


def test_items_without_serial_number_always_count() -> None:
    """Equal boxes carry equal labels."""
    bench = Bench()
    for _ in range(3):
        bench.item("]C1010590123412345710LOT")
    assert len(counted(bench.events)) == 3


def test_another_step_is_a_new_fact() -> None:
    """Received, put away, moved, moved back: each counts once."""
    bench = Bench()
    bench.item(SSCC)
    bench.tell("command", "PUTAWAY")
    for place in ("A", "B"):
        bench.tell("location", place)
        bench.item(SSCC)
        bench.item(SSCC)
    bench.tell("command", "MOVE")
    bench.tell("location", "B")
    bench.tell("location", "A")
    bench.item(SSCC)
    bench.item(SSCC)
    assert [(scan.kind, scan.location, scan.to_location) for scan in counted(bench.events)] == [
        ("receive", "DOCK-1", None),
        ("putaway", "DOCK-1", "A"),
        ("putaway", "DOCK-1", "B"),
        ("move", "B", "A"),
    ]
    assert [scan.kind for scan in bench.events].count("repeat") == 3


def test_undo_forgets_it() -> None:
    """What was taken back can be scanned again, and counts."""
    bench = Bench()
    bench.item(SSCC)
    bench.item(SSCC)  # a repeat in between changes nothing
    bench.undo()
    assert bench.item(SSCC).kind == "receive"
    assert len(counted(bench.events)) == 1


def test_a_count_is_new_in_each_session() -> None:
    """COUNT or a location begins one: twice in it is a repeat, tomorrow's counts."""
    bench = Bench()
    bench.tell("command", "COUNT")
    bench.tell("location", "A")
    assert [bench.item(SSCC).kind for _ in range(2)] == ["count", "repeat"]
    bench.tell("location", "A")
    assert [bench.item(SSCC).kind for _ in range(2)] == ["count", "repeat"]
    bench.restart(boot="tomorrow")
    assert bench.item(SSCC).kind == "repeat"
    bench.tell("command", "COUNT")
    bench.tell("location", "A")
    assert [bench.item(SSCC).kind for _ in range(2)] == ["count", "repeat"]


def test_a_new_session_changes_nothing_for_other_work() -> None:
    """A location that is scanned again does not make a pallet arrive twice."""
    bench = Bench()
    bench.tell("location", "A")
    bench.item(SSCC)
    bench.tell("location", "A")
    assert bench.item(SSCC).kind == "repeat"


def test_a_repeat_uses_the_quantity_up() -> None:
    """The multiplier was meant for this label; it must not reach the next one."""
    bench = Bench()
    bench.item(SSCC)
    bench.tell("quantity", "5")
    assert bench.item(SSCC).kind == "repeat"
    assert bench.item().quantity == 1


def test_a_bounce_of_a_repeat_names_the_scan_that_counted() -> None:
    """Whatever was said again, it leads to one event."""
    bench = Bench()
    bench.item(SSCC)
    bench.item(SSCC)
    bench.scan(SSCC, after_ms=10)
    assert [(scan.kind, scan.repeat_of) for scan in bench.events[1:]] == [("repeat", 1)] * 2
