"""A gateway and scanners that type: each code reaches its disk whole, under the right name."""

import threading
import time

import pytest

from firmware_sim.hid_reports import keyboard_reports
from firmware_sim.key_layouts import Layout
from firmware_sim.usb_gadget import HidGadget, keyboard
from rig.guest.dock import Dock, Measured, Stored, unreadable
from rig.guest.scanners import HAND_S, LEFT, LEFT_SOCKET, PACE_S, RIGHT, RIGHT_SOCKET, wedge

pytestmark = pytest.mark.rig
GS1 = "]C10109501101530003\x1d10AB-"


def test_a_wedge_is_read_however_it_types_the_separator(dock: Dock) -> None:
    """Control and ], F8, Alt and 029 are the GS1 separator; Enter and Tab end a code."""
    seen = dock.scanner("wedge")
    with wedge() as scanner:
        seen.is_read()
        scanner.type(keyboard_reports(GS1 + "1", separator="control"), PACE_S)
        scanner.type(keyboard_reports(GS1 + "2", separator="f8"), PACE_S)
        scanner.type(keyboard_reports(GS1 + "3", separator="alt", terminator="tab"), PACE_S)
        seen.stores(*[Stored((GS1 + number).encode()) for number in "123"])


def test_two_of_one_model_never_merge(dock: Dock) -> None:
    """Both type at once, one with a German layout; each code is whole and its own scanner's."""
    left, right = dock.scanner("left"), dock.scanner("right")
    codes = [f"YZ-{number:03}/(+)" for number in range(20)]
    with keyboard(LEFT_SOCKET, LEFT) as one, keyboard(RIGHT_SOCKET, RIGHT) as other:
        assert left.is_read() != right.is_read()
        typists = [
            threading.Thread(target=_type_all, args=(one, "us", [f"L{code}" for code in codes])),
            threading.Thread(target=_type_all, args=(other, "de", [f"R{code}" for code in codes])),
        ]
        for typist in typists:
            typist.start()
        for typist in typists:
            typist.join()
        left.stores(*[Stored(f"L{code}".encode()) for code in codes])
        right.stores(*[Stored(f"R{code}".encode()) for code in codes])


def test_the_name_follows_the_serial_number(dock: Dock) -> None:
    """Plugged in at each other's place, the two keep their names."""
    left, right = dock.scanner("left"), dock.scanner("right")
    with keyboard(RIGHT_SOCKET, LEFT) as one, keyboard(LEFT_SOCKET, RIGHT) as other:
        left.is_read()
        right.is_read()
        one.send(keyboard_reports("FROM-LEFT"), PACE_S)
        other.send(keyboard_reports("FROM-RIGHT", "de"), PACE_S)
        left.stores(Stored(b"FROM-LEFT"))
        right.stores(Stored(b"FROM-RIGHT"))


def test_unplugged_in_the_middle_of_a_code(dock: Dock, measured: Measured) -> None:
    """The half is kept as unreadable and never glued to what comes after the replug."""
    left = dock.scanner("left")
    with keyboard(LEFT_SOCKET, LEFT) as scanner:
        left.is_read()
        scanner.send(keyboard_reports("FIRST-HA", terminator="none"), PACE_S)
        time.sleep(HAND_S)
        before_s = time.time()
        scanner.unplug()
        left.is_missed()
        measured("unplugged, seen after", left.said_s - before_s)
        left.stores(unreadable(b"FIRST-HA"))
        before_s = time.time()
        scanner.plug()
        left.is_read()
        measured("plugged, ready after", left.said_s - before_s)
        scanner.send(keyboard_reports("WHOLE"), PACE_S)
        left.stores(Stored(b"WHOLE"))


def _type_all(scanner: HidGadget, layout: Layout, codes: list[str]) -> None:
    for code in codes:
        scanner.send(keyboard_reports(code, layout), PACE_S)
