"""Carries out what was changed in the catalogue, by whomever: a portion a transaction.

What is left to do is in the tables, so a crash between two portions costs nothing.
"""

from sqlalchemy import func, or_, select, update

from central import catalogue, schema, settling
from central.catalogue import LevelRow
from central.levels import apply_level
from central.writer import Transaction


def catch_up(tx: Transaction, done: str) -> str | None:
    """Do one portion; return the catalogue's version once all that it asks for is done.

    `done` is the version that was caught up with before. None means: call again.
    """
    version = tx.books.catalogue.version
    if version == done:
        return done
    if sum_up(tx) or _levels(tx) or settling.apply_waiting(tx):
        return None
    return version


def sum_up(tx: Transaction) -> bool:
    """Let one location sell, or no more, whose kind says so; False when there is none."""
    place, stock = schema.location, schema.stock
    sells = place.c.kind.in_(tx.books.catalogue.sellable_kinds)
    row = tx.connection.execute(
        select(place)
        .where(
            place.c.site.is_not(None),
            or_(sells & (place.c.sellable == 0), ~sells & (place.c.sellable == 1)),
        )
        .limit(1)
    ).first()
    if row is None:
        return False
    tx.books.flush()
    catalogue.bump(tx.connection)  # waits for other processes, which know the old kind
    sellable = 1 - row.sellable
    unchanged = (place.c.id == row.id, place.c.sellable == row.sellable)
    if not tx.connection.execute(
        update(place).where(*unchanged).values(sellable=sellable)
    ).rowcount:
        return True  # another process has done it meanwhile
    tx.books.catalogue.forget()
    tx.books.catalogue.refresh(tx.connection)
    held_there = tx.connection.execute(
        select(stock.c.item, func.sum(stock.c.qty).label("qty"))
        .where(stock.c.loc == row.id)
        .group_by(stock.c.item)
    ).all()
    for each in held_there:
        change = int(each.qty) if sellable else -int(each.qty)
        tx.books.offer(each.item, row.site, change, "location")
    return True


def _levels(tx: Transaction) -> bool:
    """Let one portion of the levels count that were imported; False when all do."""
    level, avail = schema.level, schema.avail
    rows = tx.connection.execute(
        select(level)
        .join(avail, (avail.c.item == level.c.item) & (avail.c.site == level.c.site), isouter=True)
        .where(
            or_(
                avail.c.item.is_(None),
                avail.c.safety != level.c.safety,
                avail.c.low_stock.is_distinct_from(level.c.low_stock),
            )
        )
        .order_by(level.c.item, level.c.site)
        .limit(settling.PORTION)
    ).all()
    for row in rows:
        apply_level(tx.books, LevelRow(row.item, row.site, row.safety, row.low_stock))
    return bool(rows)
