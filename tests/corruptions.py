"""Damage to a ledger, planted by SQL behind its back: one or more for each invariant.

Each is undone again by the caller. What the sentence must name is in `names`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text

ENTRY = (
    "INSERT INTO entry (stream, seq, line, item, lot, from_loc, to_loc, qty, reason, occurred_us, "
    "recorded_us, reverses) SELECT stream, seq, {line}, item, lot, from_loc, to_loc, {qty}, "
    "'x', 0, 0, {reverses} FROM entry WHERE id = {id}"
)
_FIRST = "(SELECT MIN(id) FROM entry)"
_RECEIVED = "(SELECT MIN(id) FROM event WHERE kind = 'receive')"


@dataclass(frozen=True)
class Corruption:
    """`statements` that plant it, and words that the finding of `invariant` must say."""

    invariant: str
    statements: tuple[str, ...]
    names: tuple[str, ...]


def _one(invariant: str, statement: str, *names: str) -> Corruption:
    return Corruption(invariant, (statement,), names)


CORRUPTIONS = {
    "a shop that knows what never was": _one(
        "V11",
        "INSERT INTO listing (channel, item, site, remote_id, ver, next_us, note, as_of_us) "
        "SELECT 'shop', item, site, '7', ver + 1, 0, '', 0 FROM avail",
        "channel shop confirmed version", "VALVE",
    ),
    "an entry of nobody": _one(
        "V1",
        f"INSERT INTO entry (stream, seq, line, item, lot, from_loc, to_loc, qty, reason, "
        f"occurred_us) SELECT stream, 99, 0, item, lot, from_loc, to_loc, qty, 'x', 0 FROM entry "
        f"WHERE id = {_FIRST}",
        "event 99 of gate", "not recorded",
    ),
    "an entry of a held event": _one(
        "V1",
        "INSERT INTO entry (stream, seq, line, item, lot, from_loc, to_loc, qty, reason, "
        "occurred_us) SELECT v.stream, v.seq, 0, e.item, e.lot, e.from_loc, e.to_loc, 1, 'x', 0 "
        f"FROM event v JOIN entry e ON e.id = {_FIRST} WHERE v.status = 'held'",
        "of gate, which is held, not applied",
    ),
    "an applied event without entries": _one(
        "V1", f"DELETE FROM entry WHERE id = {_FIRST}", "(receive, 1 of gate)", "no entry",
    ),
    "a settled event without entries": Corruption(
        "V1",
        ("INSERT INTO settlement (stream, seq, status, who, fields, note, at_us) SELECT stream, "
         "seq, 'applied', 'x', '{}', '', 0 FROM (SELECT DISTINCT stream, seq FROM held) h",
         "DELETE FROM held"),
        ("settled as applied", "of gate"),
    ),
    "a held event that is forgotten": _one(
        "V1", "DELETE FROM held", "neither waits for a person nor has ended", "of gate",
    ),
    "a waiting event that has ended": _one(
        "V1",
        "INSERT INTO settlement (stream, seq, status, who, fields, note, at_us) "
        "SELECT DISTINCT stream, seq, 'dismissed', 'x', '{}', '', 0 FROM held",
        "waits for a person under 'STRANGER'", "of gate",
    ),
    "an end of what was never held": _one(
        "V1",
        "INSERT INTO settlement (stream, seq, status, who, fields, note, at_us) "
        "SELECT stream, seq, 'dismissed', 'x', '{}', '', 0 FROM event WHERE kind = 'count'",
        "never was a held event",
    ),
    "one line twice": Corruption(
        "V1", ("DROP INDEX entry_identity", ENTRY.format(line="line", qty="qty", id=_FIRST,
                                                        reverses="NULL")),
        ("2 entries are line 0 of event 1 of gate",),
    ),
    "goods from nowhere": _one(
        "V2", "UPDATE stock SET qty = qty + 1 WHERE qty > 0", "VALVE: all places together hold",
    ),
    "stock beside its entries": _one(
        "V3", "UPDATE stock SET qty = qty + 1 WHERE qty > 0", "VALVE at DOCK-1",
        "stock says 4, the entries say 3",
    ),
    "stock moved between places": Corruption(
        "V3",
        ("UPDATE stock SET qty = qty + 1 WHERE loc = (SELECT id FROM location WHERE code = 'A-1')",
         "UPDATE stock SET qty = qty - 1 WHERE loc = (SELECT id FROM location "
         "WHERE code = 'DOCK-1')"),
        ("VALVE at A-1", "stock says 2, the entries say 1"),
    ),
    "a count that nobody made": _one(
        "V3", "UPDATE stock SET count_us = 5 WHERE loc = (SELECT id FROM location "
        "WHERE code = 'A-1')", "VALVE at A-1", "last counted at 5 us",
    ),
    "on hand beside its stock": _one(
        "V4", "UPDATE avail SET on_hand = on_hand + 1", "VALVE at main", "on_hand says 5",
        "places hold 4",
    ),
    "reserved beside its promises": _one(
        "V5", "UPDATE avail SET reserved = reserved + 1", "VALVE at main", "reserved says 2",
        "promises say 1",
    ),
    "more shipped than promised": Corruption(
        "V6",
        ("ALTER TABLE reservation_line DROP CONSTRAINT line_done_within",
         "UPDATE reservation_line SET done = qty + 1"),
        ("VALVE: 2 of 1 shipped, and it is held",),
    ),
    "done without shipping": _one(
        "V6", "UPDATE reservation SET state = 'done'", "VALVE: 0 of 1 shipped, and it is done",
    ),
    "shipped without entries": _one(
        "V6", "UPDATE reservation_line SET done = 1", "line says 1 shipped, its entries say 0",
        "VALVE",
    ),
    "a hold for ever": _one(
        "V7", "UPDATE reservation SET expires_us = 1", "of web is still held",
    ),
    "oversold at the grant": _one(
        "V8", "UPDATE reservation_line SET g_on_hand = 0", "VALVE, was granted", "oversold",
    ),
    "one version promised twice": Corruption(
        "V8",
        ("INSERT INTO reservation SELECT id + 1, channel, 'twice', req_hash, site, 'released', "
         "created_us, expires_us, order_ref, answer FROM reservation",
         "INSERT INTO reservation_line SELECT res + 1, item, qty, done, g_on_hand, g_reserved, "
         "g_safety, g_ver, g_buffer, g_oversell, capped FROM reservation_line"),
        ("VALVE at main: 2 promises", "version"),
    ),
    "a shortage nobody was told of": _one(
        "V8", "UPDATE avail SET on_hand = 0", "1 are promised of 0 on hand", "VALVE at main",
    ),
    "an undo of something else": Corruption(
        "V9",
        (ENTRY.format(line=7, qty="qty + 1", id=_FIRST, reverses="id"),),
        ("is not the same goods the other way",),
    ),
    "one entry undone twice": Corruption(
        "V9",
        ("DROP INDEX entry_reversed",
         *(ENTRY.format(line=n, qty="qty", id=_FIRST, reverses="id") for n in (7, 8))),
        ("was taken back 2 times",),
    ),
    "an announcement of other numbers": _one(
        "V10",
        "UPDATE outbox SET body = REPLACE(body, '\"on_hand\":4', '\"on_hand\":9')",
        "VALVE at main: its row says 4 on hand", "announced was 9 on hand",
    ),
    "a row that changed in silence": _one(
        "V10", "UPDATE avail SET ver = ver + 1", "VALVE at main", "announced was",
    ),
    "a row of which nothing was told": _one(
        "V10", "DELETE FROM outbox WHERE channel = 'availability'", "VALVE at main",
        "nothing was ever announced",
    ),
    "a hole in the feed": _one(
        "V10", "DELETE FROM outbox WHERE feed_seq = 2", "change feed goes from 1 to",
    ),
    "a mark that ran ahead": _one(
        "V12", "UPDATE stream SET applied_seq = applied_seq + 1", "gateway gate epoch",
        "high-water mark is",
    ),
    "an event that is gone": _one(
        "V12", "DELETE FROM event WHERE id = (SELECT MAX(id) FROM event)", "gateway gate epoch",
        "events are recorded",
    ),
    "a share used by nobody": _one(
        "V13", "UPDATE reservation_line SET capped = 1", "VALVE at main, channel web",
        "used says 0, its promises say 1",
    ),
    "a stock row that is gone": _one(
        "V14", "DELETE FROM stock WHERE loc = (SELECT id FROM location WHERE code = 'A-1')",
        "VALVE at A-1", "stock has none",
    ),
    "an availability row that is gone": _one(
        "V14", "DELETE FROM avail", "VALVE at main: rebuilt from the journal it is 4 on hand and "
        "1 reserved, availability has 0 rows",
    ),
    "stock of no item": _one(
        "V14", "INSERT INTO stock (item, loc, lot, qty) VALUES (999, 1, '', 0)",
        "stock of item 999 (unknown)",
    ),
    "an entry of no place": _one(
        "V14", "UPDATE entry SET to_loc = 998 WHERE id = (SELECT MAX(id) FROM entry)",
        "names what does not exist", "location 998 (unknown)",
    ),
}  # fmt: skip


@contextmanager
def planted(engine: Engine, corruption: Corruption) -> Iterator[Connection]:
    """Give a transaction that sees the damage; it is as before afterwards."""
    with engine.connect() as connection, connection.begin() as transaction:
        plant(connection, corruption.statements)
        yield connection
        transaction.rollback()


def plant(connection: Connection, statements: tuple[str, ...]) -> None:
    """Do damage like a broken disk, which asks neither triggers nor constraints."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            constraint = "ALTER TABLE entry DROP CONSTRAINT entry_identity"
            connection.exec_driver_sql(statement.replace("DROP INDEX entry_identity", constraint))
        return
    for table in ("entry", "event", "settlement"):
        for verb in ("update", "delete"):
            connection.execute(text(f"DROP TRIGGER {table}_no_{verb}"))
    for statement in statements:
        _on_sqlite(connection, statement)


def _on_sqlite(connection: Connection, statement: str) -> None:
    if statement == "DROP INDEX entry_identity":  # SQLite keeps it inside of the table's own text
        (made,) = connection.exec_driver_sql(
            "SELECT sql FROM sqlite_master WHERE name = 'entry'"
        ).one()
        constraint = "CONSTRAINT entry_identity UNIQUE (stream, seq, line)"
        assert constraint in made
        made = made.replace(constraint, "CHECK (1)").replace("entry", "plain", 1)
        connection.exec_driver_sql(made)
        connection.exec_driver_sql("INSERT INTO plain SELECT * FROM entry")
        connection.exec_driver_sql("DROP TABLE entry")
        connection.exec_driver_sql("ALTER TABLE plain RENAME TO entry")
    elif statement.startswith("ALTER TABLE"):
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
    else:
        connection.exec_driver_sql(statement)
