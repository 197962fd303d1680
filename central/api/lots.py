"""Lots and their dates."""

from datetime import date
from operator import itemgetter
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from central import levels, reports
from central.api import answers
from central.api.answers import says
from central.api.door import Door
from central.api.pages import Cursor, Limit, page, unseal
from wire.events import Name, Text


class LotBody(BaseModel):
    """When a lot expires."""

    model_config = ConfigDict(extra="forbid")
    sku: Name
    lot: Annotated[Text, Field(min_length=1)]
    expires: Annotated[date, Field(description="best before, such as 2027-05-31")]


def routes(door: Door) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/v1/lots", tags=["lots"])
    may_read = [door.access.need("stock:read")]

    @router.get("", dependencies=may_read, **says(answers.Page[answers.LotStock]))
    def lots(sku: str | None = None, after: Cursor = "", limit: Limit = 100) -> dict[str, Any]:
        """List the lots whose date is known, by SKU and lot, with what is left of each."""
        begin = unseal(after, str, str) if after else ["", ""]
        with door.reader.begin() as connection:
            rows = reports.lots(connection, sku, (begin[0], begin[1]), limit + 1)
        return page(rows, limit, itemgetter("sku", "lot"))

    @router.get("/expired", dependencies=may_read, **says(answers.Page[answers.LotLying]))
    def expired(
        by: Annotated[date, Query(description="the day, such as 2027-05-31")],
        after: Cursor = "",
        limit: Limit = 100,
    ) -> dict[str, Any]:
        """List the goods that expire on a day or before, and where they lie; the oldest first."""
        a = unseal(after, str, str, str, str, str) if after else [""] * 5
        with door.reader.begin() as connection:
            rows = reports.expired(connection, by, (a[0], a[1], a[2], a[3], a[4]), limit + 1)
        return page(rows, limit, itemgetter("expires", "sku", "lot", "site", "location"))

    @router.put("", dependencies=[door.access.need("adjust")], **says(answers.Lot))
    async def set_expiry(body: LotBody) -> JSONResponse:
        """Say when a lot expires, whatever its labels say. Closes the alert that asked for it."""
        return await door.do(lambda tx: levels.set_expiry(tx, body.sku, body.lot, body.expires))

    return router
