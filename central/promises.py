"""What is promised of a reservation's lines, and what is shipped of them: row by row.

A reservation's row is locked, by changing its state, before its lines are touched; so what is
shipped and what is given back never overlap.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, case, exists, select, update

from central import order_news, schema, statements
from central.books import Books

_reservation, _line, _share = schema.reservation, schema.reservation_line, schema.channel_item
_IS_OPEN = _reservation.c.state.in_(statements.OPEN_STATES)

#: :site, :order, :item -> the open lines that a shipment of that order can be for.
_LINES_OF_ORDER = (
    select(_line.c.res, (_line.c.qty - _line.c.done).label("left"))
    .where(
        # Not a join: an order has few reservations, an item may have many open lines.
        _line.c.res.in_(
            select(_reservation.c.id).where(
                _reservation.c.order_ref == bindparam("order"),
                _reservation.c.site == bindparam("site"),
                _IS_OPEN,
            )
        ),
        _line.c.item == bindparam("item"),
        _line.c.qty > _line.c.done,
    )
    .order_by(_line.c.res)
)

#: An order's row, held until the commit.
_KEEP_COMMITTED = (
    update(_reservation)
    .where(_reservation.c.id == bindparam("r"), _reservation.c.state == "committed")
    .values(state="committed")
)
#: What is shipped without an approval is approved by that.
_APPROVE = (
    update(_reservation)
    .where(_reservation.c.id == bindparam("r"), _reservation.c.state == "held")
    .values(state="committed")
    .returning(*order_news.TOLD)
)
_SHIP = (
    update(_line)
    .where(
        _line.c.res == bindparam("r"),
        _line.c.item == bindparam("i"),
        _line.c.done + bindparam("q") <= _line.c.qty,
    )
    .values(done=_line.c.done + bindparam("q"))
    .returning(_line.c.done)
)

GIVE_BACK_SHARE = (
    update(_share)
    .where(
        _share.c.item == bindparam("i"),
        _share.c.site == bindparam("s"),
        _share.c.channel == bindparam("c"),
    )
    .values(used=_share.c.used - bindparam("q"))
)


def ship_order(
    books: Books, site: int, order: str, item: int, quantity: int
) -> Sequence[tuple[int, int]]:
    """Take a scanned shipment off what was promised to its order; return (reservation, eaches).

    What is beyond the promises is not in it: it is shipped all the same.
    """
    wanted = {"site": site, "order": order, "item": item}
    shipped: list[tuple[int, int]] = []
    for row in books.connection.execute(_LINES_OF_ORDER, wanted).all():
        part = min(quantity, row.left)
        if part and ship_line(books, row.res, item, site, part):
            shipped.append((row.res, part))
            quantity -= part
    return shipped


def ship_line(books: Books, number: int, item: int, site: int, quantity: int) -> bool:
    """Note eaches of a line as shipped; False when that is more than is open, or it is not open.

    A shipped hold is an order; with its last line shipped it is done.
    """
    connection = books.connection
    mine = _reservation.c.id == number
    if not connection.execute(_KEEP_COMMITTED, {"r": number}).rowcount:
        approved = connection.execute(_APPROVE, {"r": number}).first()
        if approved is None:
            return False
        order_news.tell(books, approved)
    row = {"r": number, "i": item, "q": quantity}
    if connection.execute(_SHIP, row).first() is None:
        return False
    books.promise(item, site, -quantity, "ship")
    left = exists().where(_line.c.res == number, _line.c.done < _line.c.qty)
    done = connection.execute(
        update(_reservation).where(mine, ~left).values(state="done").returning(*order_news.TOLD)
    ).first()
    if done is not None:
        order_news.tell(books, done)
    return True


def unship(books: Books, number: int, item: int, quantity: int) -> None:
    """Open a line again whose shipment was taken back; a promise that was released stays so."""
    connection = books.connection
    row = connection.execute(
        update(_reservation)
        .where(_reservation.c.id == number)
        .values(
            state=case((_reservation.c.state == "done", "committed"), else_=_reservation.c.state)
        )
        .returning(_reservation.c.state, _reservation.c.site, _reservation.c.channel)
    ).one()
    capped = connection.execute(
        update(_line)
        .where(_line.c.res == number, _line.c.item == item)
        .values(done=_line.c.done - quantity)
        .returning(_line.c.capped)
    ).scalar_one()
    if row.state in statements.OPEN_STATES:
        books.promise(item, row.site, quantity, "undo")
    elif capped:
        share: dict[str, Any] = {"i": item, "s": row.site, "c": row.channel, "q": quantity}
        connection.execute(GIVE_BACK_SHARE, share)


def give_back(books: Books, numbers: Sequence[int], why: str) -> None:
    """Free what is not shipped of reservations whose state was just turned."""
    if not numbers:
        return
    rows = books.connection.execute(
        select(
            _line.c.item, _line.c.capped, _reservation.c.site, _reservation.c.channel,
            (_line.c.qty - _line.c.done).label("left"),
        )
        .join(_reservation, _reservation.c.id == _line.c.res)
        .where(_line.c.res.in_(numbers), _line.c.done < _line.c.qty)
        .order_by(_line.c.item, _reservation.c.site, _reservation.c.channel)
    ).all()  # fmt: skip
    for row in rows:
        books.promise(row.item, row.site, -row.left, why)
    shares = [
        {"i": row.item, "s": row.site, "c": row.channel, "q": row.left}
        for row in rows
        if row.capped
    ]
    if shares:
        books.flush()  # availability before shares, as everywhere
        statements.write(books.connection, GIVE_BACK_SHARE, shares)
