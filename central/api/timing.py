"""How long requests take until their answer begins, by route and class of status."""

import time
from collections.abc import MutableMapping
from typing import Any

from central.api.limits import App, Receive, Scope, Send
from central.histogram import SECONDS, Histogram

#: By template of the route, such as /v1/stock/{sku:path}, and hundreds of the status.
Timings = dict[tuple[str, int], Histogram]
#: What was refused before its route was looked for, or has none: no caller can add a label.
NO_ROUTE = "none"


class Timing:
    """Adds each request to `timings`. A long poll or a stream counts until it begins to answer."""

    def __init__(self, app: App, timings: Timings) -> None:
        self._app, self._timings = app, timings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin_s = time.perf_counter()
        is_answered = False

        async def sending(message: MutableMapping[str, Any]) -> None:
            nonlocal is_answered
            if not is_answered:
                is_answered = True
                self._add(scope, message["status"], begin_s)
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            if not is_answered:  # a bug of ours: the server answers for us
                self._add(scope, 500, begin_s)

    def _add(self, scope: Scope, status: int, begin_s: float) -> None:
        key = (getattr(scope.get("route"), "path", NO_ROUTE), status // 100)
        timing = self._timings.get(key)
        if timing is None:
            timing = self._timings[key] = Histogram(SECONDS)
        timing.add(time.perf_counter() - begin_s)
