"""`docktally sim`: scanners, fleets, storefronts and bad weather that are not there."""

import argparse
import asyncio
import json
import logging
import sys
from pathlib import Path

from firmware_sim import catalog, catalog_files, faults, runner, scenarios, setups, shift, truth
from wire.errors import WireError

_WEATHERS = {"calm": faults.CALM, "rough": faults.ROUGH}


def main(argv: list[str] | None = None) -> int:
    """Run one subcommand; return 0 when all is well, 1 with a sentence on stderr when not."""
    options = _parser().parse_args(argv)
    logging.basicConfig(
        level=options.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    try:
        code: int = options.run(options)
    except (setups.SetupError, truth.JournalError, WireError, OSError) as error:
        print(f"docktally sim {options.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="docktally sim",
        description="Pretends to be scanners, gateways, web shops and a bad network.",
    )
    parser.add_argument(
        "--log-level", default="warning", choices=("debug", "info", "warning", "error")
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_catalog(commands)
    _add_shift(commands)
    return parser


def _add_catalog(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("catalog", help="invent a warehouse's items and places")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--site", default="main", help="the site that the places belong to")
    parser.add_argument("--items", type=int, default=40)
    parser.add_argument("--bins", type=int, default=48)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR",
        help="where items.csv, locations.csv and catalogue.json are written",
    )  # fmt: skip
    parser.set_defaults(run=_catalog)


def _catalog(options: argparse.Namespace) -> int:
    made = catalog.build(options.seed, options.site, options.items, options.bins)
    catalog_files.write(made, options.out)
    print(f"{len(made.items)} items and {len(made.bins)} bins of site {made.site}: {options.out}")
    return 0


def _add_shift(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("shift", help="scan as people at a dock do, and keep the truth")
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument(
        "--scanners", type=Path, metavar="FILE",
        help="a gateway's TOML file: its [[scanner]] ports become simulated scanners",
    )  # fmt: skip
    who.add_argument("--links", type=Path, metavar="DIR", help="where the ports of --names appear")
    parser.add_argument("--names", default="", help="with --links: scanners, like a,b@DOCK-2,c")
    parser.add_argument("--truth", type=Path, required=True, metavar="FILE", help="the journal")
    parser.add_argument("--catalog", type=Path, required=True, metavar="DIR")
    parser.add_argument("--scenario", default="shift", choices=sorted(scenarios.SCENARIOS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.0, help="0 goes on until SIGTERM")
    parser.add_argument("--rate", type=float, default=1.0, help="scans a second per scanner")
    parser.add_argument(
        "--patience", type=float, default=runner.PATIENCE_S, metavar="S",
        help="seconds without a beep after which a person scans again",
    )  # fmt: skip
    parser.add_argument("--weather", default="calm", choices=sorted(_WEATHERS))
    parser.set_defaults(run=_shift)


def _shift(options: argparse.Namespace) -> int:
    if options.rate <= 0:
        raise setups.SetupError(f"--rate {options.rate} never scans; it counts scans a second")
    plan = shift.Plan(
        setups=setups.of_file(options.scanners)
        if options.scanners
        else setups.of_names(options.links, options.names),
        catalogue=catalog_files.read(options.catalog),
        truth=options.truth,
        scenario=options.scenario,
        seed=options.seed,
        seconds=options.seconds,
        pace=runner.Pace(options.rate, options.patience),
        weather=_WEATHERS[options.weather],
    )
    asyncio.run(shift.run(plan))
    print(json.dumps(truth.tally(shift.read(options.truth))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
