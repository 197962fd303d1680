"""The devices of this machine that can be a scanner, as the kernel shows them under /sys.

Nothing here needs udev, root or a package. A device may vanish while it is read; then it is left
out. `root` is where the machine's files begin, so that tests can lay out a machine of their own.
"""

import contextlib
import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

ROOT = Path("/")
DeviceSource = Literal["serial", "keyboard", "pos"]
SOURCES: tuple[DeviceSource, ...] = get_args(DeviceSource)
#: Source: the kernel's class of devices and the names in it that are looked at.
_CLASSES: dict[DeviceSource, tuple[str, tuple[str, ...]]] = {
    "serial": ("tty", ("ttyUSB", "ttyACM")),
    "keyboard": ("input", ("event",)),
    "pos": ("hidraw", ("hidraw",)),
}
#: linux/input.h: the bus types.
_USB, _BLUETOOTH = "0003", "0005"
#: linux/input-event-codes.h: the digits, Enter, and the three rows of letters.
_TYPING_KEYS = (*range(2, 12), 28, *range(16, 26), *range(30, 39), *range(44, 51))
_LONG_BITS = 8 * struct.calcsize("l")
#: A report descriptor that begins with usage page 0x8C (bar code scanner), in one byte or two.
_POS_DESCRIPTORS = (b"\x05\x8c", b"\x06\x8c\x00")
#: USB strings have at most 126 characters.
_TEXT_MAX = 126


@dataclass(frozen=True, slots=True)
class Device:
    """One device file that a scanner may be behind.

    `path` is where it is now. `usb_port` (like 1-1.4) and `interface` (like 00) are empty for
    Bluetooth. `unit` is the sysfs folder of the physical device: a composite scanner has several
    device files in one unit. `number` is the kernel's major:minor.
    """

    source: DeviceSource
    path: str
    vid: str
    pid: str
    manufacturer: str
    product: str
    serial: str
    usb_port: str
    interface: str
    unit: Path
    number: str

    @property
    def label(self) -> str:
        """Maker and product, for people."""
        if self.product.lower().startswith(self.manufacturer.lower()):
            return self.product or f"{self.vid}:{self.pid}"
        return f"{self.manufacturer} {self.product}".strip()


def devices(root: Path = ROOT, sources: Iterable[str] = SOURCES) -> list[Device]:
    """Return what is plugged in now: USB serial ports, USB and Bluetooth keyboards, POS devices."""
    return [
        device
        for source in SOURCES
        if source in sources
        for entry in _entries(root, source)
        if (device := _READERS[source](root, entry)) is not None
    ]


def names(root: Path = ROOT) -> frozenset[tuple[str, int]]:
    """Return the names and inodes of what `devices` would look at; it costs microseconds."""
    found: set[tuple[str, int]] = set()
    for kind, prefixes in _CLASSES.values():
        try:
            with os.scandir(root / "sys/class" / kind) as entries:
                found.update((e.name, e.inode()) for e in entries if e.name.startswith(prefixes))
        except OSError:  # the class comes with its first device
            continue
    return frozenset(found)


def _entries(root: Path, source: DeviceSource) -> Iterator[Path]:
    kind, prefixes = _CLASSES[source]
    folder = root / "sys/class" / kind
    try:
        present = [link for link in folder.iterdir() if link.name.startswith(prefixes)]
    except OSError:
        return
    for link in sorted(present, key=lambda link: (len(link.name), link.name)):
        with contextlib.suppress(OSError):  # unplugged while we looked
            yield link.resolve(strict=True)


def _serial(root: Path, entry: Path) -> Device | None:
    return _device("serial", root / "dev" / entry.name, entry)


def _keyboard(root: Path, entry: Path) -> Device | None:
    inputs = entry.parent
    bus, hid = _text(inputs / "id/bustype"), inputs / "device"
    if bus not in (_USB, _BLUETOOTH) or not _types(_text(inputs / "capabilities/key")):
        return None
    return _device(
        "keyboard",
        root / "dev/input" / entry.name,
        entry,
        bus,
        unit=hid.resolve() if hid.exists() else inputs,
        ids=(_text(inputs / "id/vendor"), _text(inputs / "id/product")),
        product=_text(inputs / "name"),
        serial=_text(inputs / "uniq"),
    )


def _pos(root: Path, entry: Path) -> Device | None:
    hid = entry.parent.parent
    try:
        descriptor = (hid / "report_descriptor").read_bytes()
    except OSError:
        return None
    if not descriptor.startswith(_POS_DESCRIPTORS):
        return None
    known = dict(line.split("=", 1) for line in _lines(hid / "uevent") if "=" in line)
    bus, vid, pid = (known.get("HID_ID", "") + "::").split(":")[:3]
    return _device(
        "pos",
        root / "dev" / entry.name,
        entry,
        bus,
        unit=hid,
        ids=(vid[-4:], pid[-4:]),
        product=_clean(known.get("HID_NAME", "")),
        serial=_clean(known.get("HID_UNIQ", "")),
    )


_READERS = {"serial": _serial, "keyboard": _keyboard, "pos": _pos}


def _device(
    source: DeviceSource,
    path: Path,
    entry: Path,
    bus: str = _USB,
    *,
    unit: Path | None = None,
    ids: tuple[str, str] = ("", ""),
    product: str = "",
    serial: str = "",
) -> Device | None:
    """Return the device at `entry`, described by its USB device where it has one."""
    usb = None
    if bus == _USB:  # the USB device above a Bluetooth scanner is the radio
        usb = next((parent for parent in entry.parents if (parent / "idVendor").exists()), None)
    if usb is not None:
        unit, ids = usb, (_text(usb / "idVendor"), _text(usb / "idProduct"))
        product, serial = _text(usb / "product"), _text(usb / "serial")
    vid, pid = (each.lower() for each in ids)
    if unit is None or not vid or not pid:
        return None
    interface = next((p for p in entry.parents if (p / "bInterfaceNumber").exists()), None)
    return Device(
        source=source,
        path=str(path),
        vid=vid,
        pid=pid,
        manufacturer=_text(usb / "manufacturer") if usb else "",
        product=product,
        serial=serial,
        usb_port=usb.name if usb else "",
        interface=_text(interface / "bInterfaceNumber").lower() if interface else "",
        unit=unit,
        number=_text(entry / "dev"),
    )


def _types(bitmap: str) -> bool:
    """Return whether a bitmap of keys (words of a long, highest first) has letters and digits."""
    keys = 0
    for word in bitmap.split():
        try:
            keys = keys << _LONG_BITS | int(word, 16)
        except ValueError:  # not the kernel's words
            return False
    return all(keys >> key & 1 for key in _TYPING_KEYS)


def _text(path: Path) -> str:
    return next(iter(_lines(path)), "")


def _lines(path: Path) -> list[str]:
    try:
        return [_clean(line) for line in path.read_text("utf-8", "replace").splitlines()]
    except OSError:
        return []


def _clean(text: str) -> str:
    """A device chooses its own strings; none may steer a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text.strip())[:_TEXT_MAX]
