"""What a shop says about an order, in the shop's own words: its reference.

An order may have several reservations, one for each site: all that are open are meant.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, select

from central import reservations, schema, shipping, statements
from central.requests import Answer, problem
from central.writer import Transaction


def approved(tx: Transaction, channel: str, order_ref: str) -> Answer:
    """Commit what was held for an order."""
    return _each(tx, channel, order_ref, reservations.commit)


def cancelled(tx: Transaction, channel: str, order_ref: str) -> Answer:
    """Release what is not shipped of an order."""
    return _each(tx, channel, order_ref, reservations.release)


def label_created(tx: Transaction, channel: str, order_ref: str) -> Answer:
    """Ship all that is left of an order."""
    return _each(tx, channel, order_ref, shipping.ship)


def reservations_of(tx: Transaction, channel: str, order_ref: str) -> list[Row[Any]]:
    """Return what was granted for an order, newest first."""
    table = schema.reservation
    return list(
        tx.connection.execute(
            select(table)
            .where(
                table.c.order_ref == order_ref,
                table.c.channel == channel,
                table.c.state != "rejected",
            )
            .order_by(table.c.id.desc())
        ).all()
    )


def _each(
    tx: Transaction, channel: str, order_ref: str, act: Callable[[Transaction, int], Answer]
) -> Answer:
    """Act on every open reservation of an order; with none open, the newest says why not."""
    known = reservations_of(tx, channel, order_ref)
    if not known:
        return problem(404, "no_such_order", f"nothing was granted to {channel} for {order_ref}")
    meant = [row for row in known if row.state in statements.OPEN_STATES] or known[:1]
    answers = [act(tx, row.id) for row in meant]
    worst = max(answers, key=lambda answer: answer.status)
    return replace(worst, body={**worst.body, "reservations": [row.id for row in meant]})
