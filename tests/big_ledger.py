"""A ledger as after years: many items and a long journal, made by SQL and kept for later runs.

Its sums are right, so `docktally verify` has nothing to say. What is short in it are the bodies of
old events, which nothing reads while scans are applied: they are a tenth of what a scan has.
"""

import os
import shutil
import sqlite3
import time
from pathlib import Path

from central import migrations
from ledgers import stock_catalogue

MIGRATIONS = Path(migrations.__path__[0]) / "versions"
#: The items begin after those of the small catalogue that each test has.
FIRST_ITEM = 101
_STREAM, _SITE, _SUPPLIER, _BIN = 1, 1, 1, 5
_EPOCH = "01890000-0000-7000-8000-000000000000"
_BODY = '{"kind":"receive","quantity":1,"raw":"U0tV"}'
_START_US, _STEP_US = 1_600_000_000_000_000, 1_000_000
#: Rows made by one statement.
_PART = 1_000_000


def cache() -> Path:
    """Return the folder for what takes minutes to make."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "docktally-bench"


def copy(items: int, entries: int, folder: Path) -> str:
    """Return a ledger of that size in a new file, from the one in the cache (made if need be)."""
    kept = cache() / f"{_schema()}-{items}-items-{entries}-entries.db"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        unfinished = kept.with_suffix(".making")
        unfinished.unlink(missing_ok=True)
        started = time.monotonic()
        make(unfinished, items, entries)
        unfinished.rename(kept)
        print(f"\nmade {kept}: {kept.stat().st_size / 1e9:.1f} GB in "
              f"{time.monotonic() - started:.0f} s")  # fmt: skip
    target = folder / "central.db"
    shutil.copyfile(kept, target)
    return str(target)


def _schema() -> str:
    """Return the newest schema's number: a file of another one is made again."""
    return max(each.name for each in MIGRATIONS.glob("[0-9]*.py"))[:4]


def make(path: Path, items: int, entries: int) -> None:
    """Make the file: `entries` receipts of one each, again and again through all `items`."""
    stock_catalogue(str(path), path.parent)
    connection = sqlite3.connect(path, isolation_level=None)
    for setting in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-500000"):
        connection.execute(f"PRAGMA {setting}")
    connection.execute("CREATE TEMP TABLE number (n INTEGER PRIMARY KEY)")
    numbers = range(max(items, min(entries, _PART)))
    connection.executemany("INSERT INTO number VALUES (?)", zip(numbers, strict=True))
    _catalogue(connection, items)
    _journal(connection, items, entries)
    _sums(connection, items, entries)
    connection.close()


def _numbers(first: int, count: int) -> str:
    """Return a subquery of the numbers from `first` on, as n."""
    return f"(SELECT n + {first} AS n FROM number WHERE n < {count})"


def _catalogue(connection: sqlite3.Connection, items: int) -> None:
    connection.execute(
        "INSERT INTO item (id, sku, name) SELECT n + ?, 'ITEM-' || n, 'item ' || n FROM "
        + _numbers(0, items),
        (FIRST_ITEM,),
    )
    connection.execute(
        "INSERT INTO barcode (code, item, each_per) SELECT 'CODE-' || n, n + ?, 1 FROM "
        + _numbers(0, items),
        (FIRST_ITEM,),
    )


def _journal(connection: sqlite3.Connection, items: int, entries: int) -> None:
    connection.execute(
        "INSERT INTO stream (id, site, source, epoch, applied_seq, seen_us, latest_us) "
        "VALUES (?, 'main', 'old', ?, ?, ?, ?)",
        (_STREAM, _EPOCH, entries, *[_START_US + entries * _STEP_US] * 2),
    )
    index = "CREATE INDEX entry_item_time ON entry (item, occurred_us)"
    connection.execute("DROP INDEX entry_item_time")
    for first in range(1, entries + 1, _PART):
        numbers = _numbers(first, min(_PART, entries + 1 - first))
        connection.execute(
            "INSERT INTO event (id, stream, seq, uuid, kind, status, scanner, occurred_us, "
            "received_us, body) SELECT n, ?1, n, printf('01890000-0000-7000-8000-%012x', n), "
            f"'receive', 'applied', 'dock-1', ?2 + n * ?3, ?2 + n * ?3, ?4 FROM {numbers}",
            (_STREAM, _START_US, _STEP_US, _BODY),
        )
        connection.execute(
            "INSERT INTO entry (id, stream, seq, line, item, lot, from_loc, to_loc, qty, reason, "
            "occurred_us, recorded_us) SELECT n, ?1, n, 0, ?2 + n % ?3, '', ?4, ?5, 1, 'receive', "
            f"?6 + n * ?7, ?6 + n * ?7 FROM {numbers}",
            (_STREAM, FIRST_ITEM, items, _SUPPLIER, _BIN, _START_US, _STEP_US),
        )
    connection.execute(index)


def _sums(connection: sqlite3.Connection, items: int, entries: int) -> None:
    each = f"({entries} / {items} + (n BETWEEN 1 AND {entries} % {items}))"
    for place, sign in ((_SUPPLIER, -1), (_BIN, 1)):
        connection.execute(
            "INSERT INTO stock (item, loc, lot, qty) "
            f"SELECT n + ?, ?, '', ? * {each} FROM {_numbers(0, items)}",
            (FIRST_ITEM, place, sign),
        )
    connection.execute(
        "INSERT INTO avail (item, site, on_hand, reserved, safety, ver) "
        f"SELECT n + ?, ?, {each}, 0, 0, 1 FROM {_numbers(0, items)}",
        (FIRST_ITEM, _SITE),
    )
    connection.execute(
        "INSERT INTO outbox (channel, agg_key, body, feed_seq, created_us) "
        "SELECT 'availability', 'main/ITEM-' || n, json_object('v', 1, 'sku', 'ITEM-' || n, "
        "'site', 'main', 'name', 'item ' || n, 'version', 1, 'on_hand', a.on_hand, 'reserved', 0, "
        "'safety', 0, 'available', a.on_hand, 'as_of', '2026-01-01T00:00:00Z', 'cause', 'receive')"
        f", n + 1, ? FROM {_numbers(0, items)} CROSS JOIN avail a ON a.item = n + ? AND a.site = ?",
        (time.time_ns() // 1_000, FIRST_ITEM, _SITE),
    )
