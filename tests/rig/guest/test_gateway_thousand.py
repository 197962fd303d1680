"""A thousand codes: none is wrong, whatever the pace; what is lost is counted and signalled."""

import time

import pytest

from firmware_sim.hid_reports import keyboard_reports, pos_reports
from firmware_sim.usb_gadget import keyboard
from rig.guest.dock import Dock, Measured, Scanner, Stored
from rig.guest.scanners import BRISK_S, HAND_S, LEFT, LEFT_SOCKET, PACE_S, flood, wedge

pytestmark = pytest.mark.rig
#: Codes that a guest on a busy machine may lose when it stands still for a tenth of a second.
STOOD_STILL = 10
CODES = [f"{number:04}-{number * 7919 % 1_000_000:06}" for number in range(1_000)]
LAST = "THE-END"
#: Codes of two reports each: more than the kernel keeps, which is 63 reports.
BURST = 40
#: Longer than the gateway swallows the rest of a code that it refused.
REST_S = 3.0


def test_a_thousand_codes_as_a_scanner_paces_them(dock: Dock, measured: Measured) -> None:
    """All thousand are stored, in order, but for a few while the guest itself stood still."""
    seen = dock.scanner("left")
    codes = [f"a{number:04}" for number in range(1_000)]
    with keyboard(LEFT_SOCKET, LEFT) as scanner:
        seen.is_read()
        began_s = time.monotonic()
        for code in codes:
            scanner.send(keyboard_reports(code), BRISK_S)
        seen.rests(REST_S)
        scanner.send(keyboard_reports(LAST), PACE_S)
        stored = _none_is_wrong(seen, [code.encode() for code in codes], measured)
        measured("typed and stored within", time.monotonic() - began_s)
    assert stored >= len(codes) - STOOD_STILL


def test_a_thousand_codes_flat_out(dock: Dock, measured: Measured) -> None:
    """Typed faster than the kernel keeps them: many are lost, none is wrong."""
    seen = dock.scanner("wedge")
    reports = [report for code in CODES for report in keyboard_reports(code)]
    with wedge() as scanner:
        seen.is_read()
        began_s = time.monotonic()
        scanner.type(reports, 0)
        measured("typed within", time.monotonic() - began_s)
        seen.rests(REST_S)
        scanner.type(keyboard_reports(LAST), PACE_S)
        _none_is_wrong(seen, [code.encode() for code in CODES], measured)


def test_pos_reports_in_bursts(dock: Dock, measured: Measured) -> None:
    """The kernel loses reports in silence, even in mid-code; no code is made of two halves."""
    seen = dock.scanner("flood")
    codes = [b"%03d:" % number + b"%03d" % number * 30 for number in range(1_000)]
    with flood() as scanner:
        seen.is_read()
        for number, code in enumerate(codes):
            for report in pos_reports(code, "honeywell"):
                scanner.send(report)
            if number % BURST == 0:
                time.sleep(HAND_S)
        seen.rests(REST_S)
        for report in pos_reports(LAST.encode(), "honeywell"):
            scanner.send(report)
        _none_is_wrong(seen, codes, measured)


def _none_is_wrong(seen: Scanner, codes: list[bytes], measured: Measured) -> int:
    """Each stored code is one of `codes`, in order and once; each refused one was signalled.

    Returns how many are stored.
    """
    end = Stored(LAST.encode())
    seen.dock.wait_for(lambda: end in seen.events(), f"{seen.name} has stored {LAST}")
    stored = [event.raw for event in seen.events()[:-1] if event.kind == "receive"]
    refused = len(seen.events()) - 1 - len(stored)
    measured("stored", len(stored))
    measured("refused", refused)
    assert stored == [code for code in codes if code in set(stored)]
    assert refused > 0 or stored == codes
    assert seen.log().count(f"scanner {seen.name}: refused: ") == refused
    return len(stored)
