"""A real gateway process: labels of several barcodes, labels that exist once, the GS1 separator."""

from pathlib import Path

import pytest

from gateway_rig import GOOD, REFUSED, Central, Process
from neighbours import Mosquitto, wait_until

pytestmark = pytest.mark.broker
SSCC = b"]C100340123450000000000"
ITEM, LOT = b"]E05901234123457", b"]C110LOT-1"
COUNT, PLACE, UNDO = b"%DT-C-COUNT-9", b"%DT-L-A-01-3-9", b"%DT-C-UNDO-C"
BADGE = b"%DT-O-MIKA-U"


def scanner(central: Central, name: str):
    """Return the newest state of a scanner; wait for one."""
    wait_until(lambda: central.state is not None, "a gateway state arrives")
    return next(each for each in central.state.scanners if each.name == name)


def started(mosquitto: Mosquitto, folder: Path, **how: str) -> Process:
    """Return a gateway that runs and hears central."""
    process = Process(folder, mosquitto.port, **how)
    process.start()
    process.wait_online()
    return process


def test_a_pallet_counts_once_whatever_is_killed(
    central: Central, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """Scanned again in doubt, by the other scanner, after kill -9: good, a repeat, not counted."""
    gateway = started(mosquitto, tmp_path)
    try:
        gateway.left.send(SSCC + b"\r")
        wait_until(lambda: len(central.events) == 1, "it is stored and sent")
        gateway.kill()  # with or without a beep: nobody at the dock can be sure
        gateway.start()
        gateway.wait_online()
        gateway.left.beep(0.3)
        assert gateway.left.scan(SSCC) == GOOD
        assert gateway.right.scan(SSCC) == GOOD
        wait_until(lambda: len(central.events) == 3, "all are kept")
        assert [(event.kind, event.repeat_of) for event in central.events] == [
            ("receive", None), ("repeat", 1), ("repeat", 1),
        ]  # fmt: skip
        wait_until(lambda: scanner(central, "right").repeats == 1, "the state counts it")
    finally:
        gateway.kill()


def test_undo_lets_a_pallet_count_again(
    central: Central, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """The undo list and what is known of the pallet survive kill -9 together."""
    gateway = started(mosquitto, tmp_path)
    try:
        assert gateway.left.scan(SSCC) == GOOD
        gateway.kill()
        gateway.start()
        gateway.wait_online()
        for data in (UNDO, SSCC, BADGE, SSCC):  # at once it would be a bounce
            assert gateway.left.scan(data) == GOOD
        wait_until(lambda: len(central.events) == 4, "all are kept")
        kinds = [(event.kind, event.undo_of, event.repeat_of) for event in central.events]
        assert kinds == [
            ("receive", None, None), ("undo", 1, None), ("receive", None, None),
            ("repeat", None, 3),
        ]  # fmt: skip
    finally:
        gateway.kill()


def test_a_label_in_two_barcodes_is_one_event_across_a_crash(
    central: Central, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """The first barcode beeps good only once it is on the disk; after kill -9 the second joins."""
    gateway = started(mosquitto, tmp_path, scanner_extra='label = ["gtin", "lot"]')
    try:
        assert gateway.left.scan(ITEM) == GOOD
        gateway.kill()
        gateway.start()
        gateway.wait_online()
        assert gateway.left.scan(LOT) == GOOD
        wait_until(lambda: len(central.events) == 1, "one event arrives")
        (event,) = central.events
        assert (event.identifiers.gtin14, event.identifiers.lot) == ("05901234123457", "LOT-1")
        assert (event.raw, event.joined) == (LOT, (ITEM,))
    finally:
        gateway.kill()


def test_half_a_label_is_given_up_loudly_and_its_bytes_are_kept(
    central: Central, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """The state says that something waits; the next scan is refused, and counts when repeated."""
    gateway = started(mosquitto, tmp_path, scanner_extra="label_window_ms = 1000")
    try:
        assert gateway.left.scan(LOT) == GOOD
        wait_until(
            lambda: "gtin still missing" in (scanner(central, "left").problem or ""),
            "the state says it",
        )
        assert gateway.left.scan(ITEM) == REFUSED
        wait_until(lambda: len(central.events) == 1, "the bytes are kept")
        assert (central.events[0].kind, central.events[0].raw) == ("unreadable", LOT)
        assert central.events[0].reason == "incomplete_label: lacked its gtin"
        assert "nothing was booked for it" in gateway.log()
        assert gateway.left.scan(PLACE) == GOOD  # or it would be taken for a bounce
        assert gateway.left.scan(ITEM) == GOOD
        wait_until(lambda: len(central.events) == 2, "the item counts")
        assert (central.events[1].kind, central.events[1].identifiers.lot) == ("receive", None)
    finally:
        gateway.kill()


def test_the_separator_test_is_remembered(
    central: Central, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """A scanner that loses the separator hears what to switch on; one that sends it is verified."""
    gateway = started(mosquitto, tmp_path)
    doubtful = b"]C1020590123412345737510123"
    try:
        assert gateway.left.scan(doubtful) == REFUSED
        assert gateway.left.scan(b"]C191DOCKTALLY-GS92OK") == REFUSED
        assert "switch on its transmission" in gateway.log()
        assert gateway.left.scan(b"]C191DOCKTALLY-GS\x1d92OK") == GOOD
        gateway.kill()
        gateway.start()
        gateway.wait_online()
        wait_until(lambda: scanner(central, "left").gs_verified, "the state says so, at once")
        assert not scanner(central, "right").gs_verified
        assert gateway.left.scan(doubtful) == GOOD
        wait_until(lambda: len(central.events) == 1, "only goods are events")
        assert central.events[0].quantity == 510123
    finally:
        gateway.kill()


def test_a_count_session_ends_with_the_next_location(
    central: Central, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """Twice in one session is a repeat; the place scanned again begins another one."""
    gateway = started(mosquitto, tmp_path)
    try:
        for data in (COUNT, PLACE, SSCC, COUNT, PLACE, SSCC):
            assert gateway.left.scan(data) == GOOD
        assert gateway.left.scan(ITEM) == GOOD
        assert gateway.left.scan(SSCC) == GOOD
        wait_until(lambda: len(central.events) == 4, "all are kept")
        assert [event.kind for event in central.events] == ["count", "count", "count", "repeat"]
    finally:
        gateway.kill()
