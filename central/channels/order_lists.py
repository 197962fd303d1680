"""Orders of shops, as people and programs look at them."""

import json
from typing import Any

from sqlalchemy import Connection, func, select

from central import reservations, shop_schema

_order, _step, _missing = shop_schema.shop_order, shop_schema.order_step, shop_schema.order_missing


def orders(
    connection: Connection, channel: str | None, below: int | None, limit: int, *, waiting: bool
) -> list[dict[str, Any]]:
    """Return orders, the newest first, of one channel or all, numbered below `below`."""
    query = select(_order).order_by(_order.c.id.desc()).limit(limit)
    if waiting:
        query = query.where(_order.c.waits == 1)
    if channel is not None:
        query = query.where(_order.c.channel == channel)
    if below is not None:
        query = query.where(_order.c.id < below)
    rows = connection.execute(query).all()
    numbers = [row.id for row in rows]
    steps: dict[int, list[dict[str, Any]]] = {number: [] for number in numbers}
    missing: dict[int, list[dict[str, Any]]] = {number: [] for number in numbers}
    said = select(_step).where(_step.c.shop_order.in_(numbers)).order_by(_step.c.id)
    for row in connection.execute(said):
        steps[row.shop_order].append(
            {
                "step": row.step,
                "state": row.state,
                "lines": [{"sku": s, "quantity": n} for s, n in json.loads(row.lines).items()],
                "received": reservations.rfc3339(row.received_us),
            }
        )
    lacks = select(_missing).where(_missing.c.shop_order.in_(numbers)).order_by(_missing.c.sku)
    for row in connection.execute(lacks):
        missing[row.shop_order].append({"sku": row.sku, "quantity": row.qty, "lacks": row.need})
    return [
        {
            "id": row.id,
            "channel": row.channel,
            "order": row.ref,
            "label": row.label,
            "state": "waiting" if row.waits else "done",
            "detail": row.why,
            "missing": missing[row.id],
            "steps": steps[row.id],
            "created": reservations.rfc3339(row.created_us),
        }
        for row in rows
    ]


def channel_of(connection: Connection, number: int) -> str | None:
    """Return the channel of an order, None when there is no such order."""
    return connection.execute(select(_order.c.channel).where(_order.c.id == number)).scalar()


def count_waiting(connection: Connection) -> dict[str, int]:
    """Return how many orders of each channel wait."""
    query = select(_order.c.channel, func.count()).where(_order.c.waits == 1)
    return {row[0]: row[1] for row in connection.execute(query.group_by(_order.c.channel))}
