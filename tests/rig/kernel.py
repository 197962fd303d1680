"""The kernel to boot: Debian's own, unpacked from its xz wrapping, and the modules devices need."""

import lzma
import re
import struct
from dataclasses import dataclass
from pathlib import Path

from rig.packages import Cache, CannotPrepare

#: Loaded at boot in this order, each after what it depends on, with its parameters.
#: dummy_hcd has eight USB sockets, in which gadgets of this machine become devices of this machine.
#: hid-mcp2221 is a USB chip with GPIO lines: Debian's kernel has neither gpio-sim nor gpio-mockup.
_MODULES = (
    "virtio_pci",
    "9pnet_virtio",
    "9p",
    "overlay",
    "evdev",
    "uinput",
    "uhid",
    "hid-generic",
    "usbhid",
    "xhci-pci",
    "ftdi_sio",
    "cdc-acm",
    "libcomposite",
    "usb_f_hid",
    "usb_f_acm",
    "dummy_hcd num=8",
    "hid-mcp2221",
)
#: Where a bzImage says how many sectors precede the kernel, and where its payload is. Source: "The
#: Linux/x86 Boot Protocol", fields setup_sects, payload_offset, payload_length.
_SETUP_SECTORS_AT, _PAYLOAD_AT, _SECTOR_BYTES = 0x1F1, 0x248, 512
_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")


@dataclass(frozen=True, slots=True)
class Module:
    """One file to load, and its parameters."""

    file: Path
    parameters: str = ""


def image(cache: Cache) -> Path:
    """Return the kernel as an ELF file, which boots in half the time: nothing unpacks it slowly."""
    target = cache.folder / "vmlinux"
    if not target.exists():
        packed = next(cache.kernel.glob("boot/vmlinuz-*")).read_bytes()
        offset, length = struct.unpack_from("<II", packed, _PAYLOAD_AT)
        start = (packed[_SETUP_SECTORS_AT] + 1) * _SECTOR_BYTES + offset
        unpacked = target.with_suffix(".new")
        try:
            # A decompressor: behind the stream lies its size, which lzma.decompress would refuse.
            unpacked.write_bytes(lzma.LZMADecompressor().decompress(packed[start:][:length]))
        except lzma.LZMAError as error:
            raise CannotPrepare("the kernel is not packed with xz; use Debian 12") from error
        unpacked.replace(target)
    return target


def modules(cache: Cache) -> list[Module]:
    """Return the modules to load in order; raise CannotPrepare when the kernel lacks one."""
    folder = next(cache.kernel.glob("lib/modules/*"))
    files = {_name(file): file for file in folder.rglob("*.ko")}
    built_in = {_name(Path(line)) for line in (folder / "modules.builtin").read_text().split()}
    order: dict[str, Module] = {}

    def add(name: str, parameters: str = "") -> None:
        if name in order or name in built_in:
            return
        if name not in files:
            raise CannotPrepare(f"the kernel in {folder} has no module {name}")
        found = _DEPENDS.search(files[name].read_bytes())
        for needed in found[1].decode().split(",") if found else ():
            if needed:
                add(needed.replace("-", "_"))
        order[name] = Module(files[name], parameters)

    for line in _MODULES:
        name, _, parameters = line.partition(" ")
        add(name.replace("-", "_"), parameters)
    return list(order.values())


def _name(file: Path) -> str:
    return file.stem.replace("-", "_")
