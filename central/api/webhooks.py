"""The HTTP side of webhooks: register, rotate, look at deliveries, replay."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from central import endpoints
from central.api.answers import Page, says
from central.api.door import Door
from central.api.pages import Cursor, page, unseal
from central.guarded_http import Network
from wire.events import COUNT_MAX
from wire.ids import NAME_LENGTH_MAX

_URL_LENGTH_MAX = 2_000
_LOG_ROWS_MAX = 500
Number = Annotated[int, Field(ge=1, le=2**31 - 1)]


class WebhookRequest(BaseModel):
    """An endpoint to tell. No types means all types, no site means all sites."""

    model_config = ConfigDict(extra="forbid")
    url: Annotated[str, Field(min_length=1, max_length=_URL_LENGTH_MAX)]
    types: Annotated[list[str], Field(max_length=50)] = []
    site: Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX)] | None = None
    description: Annotated[str, Field(max_length=200)] = ""


class WebhookChange(BaseModel):
    """What shall be different; what is left out stays. A null site: all sites."""

    model_config = ConfigDict(extra="forbid")
    url: Annotated[str, Field(min_length=1, max_length=_URL_LENGTH_MAX)] = ""
    types: Annotated[list[str], Field(max_length=50)] = []
    site: Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX)] | None = None
    description: Annotated[str, Field(max_length=200)] = ""


class Webhook(BaseModel):
    """An endpoint, and how it is."""

    id: int
    url: str
    types: list[str]
    site: Annotated[str | None, Field(description="only this site; null: all")]
    description: str
    state: Literal["active", "disabled"]
    note: Annotated[str, Field(description="why it is disabled")]
    failures: int
    next_try: datetime | None
    created: datetime


class Webhooks(BaseModel):
    """The endpoints."""

    items: list[Webhook]


class Secret(Webhook):
    """A new endpoint with its secret."""

    secret: str


class Rotated(BaseModel):
    """A new secret."""

    id: int
    secret: str
    old_secret_until: datetime


class Deleted(BaseModel):
    """An endpoint that is gone."""

    id: int
    state: Literal["deleted"]


class Replayed(BaseModel):
    """What is sent again."""

    id: int
    messages: int
    next_cursor: int | None


class Delivery(BaseModel):
    """A message, and how the endpoint answered."""

    id: int
    type: str
    key: str
    cursor: Annotated[int, Field(description="place in the feed, for a replay")]
    state: Literal["waiting", "done", "failed"]
    attempts: int
    status: int | None
    note: Annotated[str, Field(description="begin of the answer, or why there was none")]
    took_ms: int | None
    created: datetime
    next_try: datetime | None
    done: datetime | None


class ReplayRequest(BaseModel):
    """Where in the change feed to begin again."""

    model_config = ConfigDict(extra="forbid")
    from_cursor: Annotated[int, Field(ge=0, le=COUNT_MAX)]


def routes(door: Door, allowed: Sequence[Network]) -> APIRouter:
    """Return the routes; `allowed` are networks of our own that an endpoint may lie in."""
    router = APIRouter(
        prefix="/v1/webhooks",
        tags=["webhooks"],
        dependencies=[door.access.need("admin", of_all="webhooks")],
    )
    run, reader = door.do, door.reader

    @router.post("", **says(Secret, 201))
    async def add(request: WebhookRequest) -> JSONResponse:
        """Register an endpoint. Its secret is in this answer and never shown again."""
        wish = endpoints.Wish(request.url, tuple(request.types), request.site, request.description)
        return await run(lambda tx: endpoints.add(tx, wish, allowed))

    @router.get("", **says(Webhooks))
    def listed() -> dict[str, Any]:
        """List the endpoints and how they are."""
        with reader.begin() as connection:
            return {"items": endpoints.all_of(connection)}

    @router.get("/{webhook}", **says(Webhook))
    def webhook_of(webhook: Number) -> dict[str, Any]:
        """Return one endpoint and how it is."""
        with reader.begin() as connection:
            found = endpoints.one(connection, webhook)
        if found is None:
            raise HTTPException(404, f"there is no webhook {webhook}")
        return found

    @router.patch("/{webhook}", **says(Webhook))
    async def change(webhook: Number, body: WebhookChange) -> JSONResponse:
        """Give an endpoint another address or choice; its secret and what waits for it stay."""
        values = body.model_dump(exclude_unset=True)
        return await run(lambda tx: endpoints.change(tx, webhook, values, allowed))

    @router.delete("/{webhook}", **says(Deleted))
    async def remove(webhook: Number) -> JSONResponse:
        """Forget an endpoint and what waits for it."""
        return await run(lambda tx: endpoints.remove(tx, webhook))

    _upkeep(router, door)
    return router


def _upkeep(router: APIRouter, door: Door) -> None:
    run, reader = door.do, door.reader

    @router.post("/{webhook}/rotate", **says(Rotated))
    async def rotate(webhook: Number) -> JSONResponse:
        """Make a new secret; both sign for a day."""
        return await run(lambda tx: endpoints.rotate(tx, webhook))

    @router.post("/{webhook}/enable", **says(Webhook))
    async def enable(webhook: Number) -> JSONResponse:
        """Send again to an endpoint that was disabled."""
        return await run(lambda tx: endpoints.enable(tx, webhook))

    @router.post("/{webhook}/replay", **says(Replayed, 202))
    async def replay(webhook: Number, request: ReplayRequest) -> JSONResponse:
        """Send again what came after a cursor; ask again with `next_cursor` while there is one."""
        return await run(lambda tx: endpoints.replay(tx, webhook, request.from_cursor))

    @router.get("/{webhook}/deliveries", **says(Page[Delivery]))
    def log(
        webhook: Number,
        state: Literal["waiting", "done", "failed"] | None = None,
        after: Cursor = "",
        limit: Annotated[int, Query(ge=1, le=_LOG_ROWS_MAX)] = 100,
    ) -> dict[str, Any]:
        """List what was sent, and how the endpoint answered, newest first."""
        before = unseal(after, int)[0] if after else None
        with reader.begin() as connection:
            rows = endpoints.log_of(connection, webhook, state, before, limit + 1)
        return page(rows, limit, lambda row: (row["id"],))
