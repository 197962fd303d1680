"""GET /metrics: how the ledger fares, for Prometheus. Each figure is one cheap query."""

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from sqlalchemy import Connection, text

from central import verdicts
from central.api.door import Door
from central.counters import Counters

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SCOPES = {True: "everything", False: "news"}
_SIZE = {
    "postgresql": "SELECT pg_database_size(current_database())",
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
}
Samples = Iterable[tuple[Mapping[str, str], float]]  # labels, value


def routes(door: Door) -> APIRouter:
    """Return the route."""
    router = APIRouter(
        tags=["health"], dependencies=[door.access.need("stock:read", of_all="figures")]
    )

    @router.get("/metrics", response_class=PlainTextResponse)
    def metrics() -> PlainTextResponse:
        """Return figures in Prometheus' text format."""
        with door.reader.begin() as connection:
            lines = [line for each in _all(connection, door.writer.counters) for line in each]
        return PlainTextResponse("\n".join([*lines, ""]), media_type=_CONTENT_TYPE)

    return router


def _all(connection: Connection, counters: Counters) -> Iterator[Iterator[str]]:
    now_s = time.time()
    taken = {"applied": counters.applied, "repeated": counters.repeated, "parked": counters.parked}
    yield _metric(
        "events_total", "counter", "Events that this process took in, by what became of them.",
        [({"outcome": name}, count) for name, count in taken.items()],
    )  # fmt: skip
    recorded = _number(connection, "SELECT COALESCE(SUM(applied_seq), 0) FROM stream")
    yield _metric("ledger_events", "gauge", "Events in the journal.", [({}, recorded)])
    waiting = "SELECT COUNT(*) FROM (SELECT DISTINCT stream, seq FROM held) h"
    yield _metric(
        "events_held",
        "gauge",
        "Scans that wait for a person.",
        [({}, _number(connection, waiting))],
    )
    yield from _outgoing(connection, now_s)
    yield _metric(
        "reservations", "gauge", "Reservations by state; all but rejected were granted.",
        _by(connection, "state", "SELECT state, COUNT(*) FROM reservation GROUP BY state"),
    )  # fmt: skip
    alerts = "SELECT kind, COUNT(*) FROM alert WHERE closed_us IS NULL GROUP BY kind"
    yield _metric("alerts_open", "gauge", "Open alerts by kind.", _by(connection, "kind", alerts))
    short = "SELECT COUNT(*) FROM alert WHERE closed_us IS NULL AND kind = 'shortage'"
    yield _metric(
        "shortages", "gauge", "Items at a site with more promised than there is.",
        [({}, _number(connection, short))],
    )  # fmt: skip
    yield from _verified(connection)
    size = _number(connection, _SIZE[connection.dialect.name])
    yield _metric("database_bytes", "gauge", "Size of the ledger's database.", [({}, size)])


def _outgoing(connection: Connection, now_s: float) -> Iterator[Iterator[str]]:
    for name, what, where in (
        ("outbox", "Outgoing rows without a number in the feed", "outbox WHERE feed_seq IS NULL"),
        ("deliveries", "Messages to webhooks that wait", "delivery WHERE state = 'waiting'"),
    ):
        query = text(f"SELECT COUNT(*), MIN(created_us) FROM {where}")
        count, oldest_us = connection.execute(query).one()
        age_s = max(now_s - oldest_us / 1e6, 0.0) if oldest_us else 0.0
        yield _metric(f"{name}_waiting", "gauge", f"{what}.", [({}, count)])
        yield _metric(
            f"{name}_oldest_seconds", "gauge", f"{what}: age of the oldest.", [({}, age_s)]
        )


def _verified(connection: Connection) -> Iterator[Iterator[str]]:
    known = {_SCOPES[scope]: each for scope, each in sorted(verdicts.last(connection).items())}
    for name, kind, what, values in (
        ("verify_findings", "gauge", "What the last docktally verify --alert found wrong.",
         {scope: each.findings for scope, each in known.items()}),
        ("verify_failed_total", "counter", "Runs that did not prove the ledger.",
         {scope: each.failed for scope, each in known.items()}),
        ("verify_last_time_seconds", "gauge", "When it ran last, seconds since 1970.",
         {scope: each.at_us / 1e6 for scope, each in known.items()}),
        ("verify_duration_seconds", "gauge", "How long that took.",
         {scope: each.took_ms / 1e3 for scope, each in known.items()}),
    ):  # fmt: skip
        samples = [({"scope": scope}, float(value)) for scope, value in values.items()]
        yield _metric(name, kind, what, samples)


def _number(connection: Connection, query: str) -> int:
    return int(connection.execute(text(query)).scalar_one())


def _by(connection: Connection, label: str, query: str) -> Samples:
    rows: Any = connection.execute(text(query)).all()
    return [({label: name}, count) for name, count in sorted(tuple(row) for row in rows)]


def _metric(name: str, kind: str, what: str, samples: Samples) -> Iterator[str]:
    """Yield the lines of one metric; label values are words of our own, without quotes."""
    yield f"# HELP docktally_{name} {what}"
    yield f"# TYPE docktally_{name} {kind}"
    for labels, value in samples:
        shown = ",".join(f'{key}="{each}"' for key, each in labels.items())
        yield f"docktally_{name}{{{shown}}} {value}" if shown else f"docktally_{name} {value}"
