"""`docktally catalog`, `token`, `backup`, `restore`: what a person does by hand."""

import argparse
import time
from pathlib import Path

from sqlalchemy import Connection, Engine

from central import backup as copies
from central import catalogue, database, tokens
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
            done = catalogue.import_locations(connection, arguments.locations, chosen.sellable)
            for sentence in done:
                print(f"{arguments.locations}: {sentence}")
        if arguments.items:
            items, barcodes = catalogue.import_items(connection, arguments.items)
            print(f"{arguments.items}: imported (items: {items}, barcodes: {barcodes})")


@reporting("docktally token")
def token(argv: list[str]) -> int:
    """Make, list and revoke the tokens of the HTTP API; return the exit code."""
    parser = argparse.ArgumentParser(
        "docktally token",
        description="Tokens for whoever calls central's HTTP API. A token is shown once, when it "
        "is made; central keeps only its hash. A running central takes a new one at once, and "
        "forgets a revoked one within seconds.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    create = actions.add_parser("create", help="make a token and print it")
    create.add_argument("--name", required=True, help="who gets it, such as webshop")
    create.add_argument(
        "--scope",
        action="append",
        required=True,
        choices=tokens.SCOPES,
        help="what it may do (may be repeated); admin includes all",
    )
    create.add_argument("--channel", help="the only channel it may reserve for")
    actions.add_parser("list", help="list the tokens, without their secrets")
    revoke = actions.add_parser("revoke", help="end the tokens of a name")
    revoke.add_argument("--name", required=True)
    for action in actions.choices.values():
        common_options(action)
    arguments = parser.parse_args(argv)
    with database.using(database.open_writer(settings(arguments).database)) as engine:
        database.migrate(engine)
        with engine.begin() as connection:
            return _tokens(connection, arguments)


def _tokens(connection: Connection, arguments: argparse.Namespace) -> int:
    now_us = time.time_ns() // 1_000
    if arguments.action == "create":
        scopes, channel = set(arguments.scope), arguments.channel
        print(tokens.create(connection, arguments.name, scopes, channel, now_us))
    elif arguments.action == "revoke":
        ended = tokens.revoke(connection, arguments.name, now_us)
        print(f"{ended} tokens of {arguments.name} revoked")
        return 0 if ended else 1
    else:
        for each in tokens.all_of(connection):
            state = "revoked" if each["revoked"] else ",".join(each["scopes"])
            print(f"{each['name']}\t{each['channel'] or '-'}\t{state}")
    return 0


@reporting("docktally backup")
def backup(argv: list[str]) -> int:
    """Copy the ledger while central runs, and prove the copy; return the exit code."""
    parser = argparse.ArgumentParser(
        "docktally backup",
        description="Copy the ledger into a new file and prove the copy. Central may run meanwhile."
        " The copy is one SQLite file, also of a ledger on PostgreSQL; it can be put back into "
        "either. The exit code is 0 when the copy is proven.",
    )
    parser.add_argument("file", type=Path, help="the new file")
    common_options(parser)
    arguments = parser.parse_args(argv)
    events = copies.back_up(settings(arguments).database, arguments.file)
    print(f"{arguments.file}: {events} events, proven")
    return 0


@reporting("docktally restore")
def restore(argv: list[str]) -> int:
    """Put a copy in place of the ledger; return the exit code."""
    parser = argparse.ArgumentParser(
        "docktally restore",
        description="Put a copy made by docktally backup in place of the ledger. Central must be "
        "stopped. When it starts again, each gateway sends what the copy lacks from its journal. "
        "Reservations and shipments made over HTTP since then are lost: compare with the shops.",
    )
    parser.add_argument("file", type=Path, help="the copy; it is not changed")
    parser.add_argument(
        "--force",
        action="store_true",
        help="replace a ledger that is there; a file is set aside as ....replaced-DATE",
    )
    common_options(parser)
    arguments = parser.parse_args(argv)
    events = copies.restore(arguments.file, settings(arguments).database, force=arguments.force)
    print(f"{arguments.file}: {events} events are in place and proven. Start central.")
    return 0
