"""gateway.joining: the barcodes of one label become one event, or nothing; never a wrong lot."""

import pytest

from dock import GTIN, Bench, counted
from gateway import labels, station
from gateway.decision import Decision, DockScan, Known, Refuse, Store, Told
from gateway.labels import Label

LOT, LOT_2, EXPIRY, COUNT = "]C110LOT-1", "]C110LOT-2", "]C117271231", "]C13724"
ITEM, CONTENT, SSCC = "]C10105901234123457", "]C10205901234123457", "]C100340123450000000000"
OTHER = "]E04006381333931"
PAIR = ("gtin", "lot")


def part(decision: Decision, missing: str) -> None:
    """Assert that a barcode waits, and that the person hears good and reads what is missing."""
    assert isinstance(decision, Told), decision
    assert (decision.refused, decision.text) == (False, f"label: {missing} still missing")


def loud(decision: Decision, says: str) -> DockScan:
    """Assert that waiting barcodes were dropped loudly; return the event that keeps them."""
    assert isinstance(decision, Store), decision
    assert decision.refused is not None
    assert decision.refused.startswith("the label before lacked its ")
    assert f"; nothing was booked for it; scan its barcodes again; {says}" in decision.refused
    assert decision.scan.kind == "unreadable"
    assert decision.scan.reason is not None
    assert decision.scan.reason.startswith("incomplete_label: lacked its ")
    return decision.scan


@pytest.mark.parametrize(("first", "last"), [(GTIN, LOT), (LOT, GTIN), (ITEM, LOT), (LOT, ITEM)])
def test_a_configured_label_is_one_event_in_any_order(first: str, last: str) -> None:
    """GS1 or plain EAN: all identifiers, the last barcode's bytes, and the other's beside them."""
    bench = Bench(label=PAIR)
    part(bench.scan(first), "gtin" if first == LOT else "lot")
    scan = bench.item(last)
    assert (scan.identifiers.gtin14, scan.identifiers.lot) == ("05901234123457", "LOT-1")
    assert (scan.raw, scan.joined) == (last.encode(), (first.encode(),))
    assert scan.symbology == last[:3]
    assert not [warning for warning in scan.warnings if warning.startswith("ai_combination")]
    assert bench.events == [scan]


def test_a_label_of_many_fields() -> None:
    """Each may be in a barcode of its own; the count on it is the quantity."""
    bench = Bench(label=("sscc", "gtin", "lot", "expiry", "count"))
    part(bench.scan(CONTENT), "sscc and lot and expiry and count")
    part(bench.scan(COUNT), "sscc and lot and expiry")
    part(bench.scan(EXPIRY), "sscc and lot")
    part(bench.scan(LOT), "sscc")
    scan = bench.item(SSCC)
    said = scan.identifiers
    assert (said.gtin14, said.sscc, said.lot) == (
        "05901234123457", "340123450000000000", "LOT-1",
    )  # fmt: skip
    assert (said.expiry.isoformat(), scan.quantity) == ("2027-12-31", 24)
    assert scan.joined == tuple(text.encode() for text in (CONTENT, COUNT, EXPIRY, LOT))
    assert bench.scan(SSCC, after_ms=9_000) != scan


def test_a_count_beside_an_item_number_counts_where_labels_are_made_so() -> None:
    """(37) beside (01) is against GS1's rules, and what the configuration says is there."""
    bench = Bench(label=("gtin", "count"))
    part(bench.scan(GTIN), "count")
    assert bench.item(COUNT).quantity == 24


def test_a_whole_label_in_one_barcode_needs_no_other() -> None:
    """And what has no field of the label is a scan of its own."""
    bench = Bench(label=PAIR)
    assert bench.item("]C1010590123412345710LOT-1").identifiers.lot == "LOT-1"
    assert bench.item("]C0HELLO").identifiers.text == "HELLO"
    assert bench.item(SSCC).identifiers.sscc == "340123450000000000"


def test_equal_labels_count_one_by_one() -> None:
    """Two boxes of one lot carry the same bytes."""
    bench = Bench(label=PAIR)
    for _ in range(2):
        part(bench.scan(GTIN), "lot")
        bench.item(LOT)
    assert len(counted(bench.events)) == 2


def test_a_part_that_is_scanned_again_is_not_two() -> None:
    """By a bounce or on purpose: the label still lacks the same."""
    bench = Bench(label=PAIR)
    part(bench.scan(GTIN), "lot")
    assert bench.scan(GTIN, after_ms=50) == Known("same bytes again after 50 ms")
    part(bench.scan(GTIN), "lot")
    assert bench.item(LOT).joined == (GTIN.encode(),)


def test_a_contradiction_drops_the_old_parts_loudly() -> None:
    """Another item: the label before was not finished. Its bytes are kept, the new one waits."""
    bench = Bench(label=PAIR)
    bench.scan(GTIN)
    kept = loud(bench.scan(OTHER), "this one is kept")
    assert (kept.raw, kept.joined) == (GTIN.encode(), ())
    assert bench.item(LOT).identifiers.gtin14 == "04006381333931"
    assert len(counted(bench.events)) == 1


@pytest.mark.parametrize("next_one", ["]C0HELLO", SSCC, "]C1010400638133393110LOT-9"])
def test_what_is_no_part_drops_them_and_is_not_booked(next_one: str) -> None:
    """A bad beep must mean that nothing of this scan counts: it is scanned again, and counts."""
    bench = Bench(label=PAIR)
    bench.scan(GTIN)
    loud(bench.scan(next_one), "this one was not booked")
    assert not counted(bench.events)
    assert isinstance(bench.scan(next_one, after_ms=50), Known)
    assert bench.item(next_one).raw == next_one.encode()


@pytest.mark.parametrize("label", [PAIR, ()])
def test_parts_do_not_wait_for_ever(label: tuple[str, ...]) -> None:
    """After the window the next scan says so, whatever it is, and nothing is booked for them."""
    bench = Bench(label=label, label_window_ms=5_000)
    bench.scan(LOT)
    kept = loud(bench.scan(GTIN, after_ms=5_000), "this one")
    assert kept.raw == LOT.encode()
    assert not counted(bench.events)
    bench.restart()
    assert [scan.raw for scan in bench.events] == [LOT.encode()]


def test_parts_survive_a_power_cut_but_are_too_old_then() -> None:
    """A restart of the program goes on; after a reboot nobody knows how long it took."""
    bench = Bench(label=PAIR)
    bench.scan(GTIN)
    bench.restart()
    assert bench.item(LOT).joined == (GTIN.encode(),)
    bench.scan(GTIN)
    bench.restart(boot="boot-2")
    loud(bench.scan(LOT), "this one is kept")


def test_undo_drops_what_waits() -> None:
    """That is what the person wants to take back; the scan before stays."""
    bench = Bench(label=PAIR)
    bench.scan(GTIN)
    bench.item(LOT)
    bench.scan(OTHER)
    decision = bench.undo()
    assert isinstance(decision, Store)
    assert (decision.refused, decision.scan.kind, decision.scan.raw) == (
        None, "unreadable", OTHER.encode(),
    )  # fmt: skip
    assert len(counted(bench.events)) == 1
    undo = bench.undo()
    assert isinstance(undo, Store)
    assert undo.scan.undo_of == 1
    assert not counted(bench.events)


@pytest.mark.parametrize("command", ["END", "PICK"])
def test_other_work_does_not_begin_over_half_a_label(command: str) -> None:
    """The command is refused together with the parts; scanned again it is obeyed."""
    bench = Bench(label=PAIR)
    bench.scan(GTIN)
    text = labels.text_of(Label("command", command))
    loud(bench.scan(text), "this label was not obeyed")
    bench.tell("command", command)


def test_a_location_or_quantity_may_come_between() -> None:
    """What was told until the label is complete holds for it."""
    bench = Bench(label=PAIR)
    bench.scan(GTIN)
    bench.tell("location", "A-01")
    bench.tell("quantity", "3")
    scan = bench.item(LOT)
    assert (scan.location, scan.quantity) == ("A-01", 3)


def test_the_location_comes_before_the_first_part() -> None:
    """Not after half a label was collected."""
    bench = Bench(label=PAIR)
    bench.tell("command", "PICK")
    assert isinstance(bench.scan(GTIN), Refuse)
    assert bench.state.waiting is None


def test_too_many_parts_are_given_up() -> None:
    """What waits fits into one event, whatever is scanned."""
    bench = Bench()
    measures = ("3100", "3101", "3102", "3103", "3104", "3105", "3200", "3201")
    assert len(measures) == station.PARTS_MAX
    for ai in measures:
        part(bench.scan(f"]C1{ai}001500"), "gtin")
    kept = loud(bench.scan(LOT), "this one is kept")
    assert len(kept.joined) == station.PARTS_MAX - 1
    long = b"]C110LOT" + b"\x1d" * station.PART_BYTES_MAX
    assert isinstance(Bench().send(long), Refuse)


def test_parts_of_another_configuration_are_not_guessed_at() -> None:
    """After a reload that reads them otherwise they are dropped, with their bytes."""
    bench = Bench(label=PAIR)
    bench.scan("010590123412345799X")
    bench.set(aim_required=True)
    kept = loud(bench.scan(LOT), "this one was not booked")
    assert kept.raw == b"010590123412345799X"


@pytest.mark.parametrize(
    ("first", "missing", "last"),
    [
        (LOT, "gtin", GTIN),
        (LOT, "gtin", ITEM),
        (EXPIRY, "gtin", ITEM),
        ("]C121SER", "gtin", ITEM),
        (CONTENT, "count", COUNT),
        (COUNT, "gtin", CONTENT),
        (COUNT, "gtin", "]C100340123450000000000" + "0205901234123457"),
        ("]C13103001500", "gtin", ITEM),
        ("]C1403ROUTE", "sscc", SSCC),
    ],
)
def test_without_configuration_gs1_says_what_waits(first: str, missing: str, last: str) -> None:
    """An element string that means nothing alone waits for what GS1 demands beside it."""
    bench = Bench()
    part(bench.scan(first), missing)
    scan = bench.item(last)
    assert scan.joined == (first.encode(),)
    assert bench.events == [scan]


@pytest.mark.parametrize(
    "text",
    [
        GTIN, ITEM, SSCC, "]C1020590123412345737" + "24", "]C0LOT", "]C1400PO-1", "]C191INTERNAL",
        "]C180049506000A1", "]C18003" + "09506000134352", "]C142012345", "LOT-1",
        "[)>\x1e06\x1d1TLOT\x1e\x04",
    ],
)  # fmt: skip
def test_what_can_stand_alone_is_booked_at_once(text: str) -> None:
    """Keys, contents with their count, orders, addresses, plain text, receiving labels."""
    bench = Bench()
    scan = bench.item(text)
    assert (scan.kind, bench.events) == ("receive", [scan])


def test_contents_without_sscc_keep_their_warning() -> None:
    """(02) with (37) is booked, and the label's fault is said."""
    scan = Bench().item("]C1020590123412345737" + "24")
    assert any(warning.startswith("ai_combination: (37)") for warning in scan.warnings)


def test_a_lot_does_not_go_to_a_pallet_without_item() -> None:
    """(10) belongs to an item, not to an SSCC."""
    bench = Bench()
    part(bench.scan(LOT), "gtin")
    loud(bench.scan(SSCC), "this one was not booked")


@pytest.mark.parametrize("item", [GTIN, ITEM, "]Q1https://id.gs1.org/01/05901234123457"])
def test_a_lot_after_its_item_is_ambiguous(item: str) -> None:
    """It may belong to the box before or to the next one: refused, however often it is tried."""
    bench = Bench()
    bench.item(item)
    for _ in range(3):
        refusal = bench.scan(LOT)
        assert isinstance(refusal, Refuse)
        assert "set label = [...]" in refusal.message
    bench.scan(item, after_ms=10)
    assert all(scan.identifiers.lot is None for scan in bench.events)
    assert bench.state.waiting is None


def test_what_the_person_has_to_do_about_it_works() -> None:
    """Undo the item, then the lot first and the item second."""
    bench = Bench()
    bench.item()
    assert isinstance(bench.scan(LOT), Refuse)
    bench.undo()
    part(bench.scan(LOT), "gtin")
    bench.item()
    assert [scan.identifiers.lot for scan in counted(bench.events)] == ["LOT-1"]


def test_lot_first_is_not_ambiguous_behind_a_whole_label() -> None:
    """The item before has its lot: the next lot is the next label's."""
    bench = Bench()
    for lot in (LOT, LOT_2):
        part(bench.scan(lot), "gtin")
        bench.item()
    assert [scan.identifiers.lot for scan in bench.events] == ["LOT-1", "LOT-2"]


@pytest.mark.parametrize("between", [("location", "A"), ("operator", "MIKA")])
def test_a_control_label_ends_the_doubt(between: tuple[str, str]) -> None:
    """Then the scan just before was no item; and after the window nobody thinks of it."""
    bench = Bench()
    bench.item()
    bench.tell(*between)
    part(bench.scan(LOT), "gtin")
    later = Bench()
    later.item()
    part(later.scan(LOT, after_ms=30_000), "gtin")


def test_one_joined_label_is_one_undo_and_one_unit() -> None:
    """Item and serial number from two barcodes name one thing: again, it is a repeat."""
    bench = Bench(label=("gtin", "serial"))
    for kind in ("receive", "repeat"):
        part(bench.scan("]C121SER"), "gtin")
        assert bench.item(ITEM).kind == kind
    undo = bench.undo()
    assert isinstance(undo, Store)
    assert undo.scan.undo_of == 1
    assert not counted(bench.events)
