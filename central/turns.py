"""What has just sold out, and what can be sold again: told at the turn, once.

The availability row says what was told, so that whoever changes it next knows.
"""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from central import rules, statements
from central.alerts import Announcement
from central.names import Level


def sellable(row: Any) -> int:
    """Return what can be promised of a row of statements.AVAILABLE or a names.Level."""
    return rules.sellable(row.on_hand, row.reserved, row.safety, row.active)


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
