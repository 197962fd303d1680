"""`docktally doctor`: what keeps this dock from scanning, and what to do about it."""

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

from gateway import (
    clock,
    config,
    doctor_broker,
    doctor_disk,
    doctor_scanners,
    outbox_lock,
    outbox_look,
)
from gateway.config import Config
from gateway.finding import Finding, Level
from gateway.outbox_look import Look
from gateway.sysfs import ROOT
from wire.errors import Unavailable
from wire.settings import ConfigError

_MARKS: dict[Level, str] = {"good": "ok", "warn": "WARN", "bad": "STOP"}
_DESCRIPTION = """\
Check this dock: configuration, scanners, permissions, clock, disk, outbox, broker, and the way to
central and back. Nothing is changed and no stock moves. Run it as root, to see all.
"""
_EPILOG = """\
ok    it is well
WARN  scanning works, but look at it
STOP  scans are not read, not stored, or will never arrive
Each comes with what to do about it (->). While the gateway runs, its scanners are left to it.

exit code: 0 nothing stops scanning, 1 something does, 2 wrong use
"""


def main(argv: list[str], root: Path = ROOT) -> int:
    """Run the command with the arguments behind its name; return its exit code."""
    options = _parser().parse_args(argv)
    try:
        found = asyncio.run(_examine(options, root))
    except KeyboardInterrupt:
        return 1
    bad = sum(finding.level == "bad" for finding in found)
    if options.json:
        print(json.dumps({"ok": not bad, "findings": [asdict(each) for each in found]}, indent=2))
    else:
        warnings = sum(finding.level == "warn" for finding in found)
        print(f"\n{bad} to mend before scanning, {warnings} to look at.")
    return 1 if bad else 0


async def _examine(options: argparse.Namespace, root: Path) -> list[Finding]:
    found = []
    async for finding in _findings(options.config or config.usual_path(), root):
        found.append(finding)
        if not options.json:
            print(_as_text(finding))
            sys.stdout.flush()
    return found


async def _findings(path: Path, root: Path) -> AsyncIterator[Finding]:
    try:
        settings = config.load(path)
    except ConfigError as error:
        yield Finding("configuration", "bad", str(error), "deploy/gateway.example.toml explains it")
        return
    yield _of_configuration(path, settings)
    yield _of_clock()
    for finding in doctor_disk.of_folder(settings.data, settings.outbox, root):
        yield finding
    look: Look | None = None
    gateway_runs = True  # it may, if we may not look
    try:
        gateway_runs = outbox_lock.in_use(settings.data)
        look = outbox_look.look(settings.data)
        for finding in doctor_disk.of_outbox(settings.data, look):
            yield finding
    except (OSError, Unavailable) as error:
        yield Finding(
            "outbox", "warn", f"this user cannot look into {settings.data}: {error}",
            "run doctor as root",
        )  # fmt: skip
    async for finding in doctor_scanners.of_scanners(
        settings.scanner, look, root, gateway_runs=gateway_runs
    ):
        yield finding
    async for finding in doctor_broker.of_broker(settings, look):
        yield finding


def _of_configuration(path: Path, settings: Config) -> Finding:
    what = f"{path}: gateway {settings.gateway} of site {settings.site}"
    if not settings.scanner:
        fix = "docktally scanners --adopt writes one"
        return Finding("configuration", "bad", f"{what}, without any scanner", fix)
    return Finding("configuration", "good", f"{what}, {len(settings.scanner)} scanners")


def _of_clock() -> Finding:
    if clock.synced():
        return Finding("clock", "good", "the clock is synchronised")
    return Finding(
        "clock", "warn", "the clock is not synchronised: scans may carry a wrong time",
        "timedatectl set-ntp true, or apt-get install chrony",
    )  # fmt: skip


def _as_text(finding: Finding) -> str:
    line = f"{_MARKS[finding.level]:<4}  {finding.about}: {finding.what}"
    return f"{line}\n        -> {finding.fix}" if finding.fix else line


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="docktally doctor",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE",
        help="the gateway's configuration (default: gateway.toml here, or the service's)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser
