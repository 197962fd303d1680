"""The simulated scanners, seen with the kernel's and other people's tools."""

import errno
import os
import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
import serial
from evdev import InputDevice, ecodes
from serial.tools import list_ports

from firmware_sim import usb_gadget
from firmware_sim.hid_reports import (
    KEYBOARD_DESCRIPTOR,
    POS_DESCRIPTOR,
    keyboard_reports,
    pos_reports,
)
from firmware_sim.key_layouts import strokes_of
from firmware_sim.uhid import UhidDevice
from firmware_sim.usb_gadget import Identity, SerialGadget, port_path
from firmware_sim.usb_keyboard import UsbKeyboard
from rig.guest.bridge import Bridge
from rig.guest.dock import wait_for
from rig.guest.scanners import BRISK_S, SPARE_SOCKET, hid_node

pytestmark = pytest.mark.rig
#: Numbers that no scanner of the gateway's has.
THING = Identity(0x1209, 0x0001, "SIM-4711", maker="Sim", model="Thing")
DEVICES = Path("/sys/bus/usb/devices")
READ_S = 20.0
REPEATED = 2
Key = tuple[int, int, int]
ENTER_RELEASED: Key = (ecodes.EV_KEY, ecodes.KEY_ENTER, 0)


KEYBOARD_NODE, POS_NODE, COM_NODE = "*/input/*/event*", "*/hidraw/hidraw*", "tty/ttyACM*"


def nodes(pattern: str) -> list[Path]:
    """Return the device files that the host has made of what sits in the spare socket."""
    with suppress(FileNotFoundError):  # the search comes upon something that is just going
        found = (DEVICES / port_path(SPARE_SOCKET)).glob(f"*:1.0/{pattern}")
        names = [f"input/{path.name}" if "/input/" in pattern else path.name for path in found]
        return [Path("/dev") / name for name in names if (Path("/dev") / name).exists()]
    return []


def node(pattern: str) -> Path:
    """Wait for the device file of what sits in the spare socket."""
    wait_for(lambda: nodes(pattern), f"there is {pattern}")
    (path,) = nodes(pattern)
    return path


def identity_of(socket: int) -> Identity:
    """Return what the host was told by the scanner in a socket."""
    place = DEVICES / port_path(socket)
    names = ("idVendor", "idProduct", "serial", "manufacturer", "product")
    vendor, product, *texts = [(place / name).read_text().strip() for name in names]
    return Identity(int(vendor, 16), int(product, 16), *texts)


@contextmanager
def typing(send: Callable[[list[bytes]], None], reports: list[bytes]) -> Iterator[None]:
    """Type while the block reads: the kernel keeps only 64 events."""
    thread = threading.Thread(target=send, args=(reports,))
    thread.start()
    yield
    thread.join()


def keys(path: Path | str, send: Callable[[list[bytes]], None], reports: list[bytes]) -> list[Key]:
    """Type reports that end with Enter; return what came as type, code, value, without repeats."""
    came: list[Key] = []
    with closing(InputDevice(str(path))) as device, typing(send, reports):
        device.grab()
        while not came or came[-2:-1] != [ENTER_RELEASED]:
            assert select.select([device.fd], [], [], READ_S)[0], "no more keys came"
            came += [(event.type, event.code, event.value) for event in device.read()]
    return [key for key in came if not (key[0] == ecodes.EV_KEY and key[2] == REPEATED)]


def test_a_keyboard_of_uinput_types_as_the_kernels_own_does() -> None:
    """Every key makes the same events through uinput as through the kernel's HID driver."""
    reports = [
        *keyboard_reports("".join(strokes_of("us")), "us", terminator="tab"),
        *keyboard_reports("".join(strokes_of("de")), "de", terminator="none"),
        *keyboard_reports("\x1d", separator="f8", terminator="none"),
        *keyboard_reports("\x1d", separator="alt"),
    ]
    uhid = UhidDevice("HID", vendor=0x1209, product=1, serial="K-1", descriptor=KEYBOARD_DESCRIPTOR)

    def by_uinput(reports: list[bytes]) -> None:
        uinput.type(reports, BRISK_S)

    def by_uhid(reports: list[bytes]) -> None:
        for report in reports:
            uhid.send(report)
            time.sleep(BRISK_S)

    with uhid, UsbKeyboard("uinput", vendor=0x1209, product=2) as uinput:
        path = f"/dev/input/{hid_node('K-1', 'input/*/event*').name}"
        assert keys(uinput.path, by_uinput, reports) == keys(path, by_uhid, reports)


def test_a_keyboard_of_uinput_says_who_it_is_and_vanishes() -> None:
    """Name, numbers and cable are the scanner's; pulled out, its reader gets ENODEV."""
    wedge = UsbKeyboard("ACME Wedge", vendor=0x1209, product=2, phys="cable 7")
    with closing(InputDevice(wedge.path)) as device:
        info = (device.name, device.info.vendor, device.info.product, device.phys)
        assert info == ("ACME Wedge", 0x1209, 2, "cable 7")
        wedge.unplug()
        with pytest.raises(OSError, match=os.strerror(errno.ENODEV)):
            device.read_one()


def test_a_hid_device_of_uhid_says_who_it_is() -> None:
    """A POS scanner without a bus has name, numbers and serial number, and its reports arrive."""
    pos = UhidDevice("ACME Pos", vendor=0x1209, product=3, serial="P-1", descriptor=POS_DESCRIPTOR)
    with pos:
        node = hid_node("P-1", "hidraw/*")
        lines = (node / "device/uevent").read_text().splitlines()
        said = dict(line.split("=", 1) for line in lines)
        assert (said["HID_NAME"], said["HID_UNIQ"]) == ("ACME Pos", "P-1")
        assert said["HID_ID"] == "0003:00001209:00000003"
        (report,) = pos_reports(b"0109501101530003", "honeywell", aim="]C1")
        with (Path("/dev") / node.name).open("rb", buffering=0) as reader:
            pos.send(report)
            assert reader.read(100) == report


def test_a_gadget_that_types() -> None:
    """A keyboard on the bus says who it is and types; pulled out it is gone, put in again back."""
    with usb_gadget.keyboard(SPARE_SOCKET, THING) as scanner:
        path = node(KEYBOARD_NODE)
        assert identity_of(SPARE_SOCKET) == THING
        pressed = [key for key in keys(path, scanner.send, keyboard_reports("1")) if key[2] == 1]
        assert pressed == [(ecodes.EV_KEY, ecodes.KEY_1, 1), (ecodes.EV_KEY, ecodes.KEY_ENTER, 1)]
        scanner.unplug()
        wait_for(lambda: not path.exists(), "the keyboard is gone")
        scanner.plug()
        assert keys(node(KEYBOARD_NODE), scanner.send, keyboard_reports("1"))


def test_a_gadget_in_pos_mode() -> None:
    """A POS scanner on the bus is a hidraw device only, and its reports arrive as they are."""
    reports = list(pos_reports(bytes(range(32, 127)), "newland", symbol=7))
    with usb_gadget.point_of_sale(SPARE_SOCKET, THING) as scanner:
        path = node(POS_NODE)
        assert not nodes(KEYBOARD_NODE)
        with path.open("rb", buffering=0) as reader, typing(scanner.send, reports):
            assert [reader.read(100) for _ in reports] == reports


def test_a_gadget_that_is_a_com_port() -> None:
    """Bytes go both ways, and the port says whose it is, in udev's names too."""
    with SerialGadget(SPARE_SOCKET, THING) as scanner:
        path = node(COM_NODE)
        (port,) = [port for port in list_ports.comports() if port.device == str(path)]
        assert (port.vid, port.pid, port.serial_number) == (0x1209, 1, "SIM-4711")
        by_id = Path("/dev/serial/by-id/usb-Sim_Thing_SIM-4711-if00")
        wait_for(by_id.exists, f"udev has made {by_id}")
        with serial.Serial(str(by_id), timeout=READ_S) as reader:
            scanner.send(b"\x02123\x1d\r")
            assert reader.read_until(b"\r") == b"\x02123\x1d\r"
            reader.write(b"\x06")
            assert scanner.hear(1) == b"\x06"


def test_the_bridge_that_qemu_has() -> None:
    """Bytes go both ways; pulled out while it is open, it comes back under another name."""
    path, other = Path("/dev/ttyUSB0"), Path("/dev/ttyUSB1")
    with Bridge() as scanner, serial.Serial(str(path), timeout=READ_S) as reader:
        scanner.send(b"123\r")
        assert reader.read_until(b"\r") == b"123\r"
        reader.write(b"\x06")
        assert scanner.hear(1) == b"\x06"
        scanner.unplug()
        wait_for(lambda: not path.exists(), "the bridge is gone")
        scanner.plug()
        wait_for(other.exists, f"the bridge is back as {other}")
        with pytest.raises(serial.SerialException):
            reader.read(1)
        reader.close()
        # Free again, the old name is the next one's.
        scanner.unplug()
        wait_for(lambda: not other.exists(), "the bridge is gone")
        scanner.plug()
        wait_for(path.exists, f"the bridge is back as {path}")
