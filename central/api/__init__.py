"""The HTTP door: stock to read, promises to make, scans to send, changes to follow."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fastapi import FastAPI
from sqlalchemy import Engine

from central.api import (  # fmt: skip
    alerts,
    catalogue,
    changes,
    corrections,
    history,
    hooks,
    houses,
    ingress,
    levels,
    lots,
    metrics,
    orders,
    promises,
    shop_orders,
    stock,
    webhooks,
)
from central.api.access import Access
from central.api.changes import Feed
from central.api.door import Door
from central.api.limits import Limits
from central.api.problems import RESPONSES, explain_errors
from central.api.timing import Timing, Timings
from central.api.words import describe
from central.channel_config import Channel
from central.channels.pusher import Lag
from central.guarded_http import Network
from central.writer import Writer

_ABOUT = """Quantities are **eaches** (single pieces), times RFC 3339 in UTC.

Errors are `application/problem+json`: `code` for programs, `detail` for people. Whatever changes
stock or promises takes an `Idempotency-Key`: keep it over retries, and the thing happens once.
Lists answer `items` and `next`; send `next` back as `after`. More in docs/api.md.
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """How the door is kept. `token` may do everything; `rate_per_s` 0 sets no rate.

    `callable_networks` are those of our own that a webhook may lie in, `channels` the shops that
    may tell us of orders.
    """

    version: str
    token: str | None = None
    rate_per_s: float = 0.0
    callable_networks: Sequence[Network] = ()
    channels: Sequence[Channel] = ()


def build(
    writer: Writer,
    reader: Engine,
    settings: Settings,
    feed: Feed | None = None,
    lags: Callable[[], Mapping[str, Lag]] = dict,
) -> FastAPI:
    """Return the application; `feed` hears of new rows of the change feed.

    `lags` says how far each shop is behind whose quantities this process sets.
    """
    app = FastAPI(
        title="Docktally central",
        version=settings.version,
        summary="One ledger that never sells twice.",
        description=_ABOUT,
        responses=RESPONSES,
    )
    explain_errors(app)
    timings: Timings = {}
    app.add_middleware(Limits, rate_per_s=settings.rate_per_s)
    app.add_middleware(Timing, timings=timings)
    door = Door(writer, reader, Access(reader, settings.token))
    channels = {channel.name: channel for channel in settings.channels}

    @app.get("/healthz", tags=["health"])
    def health() -> dict[str, str]:
        """Say that central answers; needs no token."""
        return {"status": "ok", "version": settings.version}

    for router in (
        promises.routes(door),  # first: each one that is asked before costs a promise
        stock.routes(door),
        orders.routes(door),
        changes.routes(door, feed or Feed()),
        history.routes(door),
        alerts.routes(door),
        corrections.routes(door),
        ingress.routes(door),
        catalogue.routes(door),
        houses.routes(door),
        levels.routes(door),
        lots.routes(door),
        webhooks.routes(door, settings.callable_networks),
        hooks.routes(door, channels),
        shop_orders.routes(door, channels),
        metrics.routes(door, timings, lags),
    ):
        app.include_router(router)
    describe(app)
    return app
