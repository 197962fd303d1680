"""What the hot path asks the ledger, in the words of each database; many keys are one value.

SQLite takes them as JSON, PostgreSQL as arrays. So there is one text for any number of keys, which
is prepared once.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from central import driver

CATALOGUE_VERSION_KEY = "catalogue_version"

_VERSION = {
    "sqlite": "SELECT value FROM meta WHERE key = ?",
    # Where several processes write: whoever changes the catalogue waits until we are done with it.
    "postgresql": "SELECT value FROM meta WHERE key = %s FOR SHARE",
}
_ITEMS_OF = {
    "sqlite": "SELECT b.code, i.id, i.sku, i.name, b.each_per, i.active FROM json_each(?) j "
    "CROSS JOIN barcode b ON b.code = j.value JOIN item i ON i.id = b.item",
    "postgresql": "SELECT b.code, i.id, i.sku, i.name, b.each_per, i.active FROM barcode b "
    "JOIN item i ON i.id = b.item WHERE b.code = ANY(%b::text[])",
}
_ITEMS_CALLED = {
    "sqlite": "SELECT i.id, i.sku, i.name, i.active FROM json_each(?) j "
    "CROSS JOIN item i ON i.sku = j.value",
    "postgresql": "SELECT id, sku, name, active FROM item WHERE sku = ANY(%b::text[])",
}
_COUNTED = {
    "sqlite": "SELECT s.item, s.loc, s.lot, s.count_us FROM json_each(?) j CROSS JOIN stock s "
    "ON s.item = j.value WHERE s.count_us IS NOT NULL",
    "postgresql": "SELECT item, loc, lot, count_us FROM stock "
    "WHERE count_us IS NOT NULL AND item = ANY(%b::integer[])",
}
_LEVELS = {
    # Of one site.
    "sqlite": "SELECT a.item, a.site, a.on_hand, a.reserved, a.safety, a.ver, a.low_stock, "
    "a.sold_out FROM json_each(?) j CROSS JOIN avail a ON a.item = j.value AND a.site = ?",
    "postgresql": "SELECT item, site, on_hand, reserved, safety, ver, low_stock, sold_out "
    "FROM avail WHERE (item, site) IN (SELECT unnest(%b::integer[]), unnest(%b::integer[]))",
    "single": "SELECT item, site, on_hand, reserved, safety, ver, low_stock, sold_out FROM avail "
    "WHERE item = %b AND site = %b",
}
#: In one order, so that two transactions never wait for each other in a circle.
_LOCK_LEVELS = (
    "SELECT item, site, on_hand, reserved, safety, ver, low_stock, sold_out FROM avail "
    "WHERE (item, site) IN (SELECT unnest(%b::integer[]), unnest(%b::integer[])) "
    "ORDER BY item, site FOR NO KEY UPDATE"
)
_USED_KEYS = {
    "sqlite": "SELECT r.id, r.channel, r.key FROM json_each(?) j CROSS JOIN reservation r "
    "ON r.channel = json_extract(j.value, '$[0]') AND r.key = json_extract(j.value, '$[1]')",
    "postgresql": "SELECT id, channel, key FROM reservation WHERE (channel, key) IN "
    "(SELECT unnest(%b::text[]), unnest(%b::text[]))",
}
_SITES = {
    "sqlite": "SELECT s.id, s.code FROM json_each(?) j CROSS JOIN site s ON s.code = j.value",
    "postgresql": "SELECT id, code FROM site WHERE code = ANY(%b::text[])",
}
_OVERDUE = {
    "sqlite": "SELECT id FROM reservation WHERE state = 'held' AND expires_us < ? LIMIT 1",
    "postgresql": "SELECT id FROM reservation WHERE state = 'held' AND expires_us < %s LIMIT 1",
}
_BELOW_ZERO = {
    "sqlite": "SELECT s.item, s.loc, s.lot FROM json_each(?) j CROSS JOIN stock s "
    "ON s.item = json_extract(j.value, '$[0]') AND s.loc = json_extract(j.value, '$[1]') "
    "AND s.lot = json_extract(j.value, '$[2]') WHERE s.qty < 0",
    "postgresql": "SELECT item, loc, lot FROM stock WHERE qty < 0 AND (item, loc, lot) IN "
    "(SELECT unnest(%b::integer[]), unnest(%b::integer[]), unnest(%b::text[]))",
}


def catalogue_version(connection: Connection) -> str:
    """Return the catalogue's version, which stays until the commit."""
    rows = driver.ask(connection, _VERSION[connection.dialect.name], [CATALOGUE_VERSION_KEY])()
    return str(rows[0][0]) if rows else "0"


def items_of(connection: Connection, codes: Sequence[str]) -> driver.Rows:
    """Return code, item, SKU, name, pack and `active` of the barcodes that the catalogue knows."""
    return _among(connection, _ITEMS_OF, codes)


def items_called(connection: Connection, skus: Sequence[str]) -> driver.Rows:
    """Return item, SKU, name and `active` of the SKUs that the catalogue knows."""
    return _among(connection, _ITEMS_CALLED, skus)


def counted_among(connection: Connection, items: Sequence[int]) -> driver.Rows:
    """Return item, location, lot and moment of the newest count of what was counted of items."""
    return _among(connection, _COUNTED, items)


def _among(connection: Connection, sql: Mapping[str, str], values: Sequence[Any]) -> driver.Rows:
    if not values:
        return []
    dialect = connection.dialect.name
    parameter = json.dumps(values) if dialect == "sqlite" else list(values)
    return driver.ask(connection, sql[dialect], [parameter])()


def ask_levels(
    connection: Connection, keys: Sequence[tuple[int, int]]
) -> Callable[[], driver.Rows]:
    """Ask for the availability rows of (item, site) keys, in any order."""
    if connection.dialect.name != "sqlite":
        return _ask_of(connection, _LEVELS, keys)
    by_site: dict[int, list[int]] = {}
    for number, place in keys:
        by_site.setdefault(place, []).append(number)
    rows = []
    for place, numbers in by_site.items():
        rows += driver.ask(connection, _LEVELS["sqlite"], (json.dumps(numbers), place))()
    return lambda: rows


def ask_below_zero(
    connection: Connection, keys: Sequence[tuple[int, int, str]]
) -> Callable[[], driver.Rows]:
    """Ask which of the (item, location, lot) keys are of places below zero."""
    return _ask_of(connection, _BELOW_ZERO, keys)


def _ask_of(
    connection: Connection, sql: Mapping[str, str], keys: Sequence[tuple[Any, ...]]
) -> Callable[[], driver.Rows]:
    if not keys:
        return list
    if len(keys) == 1 and "single" in sql and connection.dialect.name == "postgresql":
        return driver.ask(connection, sql["single"], keys[0])
    dialect = connection.dialect.name
    values = [json.dumps(keys)] if dialect == "sqlite" else [*map(list, zip(*keys, strict=True))]
    return driver.ask(connection, sql[dialect], values)


def lock_levels(connection: Connection, keys: Sequence[tuple[int, int]]) -> driver.Rows:
    """Return the availability rows of (item, site) keys, which nobody else changes from now on."""
    if connection.dialect.name == "postgresql":
        return _ask_of(connection, {"postgresql": _LOCK_LEVELS}, keys)()
    return ask_levels(connection, keys)()


def ask_sites(connection: Connection, codes: Sequence[str]) -> Callable[[], driver.Rows]:
    """Ask for id and code of the sites that there are of these codes."""
    parameter = json.dumps(codes) if connection.dialect.name == "sqlite" else list(codes)
    return driver.ask(connection, _SITES[connection.dialect.name], [parameter])


def ask_overdue(connection: Connection, now_us: int) -> Callable[[], driver.Rows]:
    """Ask for a hold that is over, if there is any."""
    return driver.ask(connection, _OVERDUE[connection.dialect.name], [now_us])


def ask_used_keys(
    connection: Connection, keys: Sequence[tuple[str, str]]
) -> Callable[[], driver.Rows]:
    """Ask for id, channel and key of the reservations under (channel, key) pairs."""
    return _ask_of(connection, _USED_KEYS, keys)
