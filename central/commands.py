"""`docktally catalog` and `docktally verify`: what a person does to the ledger by hand."""

import argparse
import sys
from pathlib import Path

from sqlalchemy import Engine

from central import catalogue, database, verify
from central.config import Config
from central.settings import common_options, reporting, settings


@reporting("docktally catalog")
def catalog(argv: list[str]) -> int:
    """Import items, barcodes and locations from CSV files; return the exit code."""
    parser = argparse.ArgumentParser(
        "docktally catalog",
        description="Import items, barcodes and locations. Central may run meanwhile and sees them "
        "with its next scan. Importing a file again changes names and pack sizes, never stock.",
    )
    parser.add_argument("action", choices=["import"])
    parser.add_argument(
        "--items", type=Path, help="CSV: sku,name,barcode,each_per; a line for each barcode"
    )
    parser.add_argument(
        "--locations",
        type=Path,
        help="CSV: code,site,kind (bin, dock, quarantine, damaged)",
    )
    common_options(parser)
    arguments = parser.parse_args(argv)
    if not arguments.items and not arguments.locations:
        parser.error("name a file: --items items.csv, --locations locations.csv, or both")
    chosen = settings(arguments)
    with database.using(database.open_writer(chosen.database)) as engine:
        database.migrate(engine)
        _import(engine, arguments, chosen)
    return 0


def _import(engine: Engine, arguments: argparse.Namespace, chosen: Config) -> None:
    with engine.begin() as connection:
        if arguments.locations:
            number = catalogue.import_locations(connection, arguments.locations, chosen.sellable)
            print(f"{arguments.locations}: {number} locations imported")
        if arguments.items:
            items, barcodes = catalogue.import_items(connection, arguments.items)
            print(f"{arguments.items}: imported (items: {items}, barcodes: {barcodes})")


@reporting("docktally verify")
def prove(argv: list[str]) -> int:
    """Recompute the ledger and check its invariants; return 0 only when all hold."""
    parser = argparse.ArgumentParser(
        "docktally verify",
        description="Recompute the whole ledger from its entries and check every invariant. "
        "Nothing is changed. The exit code is 0 when the ledger is proven, 1 when it is not.",
    )
    common_options(parser)
    chosen = settings(parser.parse_args(argv))
    if not database.is_shared(chosen.database) and not Path(chosen.database).exists():
        print(f"docktally verify: there is no database {chosen.database}", file=sys.stderr)
        return 1
    with database.using(database.open_reader(chosen.database)) as reader:
        findings = verify.run(reader)
    for finding in findings:
        print(f"{finding.invariant} {finding.message}")
    if findings:
        print(f"ledger NOT proven: {len(findings)} findings; nothing was changed")
        return 1
    print(f"ledger proven: {', '.join(verify.INVARIANTS)} and V10 hold")
    return 0
