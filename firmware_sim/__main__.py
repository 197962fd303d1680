"""`docktally sim`: scanners, fleets, storefronts and bad weather that are not there."""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from firmware_sim import (
    broker_proxy,
    catalog,
    catalog_files,
    check,
    faults,
    orders,
    runner,
    scenarios,
    setups,
    shift,
    storefront,
    truth,
)
from firmware_sim.central_api import CentralApi
from wire.broker import Broker, parse_broker
from wire.errors import WireError
from wire.settings import TOKEN_VARIABLE
from wire.topics import DEFAULT_ROOT

_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001
_WEATHERS = {"calm": faults.CALM, "rough": faults.ROUGH, "bouncing": faults.BOUNCING}


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
    _add_check(commands)
    _add_storefront(commands)
    _add_fleet(commands)
    _add_proxy(commands)
    return parser


def _add_catalog(commands: _Commands) -> None:
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


def _add_shift(commands: _Commands) -> None:
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
    parser.add_argument(
        "--weather", default="calm", choices=sorted(_WEATHERS),
        help="rough: torn frames, pulled plugs; bouncing: triggers that fire twice, too",
    )  # fmt: skip
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


def _add_check(commands: _Commands) -> None:
    parser = commands.add_parser("check", help="compare the truth with central's ledger")
    parser.add_argument("--truth", type=Path, required=True, nargs="+", metavar="FILE")
    parser.add_argument(
        "--storefront", type=Path, nargs="+", metavar="FILE", help="journals of storefronts"
    )
    _add_api(parser)
    parser.add_argument(
        "--wait", type=float, default=0.0, metavar="S",
        help="give central this many seconds to catch up before the verdict",
    )  # fmt: skip
    parser.add_argument(
        "--allow-others", action="store_true",
        help="accept events of scanners that are in no journal, such as a fleet's",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the verdict as JSON")
    parser.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    entries = [entry for path in options.truth for entry in shift.read(path)]
    shop = _orders(options.storefront) if options.storefront else None
    api = CentralApi(options.api, options.token)
    verdict = check.settled(
        lambda: check.check(entries, shop, api, allow_others=options.allow_others), options.wait
    )
    print(json.dumps(verdict.as_json()) if options.json else verdict.as_text())
    return 0 if verdict.equal else 1


def _add_storefront(commands: _Commands) -> None:
    parser = commands.add_parser("storefront", help="order what central says is available")
    _add_api(parser)
    parser.add_argument("--journal", type=Path, required=True, metavar="FILE")
    parser.add_argument("--site", default="main")
    parser.add_argument("--channel", default="webshop")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.0, help="0 goes on until SIGTERM")
    parser.add_argument("--rate", type=float, default=2.0, help="orders a second per shopper")
    parser.add_argument(
        "--listed-above",
        type=int,
        default=0,
        metavar="N",
        help="sell only items of which more than N are available",
    )
    parser.add_argument("--shoppers", type=int, default=2, help="how many order at the same time")
    parser.set_defaults(run=_storefront)


def _storefront(options: argparse.Namespace) -> int:
    if options.rate <= 0 or options.shoppers < 1:
        raise setups.SetupError("--rate and --shoppers must be above zero, or nobody ever orders")
    shop = storefront.Shop(
        CentralApi(options.api, options.token),
        options.site,
        options.channel,
        options.rate,
        options.listed_above,
    )
    storefront.run(shop, options.journal, options.seed, options.shoppers, options.seconds)
    print(json.dumps(Counter(order.state for order in _orders([options.journal]).values())))
    return 0


def _orders(journals: Sequence[Path]) -> dict[str, orders.Order]:
    found: dict[str, orders.Order] = {}
    for path in journals:
        with path.open(encoding="utf-8") as lines:
            found |= orders.parse(lines)
    return found


def _add_fleet(commands: _Commands) -> None:
    parser = commands.add_parser("fleet", help="many gateways at once, straight to the broker")
    parser.add_argument("--broker", type=parse_broker, default=Broker(), metavar="HOST:PORT")
    parser.add_argument("--catalog", type=Path, required=True, metavar="DIR")
    parser.add_argument("--gateways", type=int, default=10)
    parser.add_argument("--rate", type=float, default=10.0, help="events a second per gateway")
    parser.add_argument("--seconds", type=float, default=10.0, help="0 goes on until SIGTERM")
    parser.add_argument(
        "--drain", type=float, default=30.0, metavar="S",
        help="seconds to wait at the end until central has everything",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--topic-root", default=DEFAULT_ROOT)
    parser.set_defaults(run=_fleet)


def _fleet(options: argparse.Namespace) -> int:
    from firmware_sim import fleet  # paho is an extra that the other subcommands do without

    load = fleet.Load(
        broker=options.broker,
        catalogue=catalog_files.read(options.catalog),
        gateways=options.gateways,
        rate=options.rate,
        seconds=options.seconds,
        drain_s=options.drain,
        seed=options.seed,
        topic_root=options.topic_root,
    )
    squad = fleet.Fleet(load)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: squad.stop.set())
    figures = squad.run()
    print(json.dumps(figures))
    return 1 if figures["pending"] else 0


def _add_proxy(commands: _Commands) -> None:
    parser = commands.add_parser("proxy", help="a bad network in front of the broker")
    parser.add_argument("--listen", type=int, required=True, metavar="PORT")
    parser.add_argument("--to", type=parse_broker, required=True, metavar="HOST:PORT")
    parser.add_argument("--cut-after", type=float, default=10.0, metavar="S", help="time it works")
    parser.add_argument("--cut-for", type=float, default=5.0, metavar="S", help="time it does not")
    parser.add_argument("--delay-ms", type=float, default=0.0, help="added to what goes through")
    parser.add_argument(
        "--half-open", action="store_true",
        help="lose everything silently instead of breaking connections",
    )  # fmt: skip
    parser.set_defaults(run=_proxy)


def _proxy(options: argparse.Namespace) -> int:
    proxy = broker_proxy.BrokerProxy(
        options.to.host, options.to.port, options.delay_ms / 1_000, options.listen
    )
    with suppress(asyncio.CancelledError):
        asyncio.run(
            broker_proxy.storm(
                proxy, options.cut_after, options.cut_for, half_open=options.half_open
            )
        )
    return 0


def _add_api(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--api", default="http://127.0.0.1:8420", metavar="URL")
    parser.add_argument(
        "--token",
        default=os.environ.get(TOKEN_VARIABLE),
        help=f"when central's API wants one (default: ${TOKEN_VARIABLE})",
    )


if __name__ == "__main__":
    sys.exit(main())
