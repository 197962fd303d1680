"""What is kept back: levels of items, shares of channels."""

from operator import itemgetter
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, and_, select, tuple_

from central import levels, schema
from central.api import answers, batches, stock, tags
from central.api.access import channel_of, only_channel
from central.api.answers import says
from central.api.door import Door, IdempotencyKey
from central.api.pages import Cursor, Limit, page, unseal
from central.levels import Level, Share
from central.requests import Answer, once
from central.requests import Caller as Who
from central.tokens import Caller
from central.writer import Transaction
from wire.events import QUANTITY_MAX, Name

Eaches = Annotated[int, Field(ge=0, le=QUANTITY_MAX)]


class LevelBody(BaseModel):
    """What is kept back of an item at a site, and when a person is told."""

    model_config = ConfigDict(extra="forbid")
    site: Name
    sku: Name
    safety: Annotated[Eaches, Field(description="eaches kept back from every promise")] = 0
    low_stock: Annotated[
        Eaches | None,
        Field(description="eaches available at or below which a person is told; null: never"),
    ] = None


class LevelsBody(BaseModel):
    """Levels of several items."""

    model_config = ConfigDict(extra="forbid")
    lines: Annotated[list[LevelBody], Field(min_length=1, max_length=batches.LINES_MAX)]


class ShareBody(BaseModel):
    """What a channel may promise of an item at a site; what was promised stands."""

    model_config = ConfigDict(extra="forbid")
    site: Name
    sku: Name
    channel: Name
    buffer: Annotated[Eaches, Field(description="eaches kept back from this channel")] = 0
    oversell: Annotated[Eaches, Field(description="eaches it may promise beyond stock")] = 0
    cap: Annotated[
        Eaches | None, Field(description="eaches it may promise in all; null: no bound")
    ] = None


def routes(door: Door) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/v1", tags=["levels"])
    may_read = [door.access.need("stock:read")]
    admin = door.access.need("admin")

    @router.get("/levels", dependencies=may_read, **says(answers.Page[answers.Level]))
    def list_levels(
        site: str | None = None, sku: str | None = None, after: Cursor = "", limit: Limit = 100
    ) -> dict[str, Any]:
        """List what somebody set, by SKU and site; nothing is kept back of the others."""
        with door.reader.begin() as connection:
            return _levels(connection, site, sku, after, limit)

    @router.post("/levels", **says(answers.Level))
    async def set_level(
        body: LevelBody,
        idempotency_key: IdempotencyKey,
        caller: Annotated[Caller, admin],
        if_match: tags.IfMatch = None,
    ) -> JSONResponse:
        """Set the level of an item at a site: safety stock, and when a person is told.

        `If-Match` is the ETag that /v1/stock/{sku} had.
        """
        level = Level(**body.model_dump())
        return await door.once(
            caller, idempotency_key, level,
            lambda tx: stock.stale(tx, level.sku, if_match) or levels.set_level(tx, level),
        )  # fmt: skip

    @router.post("/levels/batch", **says(answers.BatchResult))
    async def set_levels(
        body: LevelsBody, idempotency_key: IdempotencyKey, caller: Annotated[Caller, admin]
    ) -> JSONResponse:
        """Set many levels; each line is answered by itself."""

        def each(tx: Transaction, who: Who, level: Level) -> Answer:
            return once(tx, who, level, lambda: levels.set_level(tx, level))

        lines = [Level(**line.model_dump()) for line in body.lines]
        return await batches.run(door, caller.name, idempotency_key, lines, each)

    @router.get("/shares", **says(answers.Page[answers.Share]))
    def list_shares(
        caller: Annotated[Caller, door.access.need("stock:read")],
        channel: str | None = None, site: str | None = None, sku: str | None = None,
        after: Cursor = "", limit: Limit = 100,
    ) -> dict[str, Any]:  # fmt: skip
        """List what channels may promise, by SKU, site and channel; the others have all of it."""
        only = only_channel(caller, channel)
        with door.reader.begin() as connection:
            return _shares(connection, (only, site, sku), after, limit)

    @router.post("/shares", **says(answers.Share))
    async def set_share(
        body: ShareBody, idempotency_key: IdempotencyKey, caller: Annotated[Caller, admin]
    ) -> JSONResponse:
        """Set what a channel may promise. All of it: buffer 0, oversell 0 and no cap."""
        share = Share(**body.model_dump() | {"channel": channel_of(caller, body.channel)})
        return await door.once(
            caller, idempotency_key, share, lambda tx: levels.set_share(tx, share)
        )

    return router


def _levels(
    connection: Connection, site: str | None, sku: str | None, after: str, limit: int
) -> dict[str, Any]:
    level, item, place = schema.level, schema.item, schema.site
    query = (
        select(item.c.sku, place.c.code.label("site"), level.c.safety, level.c.low_stock)
        .join(item, item.c.id == level.c.item)
        .join(place, place.c.id == level.c.site)
        .order_by(item.c.sku, place.c.code)
        .limit(limit + 1)
    )
    wanted = [c == v for c, v in ((place.c.code, site), (item.c.sku, sku)) if v is not None]
    if after:
        wanted.append(tuple_(item.c.sku, place.c.code) > tuple(unseal(after, str, str)))
    rows = [dict(row) for row in connection.execute(query.where(and_(True, *wanted))).mappings()]
    return page(rows, limit, itemgetter("sku", "site"))


def _shares(
    connection: Connection, names: tuple[str | None, str | None, str | None], after: str, limit: int
) -> dict[str, Any]:
    share, item, place = schema.channel_item, schema.item, schema.site
    key = (item.c.sku, place.c.code, share.c.channel)
    query = (
        select(
            item.c.sku, place.c.code.label("site"), share.c.channel, share.c.buffer,
            share.c.oversell, share.c.cap, share.c.used,
        )
        .join(item, item.c.id == share.c.item)
        .join(place, place.c.id == share.c.site)
        .order_by(*key)
        .limit(limit + 1)
    )  # fmt: skip
    columns = (share.c.channel, place.c.code, item.c.sku)
    wanted = [c == v for c, v in zip(columns, names, strict=True) if v is not None]
    if after:
        wanted.append(tuple_(*key) > tuple(unseal(after, str, str, str)))
    rows = [dict(row) for row in connection.execute(query.where(and_(True, *wanted))).mappings()]
    return page(rows, limit, itemgetter("sku", "site", "channel"))
