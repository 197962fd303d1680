"""Scanners on real USB, made of the kernel's gadget framework and a dummy controller (dummy_hcd).

The kernel is device and host at once, so a gadget has what a scanner on a cable has: vendor,
product, serial number, a port, a bus that asks for each report. Source of the file names:
Documentation/usb/gadget_configfs.rst and Documentation/ABI/testing/configfs-usb-gadget*.
"""

import errno
import os
import time
import tty
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from firmware_sim.hid_reports import (
    KEYBOARD_DESCRIPTOR,
    KEYBOARD_REPORT_BYTES,
    POS_DESCRIPTOR,
    POS_REPORT_BYTES,
)

#: Files of a gadget function and what to write into them.
Settings = Mapping[str, str | bytes]

T = TypeVar("T")
_GADGETS = Path("/sys/kernel/config/usb_gadget")
_ENGLISH = "0x409"
#: How long the kernel may take, on a machine that crawls, for what takes milliseconds.
_KERNEL_S = 20.0
_POLL_S = 0.01


@dataclass(frozen=True, slots=True)
class Identity:
    """What the scanner says about itself. An empty serial number is none."""

    vendor: int
    product: int
    serial: str = ""
    maker: str = "ACME"
    model: str = "Scanner"


def port_path(socket: int) -> str:
    """Return where the host sees a socket, as in /sys/bus/usb/devices; OSError: there is none."""
    for controller in Path(f"/sys/devices/platform/dummy_hcd.{socket}").glob("usb*"):
        return f"{controller.name.removeprefix('usb')}-1"
    raise FileNotFoundError(errno.ENOENT, "dummy_hcd has no such socket", str(socket))


class Gadget:
    """A scanner at socket number `socket` of the dummy controllers, counted from 0."""

    def __init__(self, socket: int, identity: Identity, function: str, settings: Settings) -> None:
        """Make the scanner, not yet plugged in; OSError when the kernel has no such socket."""
        self._socket = socket
        self._folder = _GADGETS / f"scanner-{socket}"
        self._function = self._folder / "functions" / f"{function}.{socket}"
        self._make(identity, settings)

    def __enter__(self) -> Self:
        """Plug it in."""
        self.plug()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take it away for good; the socket is free afterwards."""
        self.unplug()
        place = Path("/sys/bus/usb/devices") / port_path(self._socket)
        _once(lambda: None if place.exists() else True, "noticed that the scanner is gone")
        self._unmake()

    @property
    def plugged(self) -> bool:
        """True while it sits in its socket."""
        return bool((self._folder / "UDC").read_text().strip())

    def plug(self) -> None:
        """Put the plug in; the host finds the scanner a moment later."""
        if not self.plugged:
            (self._folder / "UDC").write_text(f"dummy_udc.{self._socket}")
            self._plugged()

    def unplug(self) -> None:
        """Pull the plug."""
        if self.plugged:
            self._unplugged()
            (self._folder / "UDC").write_text("\n")

    def _plugged(self) -> None:
        """Open the scanner's own end."""

    def _unplugged(self) -> None:
        """Close it."""

    def _make(self, identity: Identity, settings: Settings) -> None:
        self._folder.mkdir()
        for name, number in (("idVendor", identity.vendor), ("idProduct", identity.product)):
            (self._folder / name).write_text(hex(number))
        strings = self._folder / "strings" / _ENGLISH
        strings.mkdir()
        for name, text in (
            ("serialnumber", identity.serial),
            ("manufacturer", identity.maker),
            ("product", identity.model),
        ):
            if text:
                (strings / name).write_text(text)
        self._function.mkdir()
        for name, value in settings.items():
            data = value if isinstance(value, bytes) else value.encode()
            (self._function / name).write_bytes(data)
        configuration = self._folder / "configs" / "c.1"
        configuration.mkdir()
        (configuration / self._function.name).symlink_to(self._function)

    def _unmake(self) -> None:
        configuration = self._folder / "configs" / "c.1"
        (configuration / self._function.name).unlink()
        for folder in (
            configuration,
            self._function,
            self._folder / "strings" / _ENGLISH,
            self._folder,
        ):
            folder.rmdir()


class HidGadget(Gadget):
    """A scanner in a HID mode: keyboard or point of sale."""

    def _plugged(self) -> None:
        self._file = os.open(_once(self._node, "made the scanner's own device"), os.O_RDWR)

    def _unplugged(self) -> None:
        os.close(self._file)

    def send(self, reports: Iterable[bytes], report_s: float = 0.0) -> None:
        """Send reports; each waits until the host has fetched the one before. OSError: unplugged.

        `report_s` makes the scanner slower than the bus.
        """
        for report in reports:
            os.write(self._file, report)
            if report_s:
                time.sleep(report_s)

    def _node(self) -> Path | None:
        """Return the device that stands for the scanner's side, None while there is none."""
        number = (self._function / "dev").read_text().strip()
        uevent = Path("/sys/dev/char") / number / "uevent"
        if not uevent.exists():
            return None
        lines = dict(line.split("=", 1) for line in uevent.read_text().splitlines())
        node = Path("/dev") / lines["DEVNAME"]
        return node if node.exists() else None


def keyboard(socket: int, identity: Identity) -> HidGadget:
    """Return a scanner that types."""
    settings: Settings = {
        "protocol": "1",
        "subclass": "1",
        "report_length": str(KEYBOARD_REPORT_BYTES),
        "report_desc": KEYBOARD_DESCRIPTOR,
    }
    return HidGadget(socket, identity, "hid", settings)


def point_of_sale(socket: int, identity: Identity) -> HidGadget:
    """Return a scanner in HID POS mode."""
    settings: Settings = {
        "protocol": "0",
        "subclass": "0",
        "report_length": str(POS_REPORT_BYTES),
        "report_desc": POS_DESCRIPTOR,
    }
    return HidGadget(socket, identity, "hid", settings)


class SerialGadget(Gadget):
    """A scanner that is a virtual COM port (CDC-ACM)."""

    def __init__(self, socket: int, identity: Identity) -> None:
        """Make the scanner, not yet plugged in."""
        super().__init__(socket, identity, "acm", {})

    def _plugged(self) -> None:
        self._file = os.open(
            _once(self._node, "made the scanner's own device"), os.O_RDWR | os.O_NOCTTY
        )
        tty.setraw(self._file)

    def _unplugged(self) -> None:
        os.close(self._file)

    def send(self, data: bytes) -> None:
        """Send bytes; they wait in the scanner until the host opens the port."""
        while data:
            data = data[os.write(self._file, data) :]

    def hear(self, size: int) -> bytes:
        """Return what the host wrote, up to `size` bytes; waits for the first."""
        return os.read(self._file, size)

    def _node(self) -> Path | None:
        node = Path(f"/dev/ttyGS{(self._function / 'port_num').read_text().strip()}")
        return node if node.exists() else None


def _once(find: Callable[[], T | None], what: str) -> T:
    """Return what `find` finds as soon as it finds something; TimeoutError when it never does."""
    end = time.monotonic() + _KERNEL_S
    while (found := find()) is None:
        if time.monotonic() > end:
            raise TimeoutError(f"within {_KERNEL_S:.0f} s the kernel has not {what}")
        time.sleep(_POLL_S)
    return found
