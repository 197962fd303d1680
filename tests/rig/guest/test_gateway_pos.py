"""A gateway and scanners in HID POS mode."""

import time

import pytest

from firmware_sim.hid_reports import pos_reports
from firmware_sim.usb_gadget import point_of_sale
from rig.guest.dock import Dock, Stored, unreadable
from rig.guest.scanners import HAND_S, HONEYWELL, HONEYWELL_SOCKET, NEWLAND, NEWLAND_SOCKET

pytestmark = pytest.mark.rig
SHORT = b"0109501101530003\x1d10AB-1"


def long(serial: bytes) -> bytes:
    """Return a code that takes three reports. No serial number is counted twice."""
    return b"\x1d".join(
        (
            b"0109501101530003" + b"10" + b"L" * 20,
            b"21" + serial.ljust(20, b"S"),
            b"240" + b"A" * 30,
            b"91" + b"Z" * 60,
        )
    )


def test_honeywells_layout(dock: Dock) -> None:
    """The identifier comes before the code; a long code is joined from its reports."""
    seen = dock.scanner("honeywell")
    with point_of_sale(HONEYWELL_SOCKET, HONEYWELL) as scanner:
        seen.is_read()
        for code in (SHORT, long(b"1")):
            scanner.send(pos_reports(code, "honeywell", aim="]C1", symbol=0x49))
        seen.stores(Stored(b"]C1" + SHORT), Stored(b"]C1" + long(b"1")))


def test_newlands_layout(dock: Dock) -> None:
    """There is no identifier; a long code is joined from its reports."""
    seen = dock.scanner("newland")
    with point_of_sale(NEWLAND_SOCKET, NEWLAND) as scanner:
        seen.is_read()
        for code in (SHORT, long(b"2")):
            scanner.send(pos_reports(code, "newland", symbol=2))
        seen.stores(Stored(SHORT), Stored(long(b"2")))


def test_unplugged_between_two_reports_of_a_code(dock: Dock) -> None:
    """The first part is kept as unreadable and never glued to what comes after the replug."""
    seen = dock.scanner("honeywell")
    first, *_ = pos_reports(long(b"3"), "honeywell", aim="]C1", symbol=0x49)
    with point_of_sale(HONEYWELL_SOCKET, HONEYWELL) as scanner:
        seen.is_read()
        scanner.send([first])
        time.sleep(HAND_S)
        scanner.unplug()
        seen.is_missed()
        scanner.plug()
        seen.is_read()
        scanner.send(pos_reports(SHORT, "honeywell", aim="]C1", symbol=0x49))
        seen.stores(unreadable(long(b"3")[:56]), Stored(b"]C1" + SHORT))
