"""Reading stock: what can be sold, where it lies."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Response
from sqlalchemy import Engine, and_, select, tuple_

from central import schema, statements
from central.api.door import Door
from central.api.pages import Cursor, Limit, seal, unseal


def routes(door: Door) -> APIRouter:
    """Return the routes."""
    router = APIRouter(
        prefix="/v1/stock", tags=["stock"], dependencies=[door.access.need("stock:read")]
    )

    @router.get("")
    def stock(site: str | None = None, after: Cursor = "", limit: Limit = 100) -> dict[str, Any]:
        """List what is on hand, reserved and available, per SKU and site."""
        return _page(door.reader, site, after, limit)

    @router.get("/{sku}")
    def stock_of(
        sku: str, response: Response, if_none_match: Annotated[str | None, Header()] = None
    ) -> Any:
        """Return one SKU: its availability per site and where it lies. Its ETag changes with it."""
        found = _one(door.reader, sku)
        tag = _tag(found)
        if if_none_match is not None and tag in {t.strip() for t in if_none_match.split(",")}:
            return Response(status_code=304, headers={"ETag": tag})
        response.headers["ETag"] = tag
        return found

    return router


def _tag(found: dict[str, Any]) -> str:
    """Return what changes with each version of the item at any site."""
    return '"{}"'.format("-".join(str(site["version"]) for site in found["sites"]))


def _page(reader: Engine, site: str | None, after: str, limit: int) -> dict[str, Any]:
    item, place = schema.item, schema.site
    query = statements.AVAILABLE.order_by(item.c.sku, place.c.code).limit(limit + 1)
    if site is not None:
        query = query.where(place.c.code == site)
    if after:
        query = query.where(tuple_(item.c.sku, place.c.code) > tuple(unseal(after, str, str)))
    with reader.begin() as connection:
        rows = connection.execute(query).all()
    more = rows[limit - 1] if len(rows) > limit else None
    return {
        "items": [_availability(row) for row in rows[:limit]],
        "next": more and seal(more.sku, more.code),
    }


def _one(reader: Engine, sku: str) -> dict[str, Any]:
    item, site = schema.item, schema.site
    stock, location, lot = schema.stock, schema.location, schema.lot
    with reader.begin() as connection:
        found = connection.execute(select(item).where(item.c.sku == sku)).first()
        if found is None:
            raise HTTPException(404, f"there is no item {sku}")
        rows = connection.execute(
            statements.AVAILABLE.where(schema.avail.c.item == found.id).order_by(site.c.code)
        ).all()
        places = connection.execute(
            select(
                location.c.code, site.c.code.label("site"), stock.c.lot, stock.c.qty, lot.c.expires
            )
            .join(location, location.c.id == stock.c.loc)
            .join(site, site.c.id == location.c.site)
            .join(lot, and_(lot.c.item == stock.c.item, lot.c.lot == stock.c.lot), isouter=True)
            .where(and_(stock.c.item == found.id, stock.c.qty != 0))
            .order_by(site.c.code, location.c.code, stock.c.lot)
        ).all()
    return {
        "sku": found.sku,
        "name": found.name,
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


def _availability(row: Any) -> dict[str, Any]:
    return {
        "sku": row.sku,
        "site": row.code,
        "name": row.name,
        "on_hand": row.on_hand,
        "reserved": row.reserved,
        "safety": row.safety,
        "available": row.on_hand - row.reserved - row.safety,
        "version": row.ver,
    }
