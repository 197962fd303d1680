"""What must hold in a ledger, one query each: it returns the rows that are wrong.

The numbers are those of docs/architecture.md; a new check is one more `Check` in CHECKS, with a
sentence that names the row. Columns called item, loc, site, stream, from_loc and to_loc are shown
to people by name.

A query that has :entries, :events or :reservations looks at rows with higher numbers only; they are
0 when everything is looked at. `{of}` may become a choice of items, to find what is wrong with few.
"""

from dataclasses import dataclass
from enum import Enum

#: A hold that is over may wait this long for the sweeper.
SWEEP_GRACE_US = 60 * 1_000_000
#: A shop may confirm a change this much later; then an alert about it must be open.
PUSH_LAG_US = 900 * 1_000_000


class When(Enum):
    """How much a query reads, and so when it runs."""

    #: What is new, or little: each time.
    EACH = "each"
    #: The whole journal against the sums: when everything is looked at, and for items whose
    #: checksum is off (central/sums.py).
    SUMMED = "summed"
    #: The whole of a table that grows: only when everything is looked at.
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Check:
    """One query of an invariant; `sentence` says of each row that it returns what is wrong."""

    number: str
    sentence: str
    query: str
    when: When = When.EACH


#: Entries as signed changes of one place each.
_CHANGES = (
    "SELECT item, to_loc AS loc, lot, qty FROM entry {of} "
    "UNION ALL SELECT item, from_loc, lot, -qty FROM entry {of}"
)
_OPEN = "('held', 'committed')"
#: Scans of these kinds always move something.
_MOVING = "('receive', 'putaway', 'move', 'pick', 'ship', 'return', 'damage')"
_POSTED = "EXISTS (SELECT 1 FROM entry e WHERE e.stream = v.stream AND e.seq = v.seq)"
_EVENT_OF = "event v ON v.stream = {0}.stream AND v.seq = {0}.seq"
_ENDED = "settlement t ON t.stream = v.stream AND t.seq = v.seq"
#: What open reservations promise, of which item at which site.
PROMISED = (
    "SELECT l.item AS item, r.site AS site, l.qty - l.done AS qty FROM reservation r "
    f"JOIN reservation_line l ON l.res = r.id WHERE r.state IN {_OPEN}"
)
#: Reservations that may have changed since: open ones, new ones, and those with a new entry.
_CHANGED = (
    f"(SELECT id FROM reservation WHERE id > :reservations UNION SELECT id FROM reservation "
    f"WHERE state IN {_OPEN} UNION SELECT res FROM entry WHERE res IS NOT NULL AND id > :entries)"
)

_JOURNAL = (
    Check(
        "V1",
        "entry {entry} comes from event {seq} of {stream}, which is not recorded",
        f"SELECT e.id AS entry, e.seq, e.stream FROM entry e LEFT JOIN {_EVENT_OF.format('e')} "
        "WHERE e.id > :entries AND v.id IS NULL",
    ),
    Check(
        "V1",
        "entry {entry} comes from event {seq} of {stream}, which is {status}, not applied",
        "SELECT e.id AS entry, e.seq, e.stream, COALESCE(t.status, v.status) AS status "
        f"FROM entry e JOIN {_EVENT_OF.format('e')} LEFT JOIN {_ENDED} "
        "WHERE e.id > :entries AND COALESCE(t.status, v.status) <> 'applied'",
    ),
    Check(
        "V1",
        "event {event} ({kind}, {seq} of {stream}) was applied, but no entry comes from it",
        "SELECT v.id AS event, v.kind, v.seq, v.stream FROM event v WHERE v.id > :events "
        f"AND v.status = 'applied' AND v.kind IN {_MOVING} AND NOT {_POSTED}",
    ),
    Check(
        "V1",
        "event {event} ({kind}, {seq} of {stream}) was settled as applied, but no entry comes "
        "from it",
        f"SELECT v.id AS event, v.kind, v.seq, v.stream FROM settlement t JOIN "
        f"{_EVENT_OF.format('t')} WHERE t.status = 'applied' AND v.kind IN {_MOVING} "
        f"AND NOT {_POSTED}",
    ),
    Check(
        "V1",
        "event {event} ({kind}, {seq} of {stream}) is held, but neither waits for a person nor "
        "has ended",
        f"SELECT v.id AS event, v.kind, v.seq, v.stream FROM event v LEFT JOIN {_ENDED} "
        "WHERE v.id > :events AND v.status = 'held' AND t.seq IS NULL AND NOT EXISTS "
        "(SELECT 1 FROM held h WHERE h.stream = v.stream AND h.seq = v.seq)",
    ),
    Check(
        "V1",
        "event {seq} of {stream} waits for a person under {key!r}, but is not a held event "
        "without an end",
        f"SELECT h.seq, h.stream, h.key AS key FROM held h LEFT JOIN {_EVENT_OF.format('h')} "
        f"LEFT JOIN {_ENDED} WHERE v.id IS NULL OR v.status <> 'held' OR t.seq IS NOT NULL",
    ),
    Check(
        "V1",
        "event {seq} of {stream} was settled ({status}), but never was a held event",
        "SELECT t.seq, t.stream, t.status FROM settlement t LEFT JOIN "
        f"{_EVENT_OF.format('t')} WHERE v.id IS NULL OR v.status <> 'held'",
    ),
    Check(
        "V1",
        "{n} entries are line {line} of event {seq} of {stream}",
        "SELECT stream, seq, line, COUNT(*) AS n FROM entry GROUP BY stream, seq, line "
        "HAVING COUNT(*) > 1",
        When.FULL,
    ),
    Check(
        "V9",
        "entry {entry} takes back entry {reversed}, but is not the same goods the other way",
        "SELECT u.id AS entry, u.reverses AS reversed FROM entry u LEFT JOIN entry e "
        "ON e.id = u.reverses WHERE u.reverses IS NOT NULL AND u.id > :entries AND (e.id IS NULL "
        "OR e.item <> u.item OR e.lot <> u.lot OR e.qty <> u.qty OR e.from_loc <> u.to_loc "
        "OR e.to_loc <> u.from_loc)",
    ),
    Check(
        "V9",
        "entry {reversed} was taken back {n} times",
        "SELECT reverses AS reversed, COUNT(*) AS n FROM entry WHERE reverses IS NOT NULL "
        "GROUP BY reverses HAVING COUNT(*) > 1",
        When.FULL,
    ),
)

_SUMS = (
    Check(
        "V2",
        "{item}: all places together hold {total}, not 0",
        "SELECT item, SUM(qty) AS total FROM stock {of} GROUP BY item HAVING SUM(qty) <> 0",
        When.SUMMED,
    ),
    Check(
        "V3",
        "{item} at {loc}, lot {lot!r}: stock says {stock}, the entries say {entries}",
        f"SELECT item, loc, lot, SUM(s) AS stock, SUM(c) AS entries FROM (SELECT item, loc, lot, "
        f"qty AS s, 0 AS c FROM stock {{of}} UNION ALL SELECT item, loc, lot, 0, qty "
        f"FROM ({_CHANGES}) x) y GROUP BY item, loc, lot HAVING SUM(s) <> SUM(c)",
        When.SUMMED,
    ),
    Check(
        "V3",
        "{item} at {loc}, lot {lot!r}: stock was last counted at {stock} us, the counts say {us}",
        "SELECT k.item, k.loc, k.lot, k.count_us AS stock, c.us FROM (SELECT * FROM stock {of}) k "
        "LEFT JOIN (SELECT item, loc, lot, MAX(at_us) AS us FROM counted {of} "
        "GROUP BY item, loc, lot) c ON c.item = k.item AND c.loc = k.loc AND c.lot = k.lot "
        "WHERE COALESCE(k.count_us, 0) <> COALESCE(c.us, 0)",
        When.SUMMED,
    ),
    Check(
        "V4",
        "{item} at {site}: on_hand says {avail}, its sellable places hold {stock}",
        "SELECT item, site, SUM(a) AS avail, SUM(s) AS stock FROM "
        "(SELECT item, site, on_hand AS a, 0 AS s FROM avail {of} "
        "UNION ALL SELECT k.item, l.site, 0, k.qty FROM (SELECT * FROM stock {of}) k "
        "JOIN location l ON l.id = k.loc WHERE l.sellable = 1) x "
        "GROUP BY item, site HAVING SUM(a) <> SUM(s)",
        When.SUMMED,
    ),
    Check(
        "V5",
        "{item} at {site}: reserved says {avail}, the open promises say {promised}",
        "SELECT item, site, SUM(a) AS avail, SUM(p) AS promised FROM "
        "(SELECT item, site, reserved AS a, 0 AS p FROM avail {of} "
        f"UNION ALL SELECT item, site, 0, qty FROM (SELECT * FROM ({PROMISED}) z {{of}}) y) x "
        "GROUP BY item, site HAVING SUM(a) <> SUM(p)",
        When.SUMMED,
    ),
    Check(
        "V14",
        "{item} at {loc}, lot {lot!r}: the entries and counts make a row of {entries}, but stock "
        "has none",
        "SELECT r.item, r.loc, r.lot, r.entries FROM (SELECT item, loc, lot, SUM(qty) AS entries "
        f"FROM ({_CHANGES} UNION ALL SELECT item, loc, lot, 0 FROM counted {{of}}) x "
        "GROUP BY item, loc, lot) r LEFT JOIN stock k ON k.item = r.item AND k.loc = r.loc "
        "AND k.lot = r.lot WHERE k.item IS NULL",
        When.SUMMED,
    ),
    Check(
        "V14",
        "{item} at {site}: rebuilt from the journal it is {on_hand} on hand and {reserved} "
        "reserved, availability has {n} rows that say {a_on_hand} and {a_reserved}",
        "SELECT item, site, SUM(h) AS on_hand, SUM(p) AS reserved, SUM(n) AS n, SUM(a) AS "
        "a_on_hand, SUM(r) AS a_reserved FROM (SELECT item, site, 0 AS h, 0 AS p, 1 AS n, "
        "on_hand AS a, reserved AS r FROM avail {of} UNION ALL SELECT c.item, l.site, c.qty, 0, "
        f"0, 0, 0 FROM ({_CHANGES}) c JOIN location l ON l.id = c.loc WHERE l.sellable = 1 "
        f"UNION ALL SELECT item, site, 0, qty, 0, 0, 0 FROM (SELECT * FROM ({PROMISED}) z "
        "{of}) y) x GROUP BY item, site "
        "HAVING SUM(h) <> SUM(a) OR SUM(p) <> SUM(r) OR SUM(n) <> 1",
        When.SUMMED,
    ),
    Check(
        "V14",
        "entry {entry} of {item} from {from_loc} to {to_loc} names what does not exist",
        "SELECT e.id AS entry, e.item, e.from_loc, e.to_loc FROM entry e "
        "LEFT JOIN item i ON i.id = e.item LEFT JOIN location f ON f.id = e.from_loc "
        "LEFT JOIN location t ON t.id = e.to_loc "
        "WHERE e.id > :entries AND (i.id IS NULL OR f.id IS NULL OR t.id IS NULL)",
    ),
    Check(
        "V14",
        "stock of {item} at {loc} names what does not exist",
        "SELECT k.item, k.loc FROM stock k LEFT JOIN item i ON i.id = k.item "
        "LEFT JOIN location l ON l.id = k.loc WHERE i.id IS NULL OR l.id IS NULL",
        When.FULL,
    ),
)

_PROMISES = (
    Check(
        "V6",
        "reservation {res}, {item}: {done} of {qty} shipped, and it is {state}",
        "SELECT l.res, l.item, l.done, l.qty, r.state FROM reservation_line l JOIN reservation r "
        f"ON r.id = l.res WHERE l.res IN {_CHANGED} AND (l.done < 0 OR l.done > l.qty "
        "OR (r.state = 'done' AND l.done < l.qty))",
    ),
    Check(
        "V6",
        "reservation {res}, {item}: its line says {done} shipped, its entries say {entries}",
        "SELECT res, item, SUM(d) AS done, SUM(n) AS entries FROM (SELECT res, item, done AS d, "
        f"0 AS n FROM reservation_line WHERE res IN {_CHANGED} UNION ALL SELECT res, item, 0, "
        "CASE WHEN reverses IS NULL THEN qty ELSE -qty END FROM entry "
        f"WHERE res IN {_CHANGED}) x GROUP BY res, item HAVING SUM(d) <> SUM(n)",
    ),
    Check(
        "V7",
        "reservation {res} of {channel} is still held, {late_s} s after its time",
        "SELECT id AS res, channel, (:now - expires_us) / 1000000 AS late_s FROM reservation "
        "WHERE state = 'held' AND expires_us + :grace < :now",
    ),
    Check(
        "V8",
        "reservation {res}, {item}, was granted as number {g_reserved} of {g_on_hand} on hand, "
        "{kept} of them kept back: oversold",
        "SELECT res, item, g_reserved, g_on_hand, g_safety + g_buffer - g_oversell AS kept FROM "
        "reservation_line WHERE res > :reservations "
        "AND g_on_hand - g_reserved - g_safety - g_buffer + g_oversell < 0",
    ),
    Check(
        "V8",
        "{item} at {site}: {n} promises say that they made version {ver} of its row, the last "
        "is reservation {res}",
        "SELECT l.item, r.site, l.g_ver AS ver, COUNT(*) AS n, MAX(l.res) AS res FROM "
        "reservation_line l JOIN reservation r ON r.id = l.res GROUP BY l.item, r.site, l.g_ver "
        "HAVING COUNT(*) > 1",
        When.FULL,
    ),
    Check(
        "V8",
        "{item} at {site}: {reserved} are promised of {on_hand} on hand, and nobody was told of "
        "the shortage",
        # Open, or closed by a person: then its title has the numbers of now.
        "SELECT a.item, a.site, a.reserved, a.on_hand FROM avail a JOIN item i ON i.id = a.item "
        "JOIN site s ON s.id = a.site WHERE a.reserved > 0 AND a.reserved > a.on_hand "
        "AND NOT EXISTS (SELECT 1 FROM alert t WHERE t.kind = 'shortage' "
        "AND t.ref = i.sku || '@' || s.code AND (t.closed_us IS NULL OR t.title = "
        "i.sku || ': ' || a.reserved || ' promised, ' || a.on_hand || ' on hand'))",
    ),
    Check(
        "V13",
        "{item} at {site}, channel {channel}: used says {used}, its promises say {promised}",
        "SELECT item, site, channel, SUM(u) AS used, SUM(p) AS promised FROM "
        "(SELECT item, site, channel, used AS u, 0 AS p FROM channel_item UNION ALL "
        "SELECT l.item, r.site, r.channel, 0, CASE WHEN r.state IN ('released', 'expired') "
        "THEN l.done ELSE l.qty END FROM reservation_line l JOIN reservation r ON r.id = l.res "
        "WHERE l.capped = 1) x GROUP BY item, site, channel HAVING SUM(u) <> SUM(p)",
        When.FULL,
    ),
)

_LISTED = (
    "SELECT l.channel, a.item, a.site, l.ver AS confirmed, a.ver FROM listing l "
    "JOIN avail a ON a.item = l.item AND a.site = l.site JOIN item i ON i.id = l.item "
    "JOIN site s ON s.id = l.site "
)
_SHOPS = (
    Check(
        "V11",
        "channel {channel} confirmed version {confirmed} of {item} at {site}, which is at {ver}",
        f"{_LISTED} WHERE l.ver > a.ver ORDER BY l.channel, i.sku, s.code",
        When.FULL,
    ),
    Check(
        "V11",
        "channel {channel} knows version {confirmed} of {item} at {site}, which is at {ver}, for "
        f"more than {PUSH_LAG_US // 60_000_000} minutes, and nobody was told",
        # Late by the ledger's own time, which is that of its newest announcement: a copy that is
        # proven a day later is not a day behind.
        f"{_LISTED} JOIN outbox o ON o.channel = 'availability' "
        "AND o.agg_key = s.code || '/' || i.sku "
        "AND o.created_us > l.as_of_us WHERE l.ver < a.ver AND l.remote_id <> '' "
        "AND NOT EXISTS (SELECT 1 FROM alert t WHERE t.kind = 'delivery_failing' "
        "AND t.closed_us IS NULL AND t.ref IN "
        "('channel:' || l.channel, 'channel:' || l.channel || ':' || i.sku)) "
        "GROUP BY l.channel, i.sku, s.code, a.item, a.site, l.ver, a.ver "
        f"HAVING MIN(o.created_us) + {PUSH_LAG_US} < (SELECT MAX(created_us) FROM outbox) "
        "ORDER BY l.channel, i.sku, s.code",
        When.FULL,
    ),
)

#: V10 and V12 are not one query each: central/announced.py and central/marks.py.
CHECKS: tuple[Check, ...] = _JOURNAL + _SUMS + _PROMISES + _SHOPS
