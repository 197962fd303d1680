"""What happened: recorded events with their postings, and the gateways' marks."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import Engine, Select, and_, func, select, tuple_

from central import schema
from central.api import answers
from central.api.answers import says
from central.api.door import Door
from central.api.pages import Cursor, Limit, seal, unseal


def routes(door: Door) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/v1", tags=["history"])
    may_read = [door.access.need("stock:read", of_all="recorded events")]

    @router.get("/events", dependencies=may_read, **says(answers.Page[answers.RecordedEvent]))
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

    @router.get("/ledger", dependencies=may_read, **says(answers.Marks))
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
