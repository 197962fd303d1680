"""`docktally doctor`: is each configured scanner there, ours to open, and bound to stay?"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from gateway import binding, device_checks, devices, ports, processes, sysfs
from gateway.config import Scanner
from gateway.finding import Finding
from gateway.outbox_look import Look
from gateway.port import Down, Up
from gateway.processes import Process
from gateway.sysfs import Device
from wire.errors import Unavailable

#: How long a device may take to be opened; a network scanner to answer.
_OPEN_S = 3.0


async def of_scanners(
    scanners: Sequence[Scanner], look: Look | None, root: Path, *, gateway_runs: bool
) -> AsyncIterator[Finding]:
    """Yield what there is to say about the scanners. Those that nobody reads are opened once."""
    present, programs = sysfs.devices(root), processes.running(root)
    for scanner in scanners:
        stops = False
        for finding in _of_scanner(scanner, present, programs, root, gateway_runs=gateway_runs):
            stops = stops or finding.level == "bad"
            yield replace(finding, about=scanner.name)
        if not stops:
            yield replace(await _opened(scanner, root, gateway_runs), about=scanner.name)
            yield replace(_gs_test(scanner, look), about=scanner.name)
    for finding in device_checks.of_bridges(root, programs):
        yield finding
    new = devices.new_scanners(present, scanners)
    if new:
        yield Finding(
            "scanners", "warn", f"{len(new)} devices look like scanners and are not configured",
            "docktally scanners lists them and writes their configuration",
        )  # fmt: skip


def _of_scanner(
    scanner: Scanner,
    present: Sequence[Device],
    programs: Sequence[Process],
    root: Path,
    *,
    gateway_runs: bool,
) -> Iterator[Finding]:
    """Yield what keeps a scanner from being read, without opening it."""
    try:
        ports.driver_of(scanner.source)
    except Unavailable as error:
        what, _, fix = str(error).partition(": ")
        yield Finding("", "bad", what, fix)
        return
    if _is_remote(scanner):
        return
    try:
        path = Path(devices.path_of(scanner.source, scanner.port, root))
        path.stat()
    except FileNotFoundError:
        fix = "plug it in; docktally scanners lists what is there"
        yield Finding("", "bad", f"not plugged in: {scanner.port}", fix)
        return
    except OSError as error:
        yield Finding("", "bad", *_two(str(error)))
        return
    device = next((d for d in present if Path(d.path).resolve() == path.resolve()), None)
    yield from _of_binding(scanner, device, present)
    if device is None:
        yield from device_checks.of_access(path, root)
        yield from device_checks.of_getty(path.resolve().name, root, programs)
        return
    yield from device_checks.of_device(device, root, programs)
    if not gateway_runs:
        yield from device_checks.of_users(device, programs)


def _of_binding(
    scanner: Scanner, device: Device | None, present: Sequence[Device]
) -> Iterator[Finding]:
    """Yield whether the port means this scanner tomorrow, too."""
    if device is None:  # a port of the board, or a link that a person made
        return
    better = devices.binding_of(device, present)
    if scanner.port.startswith(binding.PREFIX):
        why = devices.serial_problem(device, present)
        if why is not None and binding.parse(scanner.port).serial:
            yield Finding("", "warn", why, f'port = "{better}"')
    elif Path(scanner.port).name == Path(device.path).name:
        yield Finding(
            "", "warn", f"{scanner.port} may be another device after a reboot",
            f'port = "{better}"',
        )  # fmt: skip


async def _opened(scanner: Scanner, root: Path, gateway_runs: bool) -> Finding:  # noqa: FBT001
    if gateway_runs:
        return Finding("", "good", "left to the gateway, which runs; the monitor shows its state")
    find = partial(devices.path_of, scanner.source, scanner.port, root)
    if not _is_remote(scanner):
        try:
            mine = os.access(find(), os.R_OK | os.W_OK)
        except OSError as error:  # unplugged just now
            return Finding("", "bad", *_two(str(error)))
        if not mine:
            return Finding(
                "", "warn", "not opened: the service may, this user not", "run doctor as root"
            )
    port = ports.driver_of(scanner.source)(scanner, find)
    running = asyncio.ensure_future(port.run())
    try:
        news = await port.next(_OPEN_S)
    finally:
        running.cancel()
        await asyncio.wait([running])
    match news:
        case Up():
            return Finding("", "good", f"opened {scanner.port}, as the gateway will")
        case Down(reason=reason):
            return Finding("", "bad", *_two(f"{scanner.port}: {reason}"))
        case _:
            return Finding(
                "", "warn", f"{scanner.port} did not open within {_OPEN_S:.0f} s",
                "switch the scanner on, check its address, or let it connect",
            )  # fmt: skip


def _gs_test(scanner: Scanner, look: Look | None) -> Finding:
    told = look.stations.get(scanner.name, {}) if look else {}
    if told.get("gs_verified") is True:
        return Finding("", "good", "sends the GS1 separator")
    return Finding(
        "", "warn", "nobody has shown that it sends the GS1 separator; without it a lot number "
        "swallows the quantity behind it",
        "scan the label that `docktally labels --gs-test` prints",
    )  # fmt: skip


def _is_remote(scanner: Scanner) -> bool:
    return scanner.source == "tcp" or "://" in scanner.port


def _two(sentence: str) -> tuple[str, str]:
    """Take a sentence with its advice behind a semicolon apart."""
    what, _, fix = sentence.partition("; ")
    return what, fix or "docktally scanners shows who has it"
