"""The least that must be written for a scan and for a promise, by hand: what the ledger is held
against. No parsing, no dedupe, no rules; the same rows in the same tables, one after the other."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Engine, text

_EVENT = text(
    "INSERT INTO event (stream, seq, uuid, kind, status, scanner, occurred_us, received_us, body) "
    "VALUES (:stream, :seq, 'u', 'receive', 'applied', 'dock-1', 0, 0, :body)"
)
_ENTRY = text(
    "INSERT INTO entry (stream, seq, line, item, lot, from_loc, to_loc, qty, reason, occurred_us) "
    "VALUES (:stream, :seq, 0, :item, '', 1, 5, 1, 'receive', 0)"
)
_STOCK = text(
    "INSERT INTO stock (item, loc, lot, qty) VALUES (:item, :loc, '', :qty) "
    "ON CONFLICT (item, loc, lot) DO UPDATE SET qty = stock.qty + excluded.qty"
)
_AVAIL = text(
    "INSERT INTO avail (item, site, on_hand, reserved, safety, ver) VALUES (:item, 1, 1, 0, 0, 1) "
    "ON CONFLICT (item, site) DO UPDATE SET on_hand = avail.on_hand + 1, ver = avail.ver + 1"
)
_OUTBOX = text(
    "INSERT INTO outbox (channel, agg_key, body, created_us) "
    "VALUES ('availability', :key, :body, 0)"
)
_MARK = text("UPDATE stream SET applied_seq = :seq WHERE id = :stream")
_BODY = json.dumps({"some": "event", "as": "long as usual", "raw": "x" * 300})


def apply(engine: Engine, stream: int, first: int, count: int, items: int) -> None:
    """Write the rows of `count` receipts of `items` different items in one transaction."""
    rows = [
        {"stream": stream, "seq": seq, "item": 1 + seq % items, "body": _BODY}
        for seq in range(first, first + count)
    ]
    touched = [{"item": item, "key": f"main/{item}", "body": _BODY}
               for item in sorted({row["item"] for row in rows})]  # fmt: skip
    with engine.begin() as connection:
        connection.execute(_EVENT, rows)
        connection.execute(_ENTRY, rows)
        for loc, qty in ((1, -1), (5, 1)):
            connection.execute(_STOCK, [{**row, "loc": loc, "qty": qty} for row in touched])
        connection.execute(_AVAIL, touched)
        connection.execute(_OUTBOX, touched)
        connection.execute(_MARK, {"seq": first + count - 1, "stream": stream})


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
        connection.execute(_OUTBOX, {"key": f"main/{item}", "body": _BODY})
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
