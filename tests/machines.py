"""A machine's device files and /sys as the kernel lays them out, in a folder of a test's own."""

import os
import shutil
import struct
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

_LONG_BITS = 8 * struct.calcsize("l")
_TYPING = (*range(2, 12), 28, *range(16, 26), *range(30, 39), *range(44, 51))
POS_DESCRIPTOR = bytes.fromhex("058c0902a10185020902753e")
KEYBOARD_DESCRIPTOR = bytes.fromhex("05010906a101")


def bitmap(keys: tuple[int, ...]) -> str:
    """Return a bitmap of keys as /sys/class/input prints it."""
    bits = sum(1 << key for key in keys)
    words = []
    while bits:
        words.append(f"{bits & ((1 << _LONG_BITS) - 1):x}")
        bits >>= _LONG_BITS
    return " ".join(reversed(words)) or "0"


@dataclass
class Machine:
    """A root folder with sys, dev, proc, run and etc. What was plugged in can be unplugged."""

    root: Path
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        for folder in ("sys/class/tty", "sys/bus/usb/devices", "dev/input", "proc", "run", "etc"):
            (self.root / folder).mkdir(parents=True)
        self._controller = self.root / "sys/devices/pci0000:00/0000:00:14.0/usb1"

    def usb(
        self,
        port: str,
        ids: str = "05e0:1701",
        serial: str | None = None,
        product: str = "DS2208",
        manufacturer: str = "Zebra",
    ) -> Path:
        """Plug a USB device into a port like 1-1.4, once; return its sysfs folder."""
        parts = port.split(".")
        hubs = [".".join(parts[: n + 1]) for n in range(len(parts))]
        folder = self._controller.joinpath(*hubs)
        folder.mkdir(parents=True, exist_ok=True)
        vid, _, pid = ids.partition(":")
        texts = {
            "idVendor": vid,
            "idProduct": pid,
            "product": product,
            "manufacturer": manufacturer,
            "dev": "189:7",
            "power/control": "on",
        }
        if serial is not None:
            texts["serial"] = serial
        for name, text in texts.items():
            self._write(folder / name, text)
        self._link(self.root / "sys/bus/usb/devices" / port, folder)
        return folder

    def interface(self, usb: Path, number: str = "00", driver: str = "usbhid") -> Path:
        """Give a USB device an interface with a driver; return its folder."""
        folder = usb / f"{usb.name}:1.{int(number, 16)}"
        folder.mkdir(exist_ok=True)
        self._write(folder / "bInterfaceNumber", number)
        drivers = self.root / "sys/bus/usb/drivers" / driver
        drivers.mkdir(parents=True, exist_ok=True)
        self._link(folder / "driver", drivers)
        self._link(self.root / "sys/bus/usb/devices" / folder.name, folder)
        return folder

    def serial(self, name: str, usb: Path, number: str = "00", behind: Path | None = None) -> Path:
        """Add ttyUSB or ttyACM to a USB device; `behind` is what its device file is a link to."""
        folder = self.interface(usb, number, "ftdi_sio" if name.startswith("ttyUSB") else "cdc_acm")
        folder = (
            folder / name / "tty" / name if name.startswith("ttyUSB") else folder / "tty" / name
        )
        self._node("tty", folder)
        return self._file(self.root / "dev" / name, behind)

    def keyboard(
        self,
        name: str,
        parent: Path,
        product: str,
        bus: str = "0003",
        ids: str = "05e0:1200",
        uniq: str = "",
        keys: tuple[int, ...] = _TYPING,
    ) -> Path:
        """Add an input device below `parent`: an interface, or a Bluetooth or virtual folder."""
        vid, _, pid = ids.partition(":")
        number = next(self._numbers)
        hid = parent / f"{bus}:{vid.upper()}:{pid.upper()}.{number:04X}"
        inputs = hid / "input" / f"input{number}"
        for text_name, text in {
            "id/bustype": bus,
            "id/vendor": vid,
            "id/product": pid,
            "name": product,
            "uniq": uniq,
            "capabilities/key": bitmap(keys),
        }.items():
            self._write(inputs / text_name, text)
        self._link(inputs / "device", hid)
        self._node("input", inputs / name)
        return self._file(self.root / "dev/input" / name, None)

    def hidraw(
        self,
        name: str,
        parent: Path,
        ids: str = "05e0:1300",
        uniq: str = "",
        descriptor: bytes = POS_DESCRIPTOR,
        bus: str = "0003",
    ) -> Path:
        """Add a hidraw device below `parent`."""
        vid, _, pid = ids.upper().partition(":")
        hid = parent / f"{bus}:{vid}:{pid}.{next(self._numbers):04X}"
        self._write(
            hid / "uevent",
            f"DRIVER=hid-generic\nHID_ID={bus}:0000{vid}:0000{pid}\nHID_NAME=POS\nHID_UNIQ={uniq}",
        )
        (hid / "report_descriptor").write_bytes(descriptor)
        self._node("hidraw", hid / "hidraw" / name)
        return self._file(self.root / "dev" / name, None)

    def process(self, pid: int, name: str, *arguments: str, opened: Path | None = None) -> None:
        """Let a process run, with a file open."""
        folder = self.root / "proc" / str(pid)
        self._write(folder / "comm", name)
        (folder / "cmdline").write_text("\0".join((name, *arguments)) + "\0")
        (folder / "fd").mkdir()
        if opened is not None:
            (folder / "fd/3").symlink_to(opened)

    def unplug(self, usb: Path) -> None:
        """Take a USB device away, with all that hangs on it."""
        for kind in ("class/tty", "class/input", "class/hidraw", "bus/usb/devices"):
            folder = self.root / "sys" / kind
            for link in folder.iterdir() if folder.exists() else ():
                if link.resolve().is_relative_to(usb):
                    link.unlink()
                    for node in (
                        self.root / "dev" / link.name,
                        self.root / "dev/input" / link.name,
                    ):
                        node.unlink(missing_ok=True)
        shutil.rmtree(usb)

    def _node(self, kind: str, folder: Path) -> None:
        self._write(folder / "dev", f"188:{next(self._numbers)}")
        self._link(self.root / "sys/class" / kind / folder.name, folder)

    def _file(self, path: Path, behind: Path | None) -> Path:
        if behind is None:
            path.touch(0o660)
        else:
            path.symlink_to(behind)
        return path

    def _link(self, link: Path, target: Path) -> None:
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(os.path.relpath(target, link.parent))

    def _write(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
