"""The least that must be written for a scan and for a promise, by hand: what the ledger is held
against. No dedupe, no rules, no messages; the same rows in the same tables, one after the other."""

import collections
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, text

from wire.events import Event

#: As long as what the ledger writes to tell of a new availability.
OUTBOX_BODY = "x" * 190
_EVENT = (
    "INSERT INTO event (stream, seq, uuid, kind, status, code, scanner, occurred_us, received_us, "
    "body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_ENTRY = (
    "INSERT INTO entry (stream, seq, line, item, lot, from_loc, to_loc, qty, reason, ref, "
    "occurred_us, recorded_us, reverses, res) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_STOCK = (
    "INSERT INTO stock (item, loc, lot, qty) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (item, loc, lot) DO UPDATE SET qty = stock.qty + excluded.qty"
)
_AVAIL = (
    "INSERT INTO avail (item, site, on_hand, reserved, safety, ver) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (item, site) DO UPDATE "
    "SET on_hand = avail.on_hand + excluded.on_hand, ver = avail.ver + 1"
)
_OUTBOX = "INSERT INTO outbox (channel, agg_key, body, created_us) VALUES (?, ?, ?, ?)"
_MARK = "UPDATE stream SET applied_seq = ?, seen_us = ?, latest_us = ? WHERE id = ?"
_SUPPLIER, _DOCK, _SITE = 1, 5, 1


def apply(engine: Engine, stream: int, events: Sequence[Event], item_of: Mapping[str, int]) -> None:
    """Write the rows of received events in one transaction, as fast as the rows go in.

    With the driver itself and one `executemany` for each table. Nothing is read; of each event only
    its JSON is made, which is what its row has to hold.
    """
    now = 1_764_000_000_000_000
    scans = [(event.seq, item_of[event.identifiers.sku or ""]) for event in events]
    received = sorted(collections.Counter(item for _, item in scans).items())
    places = ((_SUPPLIER, -1), (_DOCK, 1))
    work = (
        (_EVENT, [(stream, event.seq, str(event.id), event.kind, "applied", None, event.scanner,
                   now, now, event.model_dump_json(exclude_none=True)) for event in events]),
        (_ENTRY, [(stream, seq, 0, item, "", _SUPPLIER, _DOCK, 1, "receive", None, now, now, None,
                   None) for seq, item in scans]),
        (_STOCK, [(item, place, "", sign * n) for item, n in received for place, sign in places]),
        (_AVAIL, [(item, _SITE, n, 0, 0, 1) for item, n in received]),
        (_OUTBOX, [("availability", f"main/{item}", OUTBOX_BODY, now) for item, _ in received]),
        (_MARK, [(events[-1].seq, now, now, stream)]),
    )  # fmt: skip
    mark = "?" if engine.dialect.name == "sqlite" else "%s"
    with engine.begin() as connection:
        cursor = connection.connection.cursor()
        for sql, rows in work:
            cursor.executemany(sql.replace("?", mark), rows)


def reserve(connection: Connection, key: str, item: int) -> bool:
    """Promise one piece the usual way: lock the row, look at it, write it."""
    row = connection.execute(
        text("SELECT on_hand, reserved FROM avail WHERE item = :item AND site = 1 FOR UPDATE"),
        {"item": item},
    ).one()
    granted = bool(row.on_hand > row.reserved)
    number = connection.execute(
        text(
            "INSERT INTO reservation (channel, key, req_hash, site, state, created_us, expires_us, "
            "answer) VALUES ('web', :key, '', 1, :state, 0, 0, '') RETURNING id"
        ),
        {"key": key, "state": "held" if granted else "rejected"},
    ).scalar_one()
    if granted:
        connection.execute(
            text("UPDATE avail SET reserved = :new, ver = ver + 1 WHERE item = :item AND site = 1"),
            {"new": row.reserved + 1, "item": item},
        )
        connection.execute(
            text(
                "INSERT INTO reservation_line (res, item, qty, done, g_on_hand, g_reserved, "
                "g_safety, g_ver) VALUES (:res, :item, 1, 0, 1, 1, 0, 1)"
            ),
            {"res": number, "item": item},
        )
        connection.execute(
            text(
                "INSERT INTO outbox (channel, agg_key, body, created_us) "
                "VALUES ('availability', :key, :body, 0)"
            ),
            {"key": f"main/{item}", "body": OUTBOX_BODY},
        )
    return granted


def in_threads(number: int, work: Callable[[int], Any]) -> float:
    """Run `work` in so many threads at once; return how long all took, seconds."""
    threads = [threading.Thread(target=work, args=(n,)) for n in range(number)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started
