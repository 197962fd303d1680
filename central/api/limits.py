"""What one request, and one caller, may ask of central."""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from central.api.problems import response
from central.requests import problem

BODY_BYTES_MAX = 1024 * 1024
_CALLERS_MAX = 10_000

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at_s: float


class Limits:
    """Refuses bodies above BODY_BYTES_MAX, and callers with more than `rate_per_s` requests.

    A caller is its Authorization header, or its address without one. Twice the rate may come in
    one burst. 0 sets no rate.
    """

    def __init__(self, app: App, rate_per_s: float) -> None:
        self._app, self._rate = app, rate_per_s
        self._buckets: dict[object, _Bucket] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        wait_s = self._spend(headers.get(b"authorization") or (scope["client"] or ("",))[0])
        if wait_s > 0:
            detail = f"more than {self._rate:g} requests a second; slow down"
            refused = response(problem(429, "too_many_requests", detail))
            refused.headers["Retry-After"] = str(int(wait_s) + 1)
            await refused(scope, receive, send)
        elif int(headers.get(b"content-length", b"0") or 0) > BODY_BYTES_MAX:
            await response(_too_large())(scope, receive, send)
        else:
            await self._app(scope, _Counted(receive), send)

    def _spend(self, caller: object) -> float:
        if not self._rate:
            return 0.0
        now_s = time.monotonic()
        if len(self._buckets) >= _CALLERS_MAX:
            self._buckets.clear()
        bucket = self._buckets.setdefault(caller, _Bucket(2 * self._rate, now_s))
        earned = (now_s - bucket.at_s) * self._rate
        bucket.tokens, bucket.at_s = min(2 * self._rate, bucket.tokens + earned), now_s
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / self._rate
        bucket.tokens -= 1
        return 0.0


def _too_large() -> Any:
    return problem(413, "too_large", f"a request has at most {BODY_BYTES_MAX} bytes")


class _Counted:
    """Ends a body that is longer than it said, or did not say."""

    def __init__(self, receive: Receive) -> None:
        self._receive, self._bytes = receive, 0

    async def __call__(self) -> MutableMapping[str, Any]:
        message = await self._receive()
        self._bytes += len(message.get("body", b""))
        return {"type": "http.disconnect"} if self._bytes > BODY_BYTES_MAX else message
