"""The HTTP door: stock to read, promises to make, scans to send, changes to follow."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import FastAPI
from sqlalchemy import Engine

from central.api import (
    catalogue,
    changes,
    corrections,
    history,
    ingress,
    metrics,
    promises,
    stock,
    webhooks,
)
from central.api.access import Access
from central.api.changes import Feed
from central.api.door import Door
from central.api.limits import Limits
from central.api.problems import RESPONSES, explain_errors
from central.guarded_http import Network
from central.writer import Writer


@dataclass(frozen=True, slots=True)
class Settings:
    """How the door is kept. `token` may do everything; `rate_per_s` 0 sets no rate.

    `callable_networks` are those of our own that a webhook may lie in.
    """

    version: str
    token: str | None = None
    rate_per_s: float = 0.0
    callable_networks: Sequence[Network] = ()


def build(writer: Writer, reader: Engine, settings: Settings, feed: Feed | None = None) -> FastAPI:
    """Return the application; `feed` hears of new rows of the change feed."""
    app = FastAPI(
        title="Docktally central",
        version=settings.version,
        summary="One ledger that never sells twice.",
        responses=RESPONSES,
    )
    explain_errors(app)
    app.add_middleware(Limits, rate_per_s=settings.rate_per_s)
    door = Door(writer, reader, Access(reader, settings.token))

    @app.get("/healthz", tags=["health"])
    def health() -> dict[str, str]:
        """Say that central answers; needs no token."""
        return {"status": "ok", "version": settings.version}

    for router in (
        stock.routes(door),
        promises.routes(door),
        changes.routes(door, feed or Feed()),
        history.routes(door),
        corrections.routes(door),
        ingress.routes(door),
        catalogue.routes(door),
        webhooks.routes(door, settings.callable_networks),
        metrics.routes(door),
    ):
        app.include_router(router)
    return app
