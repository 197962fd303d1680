"""Our udev rules, in Debian's udev: names that stay, groups, and other programs kept away."""

import grp
import os
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from firmware_sim.usb_gadget import Identity, SerialGadget, keyboard, point_of_sale, port_path
from rig.guest.dock import wait_for
from rig.guest.scanners import COM_SOCKET, SPARE_SOCKET

pytestmark = pytest.mark.rig
HONEYWELL = Identity(0x0C2E, 0x0B81, "RULES-1", maker="Honeywell", model="Imager")
UDEV = Path("/run/udev/data")


def has(device: Path, setting: str) -> None:
    """Wait until udev has noted a setting for a device file: it does so after naming it."""
    wait_for(lambda: setting in settings(device), f"{device} has {setting}")


def settings(device: Path) -> set[str]:
    """Return what udev has noted for a device file."""
    number = device.stat().st_rdev
    kind = "b" if stat.S_ISBLK(device.stat().st_mode) else "c"
    data = UDEV / f"{kind}{os.major(number)}:{os.minor(number)}"
    lines = data.read_text().splitlines() if data.exists() else []
    return {line.removeprefix("E:") for line in lines}


def names(folder: Path) -> list[Path]:
    """Return the names in a folder that comes with the first and goes with the last."""
    with suppress(FileNotFoundError):
        return list(folder.iterdir())
    return []


def usb_device(socket: int) -> Path:
    """Return the device file of what sits in a socket, as a whole."""
    place = Path("/sys/bus/usb/devices") / port_path(socket)
    return Path("/dev/bus/usb") / "/".join(
        f"{int((place / name).read_text()):03}" for name in ("busnum", "devnum")
    )


def test_a_pos_scanner_has_a_stable_name_and_a_group() -> None:
    """Its hidraw device is named after its serial number and after its port, wherever it is."""
    by_id = Path("/dev/docktally/by-id/usb-Honeywell_Imager_RULES-1-if00-hidraw")
    by_paths = Path("/dev/docktally/by-path")
    places = set()
    for socket in (SPARE_SOCKET, COM_SOCKET):
        with point_of_sale(socket, HONEYWELL):
            wait_for(by_id.exists, f"{by_id} is there")
            wait_for(lambda: names(by_paths), f"{by_paths} has a name")
            (by_path,) = names(by_paths)
            places.add(by_path)
            assert by_path.resolve() == by_id.resolve()
            state = by_id.stat()
            assert grp.getgrgid(state.st_gid).gr_name == "input"
            assert stat.S_IMODE(state.st_mode) == 0o660
        wait_for(lambda: not names(by_paths), "its names are gone")
    assert len(places) == 2


def test_a_scanner_that_types_is_no_keyboard_of_the_desktop() -> None:
    """It has udev's stable name, and libinput leaves it alone."""
    by_id = Path("/dev/input/by-id/usb-Honeywell_Imager_RULES-1-event-kbd")
    with keyboard(SPARE_SOCKET, HONEYWELL):
        wait_for(by_id.exists, f"{by_id} is there")
        has(by_id, "LIBINPUT_IGNORE_DEVICE=1")


def test_a_com_port_is_no_modem_and_stays_awake() -> None:
    """It has udev's stable name; ModemManager is told off, and autosuspend."""
    by_id = Path("/dev/serial/by-id/usb-Honeywell_Imager_RULES-1-if00")
    power = Path("/sys/bus/usb/devices") / port_path(SPARE_SOCKET) / "power/control"
    with SerialGadget(SPARE_SOCKET, HONEYWELL):
        wait_for(by_id.exists, f"{by_id} is there")
        has(by_id, "ID_MM_DEVICE_IGNORE=1")
        has(usb_device(SPARE_SOCKET), "ID_MM_DEVICE_IGNORE=1")
        assert power.read_text() == "on\n"


def test_a_bridge_is_no_modem() -> None:
    """A serial adapter is nobody's scanner by its numbers, but its port is left alone."""
    (bridge,) = Path("/dev").glob("ttyUSB*")
    has(bridge, "ID_MM_PORT_IGNORE=1")
