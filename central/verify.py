"""Proves the ledger: recomputes every sum from the entries, checks invariants, repairs nothing.

The numbers V1 to V14 are those of docs/architecture.md. Each check is one query that returns what
is wrong; all run in one read transaction, so they see one moment.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Connection, Engine, text

from central import confirmed, outbox

#: A hold that is over may wait this long for the sweeper.
SWEEP_GRACE_US = 60 * 1_000_000
#: Findings listed per invariant; the number of all is what counts, the first ones show where.
FINDINGS_MAX = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """One violation, with what is needed to find it."""

    invariant: str
    message: str


#: Entries as signed changes of one place each.
_CHANGES = (
    "SELECT item, to_loc AS loc, lot, qty FROM entry "
    "UNION ALL SELECT item, from_loc, lot, -qty FROM entry"
)
_OPEN = "r.state IN ('held', 'committed')"

INVARIANTS: dict[str, tuple[str, str]] = {
    "V1": (
        "{} {}: an entry without an applied event, or a held event that neither waits nor ended",
        "SELECT 'entry', e.id FROM entry e "
        "LEFT JOIN event v ON v.stream = e.stream AND v.seq = e.seq "
        "LEFT JOIN settlement t ON t.stream = e.stream AND t.seq = e.seq "
        "WHERE v.id IS NULL OR COALESCE(t.status, v.status) <> 'applied' UNION ALL "
        "SELECT 'event', v.id FROM event v "
        "LEFT JOIN settlement t ON t.stream = v.stream AND t.seq = v.seq "
        "LEFT JOIN (SELECT DISTINCT stream, seq FROM held) h ON h.stream = v.stream "
        "AND h.seq = v.seq WHERE (v.status = 'held') <> "
        "((t.seq IS NULL) <> (h.seq IS NULL))",
    ),
    "V2": (
        "item {}: all places together hold {}, not 0",
        "SELECT item, SUM(qty) FROM stock GROUP BY item HAVING SUM(qty) <> 0",
    ),
    "V3": (
        "item {} at location {} lot {!r}: stock says {}, the entries say {}",
        f"SELECT item, loc, lot, SUM(s), SUM(c) FROM (SELECT item, loc, lot, qty AS s, 0 AS c "
        f"FROM stock UNION ALL SELECT item, loc, lot, 0, qty FROM ({_CHANGES}) x) y "
        "GROUP BY item, loc, lot HAVING SUM(s) <> SUM(c) UNION ALL "
        "SELECT k.item, k.loc, k.lot, k.count_us, MAX(c.at_us) FROM stock k "
        "LEFT JOIN counted c ON c.item = k.item AND c.loc = k.loc AND c.lot = k.lot "
        "GROUP BY k.item, k.loc, k.lot, k.count_us "
        "HAVING COALESCE(k.count_us, 0) <> COALESCE(MAX(c.at_us), 0)",
    ),
    "V4": (
        "item {} at site {}: on_hand says {}, its sellable places hold {}",
        "SELECT item, site, SUM(a), SUM(s) FROM "
        "(SELECT item, site, on_hand AS a, 0 AS s FROM avail "
        "UNION ALL SELECT k.item, l.site, 0, k.qty FROM stock k JOIN location l ON l.id = k.loc "
        "WHERE l.sellable = 1) x GROUP BY item, site HAVING SUM(a) <> SUM(s)",
    ),
    "V5": (
        "item {} at site {}: reserved says {}, the open promises say {}",
        "SELECT item, site, SUM(a), SUM(p) FROM "
        "(SELECT item, site, reserved AS a, 0 AS p FROM avail "
        "UNION ALL SELECT l.item, r.site, 0, l.qty - l.done FROM reservation_line l "
        f"JOIN reservation r ON r.id = l.res WHERE {_OPEN}) x "
        "GROUP BY item, site HAVING SUM(a) <> SUM(p)",
    ),
    "V6": (
        "reservation {} item {}: {} done, {} promised or shipped",
        "SELECT l.res, l.item, l.done, l.qty FROM reservation_line l JOIN reservation r "
        "ON r.id = l.res WHERE l.done < 0 OR l.done > l.qty "
        "OR (r.state = 'done' AND l.done < l.qty) UNION ALL "
        "SELECT res, item, SUM(d), SUM(n) FROM (SELECT res, item, done AS d, 0 AS n "
        "FROM reservation_line UNION ALL SELECT res, item, 0, "
        "CASE WHEN reverses IS NULL THEN qty ELSE -qty END FROM entry WHERE res IS NOT NULL) x "
        "GROUP BY res, item HAVING SUM(d) <> SUM(n)",
    ),
    "V7": (
        "reservation {} is still held, {} us after its time",
        "SELECT id, :now - expires_us FROM reservation "
        "WHERE state = 'held' AND expires_us + :grace < :now",
    ),
    "V8": (
        "reservation {} item {} was granted {} of {} on hand less {} kept back: oversold",
        "SELECT res, item, g_reserved, g_on_hand, g_safety + g_buffer - g_oversell "
        "FROM reservation_line WHERE g_on_hand - g_reserved - g_safety - g_buffer + g_oversell < 0",
    ),
    "V9": (
        "entry {} does not take back entry {} exactly",
        "SELECT u.id, u.reverses FROM entry u LEFT JOIN entry e ON e.id = u.reverses "
        "WHERE u.reverses IS NOT NULL AND (e.id IS NULL OR e.item <> u.item OR e.lot <> u.lot "
        "OR e.qty <> u.qty OR e.from_loc <> u.to_loc OR e.to_loc <> u.from_loc)",
    ),
    "V12": (
        "gateway {} epoch {}: high-water mark {}, but {} events are recorded",
        "SELECT s.source, s.epoch, s.applied_seq, COUNT(v.id) FROM stream s "
        "LEFT JOIN event v ON v.stream = s.id GROUP BY s.id, s.source, s.epoch, s.applied_seq "
        "HAVING s.applied_seq <> COUNT(v.id) OR s.applied_seq <> COALESCE(MAX(v.seq), 0)",
    ),
    "V13": (
        "item {} at site {} channel {}: used says {}, its promises say {}",
        "SELECT item, site, channel, SUM(u), SUM(p) FROM "
        "(SELECT item, site, channel, used AS u, 0 AS p FROM channel_item UNION ALL "
        "SELECT l.item, r.site, r.channel, 0, CASE WHEN r.state IN ('released', 'expired') "
        "THEN l.done ELSE l.qty END FROM reservation_line l JOIN reservation r ON r.id = l.res "
        "WHERE l.capped = 1) x GROUP BY item, site, channel HAVING SUM(u) <> SUM(p)",
    ),
    "V14": (
        "{} {} {}: a foreign row that does not exist",
        "SELECT 'stock', item, loc FROM stock WHERE item NOT IN (SELECT id FROM item) "
        "OR loc NOT IN (SELECT id FROM location) UNION ALL "
        "SELECT 'entry', item, id FROM entry WHERE item NOT IN (SELECT id FROM item) "
        "OR from_loc NOT IN (SELECT id FROM location) OR to_loc NOT IN (SELECT id FROM location)",
    ),
}  # fmt: skip


def run(reader: Engine) -> list[Finding]:
    """Return every violation found in one snapshot; empty means proven."""
    with reader.begin() as connection:
        return findings(connection)


def findings(connection: Connection) -> list[Finding]:
    """Return every violation that this transaction sees."""
    shops = (Finding("V11", sentence) for sentence in confirmed.wrong(connection))
    found = [*_queries(connection), *_announced(connection), *_feed(connection)]
    return found + list(islice(shops, FINDINGS_MAX))


def _queries(connection: Connection) -> Iterator[Finding]:
    parameters = {"now": time.time_ns() // 1_000, "grace": SWEEP_GRACE_US}
    for name, (message, query) in INVARIANTS.items():
        bound = parameters if ":now" in query else {}
        rows = connection.execute(text(query), bound).all()
        yield from (Finding(name, message.format(*row)) for row in rows[:FINDINGS_MAX])
        if len(rows) > FINDINGS_MAX:
            yield Finding(name, f"and {len(rows) - FINDINGS_MAX} more")


def _announced(connection: Connection) -> Iterator[Finding]:
    """V10: the last announcement of each item and site says what its row says."""
    rows = connection.execute(
        text(
            "SELECT a.on_hand, a.reserved, a.safety, a.ver, i.sku, s.code, o.body FROM avail a "
            "JOIN item i ON i.id = a.item JOIN site s ON s.id = a.site LEFT JOIN "
            "(SELECT agg_key, MAX(id) AS id FROM outbox WHERE channel = 'availability' "
            "GROUP BY agg_key) last ON last.agg_key = s.code || '/' || i.sku "
            "LEFT JOIN outbox o ON o.id = last.id"
        )
    )
    complete = outbox.floor(connection) == 0
    for row in rows:
        if row.body is None and not complete:
            continue  # told long ago
        said = json.loads(row.body) if row.body else {}
        told = tuple(said.get(k) for k in ("on_hand", "reserved", "safety", "version"))
        if told != (row.on_hand, row.reserved, row.safety, row.ver):
            yield Finding("V10", f"{row.sku} at {row.code}: announced {told}, the row is {row[:4]}")


def _feed(connection: Connection) -> Iterator[Finding]:
    """V10: the numbers of the change feed have no holes above its floor."""
    floor = outbox.floor(connection)
    query = text("SELECT COUNT(feed_seq), MAX(feed_seq) FROM outbox WHERE feed_seq > :floor")
    count, newest = connection.execute(query, {"floor": floor}).one()
    if newest is not None and count != newest - floor:
        yield Finding("V10", f"the feed goes from {floor + 1} to {newest} but has {count} rows")
