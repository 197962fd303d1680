"""What is stored of a shop's order: what was said of it, what is promised, what it waits for."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from central import database, schema, shop_schema
from central.channels.order_events import OrderEvent
from central.channels.order_plan import Promise, Step
from central.writer import Transaction

_order, _step, _missing = shop_schema.shop_order, shop_schema.order_step, shop_schema.order_missing


@dataclass
class Wait:
    """Why an order waits: SKUs nobody knows, SKUs of which there are too few, other reasons."""

    unknown: dict[str, int] = field(default_factory=dict)
    short: dict[str, int] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.unknown or self.short or self.reasons)


def hold(tx: Transaction, channel: str, event: OrderEvent) -> Row[Any]:
    """Return the row of the order, made when it is new; nobody else settles it until the commit."""
    tx.connection.execute(
        database.insert_or_ignore(tx.connection, _order),
        {
            "channel": channel, "ref": event.order_ref, "label": event.label or event.order_ref,
            "waits": 0, "why": "", "tried_us": 0, "created_us": tx.now_us,
        },
    )  # fmt: skip
    mine = (_order.c.channel == channel, _order.c.ref == event.order_ref)
    row = tx.connection.execute(select(_order).where(*mine).with_for_update()).one()
    if row.label == row.ref and event.label not in ("", row.label):
        tx.connection.execute(update(_order).where(*mine).values(label=event.label))
        return tx.connection.execute(select(_order).where(*mine)).one()
    return row


def find(tx: Transaction, number: int) -> Row[Any] | None:
    """Return the row of an order by its number; nobody else settles it until the commit."""
    return tx.connection.execute(
        select(_order).where(_order.c.id == number).with_for_update()
    ).first()


def add_step(tx: Transaction, order: Row[Any], event: OrderEvent) -> Row[Any] | None:
    """Keep what was said; return the row that is there when it was said before."""
    new = tx.connection.execute(
        database.insert_or_ignore(tx.connection, _step).returning(_step.c.id),
        {
            "channel": order.channel, "delivery": event.id, "shop_order": order.id,
            "step": event.step, "lines": json.dumps(dict(event.lines)), "whole": int(event.whole),
            "at_us": event.at_us, "state": "waiting", "took": "{}", "received_us": tx.now_us,
        },
    ).first()  # fmt: skip
    if new is not None:
        return None
    same = (_step.c.channel == order.channel, _step.c.delivery == event.id)
    return tx.connection.execute(select(_step).where(*same)).one()


def is_waiting(tx: Transaction, order: Row[Any], event: OrderEvent) -> bool:
    """Return whether something of what was said is still to be done."""
    same = (_step.c.channel == order.channel, _step.c.delivery == event.id)
    return tx.connection.execute(select(_step.c.state).where(*same)).scalar() == "waiting"


def is_the_same(row: Row[Any], order: Row[Any], event: OrderEvent) -> bool:
    """Return whether a row of add_step says what the event says."""
    said = (row.shop_order, row.step, json.loads(row.lines))
    return bool(said == (order.id, event.step, dict(event.lines)))


def steps_of(connection: Connection, order: int) -> list[Step]:
    """Return what was said of an order, in the order of arrival."""
    rows = connection.execute(select(_step).where(_step.c.shop_order == order).order_by(_step.c.id))
    return [
        Step(
            row.id, row.step, json.loads(row.lines), bool(row.whole), row.at_us, row.state,
            json.loads(row.took),
        )
        for row in rows
    ]  # fmt: skip


def promises_of(tx: Transaction, order: Row[Any]) -> list[Promise]:
    """Return what was ever promised to an order, the oldest first; it stays so until the commit."""
    table = schema.reservation
    rows = tx.connection.execute(
        select(table.c.id, table.c.state)
        .where(
            table.c.order_ref == order.ref,
            table.c.channel == order.channel,
            table.c.state != "rejected",
        )
        .order_by(table.c.id)
        .with_for_update()
    ).all()
    lines: dict[int, dict[str, tuple[int, int]]] = {row.id: {} for row in rows}
    line, item = schema.reservation_line, schema.item
    for row in tx.connection.execute(
        select(line.c.res, item.c.sku, line.c.qty, line.c.done)
        .join(item, item.c.id == line.c.item)
        .where(line.c.res.in_(lines))
        .order_by(line.c.res, item.c.sku)
    ):
        lines[row.res][row.sku] = (row.qty, row.done)
    return [Promise(row.id, row.state, lines[row.id]) for row in rows]


def take(tx: Transaction, step: Step, moved: Mapping[str, int]) -> None:
    """Note what a step has moved without a promise, in all."""
    took = json.dumps(dict(sorted(moved.items())))
    tx.connection.execute(update(_step).where(_step.c.id == step.number).values(took=took))


def end(tx: Transaction, steps: Sequence[Step], state: str = "done") -> None:
    """Note that nothing is left to do for some steps."""
    numbers = [step.number for step in steps]
    if numbers:
        tx.connection.execute(update(_step).where(_step.c.id.in_(numbers)).values(state=state))


def write_wait(tx: Transaction, order: Row[Any], site: str, wait: Wait, why: str) -> None:
    """Note what an order waits for by now, which may be nothing."""
    tx.connection.execute(
        update(_order)
        .where(_order.c.id == order.id)
        .values(waits=int(bool(wait)), why=why, tried_us=tx.now_us)
    )
    tx.connection.execute(delete(_missing).where(_missing.c.shop_order == order.id))
    rows = [
        {"shop_order": order.id, "sku": sku, "need": need, "site": site, "qty": quantity}
        for need, lines in (("item", wait.unknown), ("stock", wait.short))
        for sku, quantity in sorted(lines.items())
    ]
    if rows:
        tx.connection.execute(insert(_missing), rows)


def hopeful(tx: Transaction, channels: Sequence[str], before_us: int, most: int) -> list[int]:
    """Return orders that wait and may go on: there is some of what they lack, or it is long ago.

    Long ago is before `before_us`; who was tried longest ago comes first.
    """
    tx.books.flush()
    item, site, avail, share = schema.item, schema.site, schema.avail, schema.channel_item
    left = avail.c.on_hand - avail.c.reserved - avail.c.safety
    for_channel = left - func.coalesce(share.c.buffer, 0) + func.coalesce(share.c.oversell, 0)
    has_room = share.c.cap.is_(None) | (share.c.used < share.c.cap)
    asked = _order.alias()
    some = (
        select(_missing.c.shop_order)
        .join(asked, asked.c.id == _missing.c.shop_order)
        .join(item, item.c.sku == _missing.c.sku)
        .outerjoin(site, site.c.code == _missing.c.site)
        .outerjoin(avail, (avail.c.item == item.c.id) & (avail.c.site == site.c.id))
        .outerjoin(
            share,
            (share.c.item == item.c.id)
            & (share.c.site == site.c.id)
            & (share.c.channel == asked.c.channel),
        )
        .where((_missing.c.need == "item") | ((for_channel > 0) & has_room & (item.c.active == 1)))
    )
    waiting = (_order.c.waits == 1, _order.c.channel.in_(channels))
    query = select(_order.c.id).where(*waiting)
    soon = query.where(_order.c.id.in_(some)).order_by(_order.c.tried_us).limit(most)
    found = list(tx.connection.execute(soon).scalars())
    if len(found) < most:
        late = query.where(_order.c.tried_us < before_us, _order.c.id.not_in(found))
        late = late.order_by(_order.c.tried_us).limit(most - len(found))
        found += tx.connection.execute(late).scalars()
    return sorted(found)


def prune(connection: Connection, before_us: int, most: int) -> int:
    """Forget orders of which all was done before a moment; return how many."""
    alive = (_step.c.state == "waiting") | (_step.c.received_us >= before_us)
    old = (
        select(_step.c.shop_order)
        .where(_step.c.state != "waiting", _step.c.received_us < before_us)
        .where(_step.c.shop_order.not_in(select(_step.c.shop_order).where(alive)))
        .distinct()
        .limit(most)
    )
    numbers = list(connection.execute(old).scalars())
    if numbers:
        for column in (_missing.c.shop_order, _step.c.shop_order, _order.c.id):
            connection.execute(delete(column.table).where(column.in_(numbers)))
    return len(numbers)
