"""What happened: recorded events with their postings, the gateways' marks, open alerts."""

import json
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlalchemy import Engine, and_, func, select, tuple_

from central import alerts, schema
from central.api.door import Door
from central.api.pages import Cursor, Limit, seal, unseal
from central.requests import Answer, problem
from central.writer import Transaction


def routes(door: Door) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/v1", tags=["history"])
    may_read = [door.access.need("stock:read")]

    @router.get("/events", dependencies=may_read)
    def events(
        gateway: str | None = None, epoch: str | None = None, after: Cursor = "", limit: Limit = 100
    ) -> dict[str, Any]:
        """List recorded events in the order of their application, with what they posted."""
        return _events(door.reader, gateway, epoch, after, limit)

    @router.get("/alerts", dependencies=may_read)
    def open_alerts() -> dict[str, Any]:
        """List the open alerts: what a person should look at."""
        with door.reader.begin() as connection:
            rows = connection.execute(
                select(schema.alert)
                .where(schema.alert.c.closed_us.is_(None))
                .order_by(schema.alert.c.opened_us)
            )
            return {"items": [alerts.message(row).model_dump(mode="json") for row in rows]}

    @router.post(
        "/alerts/{alert_id}/close",
        dependencies=[door.access.need("adjust")],
        response_model=None,
    )
    async def close_alert(alert_id: str) -> JSONResponse:
        """Close an alert that a person has dealt with. It opens again when its cause recurs."""
        return await door.do(lambda tx: _close(tx, alert_id))

    @router.get("/ledger", dependencies=may_read)
    def ledger() -> dict[str, Any]:
        """Return how far the ledger is, and the high-water mark of every gateway's outbox."""
        return _marks(door.reader)

    return router


def _marks(reader: Engine) -> dict[str, Any]:
    with reader.begin() as connection:
        newest = connection.execute(select(func.max(schema.event.c.id))).scalar()
        rows = connection.execute(select(schema.stream).order_by(schema.stream.c.id))
        marks = [
            {"site": r.site, "gateway": r.source, "epoch": r.epoch, "applied_seq": r.applied_seq}
            for r in rows
        ]
    return {"position": newest or 0, "gateways": marks}


def _close(tx: Transaction, alert_id: str) -> Answer:
    table = schema.alert
    rows = tx.connection.execute(
        select(table.c.kind, table.c.ref).where(
            table.c.closed_us.is_(None), table.c.kind == alert_id.rpartition("-")[0]
        )
    )
    for row in rows:
        if alerts.alert_id(row.kind, row.ref) == alert_id:
            tx.books.settle(row.kind, row.ref)
            return Answer(200, {"id": alert_id, "state": "closed"})
    return problem(404, "no_such_alert", f"there is no open alert {alert_id}")


def _events(
    reader: Engine, gateway: str | None, epoch: str | None, after: str, limit: int
) -> dict[str, Any]:
    event, stream, end = schema.event, schema.stream, schema.settlement
    query = (
        select(
            event,
            stream.c.site,
            stream.c.source,
            stream.c.epoch,
            end.c.status.label("ended"),
            end.c.who,
        )
        .join(stream, stream.c.id == event.c.stream)
        .join(end, and_(end.c.stream == event.c.stream, end.c.seq == event.c.seq), isouter=True)
        .order_by(event.c.id)
        .limit(limit + 1)
    )
    if gateway is not None:
        query = query.where(stream.c.source == gateway)
    if epoch is not None:
        query = query.where(stream.c.epoch == epoch)
    if after:
        query = query.where(event.c.id > unseal(after, int)[0])
    with reader.begin() as connection:
        rows = connection.execute(query).all()
        page = rows[:limit]
        posted = _entries(connection, [(row.stream, row.seq) for row in page])
    return {
        "items": [
            {
                "gateway": row.source,
                "site": row.site,
                "epoch": row.epoch,
                "seq": row.seq,
                "id": row.uuid,
                "kind": row.kind,
                "scanner": row.scanner,
                "status": row.status,
                "code": row.code,
                "settled": row.ended and {"status": row.ended, "by": row.who},
                "event": json.loads(row.body),
                "entries": posted.get((row.stream, row.seq), []),
            }
            for row in page
        ],
        "next": seal(page[-1].id) if len(rows) > limit else None,
    }


def _entries(
    connection: Any, identities: list[tuple[int, int]]
) -> dict[tuple[int, int], list[dict[str, Any]]]:
    entry, item = schema.entry, schema.item
    origin, target = schema.location.alias("origin"), schema.location.alias("target")
    posted: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for start in range(0, len(identities), 400):
        rows = connection.execute(
            select(entry, item.c.sku, origin.c.code.label("origin"), target.c.code.label("target"))
            .join(item, item.c.id == entry.c.item)
            .join(origin, origin.c.id == entry.c.from_loc)
            .join(target, target.c.id == entry.c.to_loc)
            .where(tuple_(entry.c.stream, entry.c.seq).in_(identities[start : start + 400]))
            .order_by(entry.c.id)
        )
        for row in rows:
            posted.setdefault((row.stream, row.seq), []).append(
                {
                    "sku": row.sku,
                    "lot": row.lot,
                    "from": row.origin,
                    "to": row.target,
                    "quantity": row.qty,
                    "reason": row.reason,
                }
            )
    return posted
