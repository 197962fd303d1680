"""Reading stock: what can be sold, where it lies, and what lay there then."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime
from sqlalchemy import Connection, Engine, and_, select, tuple_

from central import reports, schema, statements, turns
from central.api import answers, tags
from central.api.answers import says
from central.api.door import Door
from central.api.pages import Cursor, Limit, page, seal, unseal
from central.requests import Answer
from central.writer import Transaction

#: SKUs that one request may name.
_SKUS_MAX = 100
Moment = Annotated[
    AwareDatetime | None,
    Query(description="RFC 3339 with a zone, such as 2026-11-24T12:00:00Z"),
]


def routes(door: Door) -> APIRouter:
    """Return the routes."""
    router = APIRouter(
        prefix="/v1/stock", tags=["stock"], dependencies=[door.access.need("stock:read")]
    )

    @router.get("", **says(answers.Page[answers.Availability] | answers.ThenPage))
    def stock(
        site: str | None = None,
        sku: Annotated[list[str], Query(max_length=_SKUS_MAX, description="only these")] = [],  # noqa: B006
        at: Moment = None,
        known: Moment = None,
        after: Cursor = "",
        limit: Limit = 100,
    ) -> JSONResponse:
        """List what is on hand, reserved and available, per SKU and site.

        With `at`: what lay at each place at that moment, as far as it is known by now. With
        `known`: what this ledger said at that moment; with both, what it said then about `at`.
        Such a page has all places of up to `limit` SKUs.
        """
        if at is None and known is None:
            # Said in bytes: FastAPI would look through each figure of a thousand rows.
            return JSONResponse(_page(door.reader, site, sku, after, limit))
        if len(sku) > 1:
            raise HTTPException(400, "name one sku, or none, together with `at` or `known`")
        return JSONResponse(_then(door.reader, site, sku, (at, known), after, limit))

    @router.get("/{sku:path}", **says(answers.ItemStock, tagged=True))
    def stock_of(sku: str, if_none_match: tags.IfNoneMatch = None) -> Response:
        """Return one SKU: its availability per site and where it lies. Its ETag changes with it."""
        with door.reader.begin() as connection:
            found = one(connection, sku)
        if found is None:
            raise HTTPException(404, f"there is no item {sku}")
        return tags.shown(found, if_none_match)

    return router


def _page(
    reader: Engine, site: str | None, skus: Sequence[str], after: str, limit: int
) -> dict[str, Any]:
    item, place = schema.item, schema.site
    query = statements.AVAILABLE.order_by(item.c.sku, place.c.code).limit(limit + 1)
    if site is not None:
        query = query.where(place.c.code == site)
    if skus:
        query = query.where(item.c.sku.in_(skus))
    if after:
        query = query.where(tuple_(item.c.sku, place.c.code) > tuple(unseal(after, str, str)))
    with reader.begin() as connection:
        rows = connection.execute(query).all()
    return page(rows, limit, lambda row: (row.sku, row.code), _availability)


def _then(
    reader: Engine, site: str | None, skus: Sequence[str],
    moments: tuple[datetime | None, datetime | None], after: str, limit: int,
) -> dict[str, Any]:  # fmt: skip
    begin = unseal(after, str)[0] if after else ""
    at_us, known_us = (None if m is None else int(m.timestamp() * 1e6) for m in moments)
    with reader.begin() as connection:
        among = reports.skus_after(connection, begin, limit + 1)
        rows = reports.stock_at(
            connection, happened_us=at_us, known_us=known_us, sku=skus[0] if skus else None,
            after_sku=begin, limit=limit,
        )  # fmt: skip
    more = not skus and len(among) > limit
    inside = [row for row in rows if row["site"] is not None and site in (None, row["site"])]
    return {"items": inside, "next": seal(among[limit - 1]) if more else None}


def one(connection: Connection, sku: str) -> dict[str, Any] | None:
    """Return an item with its availability and its places; None when there is no such item."""
    item, site = schema.item, schema.site
    stock, location, lot = schema.stock, schema.location, schema.lot
    found = connection.execute(select(item).where(item.c.sku == sku)).first()
    if found is None:
        return None
    rows = connection.execute(
        statements.AVAILABLE.where(schema.avail.c.item == found.id).order_by(site.c.code)
    ).all()
    places = connection.execute(
        select(location.c.code, site.c.code.label("site"), stock.c.lot, stock.c.qty, lot.c.expires)
        .join(location, location.c.id == stock.c.loc)
        .join(site, site.c.id == location.c.site)
        .join(lot, and_(lot.c.item == stock.c.item, lot.c.lot == stock.c.lot), isouter=True)
        .where(and_(stock.c.item == found.id, stock.c.qty != 0))
        .order_by(site.c.code, location.c.code, stock.c.lot)
    ).all()
    return {
        "sku": found.sku,
        "name": found.name,
        "active": bool(found.active),
        "sites": [_availability(row) for row in rows],
        "locations": [
            {
                "site": p.site,
                "location": p.code,
                "lot": p.lot,
                "expires": p.expires,
                "quantity": p.qty,
            }
            for p in places
        ],
    }


def stale(tx: Transaction, sku: str, if_match: str | None) -> Answer | None:
    """Return the refusal when an item is not as a client has read it here."""
    if if_match is None:
        return None
    tx.books.flush()
    return tags.changed(one(tx.connection, sku), if_match)


def _availability(row: Any) -> dict[str, Any]:
    return {
        "sku": row.sku,
        "site": row.code,
        "name": row.name,
        "on_hand": row.on_hand,
        "reserved": row.reserved,
        "safety": row.safety,
        "available": turns.sellable(row),
        "active": bool(row.active),
        "version": row.ver,
    }
