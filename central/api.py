"""The HTTP door: stock to read, promises to make, and the events to check the ledger by.

Errors are application/problem+json (RFC 9457) with a `code` for programs and a `detail` for people.
"""

import base64
import binascii
import json
import secrets
from collections.abc import Awaitable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Engine, and_, func, select, tuple_
from sqlalchemy.exc import DBAPIError

from central import alerts, combiner, database, reservations, schema, statements
from central.reservations import Answer, problem
from central.writer import Command, Transaction, Writer
from wire.errors import Unavailable
from wire.ids import NAME_LENGTH_MAX

PAGE_ROWS_MAX = 1_000
#: A promise that is never paid for gives its goods back after this long, at the longest.
TTL_MAX_S = 7 * 24 * 3600
_PROBLEM = "application/problem+json"

Name = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX)]
Limit = Annotated[int, Query(ge=1, le=PAGE_ROWS_MAX)]


class Line(BaseModel):
    """So many eaches of one SKU."""

    model_config = ConfigDict(extra="forbid")
    sku: Name
    quantity: Annotated[int, Field(ge=1, le=10**9)]


class ReservationRequest(BaseModel):
    """All lines are held, or none."""

    model_config = ConfigDict(extra="forbid")
    channel: Name
    site: Name
    ttl_s: Annotated[int, Field(ge=1, le=TTL_MAX_S)] = 900
    order_ref: Annotated[str, Field(max_length=200)] | None = None
    lines: Annotated[list[Line], Field(min_length=1, max_length=500)]


def build(writer: Writer, reader: Engine, token: str | None, version: str) -> FastAPI:
    """Return the application. With `token`, every request but /healthz must carry it as Bearer."""

    def authorised(authorization: Annotated[str, Header()] = "") -> None:
        if token is None:
            return
        if not secrets.compare_digest(authorization.encode(), f"Bearer {token}".encode()):
            raise HTTPException(401, "send the token of central's configuration as a Bearer token")

    app = FastAPI(title="Docktally central", version=version)
    _explain_errors(app)
    app.get("/healthz")(lambda: {"status": "ok", "version": version})
    guarded = [Depends(authorised)]
    for path, function in _reads(reader).items():
        app.get(path, dependencies=guarded)(function)
    for path, endpoint in _writes(writer).items():
        app.post(path, dependencies=guarded, response_model=None)(endpoint)
    return app


def _reads(reader: Engine) -> dict[str, Any]:
    def stock(site: str | None = None, after: str = "", limit: Limit = 100) -> dict[str, Any]:
        """List what is on hand, reserved and available, per SKU and site."""
        return _stock_page(reader, site, after, limit)

    def stock_of(sku: str) -> dict[str, Any]:
        """Return one SKU: its availability per site and where it lies."""
        return _stock_of(reader, sku)

    def events(
        gateway: str | None = None, epoch: str | None = None, after: str = "", limit: Limit = 100
    ) -> dict[str, Any]:
        """List recorded events in the order of their application, with what they posted."""
        return _events_page(reader, gateway, epoch, after, limit)

    def open_alerts() -> dict[str, Any]:
        """List the open alerts."""
        with reader.begin() as connection:
            rows = connection.execute(
                select(schema.alert)
                .where(schema.alert.c.closed_us.is_(None))
                .order_by(schema.alert.c.opened_us)
            )
            return {"items": [alerts.message(row).model_dump(mode="json") for row in rows]}

    def ledger() -> dict[str, Any]:
        """Return how far the ledger is, and the high-water mark of every gateway's outbox."""
        with reader.begin() as connection:
            newest = connection.execute(select(func.max(schema.event.c.id))).scalar()
            rows = connection.execute(select(schema.stream).order_by(schema.stream.c.id))
            marks = [
                {
                    "site": r.site,
                    "gateway": r.source,
                    "epoch": r.epoch,
                    "applied_seq": r.applied_seq,
                }
                for r in rows
            ]
        return {"position": newest or 0, "gateways": marks}

    return {
        "/v1/stock": stock,
        "/v1/stock/{sku}": stock_of,
        "/v1/events": events,
        "/v1/alerts": open_alerts,
        "/v1/ledger": ledger,
    }


def _writes(writer: Writer) -> dict[str, Any]:
    async def run(command: Command) -> JSONResponse:
        return await tell(writer.submit(command))

    async def tell(decision: Awaitable[Answer]) -> JSONResponse:
        try:
            answer = await decision
        except Unavailable as error:
            answer = problem(503, "unavailable", str(error))
        media = _PROBLEM if answer.status >= 400 else "application/json"
        return JSONResponse(answer.body, answer.status, media_type=media)

    async def reserve(
        request: ReservationRequest,
        idempotency_key: Annotated[str, Header(min_length=1, max_length=255)],
    ) -> JSONResponse:
        """Hold goods for an order. The same Idempotency-Key always gets the first answer again."""
        wanted = reservations.Request(
            request.channel,
            idempotency_key,
            request.site,
            request.ttl_s,
            tuple(reservations.Wanted(line.sku, line.quantity) for line in request.lines),
            request.order_ref,
        )
        return await tell(writer.combine(combiner.reserve_all, wanted))

    async def commit(number: int) -> JSONResponse:
        """Turn a hold into an order that does not expire."""
        return await run(lambda tx: reservations.commit(tx, number))

    async def release(number: int) -> JSONResponse:
        """Give back what was held."""
        return await run(lambda tx: reservations.release(tx, number))

    async def ship(number: int) -> JSONResponse:
        """Record that the order's label is printed and its goods are gone."""
        return await run(lambda tx: reservations.ship(tx, number))

    async def close_alert(alert_id: str) -> JSONResponse:
        """Close an alert that a person has dealt with. It opens again when its cause recurs."""
        return await run(lambda tx: _close_alert(tx, alert_id))

    base = "/v1/reservations"
    return {
        base: reserve,
        base + "/{number}/commit": commit,
        base + "/{number}/release": release,
        base + "/{number}/ship": ship,
        "/v1/alerts/{alert_id}/close": close_alert,
    }


def _close_alert(tx: Transaction, alert_id: str) -> Answer:
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


def _stock_page(reader: Engine, site: str | None, after: str, limit: int) -> dict[str, Any]:
    item, place = schema.item, schema.site
    query = statements.AVAILABLE.order_by(item.c.sku, place.c.code).limit(limit + 1)
    if site is not None:
        query = query.where(place.c.code == site)
    if after:
        sku, code = _open(after, 2)
        query = query.where(tuple_(item.c.sku, place.c.code) > (str(sku), str(code)))
    with reader.begin() as connection:
        rows = connection.execute(query).all()
    more = rows[limit - 1] if len(rows) > limit else None
    return {
        "items": [_availability(row) for row in rows[:limit]],
        "next": more and _seal(more.sku, more.code),
    }


def _stock_of(reader: Engine, sku: str) -> dict[str, Any]:
    item, site = schema.item, schema.site
    stock, location = schema.stock, schema.location
    with reader.begin() as connection:
        found = connection.execute(select(item).where(item.c.sku == sku)).first()
        if found is None:
            raise HTTPException(404, f"there is no item {sku}")
        rows = connection.execute(
            statements.AVAILABLE.where(schema.avail.c.item == found.id).order_by(site.c.code)
        ).all()
        places = connection.execute(
            select(location.c.code, site.c.code.label("site"), stock.c.lot, stock.c.qty)
            .join(location, location.c.id == stock.c.loc)
            .join(site, site.c.id == location.c.site)
            .where(and_(stock.c.item == found.id, stock.c.qty != 0))
            .order_by(site.c.code, location.c.code, stock.c.lot)
        ).all()
    return {
        "sku": found.sku,
        "name": found.name,
        "sites": [_availability(row) for row in rows],
        "locations": [
            {"site": p.site, "location": p.code, "lot": p.lot, "quantity": p.qty} for p in places
        ],
    }


def _availability(row: Any) -> dict[str, Any]:
    return {
        "sku": row.sku,
        "site": row.code,
        "name": row.name,
        "on_hand": row.on_hand,
        "reserved": row.reserved,
        "safety": row.safety,
        "available": row.on_hand - row.reserved - row.safety,
        "version": row.ver,
    }


def _events_page(
    reader: Engine, gateway: str | None, epoch: str | None, after: str, limit: int
) -> dict[str, Any]:
    event, stream = schema.event, schema.stream
    query = (
        select(event, stream.c.site, stream.c.source, stream.c.epoch)
        .join(stream, stream.c.id == event.c.stream)
        .order_by(event.c.id)
        .limit(limit + 1)
    )
    if gateway is not None:
        query = query.where(stream.c.source == gateway)
    if epoch is not None:
        query = query.where(stream.c.epoch == epoch)
    if after:
        query = query.where(event.c.id > int(_open(after, 1)[0]))
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
                "event": json.loads(row.body),
                "entries": posted.get((row.stream, row.seq), []),
            }
            for row in page
        ],
        "next": _seal(page[-1].id) if len(rows) > limit else None,
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


def _seal(*key: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def _open(cursor: str, parts: int) -> list[Any]:
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor))
    except (binascii.Error, ValueError):
        key = None
    if not isinstance(key, list) or len(key) != parts:
        raise HTTPException(400, "`after` must be the `next` of an earlier answer")
    return key


def _explain_errors(app: FastAPI) -> None:
    def respond(status: int, code: str, detail: str) -> JSONResponse:
        return JSONResponse(problem(status, code, detail).body, status, media_type=_PROBLEM)

    @app.exception_handler(HTTPException)
    async def _refused(_request: Request, error: HTTPException) -> JSONResponse:
        codes = {400: "bad_request", 401: "unauthorized", 404: "not_found"}
        return respond(error.status_code, codes.get(error.status_code, "error"), str(error.detail))

    @app.exception_handler(DBAPIError)
    async def _away(_request: Request, error: DBAPIError) -> JSONResponse:
        if not database.is_passing(error):
            raise error
        return respond(503, "unavailable", "the ledger's database does not answer; try again")

    @app.exception_handler(RequestValidationError)
    async def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return respond(422, "invalid_request", f"{where}: {first['msg']}")
