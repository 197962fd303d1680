"""Reading what was promised: reservations with their lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, bindparam, select

from central import reservations, schema, statements
from central.api.pages import seal, unseal
from central.requests import Answer
from central.tokens import Caller
from central.writer import Transaction

_reservation, _site = schema.reservation, schema.site
_CHANNEL = select(_reservation.c.channel).where(_reservation.c.id == bindparam("number"))
_WITH_SITE = select(_reservation, _site.c.code).join(_site, _site.c.id == _reservation.c.site)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which reservations; None means any. `state` open is held or committed."""

    state: str | None = None
    channel: str | None = None
    site: str | None = None
    order_ref: str | None = None


def page(reader: Engine, wanted: Filter, after: str, limit: int) -> dict[str, Any]:
    """Return a page of reservations, the newest first."""
    query = _WITH_SITE.order_by(_reservation.c.id.desc()).limit(limit + 1)
    if wanted.state is not None:
        states = statements.OPEN_STATES if wanted.state == "open" else (wanted.state,)
        query = query.where(_reservation.c.state.in_(states))
    for column, value in (
        (_reservation.c.channel, wanted.channel),
        (_site.c.code, wanted.site),
        (_reservation.c.order_ref, wanted.order_ref),
    ):
        if value is not None:
            query = query.where(column == value)
    if after:
        query = query.where(_reservation.c.id < unseal(after, int)[0])
    with reader.begin() as connection:
        rows = connection.execute(query).all()
        items = _shown(connection, rows[:limit])
    return {"items": items, "next": seal(rows[limit - 1].id) if len(rows) > limit else None}


def one(connection: Connection, number: int, channel: str | None) -> dict[str, Any] | None:
    """Return a reservation; None when there is none, or it is of another channel."""
    row = connection.execute(_WITH_SITE.where(_reservation.c.id == number)).first()
    if row is None or channel not in (None, row.channel):
        return None
    return _shown(connection, [row])[0]


def foreign(tx: Transaction, number: int, caller: Caller) -> Answer | None:
    """Return a refusal when the reservation belongs to a channel that is not the caller's."""
    if caller.channel is None:
        return None
    channel = tx.connection.execute(_CHANNEL, {"number": number}).scalar()
    return None if channel == caller.channel else reservations.unknown(number)


def _shown(connection: Connection, rows: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    lines = _lines(connection, [row.id for row in rows])
    return [
        {
            "id": row.id,
            "state": row.state,
            "channel": row.channel,
            "site": row.code,
            "order_ref": row.order_ref,
            "created": reservations.rfc3339(row.created_us),
            "expires": reservations.rfc3339(row.expires_us) if row.state == "held" else None,
            "lines": lines.get(row.id, []),
        }
        for row in rows
    ]


def _lines(connection: Connection, numbers: list[int]) -> dict[int, list[dict[str, Any]]]:
    line, item = schema.reservation_line, schema.item
    found: dict[int, list[dict[str, Any]]] = {}
    for part in statements.parts(numbers):
        for row in connection.execute(
            select(line.c.res, line.c.qty, line.c.done, item.c.sku)
            .join(item, item.c.id == line.c.item)
            .where(line.c.res.in_(part))
            .order_by(item.c.sku)
        ):
            told = {"sku": row.sku, "quantity": row.qty, "shipped": row.done}
            found.setdefault(row.res, []).append(told)
    return found
