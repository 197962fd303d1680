"""The HTTP side of webhooks: register, rotate, look at deliveries, replay."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from central import endpoints
from central.api.door import Door
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


class ReplayRequest(BaseModel):
    """Where in the change feed to begin again."""

    model_config = ConfigDict(extra="forbid")
    from_cursor: Annotated[int, Field(ge=0, le=COUNT_MAX)]


def routes(door: Door, allowed: Sequence[Network]) -> APIRouter:
    """Return the routes; `allowed` are networks of our own that an endpoint may lie in."""
    router = APIRouter(
        prefix="/v1/webhooks", tags=["webhooks"], dependencies=[door.access.need("admin")]
    )
    run, reader = door.do, door.reader

    @router.post("", response_model=None)
    async def add(request: WebhookRequest) -> JSONResponse:
        """Register an endpoint. Its secret is in this answer and never shown again."""
        wish = endpoints.Wish(request.url, tuple(request.types), request.site, request.description)
        return await run(lambda tx: endpoints.add(tx, wish, allowed))

    @router.get("")
    def listed() -> dict[str, Any]:
        """List the endpoints and how they are."""
        with reader.begin() as connection:
            return {"items": endpoints.all_of(connection)}

    @router.delete("/{webhook}", response_model=None)
    async def remove(webhook: Number) -> JSONResponse:
        """Forget an endpoint and what waits for it."""
        return await run(lambda tx: endpoints.remove(tx, webhook))

    @router.post("/{webhook}/rotate", response_model=None)
    async def rotate(webhook: Number) -> JSONResponse:
        """Make a new secret; both sign for a day."""
        return await run(lambda tx: endpoints.rotate(tx, webhook))

    @router.post("/{webhook}/enable", response_model=None)
    async def enable(webhook: Number) -> JSONResponse:
        """Send again to an endpoint that was disabled."""
        return await run(lambda tx: endpoints.enable(tx, webhook))

    @router.post("/{webhook}/replay", response_model=None)
    async def replay(webhook: Number, request: ReplayRequest) -> JSONResponse:
        """Send again what came after a cursor; ask again with `next_cursor` while there is one."""
        return await run(lambda tx: endpoints.replay(tx, webhook, request.from_cursor))

    @router.get("/{webhook}/deliveries")
    def log(
        webhook: Number,
        state: Literal["waiting", "done", "failed"] | None = None,
        before: Annotated[int, Query(ge=1, le=COUNT_MAX)] | None = None,
        limit: Annotated[int, Query(ge=1, le=_LOG_ROWS_MAX)] = 100,
    ) -> dict[str, Any]:
        """List what was sent, and how the endpoint answered, newest first."""
        with reader.begin() as connection:
            return {"items": endpoints.log_of(connection, webhook, state, before, limit)}

    return router
