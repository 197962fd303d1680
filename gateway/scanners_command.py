"""`docktally scanners`: what is plugged in, what it sends, and how to take it into service."""

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from gateway import adopt, config, device_checks, devices, outbox_lock, processes, sysfs, watch
from gateway import scanners_view as view
from gateway.config import Config, Layout, Profile, ScanKind, Scanner
from gateway.processes import Process
from gateway.scanners_view import Row
from gateway.sysfs import Device
from wire.settings import ConfigError, check

_DESCRIPTION = """\
List the devices that can be scanners, with the port to write into the gateway's configuration, and
what keeps them from being read.
"""
_EPILOG = """\
examples:
  docktally scanners
  docktally scanners --watch
  docktally scanners --watch usb:05e0:1701:S1234567 --profile zebra
  docktally scanners --adopt usb:05e0:1701:S1234567 --name door-2 --location DOCK-2
  docktally scanners --adopt usb:1a86:7523@1-1.4 --name door-3 --config gateway.toml --write

A keyboard is listed when its maker or name says scanner; --all lists the others too. While --watch
runs, what is scanned is shown and not stored. Exit code: 0 done, 1 not done, 2 wrong use.
"""

#: What of a scanner's configuration may be tried out with --watch.
_DRIVER_OPTIONS = ("profile", "layout", "baud")


class Refused(Exception):
    """It cannot be done; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class _Site:
    """What is plugged in, and the configuration, if there is one."""

    path: Path
    settings: Config | None
    present: list[Device]

    @property
    def scanners(self) -> tuple[Scanner, ...]:
        return self.settings.scanner if self.settings else ()

    def owner(self, device: Device) -> Scanner | None:
        return next((each for each in self.scanners if devices.is_named(device, each)), None)

    def gateway_runs(self) -> bool:
        with contextlib.suppress(OSError):  # then its devices show as in use, where that shows
            return self.settings is not None and outbox_lock.in_use(self.settings.data)
        return False


def main(argv: list[str], root: Path = sysfs.ROOT) -> int:
    """Run the command with the arguments behind its name; return its exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.adopt is not None and options.name is None:
        parser.error("--adopt needs --name, what the scanner is to be called")
    try:
        site = _site(options, root)
        if options.adopt is not None:
            _adopt(options, site)
        elif options.watch is not None:
            _watch(options, site)
        else:
            _list(options, site, root)
    except (ConfigError, Refused, OSError) as error:
        print(f"docktally scanners: {error}", file=sys.stderr)
        return 1
    return 0


def _site(options: argparse.Namespace, root: Path) -> _Site:
    path, settings = options.config or config.usual_path(), None
    if options.config or options.write or path.exists():
        try:
            settings = config.load(path)
        except ConfigError as error:
            if options.config or options.write:
                raise
            print(f"docktally scanners: shown without configuration: {error}", file=sys.stderr)
    return _Site(path, settings, sysfs.devices(root))


def _row(
    device: Device, site: _Site, root: Path, programs: Sequence[Process], *, runs: bool
) -> Row:
    scanner = site.owner(device)
    held = scanner is not None and runs
    findings = [
        *device_checks.of_identity(device, site.present),
        *device_checks.of_device(device, root, programs),
        *(() if held else device_checks.of_users(device, programs)),
    ]
    return Row(
        device,
        devices.binding_of(device, site.present),
        scanner,
        held,
        () if held else tuple(map(str, device_checks.users(device, programs))),
        tuple(findings),
    )


def _list(options: argparse.Namespace, site: _Site, root: Path) -> None:
    programs, runs = processes.running(root), site.gateway_runs()
    rows = [
        _row(device, site, root, programs, runs=runs)
        for device in site.present
        if options.all or site.owner(device) or devices.suggests_scanner(device)
    ]
    adapters = list(device_checks.of_bridges(root, programs))
    shown = [row.scanner for row in rows]
    others = [each for each in site.scanners if each not in shown]
    if options.json:
        print(json.dumps(view.as_json(rows, others, adapters), indent=2))
        return
    print(view.as_text(rows, others, adapters), end="")
    if any(row.scanner is None for row in rows):
        print("\nSee what one sends:  docktally scanners --watch PORT")
        print("Take one into use:   docktally scanners --adopt PORT --name NAME")


def _adopt(options: argparse.Namespace, site: _Site) -> None:
    device = _find(options.adopt, site.present)
    owner = site.owner(device)
    if owner is not None:
        raise Refused(f"{options.adopt} is configured already, as {owner.name!r}")
    values: dict[str, object] = {
        "name": options.name,
        "source": device.source,
        "port": devices.binding_of(device, site.present),
    }
    block = adopt.stanza(values | _given(options, "profile", "layout", "kind", "location"))
    print(block, end="")
    if options.write:
        adopt.append(site.path, block)
        print(f"Added to {site.path}. Now reload the gateway: systemctl reload docktally-gateway")


def _find(port: str, present: Sequence[Device]) -> Device:
    """Return the one device that a port names; raise Refused otherwise."""
    try:
        scanners = [Scanner(name="any", source=source, port=port) for source in sysfs.SOURCES]
    except ValueError as error:
        raise Refused(f"{port!r} is no port; write it as `docktally scanners` shows it") from error
    found = [
        device for device in present if any(devices.is_named(device, each) for each in scanners)
    ]
    if len(found) == 1:
        return found[0]
    choices = ", ".join(d.path for d in found)
    raise Refused(
        f"{port} is more than one device; name its path: {choices}"
        if found
        else f"{port} is not plugged in; `docktally scanners --all` lists what is"
    )


def _watch(options: argparse.Namespace, site: _Site) -> None:
    gateway_runs = site.gateway_runs()
    free = []
    for scanner in _wanted(options, site):
        if gateway_runs and scanner in site.scanners:
            where = "it is read by the running gateway; `docktally monitor` shows its scans"
            print(f"{scanner.name}: {where}", file=sys.stderr)
        else:
            free.append(check(Scanner, scanner.model_dump() | _given(options, *_DRIVER_OPTIONS)))
    if not free:
        raise Refused("no scanner is free to be watched; `docktally scanners` lists what is there")
    print("Shown, not stored. Stop: Ctrl+C", file=sys.stderr)
    with contextlib.suppress(TimeoutError, asyncio.CancelledError):
        asyncio.run(_until_told(options, free))


def _wanted(options: argparse.Namespace, site: _Site) -> list[Scanner]:
    """Return what to watch: the scanner of this name, the device at this port, or all."""
    named = [each for each in site.scanners if each.name == options.watch]
    if named:
        return named
    chosen = [d for d in site.present if site.owner(d) or devices.suggests_scanner(d)]
    if options.watch:
        chosen = [_find(options.watch, site.present)]
        if not devices.suggests_scanner(chosen[0]) and options.seconds is None:
            raise Refused(
                f"{chosen[0].label} looks like a person's keyboard, and its keys reach nobody else "
                "while it is watched: say for how long with --seconds 20"
            )
    return [site.owner(device) or _unnamed(device, site) for device in chosen]


def _unnamed(device: Device, site: _Site) -> Scanner:
    port = devices.binding_of(device, site.present)
    return Scanner(name=Path(device.path).name, source=device.source, port=port)


def _given(options: argparse.Namespace, *names: str) -> dict[str, object]:
    return {name: value for name in names if (value := getattr(options, name)) is not None}


async def _until_told(options: argparse.Namespace, scanners: Sequence[Scanner]) -> None:
    def show(sight: watch.Sight) -> None:
        line = json.dumps(watch.as_json(sight)) + "\n" if options.json else watch.as_text(sight)
        sys.stdout.write(line)
        sys.stdout.flush()

    watching = asyncio.ensure_future(watch.watch(scanners, show))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, watching.cancel)
    async with asyncio.timeout(options.seconds):
        await watching


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="docktally scanners",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE",
        help="the gateway's configuration (default: gateway.toml here, or the service's)",
    )  # fmt: skip
    parser.add_argument("--all", action="store_true", help="list every keyboard too")
    parser.add_argument("--json", action="store_true", help="print JSON")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--watch", nargs="?", const="", metavar="PORT",
        help="show what the scanner with this port or name sends, or all that are free",
    )  # fmt: skip
    what.add_argument("--adopt", metavar="PORT", help="print the configuration of this scanner")
    parser.add_argument("--seconds", type=float, help="end --watch after this time")
    parser.add_argument("--name", help="what an adopted scanner is called")
    parser.add_argument("--kind", choices=get_args(ScanKind), help="what its scans mean")
    parser.add_argument("--location", help="where it is")
    parser.add_argument("--profile", choices=get_args(Profile), help="the brand's protocol")
    parser.add_argument("--layout", choices=get_args(Layout), help="its keyboard layout")
    parser.add_argument("--baud", type=int, help="its speed, for --watch")
    parser.add_argument(
        "--write", action="store_true", help="append what --adopt prints to the configuration"
    )
    return parser
