"""Proves a ledger by what was proven before: what is new, all sums, and a part of the rest."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, text

from central import blocks, checkpoint, sums, verify
from central.checkpoint import Checkpoint
from central.verify import Finding

#: With more buckets off than this, everything is looked at instead.
_BUCKETS_NARROWED_MAX = 16
#: Items that a sentence names.
_NAMED_MAX = 5
#: What is wrong with rows of the journal that were right before.
JOURNAL = "journal"
_SKUS = "SELECT sku FROM item WHERE id IN ({}) ORDER BY id LIMIT :most"


@dataclass(frozen=True, slots=True)
class Proof:
    """What a run found; `everything` when it looked at everything, with `why` when unasked."""

    findings: list[Finding]
    everything: bool
    entries: int
    why: str = ""


def since_checkpoint(reader: Engine, path: Path, now_us: int, *, everything: bool = False) -> Proof:
    """Look at what came since the checkpoint in `path`, or at everything; keep what is proven.

    Without a checkpoint, or with that of another ledger, everything is looked at. The file is left
    as it is when something is wrong.
    """
    known = checkpoint.load(path)
    with reader.begin() as connection:
        why = ""
        if known is None:
            why = "there was no checkpoint"
        elif known.since.events and known.ledger != checkpoint.ledger_of(connection):
            why = "the checkpoint is of another ledger, or this one was restored or upgraded"
            known = None
        before = known or checkpoint.nothing(connection)
        whole = everything or known is None
        found = list(everything_again(connection, before) if whole else news(connection, before))
        entries = connection.execute(text("SELECT COALESCE(MAX(id), 0) FROM entry")).scalar_one()
        proof = Proof(found, whole, int(entries), why)
        after = None if found else checkpoint.advance(connection, before, now_us)
    if after is not None:
        checkpoint.save(path, after)
    return proof


def everything_again(connection: Connection, before: Checkpoint) -> Iterator[Finding]:
    """Look at everything, and compare it with what was proven before."""
    yield from verify.findings(connection)
    yield from _ends(connection, before)
    for table, digests in before.digests.items():
        again = blocks.compare(connection, table, digests, range(len(digests.blocks)))
        yield from (Finding(JOURNAL, sentence) for sentence in again)
    old = sums.of_entries(connection, {}, 0, before.since.entries)
    if any(old.get(key, 0) != before.sums.get(key, 0) for key in old.keys() | before.sums.keys()):
        yield Finding(JOURNAL, f"{_upto(before)} do not add up to what they did before")


def news(connection: Connection, before: Checkpoint) -> Iterator[Finding]:
    """Look at what came since, at all sums, and at the old rows whose turn it is."""
    ends = list(_ends(connection, before))
    yield from ends
    if ends:
        return  # what is new cannot be told from what was there
    yield from verify.news(connection, before.since)
    journal = sums.of_entries(connection, before.sums, before.since.entries)
    off = sums.off(connection, journal)
    if off.all:
        yield from _narrowed(connection, before, off)
    for table, digests in before.digests.items():
        turn = blocks.turn(before.runs, len(digests.blocks))
        again = blocks.compare(connection, table, digests, turn)
        yield from (Finding(JOURNAL, sentence) for sentence in again)


def _ends(connection: Connection, before: Checkpoint) -> Iterator[Finding]:
    """Find out whether the journal lacks its end."""
    for table, proven in (("entry", before.since.entries), ("event", before.since.events)):
        last = connection.execute(text(f"SELECT COALESCE(MAX(id), 0) FROM {table}")).scalar_one()
        if last < proven:
            yield Finding(
                JOURNAL,
                f"{table} {proven} was verified before, and {last} is the last one now: the end of "
                "the journal is gone",
            )


def _narrowed(connection: Connection, before: Checkpoint, off: sums.Off) -> Iterator[Finding]:
    """Name the rows behind checksums that do not fit."""
    if len(off.all) > _BUCKETS_NARROWED_MAX:
        yield from verify.findings(connection)
        return
    items = sums.items_of(connection, off.all)
    found = verify.of_items(connection, items)
    yield from found
    if not found:
        query = text(_SKUS.format(", ".join(map(str, items)) or "0"))
        names = connection.execute(query, {"most": _NAMED_MAX}).scalars().all()
        few = ", ".join(names) + (" ..." if len(items) > _NAMED_MAX else "")
        yield Finding(
            JOURNAL,
            f"{_upto(before)}, of one of {len(items)} items ({few}), do not add up to what they "
            "did before, although the stock agrees with them: both were changed",
        )


def _upto(before: Checkpoint) -> str:
    return f"the entries up to {before.since.entries}, which were verified before"


def whole(reader: Engine) -> Proof:
    """Look at everything, without any memory."""
    with reader.begin() as connection:
        found = verify.findings(connection)
        entries = connection.execute(text("SELECT COALESCE(MAX(id), 0) FROM entry")).scalar_one()
        return Proof(found, everything=True, entries=int(entries))
