"""Digests of the journal's rows, by which it is noticed when rows that never change did.

The rows of an append-only table are taken in blocks of so many numbers each. A block is read once
when it is full, and again in its turn; the rest, which fills no block yet, is read in each run.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection, text

#: Table: the row numbers of one block. An event's row is about 1 KiB, an entry's 100 bytes.
SIZES = {"entry": 20_000, "event": 4_000}
#: Each block is read again within so many runs: half a day, with a run each minute. Few blocks come
#: more often: at least one is read in each run.
ROUND_RUNS = 720


def of_rows(connection: Connection, table: str, after: int, upto: int) -> str:
    """Return the digest of all columns of the rows with numbers above `after`, up to `upto`."""
    query = text(f"SELECT * FROM {table} WHERE id > :after AND id <= :upto ORDER BY id")
    digest = hashlib.blake2b(digest_size=16)
    for row in connection.execute(query, {"after": after, "upto": upto}):
        digest.update(repr(tuple(row)).encode())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Digests:
    """The digests of a table's rows up to the number `upto`: of full blocks, and of the rest."""

    blocks: list[str] = field(default_factory=list)
    upto: int = 0
    rest: str = ""


def advance(connection: Connection, table: str, before: Digests, upto: int) -> Digests:
    """Return the digests up to another row: blocks that became full are read once."""
    size = SIZES[table]
    new = range(len(before.blocks), upto // size)
    full = [of_rows(connection, table, n * size, (n + 1) * size) for n in new]
    blocks = before.blocks + full
    return Digests(blocks, upto, of_rows(connection, table, len(blocks) * size, upto))


def compare(
    connection: Connection, table: str, before: Digests, blocks: Iterable[int]
) -> Iterator[str]:
    """Read some blocks again, and the rest; yield a sentence for each that is not what it was."""
    size = SIZES[table]
    spans = [(n * size, (n + 1) * size, before.blocks[n]) for n in blocks]
    if before.rest:
        spans.append((len(before.blocks) * size, before.upto, before.rest))
    for after, upto, digest in spans:
        if of_rows(connection, table, after, upto) != digest:
            yield (
                f"rows {after + 1} to {upto} of the table {table} were verified before and are "
                "not the same any more: some were changed or removed"
            )


def turn(run: int, number: int) -> list[int]:
    """Return which of so many blocks are read again in this run, so that none is left out long."""
    share = -(-number // ROUND_RUNS)
    return [(run * share + n) % number for n in range(share)]
