"""Answers to people's questions about the ledger, from one snapshot. Nothing is written."""

import json
from datetime import date
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    func,
    literal,
    select,
    tuple_,
    union_all,
)

from central import schema
from central.watch import affected


def stock_at(
    connection: Connection,
    *,
    happened_us: int | None = None,
    known_us: int | None = None,
    sku: str | None = None,
    after_sku: str = "",
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Return what lay where at a moment, by folding the entries; places outside included.

    `happened_us` asks for what was there then, as far as it is known by now; `known_us` for what
    the ledger said then; both for what it said then about another moment. Up to `limit` items,
    those after `after_sku`.
    """
    entry, item = schema.entry, schema.item
    place, site = schema.location, schema.site
    items = select(item.c.id).where(item.c.sku > after_sku).order_by(item.c.sku).limit(limit)
    if sku is not None:
        items = select(item.c.id).where(item.c.sku == sku)
    bounds: list[ColumnElement[bool]] = [entry.c.item.in_(items)]
    if happened_us is not None:
        bounds.append(entry.c.occurred_us <= happened_us)
    if known_us is not None:
        bounds.append(entry.c.recorded_us <= known_us)
    changes = union_all(
        _side(entry.c.to_loc, literal(1), bounds), _side(entry.c.from_loc, literal(-1), bounds)
    ).subquery()
    total = func.sum(changes.c.change)
    rows = connection.execute(
        select(item.c.sku, site.c.code.label("site"), place.c.code, changes.c.lot, total.label("n"))
        .join(item, item.c.id == changes.c.item)
        .join(place, place.c.id == changes.c.place)
        .join(site, site.c.id == place.c.site, isouter=True)
        .group_by(item.c.sku, site.c.code, place.c.code, changes.c.lot)
        .having(total != 0)
        .order_by(item.c.sku, site.c.code, place.c.code, changes.c.lot)
    )
    return [
        {"sku": r.sku, "site": r.site, "location": r.code, "lot": r.lot, "quantity": int(r.n)}
        for r in rows
    ]


def _side(place: Any, sign: Any, bounds: list[ColumnElement[bool]]) -> Select[Any]:
    entry = schema.entry
    change = (entry.c.qty * sign).label("change")
    return select(entry.c.item, entry.c.lot, place.label("place"), change).where(*bounds)


#: Where a page of `expired` ends: day, SKU, lot, site, location.
ExpiredKey = tuple[str, str, str, str, str]


def expired(
    connection: Connection, day: date, after: ExpiredKey = ("", "", "", "", ""), limit: int = 1_000
) -> list[dict[str, Any]]:
    """Return the stock whose lot expires on `day` or before it, oldest first, what is after."""
    lot, stock, item = schema.lot, schema.stock, schema.item
    place, site = schema.location, schema.site
    order = (lot.c.expires, item.c.sku, stock.c.lot, site.c.code, place.c.code)
    rows = connection.execute(
        select(
            item.c.sku, stock.c.lot, lot.c.expires, site.c.code.label("site"),
            place.c.code, stock.c.qty,
        )
        .join(stock, and_(stock.c.item == lot.c.item, stock.c.lot == lot.c.lot))
        .join(item, item.c.id == lot.c.item)
        .join(place, place.c.id == stock.c.loc)
        .join(site, site.c.id == place.c.site)
        .where(lot.c.expires <= day.isoformat(), stock.c.qty > 0, tuple_(*order) > after)
        .order_by(*order)
        .limit(limit)
    )  # fmt: skip
    return [
        {
            "sku": r.sku, "lot": r.lot, "expires": r.expires, "site": r.site, "location": r.code,
            "quantity": r.qty,
        }
        for r in rows
    ]  # fmt: skip


def shortage(connection: Connection, sku: str, site: str) -> list[dict[str, Any]]:
    """Return every order that goods are missing for, who was promised last, first."""
    avail, item, table = schema.avail, schema.item, schema.site
    row = connection.execute(
        select(avail)
        .join(item, item.c.id == avail.c.item)
        .join(table, table.c.id == avail.c.site)
        .where(item.c.sku == sku, table.c.code == site)
    ).first()
    if row is None:
        return []
    return affected(connection, row.item, row.site, row.reserved - row.on_hand)


def held_events(connection: Connection, after: int = 0, limit: int = 100) -> list[dict[str, Any]]:
    """Return the events that wait for a person, as they arrived, those after number `after`."""
    event, stream, held = schema.event, schema.stream, schema.held
    waits = select(held.c.stream, held.c.seq, func.min(held.c.code).label("code")).group_by(
        held.c.stream, held.c.seq
    )
    each = waits.subquery()
    rows = connection.execute(
        select(event, stream.c.site, stream.c.source, each.c.code.label("waits_for"))
        .join(each, and_(each.c.stream == event.c.stream, each.c.seq == event.c.seq))
        .join(stream, stream.c.id == event.c.stream)
        .where(event.c.id > after)
        .order_by(event.c.id)
        .limit(limit)
    )
    return [
        {
            "number": r.id, "site": r.site, "gateway": r.source, "seq": r.seq, "code": r.waits_for,
            "event": json.loads(r.body),
        }
        for r in rows
    ]  # fmt: skip


def skus_after(connection: Connection, after: str, limit: int) -> list[str]:
    """Return the SKUs of up to `limit` items, those after `after`: the pages of `stock_at`."""
    item = schema.item
    query = select(item.c.sku).where(item.c.sku > after).order_by(item.c.sku).limit(limit)
    return list(connection.execute(query).scalars())


def lots(
    connection: Connection, sku: str | None, after: tuple[str, str], limit: int
) -> list[dict[str, Any]]:
    """Return lots whose date is known, with the eaches in the house, by SKU and lot."""
    lot, item, stock, place = schema.lot, schema.item, schema.stock, schema.location
    inside = (
        select(stock.c.item, stock.c.lot, func.sum(stock.c.qty).label("qty"))
        .join(place, place.c.id == stock.c.loc)
        .where(place.c.site.is_not(None))
        .group_by(stock.c.item, stock.c.lot)
        .subquery()
    )
    query = (
        select(item.c.sku, lot.c.lot, lot.c.expires, func.coalesce(inside.c.qty, 0).label("qty"))
        .join(item, item.c.id == lot.c.item)
        .join(inside, and_(inside.c.item == lot.c.item, inside.c.lot == lot.c.lot), isouter=True)
        .where(tuple_(item.c.sku, lot.c.lot) > after)
        .order_by(item.c.sku, lot.c.lot)
        .limit(limit)
    )
    if sku is not None:
        query = query.where(item.c.sku == sku)
    return [
        {"sku": r.sku, "lot": r.lot, "expires": r.expires, "quantity": int(r.qty)}
        for r in connection.execute(query)
    ]


def shortages(connection: Connection, after: tuple[str, str], limit: int) -> list[dict[str, Any]]:
    """Return what is promised beyond what is there, by SKU and site, with the orders that fail."""
    avail, item, site = schema.avail, schema.item, schema.site
    rows = connection.execute(
        select(avail, item.c.sku, site.c.code)
        .join(item, item.c.id == avail.c.item)
        .join(site, site.c.id == avail.c.site)
        .where(avail.c.reserved > avail.c.on_hand, tuple_(item.c.sku, site.c.code) > after)
        .order_by(item.c.sku, site.c.code)
        .limit(limit)
    ).all()
    return [
        {
            "sku": row.sku, "site": row.code, "on_hand": row.on_hand, "reserved": row.reserved,
            "missing": row.reserved - row.on_hand,
            "orders": affected(connection, row.item, row.site, row.reserved - row.on_hand),
        }
        for row in rows
    ]  # fmt: skip
