"""Which device of this machine a configured port is, and which devices nobody configured."""

import errno
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from gateway import binding, sysfs
from gateway.binding import Binding
from gateway.config import Scanner, Source
from gateway.sysfs import ROOT, Device
from wire.events import NewScanner

#: Makers of scanners: Zebra/Symbol, Honeywell/Metrologic, Hand Held Products, Youjie, Datalogic,
#: Newland (usb.ids 2025.07.26). deploy/60-docktally.rules has the same list.
SCANNER_VENDORS = frozenset({"05e0", "0c2e", "0536", "23d0", "05f9", "1eab"})
_SCANNER_WORDS = ("barcode", "bar code", "scanner", "imager")
#: New scanners told to everybody; more are accidents, and the state must stay a small message.
NEW_MAX = 16


def path_of(source: Source, port: str, root: Path = ROOT) -> str:
    """Return the device's path now; a port that is no `usb:` binding is its own path.

    Raises FileNotFoundError when it is not plugged in, and OSError with what to write instead when
    more than one device answers: two identical scanners never merge.
    """
    if not port.startswith(binding.PREFIX):
        return port
    wanted = binding.parse(port)
    found = [device for device in sysfs.devices(root, (source,)) if _answers(device, wanted)]
    if not found:
        raise FileNotFoundError(errno.ENOENT, "not plugged in", port)
    if len(found) > 1:
        raise OSError(_which(wanted, found))
    return found[0].path


def binding_of(device: Device, present: Iterable[Device]) -> str:
    """Return the port to configure for `device`, by serial number if that is its own, else by USB
    port; its path where it has neither.
    """
    same_kind = [d for d in present if d.unit == device.unit and d.source == device.source]
    interface = device.interface if len(same_kind) > 1 else ""
    if serial_problem(device, present) is None:
        return str(Binding(device.vid, device.pid, serial=device.serial, interface=interface))
    return _by_usb_port(device, interface)


def serial_problem(device: Device, present: Iterable[Device]) -> str | None:
    """Return why a device's serial number cannot name it, None when it can."""
    if not device.serial:
        return "it has no serial number"
    if not binding.dependable(device.serial):
        return f"its serial number {device.serial!r} is a placeholder"
    ids = (device.vid, device.pid, device.serial)
    if any((d.vid, d.pid, d.serial) == ids and d.unit != device.unit for d in present):
        return f"another device here has the same serial number {device.serial!r}"
    return None


def is_named(device: Device, scanner: Scanner) -> bool:
    """Return whether a configured scanner is this device."""
    if scanner.port.startswith(binding.PREFIX):
        return scanner.source == device.source and _answers(device, binding.parse(scanner.port))
    return Path(scanner.port).resolve() == Path(device.path).resolve()


def suggests_scanner(device: Device) -> bool:
    """Return whether it may be offered: a person's own keyboard looks like a scanner that types."""
    if device.source != "keyboard" or device.vid in SCANNER_VENDORS:
        return True
    return any(word in device.label.lower() for word in _SCANNER_WORDS)


def is_taken(device: Device, scanners: Iterable[Scanner], present: Sequence[Device]) -> bool:
    """Return whether the device is configured, or its unit is as another kind of scanner.

    Of several serial ports in one unit each may have a scanner of its own.
    """
    return any(
        is_named(other, scanner)
        for scanner in scanners
        for other in present
        if other == device or (other.unit == device.unit and other.source != device.source)
    )


def new_scanners(present: Sequence[Device], scanners: Sequence[Scanner]) -> tuple[NewScanner, ...]:
    """Return what looks like a scanner and is not configured, at most NEW_MAX."""
    offered = [
        NewScanner(
            source=device.source,
            port=binding_of(device, present),
            product=device.label,
            problem=_problem(device, present),
        )
        for device in present
        if suggests_scanner(device) and not is_taken(device, scanners, present)
    ]
    return tuple(offered[:NEW_MAX])


def _problem(device: Device, present: Iterable[Device]) -> str | None:
    if not os.access(device.path, os.R_OK | os.W_OK):
        return f"no permission to open {device.path}; `docktally doctor` says what to do"
    why = serial_problem(device, present)
    return why and f"{why}; keep it at the same USB port"


def _answers(device: Device, wanted: Binding) -> bool:
    if (device.vid, device.pid) != (wanted.vid, wanted.pid):
        return False
    if wanted.interface and device.interface != wanted.interface:
        return False
    return device.serial == wanted.serial if wanted.serial else device.usb_port == wanted.usb_port


def _by_usb_port(device: Device, interface: str) -> str:
    if not device.usb_port:
        return device.path
    return str(Binding(device.vid, device.pid, usb_port=device.usb_port, interface=interface))


def _which(wanted: Binding, found: Sequence[Device]) -> str:
    if len({device.unit for device in found}) == 1:
        choices = [f"{wanted}/if{device.interface}" for device in found]
        if wanted.interface or len(set(choices)) < len(found):
            choices = [device.path for device in found]
        what = f"{wanted} has more than one {found[0].source} interface; bind one of them: "
    else:
        choices = [_by_usb_port(device, wanted.interface) for device in found]
        what = f"more than one device answers to {wanted}; bind by USB port instead: "
    return what + " or ".join(choices)
