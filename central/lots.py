"""When the goods of a lot expire, as their labels say. The first label stands."""

from collections.abc import Mapping
from datetime import date

from sqlalchemy import Connection, select, tuple_

from central import database, schema, statements
from central.watch import Watch

LotKey = tuple[int, str]  # item, lot


def learn(connection: Connection, watch: Watch, labels: Mapping[LotKey, date]) -> None:
    """Keep what labels say; one that contradicts an earlier one opens an alert."""
    lot, item = schema.lot, schema.item
    keys = sorted(labels)
    for start in range(0, len(keys), statements.ROWS_MAX):
        part = keys[start : start + statements.ROWS_MAX]
        connection.execute(
            database.insert_or_ignore(connection, lot),
            [{"item": i, "lot": code, "expires": labels[i, code].isoformat()} for i, code in part],
        )
        stored = connection.execute(
            select(lot, item.c.sku)
            .join(item, item.c.id == lot.c.item)
            .where(tuple_(lot.c.item, lot.c.lot).in_(part))
        )
        for row in stored.all():
            seen = labels[row.item, row.lot]
            if seen.isoformat() != row.expires:
                watch.expiry(row.sku, row.lot, row.expires, seen)
