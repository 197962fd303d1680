"""`docktally central`: run it, import the catalogue, prove the ledger."""

import argparse
import asyncio
import logging
import sys
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from central import app, catalogue, config, database, verify
from wire.broker import parse_broker

_DEFAULT = Path("central.toml")


def main(argv: list[str]) -> int:
    """Run `docktally central ...`; return the exit code."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(
        level=arguments.log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    try:
        settings = _settings(arguments)
        return int(arguments.run(arguments, settings))
    except (
        config.ConfigError,
        catalogue.CatalogueError,
        database.SchemaTooNew,
        SQLAlchemyError,
        OSError,
    ) as error:
        print(f"docktally central: {error}", file=sys.stderr)
        return 1


def _settings(arguments: argparse.Namespace) -> config.Config:
    path: Path | None = arguments.config
    if path is None and not _DEFAULT.exists():
        settings = config.Config()
    else:
        settings = config.load(path or _DEFAULT)
    changes = {}
    if arguments.database:
        changes["database"] = arguments.database
    if getattr(arguments, "broker", None):
        changes["broker"] = arguments.broker
    if getattr(arguments, "port", None) is not None:
        changes["api"] = settings.api.model_copy(update={"port": arguments.port})
    return settings.model_copy(update=changes)


def _serve(_arguments: argparse.Namespace, settings: config.Config) -> int:
    asyncio.run(app.run(settings))
    return 0


def _import(arguments: argparse.Namespace, settings: config.Config) -> int:
    if not arguments.items and not arguments.locations:
        print("name a file: --items items.csv, --locations locations.csv", file=sys.stderr)
        return 2
    engine = database.open_writer(settings.database)
    database.migrate(engine)
    with engine.begin() as connection:
        if arguments.locations:
            number = catalogue.import_locations(connection, arguments.locations, settings.sellable)
            print(f"{number} locations imported from {arguments.locations}")
        if arguments.items:
            items, barcodes = catalogue.import_items(connection, arguments.items)
            print(f"{items} items with {barcodes} barcodes imported from {arguments.items}")
    return 0


def _verify(_arguments: argparse.Namespace, settings: config.Config) -> int:
    reader = database.open_reader(settings.database)
    findings = verify.run(reader)
    for finding in findings:
        print(f"{finding.invariant} {finding.message}")
    if findings:
        print(f"ledger NOT proven: {len(findings)} findings; nothing was changed")
        return 1
    print(f"ledger proven: {', '.join(verify.INVARIANTS)} hold")
    return 0


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--config", type=Path, help="configuration file (default: central.toml)")
    shared.add_argument("--database", help="SQLite file, instead of the configured one")
    shared.add_argument(
        "--log-level", default="info", choices=["debug", "info", "warning", "error"]
    )
    parser = argparse.ArgumentParser(
        "docktally central",
        description="Owns the stock: applies each scan exactly once, makes promises, tells all.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", parents=[shared], help="run until stopped")
    serve.add_argument("--broker", type=parse_broker, help="host:port of the MQTT broker")
    serve.add_argument("--port", type=int, help="HTTP port (default: 8420)")
    serve.set_defaults(run=_serve)
    catalog = commands.add_parser(
        "catalog", parents=[shared], help="import items, barcodes and locations from CSV"
    )
    catalog.add_argument("action", choices=["import"])
    catalog.add_argument("--items", type=Path, help="CSV with sku,name,barcode,each_per")
    catalog.add_argument("--locations", type=Path, help="CSV with code,site,kind")
    catalog.set_defaults(run=_import)
    prove = commands.add_parser(
        "verify", parents=[shared], help="recompute the ledger and check its invariants"
    )
    prove.set_defaults(run=_verify)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
