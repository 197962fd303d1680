"""Items, barcodes and places: to read, and to add."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Engine, or_, select

from central import catalogue, schema
from central.api.door import Door, IdempotencyKey
from central.api.pages import Cursor, Limit, seal, unseal
from central.requests import Answer
from central.tokens import Caller
from central.writer import Transaction
from wire.events import TEXT_LENGTH_MAX
from wire.ids import NAME_LENGTH_MAX

#: Words of a search that are looked at.
_WORDS_MAX = 10
Name = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX)]


@dataclass(frozen=True, slots=True)
class _NewItem:
    sku: str
    name: str


class ItemRequest(BaseModel):
    """A new item, or a new name of a known one."""

    model_config = ConfigDict(extra="forbid")
    sku: Name
    name: Annotated[str, Field(max_length=TEXT_LENGTH_MAX)] = ""


def routes(door: Door) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/v1", tags=["catalogue"])
    may_read = [door.access.need("stock:read")]
    admin = door.access.need("admin")

    @router.get("/items", dependencies=may_read)
    def items(search: str = "", after: Cursor = "", limit: Limit = 100) -> dict[str, Any]:
        """List items by SKU; `search` finds words in SKU and name."""
        return _items(door.reader, search, after, limit)

    @router.post("/items", response_model=None)
    async def add_item(
        request: ItemRequest, idempotency_key: IdempotencyKey, caller: Annotated[Caller, admin]
    ) -> JSONResponse:
        """Add an item, or give a known one another name."""

        def add(tx: Transaction) -> Answer:
            catalogue.put_item(tx.connection, request.sku, request.name)
            return Answer(200, {"sku": request.sku, "name": request.name})

        new = _NewItem(request.sku, request.name)
        return await door.once(caller, idempotency_key, new, add)

    @router.get("/items/{sku}/barcodes", dependencies=may_read)
    def barcodes(sku: str) -> dict[str, Any]:
        """List the codes that stand for an item, and how many eaches each stands for."""
        code, item = schema.barcode, schema.item
        with door.reader.begin() as connection:
            rows = connection.execute(
                select(code).join(item, item.c.id == code.c.item)
                .where(item.c.sku == sku).order_by(code.c.code)
            ).all()  # fmt: skip
        return {"items": [{"code": row.code, "each_per": row.each_per} for row in rows]}

    @router.get("/locations", dependencies=may_read)
    def locations(site: str | None = None) -> dict[str, Any]:
        """List the places of the house."""
        place, home = schema.location, schema.site
        query = select(place, home.c.code.label("home")).join(home, home.c.id == place.c.site)
        if site is not None:
            query = query.where(home.c.code == site)
        with door.reader.begin() as connection:
            rows = connection.execute(query.order_by(home.c.code, place.c.code)).all()
        return {
            "items": [
                {
                    "site": row.home,
                    "location": row.code,
                    "kind": row.kind,
                    "sellable": bool(row.sellable),
                }
                for row in rows
            ]
        }

    return router


def _items(reader: Engine, search: str, after: str, limit: int) -> dict[str, Any]:
    table = schema.item
    query = select(table).order_by(table.c.sku).limit(limit + 1)
    for word in search.split()[:_WORDS_MAX]:
        query = query.where(
            or_(
                table.c.sku.icontains(word, autoescape=True),
                table.c.name.icontains(word, autoescape=True),
            )
        )
    if after:
        query = query.where(table.c.sku > unseal(after, str)[0])
    with reader.begin() as connection:
        rows = connection.execute(query).all()
    more = rows[limit - 1] if len(rows) > limit else None
    return {
        "items": [{"sku": row.sku, "name": row.name} for row in rows[:limit]],
        "next": more and seal(more.sku),
    }
