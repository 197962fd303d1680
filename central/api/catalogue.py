"""Items and barcodes: to read, to add, to change, to take away."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, Select, or_, select

from central import assortment, catalogue, schema, settling
from central.api import answers, batches, tags
from central.api.answers import says
from central.api.door import Door, IdempotencyKey
from central.api.pages import Cursor, Limit, page, unseal
from central.requests import Answer, once
from central.requests import Caller as Who
from central.tokens import Caller
from central.writer import Transaction
from wire.events import TEXT_LENGTH_MAX, Text
from wire.ids import NAME_LENGTH_MAX

#: Words of a search that are looked at.
_WORDS_MAX = 10
Name = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX)]
_CODE = "a barcode: a GTIN in any length, another code as it is read"
Code = Annotated[str, Path(description=_CODE)]
Title = Annotated[str, Field(max_length=TEXT_LENGTH_MAX, description="what people read")]


@dataclass(frozen=True, slots=True)
class _NewItem:
    sku: str
    name: str


@dataclass(frozen=True, slots=True)
class _Barcode:
    code: str
    sku: str
    each_per: int


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ItemRequest(_Body):
    """A new item, or a new name of a known one."""

    sku: Name
    name: Title = ""


class ItemsRequest(_Body):
    """Several items."""

    lines: Annotated[list[ItemRequest], Field(min_length=1, max_length=batches.LINES_MAX)]


class ItemChange(_Body):
    """What shall be different; what is left out stays."""

    name: Title | None = None
    active: Annotated[
        bool | None, Field(description="false: off sale on every channel; true: back on sale")
    ] = None  # fmt: skip


class BarcodeBody(_Body):
    """What a barcode stands for: so many eaches of an item."""

    code: Annotated[Text, Field(description=_CODE)]
    sku: Name
    each_per: Annotated[
        int, Field(ge=1, le=catalogue.EACH_PER_MAX, description="eaches that one label stands for")
    ] = 1


class BarcodesBody(_Body):
    """Several barcodes."""

    lines: Annotated[list[BarcodeBody], Field(min_length=1, max_length=batches.LINES_MAX)]


def routes(door: Door) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/v1", tags=["catalogue"])
    _items(door, router)
    _one_item(door, router)
    _barcodes(door, router)
    return router


def _items(door: Door, router: APIRouter) -> None:
    may_read = [door.access.need("stock:read")]
    admin = door.access.need("admin")

    @router.get("/items", dependencies=may_read, **says(answers.Page[answers.Item]))
    def items(
        search: Annotated[str, Query(description="words in SKU and name")] = "",
        active: Annotated[bool | None, Query(description="only those on sale, or off it")] = None,
        after: Cursor = "",
        limit: Limit = 100,
    ) -> dict[str, Any]:
        """List items by SKU; `search` finds words in SKU and name."""
        query = _found(search, active)
        if after:
            query = query.where(schema.item.c.sku > unseal(after, str)[0])
        with door.reader.begin() as connection:
            rows = connection.execute(query.limit(limit + 1)).all()
        return page(rows, limit, lambda row: (row.sku,), _shown)

    @router.post("/items", **says(answers.Item))
    async def add_item(
        request: ItemRequest, idempotency_key: IdempotencyKey, caller: Annotated[Caller, admin]
    ) -> JSONResponse:
        """Add an item, or give a known one another name."""
        new = _NewItem(request.sku, request.name)
        return await door.once(
            caller, idempotency_key, new, lambda tx: assortment.add_item(tx, new.sku, new.name)
        )

    @router.post("/items/batch", **says(answers.BatchResult))
    async def add_items(
        body: ItemsRequest, idempotency_key: IdempotencyKey, caller: Annotated[Caller, admin]
    ) -> JSONResponse:
        """Add or rename many items; each line is answered by itself."""

        def each(tx: Transaction, who: Who, new: _NewItem) -> Answer:
            return once(tx, who, new, lambda: assortment.add_item(tx, new.sku, new.name))

        lines = [_NewItem(line.sku, line.name) for line in body.lines]
        return await batches.run(door, caller.name, idempotency_key, lines, each)

    @router.get(
        "/items/{sku:path}/barcodes",
        dependencies=may_read,
        **says(answers.Page[answers.Barcode]),
    )
    def barcodes_of(sku: str, after: Cursor = "", limit: Limit = 100) -> dict[str, Any]:
        """List the codes that stand for an item, and how many eaches each stands for."""
        with door.reader.begin() as connection:
            if _item(connection, sku) is None:
                raise HTTPException(404, f"there is no item {sku}")
            return _codes(connection, sku, after, limit)


def _one_item(door: Door, router: APIRouter) -> None:
    may_read = [door.access.need("stock:read")]
    admin = door.access.need("admin")

    @router.get("/items/{sku:path}", dependencies=may_read, **says(answers.Item, tagged=True))
    def item(sku: str, if_none_match: tags.IfNoneMatch = None) -> Response:
        """Return one item. Its ETag changes with it."""
        with door.reader.begin() as connection:
            found = _item(connection, sku)
        if found is None:
            raise HTTPException(404, f"there is no item {sku}")
        return tags.shown(found, if_none_match)

    @router.patch("/items/{sku:path}", dependencies=[admin], **says(answers.Item))
    async def change_item(
        sku: str, body: ItemChange, if_match: tags.IfMatch = None
    ) -> JSONResponse:
        """Rename an item, take it off sale, or put it back; every channel hears of it at once.

        What is off sale is promised to nobody, whatever lies there. Promises that were made stand,
        and scans of it are booked.
        """

        def change(tx: Transaction) -> Answer:
            refused = tags.changed(_item(tx.connection, sku), if_match) if if_match else None
            return refused or assortment.change_item(tx, sku, name=body.name, active=body.active)

        return await door.do(change)


def _barcodes(door: Door, router: APIRouter) -> None:
    may_read = [door.access.need("stock:read")]
    may = door.access.need("adjust")

    def command(tx: Transaction, who: Who, wanted: _Barcode) -> Answer:
        by = f"api:{who.client}"
        return once(
            tx, who, wanted,
            lambda: settling.map_barcode(tx, wanted.code, wanted.sku, wanted.each_per, by),
        )  # fmt: skip

    @router.get("/barcodes", dependencies=may_read, **says(answers.Page[answers.Barcode]))
    def barcodes(sku: str | None = None, after: Cursor = "", limit: Limit = 100) -> dict[str, Any]:
        """List barcodes by code, of one item or of all."""
        with door.reader.begin() as connection:
            return _codes(connection, sku, after, limit)

    @router.post("/barcodes", **says(answers.Mapped))
    async def map_barcode(
        body: BarcodeBody, idempotency_key: IdempotencyKey, caller: Annotated[Caller, may]
    ) -> JSONResponse:
        """Say what a barcode stands for. The scans that wait for it are applied, as of their time.

        `applied` were applied at once; what is still `waiting` follows by itself. A code of another
        item is taken from it first: DELETE it.
        """
        who, wanted = Who(caller.name, idempotency_key), _Barcode(**body.model_dump())
        return await door.do(lambda tx: command(tx, who, wanted))

    @router.post("/barcodes/batch", **says(answers.BatchResult))
    async def map_barcodes(
        body: BarcodesBody, idempotency_key: IdempotencyKey, caller: Annotated[Caller, may]
    ) -> JSONResponse:
        """Say what many barcodes stand for; each line is answered by itself."""
        lines = [_Barcode(**line.model_dump()) for line in body.lines]
        return await batches.run(door, caller.name, idempotency_key, lines, command)

    @router.get("/barcodes/{code:path}", dependencies=may_read, **says(answers.Barcode))
    def barcode(code: Code) -> dict[str, Any]:
        """Return what a barcode stands for, in whichever length the GTIN is given."""
        key = catalogue.barcode_key(code)
        with door.reader.begin() as connection:
            found = connection.execute(_CODES.where(schema.barcode.c.code == key))
            row = found.mappings().first()
        if row is None:
            raise HTTPException(404, f"barcode {code} stands for nothing: POST /v1/barcodes")
        return dict(row)

    @router.delete("/barcodes/{code:path}", dependencies=[may], **says(answers.Removed))
    async def remove_barcode(code: Code) -> JSONResponse:
        """Let a barcode stand for nothing. What was scanned stays booked; later scans are held."""
        return await door.do(lambda tx: assortment.remove_barcode(tx, code))


_CODES = select(schema.barcode.c.code, schema.item.c.sku, schema.barcode.c.each_per).join(
    schema.item, schema.item.c.id == schema.barcode.c.item
)


def _codes(connection: Connection, sku: str | None, after: str, limit: int) -> dict[str, Any]:
    code = schema.barcode.c.code
    query = _CODES.order_by(code).limit(limit + 1)
    if sku is not None:
        query = query.where(schema.item.c.sku == sku)
    if after:
        query = query.where(code > unseal(after, str)[0])
    rows = [dict(row) for row in connection.execute(query).mappings()]
    return page(rows, limit, lambda row: (row["code"],))


def _found(search: str, active: bool | None) -> Select[Any]:  # noqa: FBT001  a filter's value
    table = schema.item
    query = select(table).order_by(table.c.sku)
    for word in search.split()[:_WORDS_MAX]:
        query = query.where(
            or_(
                table.c.sku.icontains(word, autoescape=True),
                table.c.name.icontains(word, autoescape=True),
            )
        )
    return query if active is None else query.where(table.c.active == int(active))


def _item(connection: Connection, sku: str) -> dict[str, Any] | None:
    row = connection.execute(select(schema.item).where(schema.item.c.sku == sku)).first()
    return None if row is None else _shown(row)


def _shown(row: Any) -> dict[str, Any]:
    return {"sku": row.sku, "name": row.name, "active": bool(row.active)}
