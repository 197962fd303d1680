"""What is sold, changed by hand: items and the barcodes on them. Commands for the writer."""

from typing import Any

from sqlalchemy import delete, select, update

from central import catalogue, schema
from central.requests import Answer, problem
from central.writer import Transaction


def add_item(tx: Transaction, sku: str, name: str) -> Answer:
    """Add an item, or give a known one another name."""
    if tx.books.catalogue.by_sku(tx.connection, sku) is not None:
        return change_item(tx, sku, name=name)
    catalogue.put_item(tx.connection, sku, name)
    return Answer(200, {"sku": sku, "name": name, "active": True})


def change_item(
    tx: Transaction, sku: str, *, name: str | None = None, active: bool | None = None
) -> Answer:
    """Rename an item, take it off sale or put it back; every channel hears of it.

    Promises that were made stand, and what is scanned is booked: goods do not vanish.
    """
    item = tx.books.catalogue.by_sku(tx.connection, sku)
    if item is None:
        return problem(404, "no_such_item", f"there is no item {sku}")
    wanted: dict[str, Any] = {
        "name": item.name if name is None else name,
        "active": item.active if active is None else int(active),
    }
    if wanted != {"name": item.name, "active": item.active}:
        tx.books.flush()
        catalogue.bump(tx.connection)  # waits for other processes, which know the item as it was
        tx.connection.execute(
            update(schema.item).where(schema.item.c.id == item.id).values(**wanted)
        )
        _look_again(tx)
        _tell_again(tx, item.id)
    return Answer(200, {"sku": sku, "name": wanted["name"], "active": bool(wanted["active"])})


def _look_again(tx: Transaction) -> None:
    tx.books.catalogue.forget()
    tx.books.catalogue.refresh(tx.connection)


def _tell_again(tx: Transaction, item: int) -> None:
    """Announce the item at every site, under a new version: readers drop what is not newer."""
    avail = schema.avail
    order = select(avail.c.site).where(avail.c.item == item).order_by(avail.c.site)
    for site in tx.connection.execute(order.with_for_update()).scalars().all():
        mine = (avail.c.item == item, avail.c.site == site)
        tx.connection.execute(update(avail).where(*mine).values(ver=avail.c.ver + 1))
        tx.books.changed(item, site, "item")


def remove_barcode(tx: Transaction, code: str) -> Answer:
    """Let a barcode stand for nothing. What was scanned stays booked; later scans are held."""
    key = catalogue.barcode_key(code)
    tx.books.flush()
    catalogue.bump(tx.connection)
    gone = tx.connection.execute(delete(schema.barcode).where(schema.barcode.c.code == key))
    if not gone.rowcount:
        return problem(404, "no_such_barcode", f"barcode {code} stands for nothing")
    _look_again(tx)
    return Answer(200, {"code": key, "state": "removed"})
