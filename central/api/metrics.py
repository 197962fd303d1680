"""GET /metrics: how the ledger fares, for Prometheus. Each figure is one cheap query, or known."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from sqlalchemy import Connection, text

from central import verdicts
from central.api.door import Door
from central.api.timing import Timings
from central.channels.pusher import Lag
from central.counters import Counters
from central.histogram import Histogram

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SCOPES = {True: "everything", False: "news"}
_SIZE = {
    "postgresql": "SELECT pg_database_size(current_database())",
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
}
_DELIVERIES = text(
    "SELECT w.id, COUNT(d.id), MIN(d.created_us) FROM webhook w "
    "LEFT JOIN delivery d ON d.webhook = w.id AND d.state = 'waiting' GROUP BY w.id ORDER BY w.id"
)
_ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
Labels = Mapping[str, str]
Samples = Iterable[tuple[Labels, float]]


def routes(door: Door, timings: Timings, lags: Callable[[], Mapping[str, Lag]]) -> APIRouter:
    """Return the route; `timings` are those of all requests, `lags` says how far shops are."""
    may_read = door.access.need("stock:read", of_all="figures")
    router = APIRouter(tags=["health"], dependencies=[may_read])

    @router.get("/metrics", response_class=PlainTextResponse)
    def metrics() -> PlainTextResponse:
        """Return figures in Prometheus' text format."""
        with door.reader.begin() as connection:
            found = [*_of_process(door.writer.counters, timings), *_of_ledger(connection)]
        lines = [line for each in (*found, *_of_shops(lags())) for line in each]
        return PlainTextResponse("\n".join([*lines, ""]), media_type=_CONTENT_TYPE)

    return router


def _of_process(counters: Counters, timings: Timings) -> Iterator[Iterator[str]]:
    """Yield what this process did since it started."""
    taken = {"applied": counters.applied, "repeated": counters.repeated, "parked": counters.parked}
    yield _metric(
        "events_total", "counter", "Events that this process took in, by what became of them.",
        [({"outcome": name}, count) for name, count in taken.items()],
    )  # fmt: skip
    for name, what, histogram in (
        ("batch_events", "Events of each message that was applied.", counters.batches),
        ("commit_commands", "Commands that shared each commit.", counters.groups),
        ("commit_seconds", "How long each commit took, with its retries.", counters.commits),
    ):
        yield _histogram(name, what, [({}, histogram)])
    yield _metric(
        "commit_retries_total", "counter", "Transactions that collided and began anew.",
        [({}, counters.retries)],
    )  # fmt: skip
    yield _histogram(
        "http_request_seconds", "How long requests took until the answer began.",
        [({"route": route, "status": f"{hundreds}xx"}, timing)
         for (route, hundreds), timing in sorted(timings.items())],
    )  # fmt: skip


def _of_ledger(connection: Connection) -> Iterator[Iterator[str]]:
    recorded = _number(connection, "SELECT COALESCE(SUM(applied_seq), 0) FROM stream")
    yield _metric("ledger_events", "gauge", "Events in the journal.", [({}, recorded)])
    waiting = "SELECT COUNT(*) FROM (SELECT DISTINCT stream, seq FROM held) h"
    yield _metric(
        "events_held",
        "gauge",
        "Scans that wait for a person.",
        [({}, _number(connection, waiting))],
    )
    yield from _outgoing(connection, time.time())
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
    unnumbered = text("SELECT COUNT(*), MIN(created_us) FROM outbox WHERE feed_seq IS NULL")
    for name, what, rows in (
        ("outbox", "Outgoing rows without a number in the feed",
         [({}, *connection.execute(unnumbered).one())]),
        ("deliveries", "Messages that wait for each webhook",
         [({"webhook": str(number)}, *rest) for number, *rest in connection.execute(_DELIVERIES)]),
    ):  # fmt: skip
        yield from _waiting(name, what, [
            (labels, count, max(now_s - oldest_us / 1e6, 0.0) if oldest_us else 0.0)
            for labels, count, oldest_us in rows
        ])  # fmt: skip


def _of_shops(lags: Mapping[str, Lag]) -> Iterator[Iterator[str]]:
    yield from _waiting(
        "channel", "Items that each shop was not told of yet",
        [({"channel": channel}, *lag) for channel, lag in sorted(lags.items())],
    )  # fmt: skip


def _waiting(
    name: str, what: str, rows: Iterable[tuple[Labels, int, float]]
) -> Iterator[Iterator[str]]:
    """Yield how many wait, and the age in seconds of the oldest."""
    rows = list(rows)
    yield _metric(f"{name}_waiting", "gauge", f"{what}.", [(row[0], row[1]) for row in rows])
    ages = [(row[0], row[2]) for row in rows]
    yield _metric(f"{name}_oldest_seconds", "gauge", f"{what}: age of the oldest.", ages)


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
    """Yield the lines of one metric."""
    yield f"# HELP docktally_{name} {what}"
    yield f"# TYPE docktally_{name} {kind}"
    for labels, value in samples:
        yield _sample(name, labels, value)


def _histogram(
    name: str, what: str, histograms: Iterable[tuple[Labels, Histogram]]
) -> Iterator[str]:
    """Yield the lines of a histogram: what was at most each bound, the sum, and the count."""
    yield from _metric(name, "histogram", what, ())
    for labels, histogram in histograms:
        total, cumulated = histogram.total, histogram.cumulated()
        for bound, count in cumulated:
            yield _sample(f"{name}_bucket", {**labels, "le": bound}, count)
        yield _sample(f"{name}_sum", labels, total)
        yield _sample(f"{name}_count", labels, cumulated[-1][1])


def _sample(name: str, labels: Labels, value: float) -> str:
    shown = ",".join(f'{key}="{each.translate(_ESCAPED)}"' for key, each in labels.items())
    return f"docktally_{name}{{{shown}}} {value}" if shown else f"docktally_{name} {value}"
