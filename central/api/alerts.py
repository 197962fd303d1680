"""What a person should look at: alerts, scans that wait, promises without goods."""

from collections.abc import Callable
from operator import itemgetter
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Row, select

from central import alerts, reports, schema
from central.api import answers
from central.api.answers import says
from central.api.door import Door
from central.api.pages import Cursor, Limit, page, unseal
from central.requests import Answer, problem
from central.reservations import rfc3339
from central.tokens import Caller
from central.writer import Transaction
from wire.events import Name

#: They name orders, shops and their addresses in sentences for the people of the house.
_OF_ALL = "alerts and exceptions"


class Acknowledgement(BaseModel):
    """The name of a person."""

    model_config = ConfigDict(extra="forbid")
    by: Name


def routes(door: Door) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/v1", tags=["alerts and exceptions"])
    may_read = [door.access.need("stock:read", of_all=_OF_ALL)]

    @router.get("/alerts", dependencies=may_read, **says(answers.Page[answers.Alert]))
    def list_alerts(
        state: Literal["open", "closed", "any"] = "open",
        kind: Annotated[str | None, Query(description="such as shortage or low_stock")] = None,
        site: str | None = None,
        after: Cursor = "",
        limit: Limit = 100,
    ) -> dict[str, Any]:
        """List alerts, open ones if nothing else is said, in the order in which they opened."""
        table = schema.alert
        query = select(table).order_by(table.c.id).limit(limit + 1)
        if state != "any":
            is_open = table.c.closed_us.is_(None)
            query = query.where(is_open if state == "open" else ~is_open)
        if kind is not None:
            query = query.where(table.c.kind == kind)
        if site is not None:
            query = query.where(table.c.site == site)
        if after:
            query = query.where(table.c.id > unseal(after, int)[0])
        with door.reader.begin() as connection:
            rows = connection.execute(query).all()
        return page(rows, limit, lambda row: (row.id,), _shown)

    @router.get("/exceptions", dependencies=may_read, **says(answers.Page[answers.Exceptional]))
    def exceptions(after: Cursor = "", limit: Limit = 100) -> dict[str, Any]:
        """List the scans that wait for a person, as they arrived.

        Map the barcode (POST /v1/barcodes), complete the scan (/v1/events/{number}/resolve), or say
        that nothing moved (/dismiss).
        """
        begin = unseal(after, int)[0] if after else 0
        with door.reader.begin() as connection:
            rows = reports.held_events(connection, begin, limit + 1)
        return page(rows, limit, lambda row: (row["number"],))

    @router.get("/shortages", **says(answers.Page[answers.Shortage]))
    def shortages(
        caller: Annotated[Caller, door.access.need("stock:read")],
        after: Cursor = "",
        limit: Limit = 100,
    ) -> dict[str, Any]:
        """List what is promised beyond what is there, with the orders that go without.

        A token that is bound to a channel sees no other channel's orders.
        """
        begin = unseal(after, str, str) if after else ["", ""]
        with door.reader.begin() as connection:
            rows = reports.shortages(connection, (begin[0], begin[1]), limit + 1)
        for row in rows if caller.channel else ():
            row["orders"] = [each for each in row["orders"] if each["channel"] == caller.channel]
        return page(rows, limit, itemgetter("sku", "site"))

    _actions(door, router)
    return router


def _actions(door: Door, router: APIRouter) -> None:
    may_act = [door.access.need("adjust", of_all=_OF_ALL)]
    may_read = [door.access.need("stock:read", of_all=_OF_ALL)]

    @router.get("/alerts/{alert_id}", dependencies=may_read, **says(answers.Alert))
    def open_alert(alert_id: str) -> dict[str, Any]:
        """Return one open alert."""
        with door.reader.begin() as connection:
            row = _find(connection, alert_id)
        if row is None:
            raise HTTPException(404, f"there is no open alert {alert_id}")
        return _shown(row)

    @router.post(
        "/alerts/{alert_id}/acknowledge", dependencies=may_act, **says(answers.AlertTurned)
    )
    async def acknowledge_alert(alert_id: str, body: Acknowledgement) -> JSONResponse:
        """Say who takes care of an alert; everybody sees it. It stays open."""

        def acknowledge(tx: Transaction, kind: str, ref: str) -> dict[str, str]:
            tx.books.watch.acknowledge(kind, ref, body.by)
            return {"state": "acknowledged", "by": body.by}

        return await door.do(lambda tx: _with_alert(tx, alert_id, acknowledge))

    @router.post("/alerts/{alert_id}/close", dependencies=may_act, **says(answers.AlertTurned))
    async def close_alert(alert_id: str) -> JSONResponse:
        """Close an alert that a person has dealt with. It opens again when its cause recurs."""

        def close(tx: Transaction, kind: str, ref: str) -> dict[str, str]:
            tx.books.settle(kind, ref)
            return {"state": "closed"}

        return await door.do(lambda tx: _with_alert(tx, alert_id, close))


def _find(connection: Any, alert_id: str) -> Row[Any] | None:
    table = schema.alert
    rows = connection.execute(
        select(table).where(
            table.c.closed_us.is_(None), table.c.kind == alert_id.rpartition("-")[0]
        )
    )
    return next((row for row in rows if alerts.alert_id(row.kind, row.ref) == alert_id), None)


def _with_alert(
    tx: Transaction, alert_id: str, act: Callable[[Transaction, str, str], dict[str, str]]
) -> Answer:
    row = _find(tx.connection, alert_id)
    if row is None:
        return problem(404, "no_such_alert", f"there is no open alert {alert_id}")
    return Answer(200, {"id": alert_id} | act(tx, row.kind, row.ref))


def _shown(row: Row[Any]) -> dict[str, Any]:
    said = alerts.message(row).model_dump(mode="json", exclude={"v"})
    return said | {"closed": row.closed_us and rfc3339(row.closed_us)}
