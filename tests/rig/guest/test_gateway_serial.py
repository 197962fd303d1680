"""A gateway and scanners that are serial ports: CDC-ACM, and RS-232 behind a bridge."""

import os
import time
from pathlib import Path

import pytest

from firmware_sim.usb_gadget import SerialGadget
from rig.guest.bridge import Bridge
from rig.guest.dock import Dock, Measured, Stored, unreadable
from rig.guest.scanners import COM, COM_SOCKET, HAND_S, TWIN, TWIN_SOCKETS

pytestmark = pytest.mark.rig
OFFLINE = b"\x11"


def test_a_com_port_hears_its_beep(dock: Dock) -> None:
    """A code is stored, and then the scanner hears that it is: offline, for there is no broker."""
    seen = dock.scanner("com")
    with SerialGadget(COM_SOCKET, COM) as scanner:
        seen.is_read()
        scanner.send(b"]C10109501101530003\x1d10AB-1\r\n")
        assert scanner.hear(1) == OFFLINE
        seen.stores(Stored(b"]C10109501101530003\x1d10AB-1"))


def test_unplugged_in_the_middle_of_a_code(dock: Dock, measured: Measured) -> None:
    """The half is kept as unreadable and never glued to what comes after the replug."""
    seen = dock.scanner("com")
    with SerialGadget(COM_SOCKET, COM) as scanner:
        seen.is_read()
        scanner.send(b"FIRST-HA")
        time.sleep(HAND_S)
        before_s = time.time()
        scanner.unplug()
        seen.is_missed()
        measured("unplugged, seen after", seen.said_s - before_s)
        seen.stores(unreadable(b"FIRST-HA"))
        before_s = time.time()
        scanner.plug()
        seen.is_read()
        measured("plugged, ready after", seen.said_s - before_s)
        scanner.send(b"WHOLE\r")
        seen.stores(Stored(b"WHOLE"))


def test_twins_with_one_serial_number_are_told_apart_by_their_ports(dock: Dock) -> None:
    """Two of a model whose maker numbers all of them 000000000001 keep their names."""
    seen = [dock.scanner(f"twin-{at}") for at in (0, 1)]
    with (
        SerialGadget(TWIN_SOCKETS[1], TWIN) as second,
        SerialGadget(TWIN_SOCKETS[0], TWIN) as first,
    ):
        paths = [each.is_read() for each in seen]
        assert paths[0] != paths[1]
        first.send(b"FROM-0\r")
        second.send(b"FROM-1\r")
        seen[0].stores(Stored(b"FROM-0"))
        seen[1].stores(Stored(b"FROM-1"))


def test_a_bridge_that_comes_back_under_another_name(dock: Dock) -> None:
    """While something else has the old device open the new one is ttyUSB1; it is found."""
    seen = dock.scanner("bridge")
    with Bridge() as scanner:
        scanner.send(b"BEFORE\r")
        seen.stores(Stored(b"BEFORE"))
        held = os.open("/dev/ttyUSB0", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            scanner.unplug()
            seen.is_missed()
            scanner.plug()
            assert Path(seen.is_read()) == Path("/dev/ttyUSB1")
            scanner.send(b"AFTER\r")
            seen.stores(Stored(b"AFTER"))
        finally:
            os.close(held)
