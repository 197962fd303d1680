"""Digests of the journal's rows, by which it is noticed when rows that never change did.

The rows of an append-only table are taken in blocks of so many numbers each. A block is read once
when it is full, and again in its turn.
"""

import hashlib
from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, text

#: Table: the row numbers of one block. An event's row is about 1 KiB, an entry's 100 bytes.
SIZES = {"entry": 20_000, "event": 4_000}
#: Each block is read again within so many runs: half a day, with a run each minute. Few blocks come
#: more often: at least one is read in each run.
ROUND_RUNS = 720

Digests = dict[str, list[str]]


def of_block(connection: Connection, table: str, block: int) -> str:
    """Return the digest of all columns of a block's rows."""
    size = SIZES[table]
    query = text(f"SELECT * FROM {table} WHERE id > :after AND id <= :upto ORDER BY id")
    digest = hashlib.blake2b(digest_size=16)
    for row in connection.execute(query, {"after": block * size, "upto": (block + 1) * size}):
        digest.update(repr(tuple(row)).encode())
    return digest.hexdigest()


def full(table: str, upto: int) -> int:
    """Return how many blocks are full with the rows up to a number."""
    return upto // SIZES[table]


def compare(
    connection: Connection, table: str, digests: list[str], blocks: Iterable[int]
) -> Iterator[str]:
    """Read blocks again; yield a sentence for each that is not what it was."""
    size = SIZES[table]
    for block in blocks:
        if of_block(connection, table, block) != digests[block]:
            yield (
                f"rows {block * size + 1} to {(block + 1) * size} of the table {table} were "
                "verified before and are not the same any more: some were changed or removed"
            )


def turn(run: int, number: int) -> list[int]:
    """Return which of so many blocks are read again in this run, so that none is left out long."""
    share = -(-number // ROUND_RUNS)
    return [(run * share + n) % number for n in range(share)]
