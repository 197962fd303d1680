"""`docktally verify`: proves the ledger, by hand, each minute or each night."""

import argparse
import json
import sys
import time
from pathlib import Path

from sqlalchemy import Engine

from central import database, proof, verdicts, verify
from central.proof import Proof
from central.settings import common_options, reporting, settings

_PROVEN, _BROKEN, _NOT_LOOKED = 0, 1, 2


@reporting("docktally verify", code=_NOT_LOOKED)
def main(argv: list[str]) -> int:
    """Return 0 when the ledger is proven, 1 when not, 2 when it could not be looked at."""
    arguments = _parser().parse_args(argv)
    chosen = settings(arguments)
    if not database.is_shared(chosen.database) and not Path(chosen.database).exists():
        print(f"docktally verify: there is no database {chosen.database}", file=sys.stderr)
        return _NOT_LOOKED
    started_s = time.monotonic()
    with database.using(database.open_reader(chosen.database)) as reader:
        done = _prove(reader, arguments.checkpoint, everything=arguments.everything)
    took_ms = round((time.monotonic() - started_s) * 1_000)
    if arguments.alert:
        _tell_central(chosen.database, done, took_ms)
    (_say_json if arguments.json else _say)(done, took_ms)
    return _BROKEN if done.findings else _PROVEN


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "docktally verify",
        description="Recompute the ledger from its entries and check every invariant. Nothing is "
        "ever repaired. The exit code is 0 when the ledger is proven, 1 when it is not, and 2 "
        "when it could not be looked at.",
    )
    parser.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="remember in FILE what is proven, and look at what came since, at all sums and at a "
        "part of the old rows; takes seconds, for each minute",
    )
    parser.add_argument(
        "--everything",
        action="store_true",
        help="look at everything in spite of the checkpoint, and bring it up to date",
    )
    parser.add_argument(
        "--alert",
        action="store_true",
        help="tell central, which opens an alert when the ledger is not proven",
    )
    parser.add_argument("--json", action="store_true", help="say it to a program")
    common_options(parser)
    return parser


def _prove(reader: Engine, checkpoint: Path | None, *, everything: bool) -> Proof:
    with reader.begin() as connection:
        database.require_newest(connection)
    if checkpoint is None:
        return proof.whole(reader)
    now_us = time.time_ns() // 1_000
    return proof.since_checkpoint(reader, checkpoint, now_us, everything=everything)


def _tell_central(name: str, done: Proof, took_ms: int) -> None:
    sentences = tuple(f"{each.invariant} {each.message}" for each in done.findings)
    verdict = verdicts.Verdict(
        time.time_ns() // 1_000, took_ms, done.everything, len(done.findings), sentences
    )
    with database.using(database.open_writer(name)) as engine, engine.begin() as connection:
        verdicts.keep(connection, verdict)


def _say(done: Proof, took_ms: int) -> None:
    if done.why:
        print(f"{done.why}: everything was looked at")
    for finding in done.findings:
        print(f"{finding.invariant} {finding.message}")
    scope = "everything" if done.everything else "what is new, all sums, and a part of the old rows"
    looked = f"(looked at {scope}; {done.entries} entries; {took_ms / 1_000:.1f} s)"
    if done.findings:
        print(f"ledger NOT proven: {len(done.findings)} findings; nothing was changed {looked}")
    else:
        print(f"ledger proven: {', '.join(verify.NUMBERS)} hold {looked}")


def _say_json(done: Proof, took_ms: int) -> None:
    said = {
        "proven": not done.findings,
        "everything": done.everything,
        "why_everything": done.why or None,
        "checked": verify.NUMBERS,
        "entries": done.entries,
        "took_ms": took_ms,
        "findings": [
            {"invariant": each.invariant, "message": each.message} for each in done.findings
        ],
    }
    print(json.dumps(said))
