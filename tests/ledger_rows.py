"""The rows of a ledger in one notation, whichever database keeps them, for comparing two."""

import json
from typing import Any

from sqlalchemy import text

from central import database

#: table: what is in it, with names instead of row numbers, and without what the clock gave.
ROWS = {
    "location": "SELECT s.code, l.code, l.kind, l.sellable, l.active FROM location l "
    "LEFT JOIN site s ON s.id = l.site",
    "event": "SELECT s.source, v.seq, v.kind, v.status, v.code, v.scanner, v.body FROM event v "
    "JOIN stream s ON s.id = v.stream",
    "stream": "SELECT site, source, applied_seq FROM stream",
    "entry": "SELECT s.source, e.seq, e.line, i.sku, e.lot, f.code, t.code, e.qty, e.reason, "
    "e.ref, u.seq, u.line, r.key FROM entry e JOIN stream s ON s.id = e.stream "
    "JOIN item i ON i.id = e.item JOIN location f ON f.id = e.from_loc "
    "JOIN location t ON t.id = e.to_loc LEFT JOIN entry u ON u.id = e.reverses "
    "LEFT JOIN reservation r ON r.id = e.res",
    "stock": "SELECT i.sku, l.code, k.lot, k.qty, k.count_us FROM stock k "
    "JOIN item i ON i.id = k.item JOIN location l ON l.id = k.loc",
    "avail": "SELECT i.sku, s.code, a.on_hand, a.reserved, a.safety, a.low_stock, a.sold_out, "
    "a.ver FROM avail a JOIN item i ON i.id = a.item JOIN site s ON s.id = a.site",
    "reservation": "SELECT channel, key, req_hash, state, order_ref FROM reservation",
    "reservation_line": "SELECT r.key, i.sku, l.qty, l.done, l.g_on_hand, l.g_reserved, "
    "l.g_safety, l.g_buffer, l.g_oversell, l.capped, l.g_ver FROM reservation_line l "
    "JOIN reservation r ON r.id = l.res JOIN item i ON i.id = l.item",
    "alert": "SELECT kind, severity, title, detail, site, count, closed_us IS NULL FROM alert",
    "outbox": "SELECT channel, body, feed_seq IS NULL FROM outbox",
    "held": "SELECT s.source, h.seq, h.key, h.code, h.ref FROM held h "
    "JOIN stream s ON s.id = h.stream",
    "settlement": "SELECT s.source, t.seq, t.status, t.who, t.fields, t.note FROM settlement t "
    "JOIN stream s ON s.id = t.stream",
    "counted": "SELECT i.sku, l.code, c.lot, c.at_us, s.source, c.seq, c.trusted FROM counted c "
    "JOIN item i ON i.id = c.item JOIN location l ON l.id = c.loc "
    "JOIN stream s ON s.id = c.stream",
    "lot": "SELECT i.sku, l.lot, l.expires FROM lot l JOIN item i ON i.id = l.item",
    "level": "SELECT i.sku, s.code, l.safety, l.low_stock FROM level l "
    "JOIN item i ON i.id = l.item JOIN site s ON s.id = l.site",
    "channel_item": "SELECT i.sku, s.code, c.channel, c.buffer, c.oversell, c.cap, c.used "
    "FROM channel_item c JOIN item i ON i.id = c.item JOIN site s ON s.id = c.site",
    "answer": "SELECT client, key, status FROM answer",
    "item": "SELECT sku, name, active FROM item",
    "barcode": "SELECT b.code, i.sku, b.each_per FROM barcode b JOIN item i ON i.id = b.item",
    "site": "SELECT code FROM site",
    "quarantine": "SELECT topic, reason FROM quarantine",
}
_BY_CHANCE = {"id", "event_time", "as_of", "opened", "ref", "expires"}


def rows_of(name: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return what is in each table of a ledger, sorted."""
    with database.using(database.open_reader(name)) as reader, reader.begin() as connection:
        return {
            table: sorted((_plain(row) for row in connection.execute(text(query))), key=repr)
            for table, query in ROWS.items()
        }


def _plain(row: Any) -> tuple[Any, ...]:
    return tuple(_plain_value(value) for value in row)


def _plain_value(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("{"):
        fields = {k: v for k, v in json.loads(value).items() if k not in _BY_CHANCE}
        return json.dumps(fields, sort_keys=True)
    return int(value) if isinstance(value, bool) else value
