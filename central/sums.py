"""Checksums of the sums, by which a million rows are compared with the journal in a second.

Items fall into BUCKETS buckets. In each, quantities are added up with a weight that depends on
item and place, so any one row that is wrong, missing or too many changes its bucket's checksum. The
journal's side of it grows with each entry, so it is kept and never computed anew.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, text

from central.invariants import PROMISED

BUCKETS = 4_096
_BUCKET = f"item % {BUCKETS}"


def _weight(item: str, place: str) -> str:
    # Below 2^15, so that the sum of a bucket stays far from 2^63.
    return f"(1 + (CAST({item} AS bigint) * 7919 + {place} * 104729) % 32749)"


_ENTRIES = text(
    f"SELECT {_BUCKET}, SUM(qty * ({_weight('item', 'to_loc')} - {_weight('item', 'from_loc')})) "
    f"FROM entry WHERE id > :after AND id <= :upto GROUP BY {_BUCKET}"
)
_STOCK = text(
    f"SELECT k.{_BUCKET}, SUM(k.qty * {_weight('k.item', 'k.loc')}), "
    f"SUM(k.qty * {_weight('k.item', '0')}), "
    f"SUM(CASE WHEN l.sellable = 1 THEN k.qty * {_weight('k.item', 'l.site')} ELSE 0 END) "
    f"FROM stock k LEFT JOIN location l ON l.id = k.loc GROUP BY k.{_BUCKET}"
)
_AVAIL = text(
    f"SELECT {_BUCKET}, SUM(on_hand * {_weight('item', 'site')}), "
    f"SUM(reserved * {_weight('item', 'site')}) FROM avail GROUP BY {_BUCKET}"
)
_PROMISES = text(
    f"SELECT {_BUCKET}, SUM(qty * {_weight('item', 'site')}) FROM ({PROMISED}) p GROUP BY {_BUCKET}"
)
_ITEMS = (
    "SELECT id FROM item WHERE id % {0} IN ({1}) UNION SELECT item FROM stock WHERE item % {0} "
    "IN ({1}) UNION SELECT item FROM avail WHERE item % {0} IN ({1})"
)
#: What is not a bucket's row at all.
_NO_ID = 2**62

Checksums = dict[int, int]


@dataclass(frozen=True, slots=True)
class Off:
    """Buckets whose sums do not fit: to one another, or to the journal."""

    journal: frozenset[int]
    others: frozenset[int]

    @property
    def all(self) -> frozenset[int]:
        """Every bucket that is off."""
        return self.journal | self.others


def of_entries(
    connection: Connection, base: Mapping[int, int], after: int, upto: int = _NO_ID
) -> Checksums:
    """Return the journal's checksums: those of its entries up to `after`, and what came since."""
    total = dict(base)
    for bucket, added in connection.execute(_ENTRIES, {"after": after, "upto": upto}):
        total[bucket] = total.get(bucket, 0) + int(added)
    return total


def off(connection: Connection, journal: Mapping[int, int]) -> Off:
    """Compare stock, availability and promises with the journal's checksums."""
    placed: Checksums = {}
    unbalanced = set()
    sellable: Checksums = {}
    for bucket, places, nothing, offered in connection.execute(_STOCK):
        placed[bucket], sellable[bucket] = int(places), int(offered)
        if nothing:
            unbalanced.add(bucket)
    on_hand: Checksums = {}
    reserved: Checksums = {}
    for bucket, goods, kept in connection.execute(_AVAIL):
        on_hand[bucket], reserved[bucket] = int(goods), int(kept)
    promised = {bucket: int(total) for bucket, total in connection.execute(_PROMISES)}
    others = unbalanced | _differing(sellable, on_hand) | _differing(reserved, promised)
    return Off(frozenset(_differing(journal, placed)), frozenset(others))


def _differing(ours: Mapping[int, int], theirs: Mapping[int, int]) -> set[int]:
    return {key for key in ours.keys() | theirs.keys() if ours.get(key, 0) != theirs.get(key, 0)}


def items_of(connection: Connection, buckets: Iterable[int]) -> list[int]:
    """Return the items in some buckets."""
    query = _ITEMS.format(BUCKETS, ", ".join(map(str, sorted(buckets))))
    return sorted(connection.execute(text(query)).scalars())
