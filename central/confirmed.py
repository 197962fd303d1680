"""V11: what shops confirmed of our stock exists, and is not far behind unless a person knows."""

from collections.abc import Iterator

from sqlalchemy import Connection, text

#: A shop may confirm a change this much later; then an alert about it must be open.
PUSH_LAG_US = 900 * 1_000_000
_OF = (
    "SELECT l.channel, i.sku, s.code AS site, l.ver AS confirmed, a.ver FROM listing l "
    "JOIN avail a ON a.item = l.item AND a.site = l.site JOIN item i ON i.id = l.item "
    "JOIN site s ON s.id = l.site "
)
_BEYOND = text(_OF + "WHERE l.ver > a.ver ORDER BY l.channel, i.sku, s.code")
#: Late by the ledger's own time, which is that of its newest announcement: a copy that is proven a
#: day later is not a day behind.
_BEHIND = text(
    _OF + "JOIN outbox o ON o.channel = 'availability' AND o.agg_key = s.code || '/' || i.sku "
    "AND o.created_us > l.as_of_us WHERE l.ver < a.ver AND l.remote_id <> '' "
    "AND NOT EXISTS (SELECT 1 FROM alert t WHERE t.kind = 'delivery_failing' "
    "AND t.closed_us IS NULL AND t.ref IN "
    "('channel:' || l.channel, 'channel:' || l.channel || ':' || i.sku)) "
    "GROUP BY l.channel, i.sku, s.code, l.ver, a.ver "
    "HAVING MIN(o.created_us) + :lag < (SELECT MAX(created_us) FROM outbox) "
    "ORDER BY l.channel, i.sku, s.code"
)


def wrong(connection: Connection) -> Iterator[str]:
    """Return a sentence for each item that a channel confirmed wrongly, or lags behind with."""
    for row in connection.execute(_BEYOND):
        yield (
            f"channel {row.channel} confirmed version {row.confirmed} of {row.sku} at {row.site}, "
            f"which is at {row.ver}"
        )
    for row in connection.execute(_BEHIND, {"lag": PUSH_LAG_US}):
        yield (
            f"channel {row.channel} knows version {row.confirmed} of {row.sku} at {row.site}, "
            f"which is at {row.ver}, for more than {PUSH_LAG_US // 60_000_000} minutes, and nobody "
            "was told"
        )
