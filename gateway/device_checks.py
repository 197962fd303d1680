"""What on this machine keeps a device from being read, or will one day. Each with its cure.

Nothing is opened and nothing is changed. `root` is where the machine's files begin.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from gateway import accounts, devices
from gateway.finding import Finding
from gateway.processes import Process
from gateway.sysfs import Device

_RULES = (
    "install deploy/60-docktally.rules (docs/operations.md, Scanners), then plug the scanner in "
    "again"
)
_AS_ROOT = "the service may; run this command as root to see all"
#: USB-to-serial chips that brltty takes for Braille displays: CH340, CP210x, FTDI, PL2303.
_BRIDGES = frozenset(
    {"1a86:7523", "1a86:5523", "10c4:ea60", "0403:6001", "0403:6010", "0403:6015", "067b:2303"}
)


def of_identity(device: Device, present: Sequence[Device]) -> Iterator[Finding]:
    """Yield that a device has no serial number of its own, and how to bind it then."""
    why = devices.serial_problem(device, present)
    if why is not None:
        yield Finding(
            device.path,
            "warn",
            why,
            f"bind it as {devices.binding_of(device, present)} and keep the scanner at this USB "
            "port; another port is another scanner",
        )


def of_device(device: Device, root: Path, processes: Sequence[Process]) -> Iterator[Finding]:
    """Yield what may keep a device that is plugged in from being read."""
    yield from of_access(Path(device.path), root)
    yield from _of_modem_manager(device, root, processes)
    if _text(device.unit / "power/control") == "auto":
        yield Finding(
            device.path, "warn", "USB autosuspend may make it sleep and lose the first scan", _RULES
        )
    if device.source == "serial":
        yield from of_getty(Path(device.path).name, root, processes)


def of_users(device: Device, processes: Sequence[Process]) -> Iterator[Finding]:
    """Yield the other programs that have the device open, as far as we may see them."""
    for process in users(device, processes):
        yield Finding(device.path, "warn", f"{process} has it open", "stop that program")


def users(device: Device, processes: Sequence[Process]) -> list[Process]:
    """Return the other programs that have the device open, where we may see them."""
    return [p for p in processes if device.path in p.files and p.pid != os.getpid()]


def of_access(path: Path, root: Path) -> Iterator[Finding]:
    """Yield who may not open a device file: this user, and the user of the service."""
    try:
        found = path.stat()
    except OSError as error:
        yield Finding(
            str(path), "bad", f"{path}: {error.strerror}",
            "plug it in; in a container, pass the device in (--device)",
        )  # fmt: skip
        return
    service, me = accounts.service(root), accounts.current(root)
    if service is not None and not service.may_open(found):
        yield _no_access(path, found, root, service.name, "start the gateway again")
    elif not os.access(path, os.R_OK | os.W_OK, effective_ids=True):
        finding = _no_access(path, found, root, me.name, "sign in again")
        yield finding if service is None else replace(finding, level="warn", fix=_AS_ROOT)


def of_getty(tty: str, root: Path, processes: Sequence[Process]) -> Iterator[Finding]:
    """Yield that a login prompt owns a serial port: it would answer the scanner."""
    consoles = _text(root / "sys/class/tty/console/active").split()
    if tty in consoles or any("getty" in p.name and tty in p.arguments for p in processes):
        yield Finding(
            f"/dev/{tty}", "bad", "a login prompt or the kernel's console uses this port",
            f"systemctl disable --now serial-getty@{tty}; on a Raspberry Pi also switch the serial "
            "console off in raspi-config",
        )  # fmt: skip


def of_bridges(root: Path, processes: Sequence[Process]) -> Iterator[Finding]:
    """Yield USB-to-serial chips that give no serial port, most often because of brltty."""
    for usb in sorted((root / "sys/bus/usb/devices").glob("*-*")):
        ids = f"{_text(usb / 'idVendor')}:{_text(usb / 'idProduct')}"
        if ids not in _BRIDGES or any(usb.glob("*/ttyUSB*")):
            continue
        drivers = {link.resolve().name for link in usb.glob("*/driver")}
        brltty = any(p.name == "brltty" for p in processes) or (root / "usr/bin/brltty").exists()
        taken = "usbfs" in drivers
        yield Finding(
            f"USB port {usb.name}",
            "bad" if taken or brltty else "warn",
            f"the USB serial adapter {ids} has no serial port"
            + ("; another program has taken it" if taken else ""),
            "apt-get remove brltty, then plug it in again" if brltty else "see dmesg",
        )


def _of_modem_manager(
    device: Device, root: Path, processes: Sequence[Process]
) -> Iterator[Finding]:
    if device.source != "serial" or not any(p.name == "ModemManager" for p in processes):
        return
    for number in (device.number, _text(device.unit / "dev")):
        known = _lines(root / f"run/udev/data/c{number}")
        if {"E:ID_MM_DEVICE_IGNORE=1", "E:ID_MM_PORT_IGNORE=1"} & set(known):
            return
    yield Finding(
        device.path, "warn", "ModemManager may send modem commands to this scanner", _RULES
    )


def _no_access(path: Path, found: os.stat_result, root: Path, user: str, then: str) -> Finding:
    group = accounts.group_name(root, found.st_gid)
    wanted = stat.S_IRGRP | stat.S_IWGRP
    by_group = found.st_gid != 0 and found.st_mode & wanted == wanted
    return Finding(
        str(path),
        "bad",
        f"{user} may not open {path} (group {group}, {stat.filemode(found.st_mode)})",
        f"usermod -aG {group} {user}, then {then}" if by_group else _RULES,
    )


def _text(path: Path) -> str:
    return next(iter(_lines(path)), "")


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
