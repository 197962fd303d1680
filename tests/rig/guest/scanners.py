"""The scanners of this dock: what they are, where they are plugged in, how they are configured.

Each has a socket of its own among the eight of dummy_hcd, so that the gateway's configuration can
name all of them before they are plugged in.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from firmware_sim.hid_reports import POS_DESCRIPTOR
from firmware_sim.uhid import UhidDevice
from firmware_sim.usb_gadget import Identity, port_path
from firmware_sim.usb_keyboard import UsbKeyboard
from rig.guest import bridge
from rig.guest.dock import wait_for

#: Two of one model, told apart by their serial numbers.
LEFT_SOCKET, LEFT = 0, Identity(0x05E0, 0x1200, "S22019523021234")
RIGHT_SOCKET, RIGHT = 1, Identity(0x05E0, 0x1200, "S22019523025678")
HONEYWELL_SOCKET, HONEYWELL = 2, Identity(0x0C2E, 0x0B81, "17339B4C2A")
NEWLAND_SOCKET, NEWLAND = 3, Identity(0x1EAB, 0x0010, "NLS-7001")
COM_SOCKET, COM = 4, Identity(0x0C2E, 0x0B8A, "17339B4D90")
#: Two of one cheap model with the serial number that its maker gave to all of them.
TWIN_SOCKETS, TWIN = (5, 6), Identity(0x1EAB, 0x0006, "000000000001")
SPARE_SOCKET = 7
#: What uinput and uhid make has no USB port: these are paths, as a udev rule would make them.
WEDGE_PATH, FLOOD_PATH = Path("/run/scanners/wedge"), Path("/run/scanners/flood")
#: Between two reports of a keyboard, slow enough for a reader that crawls; and of a brisk one.
PACE_S, BRISK_S = 0.012, 0.004
#: As long as a hand takes to a cable: what was sent before it pulls has been read.
HAND_S = 0.5
#: Only the plug ends a code that was begun.
_NO_TIMEOUT = "frame_timeout_ms = 60000"
#: A tenth of a second without a key is no broken code where the guest itself may stand still.
_KEYBOARD = "source = 'keyboard'\ngap_ms = 900"


def configuration() -> dict[str, str]:
    """Return the block of every scanner, by name, as `docktally scanners` would write it."""
    twins = {
        f"twin-{at}": f"port = '{_ids(TWIN)}@{port_path(socket)}'"
        for at, socket in enumerate(TWIN_SOCKETS)
    }
    return {
        "left": f"{_KEYBOARD}\nport = '{_ids(LEFT)}:{LEFT.serial}'",
        "right": f"{_KEYBOARD}\nport = '{_ids(RIGHT)}:{RIGHT.serial}'\nlayout = 'de'",
        "wedge": f"{_KEYBOARD}\nport = '{WEDGE_PATH}'",
        "honeywell": f"source = 'pos'\nprofile = 'honeywell'\n{_NO_TIMEOUT}\n"
        f"port = '{_ids(HONEYWELL)}:{HONEYWELL.serial}'",
        "newland": f"source = 'pos'\nprofile = 'newland'\n"
        f"port = '{_ids(NEWLAND)}:{NEWLAND.serial}'",
        "flood": f"source = 'pos'\nprofile = 'honeywell'\nport = '{FLOOD_PATH}'",
        "com": f"{_NO_TIMEOUT}\nport = '{_ids(COM)}:{COM.serial}'\nfeedback.offline = \"\\u0011\"",
        "bridge": f"port = 'usb:0403:6001:{bridge.SERIAL}'",
        **twins,
    }


@contextmanager
def wedge() -> Iterator[UsbKeyboard]:
    """Plug the scanner of WEDGE_PATH in."""
    scanner = UsbKeyboard("ACME Wedge", vendor=0x05E0, product=0x1200)
    with scanner, _linked(WEDGE_PATH, Path(scanner.path)):
        yield scanner


@contextmanager
def flood() -> Iterator[UhidDevice]:
    """Plug the scanner of FLOOD_PATH in."""
    scanner = UhidDevice(
        "ACME Imager", vendor=0x05E0, product=0x1300, serial="FLOOD", descriptor=POS_DESCRIPTOR
    )
    with scanner, _linked(FLOOD_PATH, Path("/dev") / hid_node("FLOOD", "hidraw/*").name):
        yield scanner


def hid_node(serial: str, pattern: str) -> Path:
    """Wait for what the kernel has made of a HID device, as a path below /sys."""

    def found() -> list[Path]:
        uevents = Path("/sys/bus/hid/devices").glob("*/uevent")
        places = [file.parent for file in uevents if f"HID_UNIQ={serial}\n" in file.read_text()]
        return [path for place in places for path in place.glob(pattern)]

    wait_for(found, f"{serial} has {pattern}")
    return found()[0]


@contextmanager
def _linked(link: Path, device: Path) -> Iterator[None]:
    """Give a device a path of its own, as long as it is there: its number is soon another's."""
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(device)
    yield
    link.unlink()


def _ids(identity: Identity) -> str:
    return f"usb:{identity.vendor:04x}:{identity.product:04x}"
