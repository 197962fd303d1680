"""Central's HTTP API from outside: only what its documentation promises."""

import base64
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from firmware_sim.oracle import Fact, Posting
from wire.errors import Malformed, Unavailable

#: Central answers in milliseconds; a person's web shop gives up after a few seconds.
REQUEST_TIMEOUT_S = 10.0
_PAGE_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer: its status and its JSON body."""

    status: int
    body: Any


@dataclass(frozen=True, slots=True)
class CentralApi:
    """Talks to central at `url`, with a token when it wants one."""

    url: str
    token: str | None = None
    timeout_s: float = REQUEST_TIMEOUT_S

    def get(self, path: str, **query: object) -> Any:
        """Return the JSON at `path`; Unavailable when central is away or refuses."""
        reply = self.request("GET", f"{path}?{urlencode(query)}" if query else path)
        if reply.status != http.client.OK:
            raise Unavailable(f"{self.url}{path} answered {reply.status}: {reply.body}")
        return reply.body

    def request(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Return the answer, refusals included; Unavailable when none came."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url.rstrip("/") + path, data, method=method)  # noqa: S310
        request.add_header("Content-Type", "application/json")
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_s) as answer:  # noqa: S310
                return Reply(answer.status, _json(answer.read()))
        except urllib.error.HTTPError as error:
            with error:
                return Reply(error.code, _json(error.read()))
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"central at {self.url} does not answer: {error}") from error

    def items(self, path: str) -> Iterator[dict[str, Any]]:
        """Yield every row of a paged list."""
        after: dict[str, str] = {}
        while True:
            page = self.get(path, limit=_PAGE_ROWS, **after)
            yield from page["items"]
            if not page.get("next"):
                return
            after = {"after": page["next"]}

    def facts(self) -> list[Fact]:
        """Return every event in the order of its application."""
        return [_fact(row) for row in self.items("/v1/events")]

    def locations(self, sku: str) -> dict[tuple[str, str, str], int]:
        """Return the quantities of one SKU by (sku, location, lot), without the zeros."""
        rows = self.get(f"/v1/stock/{quote(sku, safe='')}")["locations"]
        return {(sku, r["location"], r["lot"]): r["quantity"] for r in rows if r["quantity"]}


def _json(data: bytes) -> Any:
    try:
        return json.loads(data) if data else None
    except ValueError:
        return data.decode("utf-8", "replace")


def _fact(row: dict[str, Any]) -> Fact:
    event = row["event"]
    try:
        return Fact(
            gateway=row["gateway"],
            epoch=row["epoch"],
            seq=row["seq"],
            scanner=row["scanner"],
            kind=row["kind"],
            status=row["status"],
            raw=base64.b64decode(event["raw"]),
            event_time=datetime.fromisoformat(event["event_time"]),
            quantity=event.get("quantity", 1),
            undo_of=event.get("undo_of"),
            document=event.get("document"),
            postings=tuple(
                Posting(e["sku"], e["lot"] or "", e["from"], e["to"], e["quantity"])
                for e in row["entries"]
            ),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Malformed(f"central's event {row} misses something: {error!r}") from error
