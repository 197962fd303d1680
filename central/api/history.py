"""What happened: recorded events with their postings, the gateways' marks, open alerts."""

import json
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Engine, Select, and_, func, select, tuple_

from central import alerts, schema
from central.api.door import Door
from central.api.pages import Cursor, Limit, seal, unseal
from central.requests import Answer, problem
from central.writer import Transaction
from wire.events import Name


class Acknowledgement(BaseModel):
    """The name of a person."""

    model_config = ConfigDict(extra="forbid")
    by: Name


def routes(door: Door) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/v1", tags=["history"])
    may_read = [door.access.need("stock:read")]

    @router.get("/events", dependencies=may_read)
    def events(
        gateway: str | None = None,
        epoch: str | None = None,
        sku: Annotated[str | None, Query(description="only what moved this item")] = None,
        status: Annotated[str | None, Query(description="applied, held, rejected ...")] = None,
        newest: Annotated[bool, Query(description="the newest first")] = False,  # noqa: FBT002
        after: Cursor = "",
        limit: Limit = 100,
    ) -> dict[str, Any]:
        """List recorded events in the order of their application, with what they posted."""
        query = _wanted(gateway, epoch, sku, status)
        event = schema.event.c.id
        if after:
            bound = unseal(after, int)[0]
            query = query.where(event < bound if newest else event > bound)
        return _events(door.reader, query.order_by(event.desc() if newest else event), limit)

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

    may_act = [door.access.need("adjust")]

    @router.post("/alerts/{alert_id}/acknowledge", dependencies=may_act, response_model=None)
    async def acknowledge_alert(alert_id: str, body: Acknowledgement) -> JSONResponse:
        """Say who takes care of an alert; everybody sees it. It stays open."""

        def acknowledge(tx: Transaction, kind: str, ref: str) -> dict[str, str]:
            tx.books.watch.acknowledge(kind, ref, body.by)
            return {"state": "acknowledged", "by": body.by}

        return await door.do(lambda tx: _with_alert(tx, alert_id, acknowledge))

    @router.post("/alerts/{alert_id}/close", dependencies=may_act, response_model=None)
    async def close_alert(alert_id: str) -> JSONResponse:
        """Close an alert that a person has dealt with. It opens again when its cause recurs."""

        def close(tx: Transaction, kind: str, ref: str) -> dict[str, str]:
            tx.books.settle(kind, ref)
            return {"state": "closed"}

        return await door.do(lambda tx: _with_alert(tx, alert_id, close))

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


def _with_alert(
    tx: Transaction, alert_id: str, act: Callable[[Transaction, str, str], dict[str, str]]
) -> Answer:
    table = schema.alert
    rows = tx.connection.execute(
        select(table.c.kind, table.c.ref).where(
            table.c.closed_us.is_(None), table.c.kind == alert_id.rpartition("-")[0]
        )
    )
    for row in rows:
        if alerts.alert_id(row.kind, row.ref) == alert_id:
            return Answer(200, {"id": alert_id} | act(tx, row.kind, row.ref))
    return problem(404, "no_such_alert", f"there is no open alert {alert_id}")


def _wanted(
    gateway: str | None, epoch: str | None, sku: str | None, status: str | None
) -> Select[Any]:
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
    )
    if gateway is not None:
        query = query.where(stream.c.source == gateway)
    if epoch is not None:
        query = query.where(stream.c.epoch == epoch)
    if sku is not None:
        entry, item = schema.entry, schema.item
        moved = select(entry.c.stream, entry.c.seq).join(item, item.c.id == entry.c.item)
        query = query.where(tuple_(event.c.stream, event.c.seq).in_(moved.where(item.c.sku == sku)))
    if status is not None:
        query = query.where(event.c.status == status)
    return query


def _events(reader: Engine, query: Select[Any], limit: int) -> dict[str, Any]:
    with reader.begin() as connection:
        rows = connection.execute(query.limit(limit + 1)).all()
        page = rows[:limit]
        posted = _entries(connection, [(row.stream, row.seq) for row in page])
    return {
        "items": [
            {
                "number": row.id,
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
                    "entry": row.id,
                    "sku": row.sku,
                    "lot": row.lot,
                    "from": row.origin,
                    "to": row.target,
                    "quantity": row.qty,
                    "reason": row.reason,
                }
            )
    return posted
