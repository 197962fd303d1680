"""What has just sold out, and what can be sold again: told at the turn, once.

The availability row says what was told, so that whoever changes it next knows.
"""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from central import statements
from central.alerts import Announcement
from central.names import Level


def sellable(row: Any) -> int:
    """Return what can be promised of a row of AVAILABLE or a Level; below zero: so much too many.

    Of an item that is not active nothing can, whatever lies there.
    """
    left: int = row.on_hand - row.reserved - row.safety
    return left if row.active else min(left, 0)


def tell(connection: Connection, rows: Sequence[Level], announcements: list[Announcement]) -> None:
    """Tell of the rows that turned, which this transaction has changed and so locked."""
    turned = [row for row in rows if (sellable(row) <= 0) != bool(row.sold_out)]
    if not turned:
        return
    now = [{"i": row.item, "s": row.site, "o": 1 - row.sold_out} for row in turned]
    statements.write(connection, statements.TURN, now)
    for row in turned:
        body = {
            "sku": row.sku, "site": row.code, "name": row.name, "available": sellable(row),
            "version": row.ver, "sold_out": not row.sold_out,
        }  # fmt: skip
        said = json.dumps(body, separators=(",", ":")).encode()
        announcements.append(Announcement("turn", (row.code, row.sku), said))
