"""gateway.station and gateway.labels: what scans and control labels mean at a station."""

import json
from datetime import date
from pathlib import Path

import pytest

from dock import GTIN, Bench
from gateway import labels, station, station_state
from gateway.barcode import Unreadable
from gateway.decision import Refuse
from gateway.labels import BadLabel, Label
from gateway.station_state import Counted, Last, Moment, State, Waiting

LABELS = json.loads((Path(__file__).parents[1] / "data/control_labels.json").read_text())
NAMES = {"C": "command", "L": "location", "D": "document", "O": "operator", "Q": "quantity"}


@pytest.mark.parametrize("row", LABELS, ids=lambda row: row["text"])
def test_labels_read_as_printed(row: dict[str, str]) -> None:
    """Every control label reads as what was printed, with and without an AIM identifier."""
    wanted = Label(NAMES[row["type"]], row["value"])
    assert labels.read(row["text"].encode()) == wanted
    assert labels.read(b"]C0" + row["text"].encode()) == wanted
    assert labels.text_of(wanted) == row["text"]


@pytest.mark.parametrize("row", LABELS, ids=lambda row: row["text"])
def test_one_wrong_character_is_noticed(row: dict[str, str]) -> None:
    """No single misread letter or digit of a label passes for another label."""
    text = row["text"]
    for at in range(4, len(text)):
        for other in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ":
            if text[at].isalnum() and text[at] != other:
                misread = f"{text[:at]}{other}{text[at + 1 :]}".encode()
                assert isinstance(labels.read(misread), BadLabel), misread


@pytest.mark.parametrize("text", ["%DT-", "%DT-C-FLY-", "%DT-Q-0-", "%DT-Q-100000-", "%DT-X-1-"])
def test_bad_labels_are_never_goods(text: str) -> None:
    """Whatever begins like a control label is refused, not stored, when it is none."""
    parts = text.split("-")
    check = labels.check_character("".join(parts[1:3])) if len(parts) > 2 else ""
    assert isinstance(Bench().scan(text + check), Refuse)


def test_receive_books_to_the_dock_until_a_location_is_scanned() -> None:
    """Receiving uses the scanner's own location, then the last one scanned."""
    bench = Bench(location="DOCK-7")
    assert bench.item().location == "DOCK-7"
    bench.tell("location", "A-01")
    assert (bench.item().kind, bench.item().location) == ("receive", "A-01")


@pytest.mark.parametrize(
    ("mode", "places"),
    [
        ("RECEIVE", ("BIN", None)),
        ("PUTAWAY", ("DOCK-1", "BIN")),
        ("PICK", ("BIN", "DOCK-1")),
        ("SHIP", ("BIN", None)),
        ("RETURN", ("BIN", None)),
        ("DAMAGE", ("BIN", None)),
        ("COUNT", ("BIN", None)),
    ],
)
def test_modes_and_their_places(mode: str, places: tuple[str, str | None]) -> None:
    """Each mode puts the scanned location where it belongs."""
    bench = Bench()
    bench.tell("command", mode)
    bench.tell("location", "BIN")
    scan = bench.item()
    assert (scan.kind, (scan.location, scan.to_location)) == (mode.lower(), places)


@pytest.mark.parametrize("mode", ["PUTAWAY", "PICK", "COUNT", "MOVE"])
def test_a_location_comes_first_where_it_matters(mode: str) -> None:
    """An item before its location is refused, also when another mode knew a location."""
    bench = Bench()
    bench.tell("location", "OLD")
    bench.tell("command", mode)
    assert isinstance(bench.scan(GTIN), Refuse)


def test_move_needs_from_and_to() -> None:
    """The first location is from, the second to; later ones replace to."""
    bench = Bench()
    bench.tell("command", "MOVE")
    bench.tell("location", "FROM")
    assert isinstance(bench.scan(GTIN), Refuse)
    for to in ("TO-1", "TO-2"):
        bench.tell("location", to)
        scan = bench.item()
        assert (scan.location, scan.to_location) == ("FROM", to)


def test_a_quantity_is_for_one_item() -> None:
    """A quantity label counts for the next item only, and wins over the barcode's own count."""
    bench = Bench()
    bench.tell("quantity", "12")
    assert (bench.item().quantity, bench.item().quantity) == (12, 1)
    assert bench.item("]C102059012341234573724").quantity == 24
    bench.tell("quantity", "3")
    scan = bench.item("]C102059012341234573724")
    assert scan.quantity == 3
    assert any(warning.startswith("quantity_overridden") for warning in scan.warnings)


def test_a_quantity_waits_for_a_readable_item() -> None:
    """An unreadable scan uses up no quantity: the same item will be scanned again."""
    bench = Bench()
    bench.tell("quantity", "5")
    assert bench.item("]E05901234123450").kind == "unreadable"
    assert bench.item().quantity == 5


def test_undo_goes_back_one_event_at_a_time() -> None:
    """UNDO names the newest event not yet undone; unreadable ones are skipped; then it refuses."""
    bench = Bench()
    for _ in range(2):
        bench.item()
    bench.item("]E05901234123450")
    undo = labels.text_of(Label("command", "UNDO"))
    assert [bench.item(undo).undo_of for _ in range(2)] == [2, 1]
    assert isinstance(bench.scan(undo), Refuse)


def test_end_forgets_all_but_what_can_be_undone() -> None:
    """END takes a station back to its configuration."""
    bench = Bench()
    for kind, value in (("command", "PICK"), ("location", "A"), ("operator", "MIKA")):
        bench.tell(kind, value)
    bench.tell("document", "PO-1")
    assert (bench.item().operator, bench.item().document) == ("MIKA", "PO-1")
    bench.tell("command", "END")
    assert bench.state == State(undoable=(1, 2), last=bench.state.last)


def test_identities_of_all_sorts() -> None:
    """GTIN, SSCC, text and ambiguous readings land in their own fields."""
    bench = Bench()
    full = bench.item("]C1010590123412345717271231" + "10LOT\x1d21SER").identifiers
    assert (full.gtin14, full.lot, full.serial) == ("05901234123457", "LOT", "SER")
    assert full.expiry == date(2027, 12, 31)
    assert bench.item("]C100340123450000000000").identifiers.sscc == "340123450000000000"
    assert bench.item("]C0HELLO").identifiers.text == "HELLO"
    ambiguous = bench.item("12345670")
    assert (ambiguous.identifiers.gtin14, ambiguous.identifiers.text) == (None, "12345670")
    assert any(warning.startswith("ambiguous") for warning in ambiguous.warnings)


def test_the_state_survives_its_bytes() -> None:
    """What is kept on disk is the whole state."""
    at = Moment("boot", 5)
    state = State(
        "pick", "A", "B", "MIKA", "PO", 4, (1, 2), at, at, Last("d", at, True, True, 2),
        Counted(("01",), at), Waiting((b"\xff", b"1"), "lot", at), True,
    )  # fmt: skip
    assert station_state.decode(station_state.encode(state)) == state


def test_a_state_of_an_older_program_is_understood() -> None:
    """What is new since then starts empty."""
    kept = b'{"mode":"pick","location":"A","to_location":null,"quantity":4,"undoable":[1]}'
    assert station_state.decode(kept) == State(mode="pick", location="A", quantity=4, undoable=(1,))


def test_an_unreadable_scan_keeps_its_bytes_and_reason() -> None:
    """Nothing about a bad scan is lost: who, what bytes, and why."""
    bad = Unreadable(b"\xff", "]E0", "bad", "Scan again.")
    scan = station.unreadable(State(operator="MIKA"), bad).scan
    assert (scan.kind, scan.raw, scan.operator) == ("unreadable", b"\xff", "MIKA")
    assert scan.reason == "bad: Scan again."


def test_a_quantity_that_lay_around_is_not_for_the_next_pallet() -> None:
    """After a minute it is refused once, loudly, and forgotten; then the item counts alone."""
    bench = Bench()
    bench.tell("quantity", "12")
    assert bench.item(after_ms=station.QUANTITY_TIMEOUT_S * 1_000).quantity == 12
    bench.tell("quantity", "12")
    late = bench.scan(GTIN, after_ms=station.QUANTITY_TIMEOUT_S * 1_000 + 1)
    assert isinstance(late, Refuse)
    assert "x 12" in late.message
    assert bench.scan(GTIN, after_ms=10) != late  # its bounce does not count either
    assert len(bench.events) == 1
    assert bench.item().quantity == 1


def test_a_quantity_does_not_outlive_a_reboot() -> None:
    """Nobody knows how long the power was away."""
    bench = Bench()
    bench.tell("quantity", "12")
    bench.restart(boot="boot-2")
    assert isinstance(bench.scan(GTIN), Refuse)
    assert bench.item().quantity == 1


@pytest.mark.parametrize("label", [("command", "PICK"), ("command", "END")])
def test_a_quantity_ends_with_the_mode(label: tuple[str, str]) -> None:
    """What was meant for one job is not for the next."""
    bench = Bench()
    bench.tell("quantity", "12")
    bench.tell(*label)
    bench.tell("location", "A")
    assert bench.item().quantity == 1
