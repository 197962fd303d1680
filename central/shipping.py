"""Ships what was promised: goods and promise leave together, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select

from central import promises, schema, statements
from central.records import record
from central.requests import Answer, problem
from central.reservations import find, state_of, unknown
from central.rules import Outside
from central.writer import Transaction


@dataclass(frozen=True, slots=True)
class Parcel:
    """Eaches of one SKU that leave. Without a location they are taken from where most lies."""

    sku: str
    quantity: int
    location: str | None = None
    lot: str | None = None


def ship(tx: Transaction, number: int, parcels: Sequence[Parcel] = ()) -> Answer:
    """Post an order as shipped; without `parcels` all that is left of it.

    A retry of a partial shipment must be caught before (requests.once): it looks like another one.
    """
    row = find(tx, number, alone=True)
    if row is None:
        return unknown(number)
    if row.state == "done" and not parcels:
        return state_of(row)
    if row.state not in statements.OPEN_STATES:
        return problem(409, "not_shippable", f"reservation {number} is {row.state}")
    lines = _open_lines(tx, number)
    wrong = _beyond(lines, parcels)
    if wrong:
        detail = "more than is left to ship; what was not promised is shipped as an adjustment"
        return problem(409, "not_promised", detail, lines=wrong)
    site = _site_code(tx, row.site)
    absent = [
        p.location for p in parcels if p.location and _place(tx, row.site, p.location) is None
    ]
    if absent:
        return problem(404, "no_such_location", f"there is no location {absent[0]} at {site}")
    everything = [Parcel(line.sku, line.left) for line in lines.values()]
    tx.books.counts.prepare(line.item for line in lines.values())
    for parcel in parcels or everything:
        _ship(tx, row, site, lines[parcel.sku], parcel)
    shipped = find(tx, number)
    assert shipped is not None
    return state_of(shipped, changed=True)


def ship_unpromised(
    tx: Transaction, client: str, site: str, order: str, parcels: Sequence[Parcel]
) -> None:
    """Post goods of an order that left without a promise: a fact, below zero if it must be.

    The SKUs are known, and the site exists.
    """
    number = tx.books.catalogue.site(tx.connection, site)
    found = tx.books.catalogue.find(tx.connection, [f"sku:{parcel.sku}" for parcel in parcels])
    tx.books.counts.prepare(item.id for item in found.values())
    for parcel in parcels:
        _post(tx, client, site, number, order, found[f"sku:{parcel.sku}"].id, parcel)


def _open_lines(tx: Transaction, number: int) -> dict[str, Any]:
    line, item = schema.reservation_line, schema.item
    rows = tx.connection.execute(
        select(line.c.item, item.c.sku, (line.c.qty - line.c.done).label("left"))
        .join(item, item.c.id == line.c.item)
        .where(line.c.res == number, line.c.done < line.c.qty)
        .order_by(line.c.item)
    )
    return {row.sku: row for row in rows}


def _beyond(lines: dict[str, Any], parcels: Sequence[Parcel]) -> list[dict[str, Any]]:
    wanted: dict[str, int] = {}
    for parcel in parcels:
        wanted[parcel.sku] = wanted.get(parcel.sku, 0) + parcel.quantity
    left = {sku: lines[sku].left if sku in lines else 0 for sku in wanted}
    return [
        {"sku": sku, "requested": quantity, "left": left[sku]}
        for sku, quantity in sorted(wanted.items())
        if quantity > left[sku]
    ]


def _ship(tx: Transaction, row: Row[Any], site: str, line: Any, parcel: Parcel) -> None:
    order = row.order_ref or f"reservation:{row.id}"
    _post(tx, row.channel, site, row.site, order, line.item, parcel, res=row.id)
    shipped = promises.ship_line(tx.books, row.id, line.item, row.site, parcel.quantity)
    assert shipped, "its row was found open in this transaction, and is locked"


def _post(
    tx: Transaction, client: str, site: str, number: int, order: str, item: int, parcel: Parcel,
    *, res: int | None = None,
) -> None:  # fmt: skip
    """Write the event of a parcel, and take its goods from where they lie."""
    posting = record(
        tx, client, site, "ship", parcel.sku, parcel.quantity,
        lot=parcel.lot, location=parcel.location, document=order,
    )  # fmt: skip
    customer = tx.books.catalogue.place(tx.connection, number, Outside.CUSTOMER)
    for place, lot, quantity in _pick(tx, number, item, parcel):
        ends = (place, customer)
        tx.books.post(posting.cause, item, lot, ends, quantity, "ship", res=res)


def _pick(tx: Transaction, site: int, item: int, parcel: Parcel) -> list[tuple[int, str, int]]:
    """Return (location, lot, quantity) to take: the fullest bin first, then the docks.

    The label is printed and the goods are gone: what no place has is taken from the first one below
    zero, which opens an alert, rather than refused.
    """
    tx.books.flush()
    stock, place = schema.stock, schema.location
    query = (
        select(stock.c.loc, stock.c.lot, stock.c.qty)
        .join(place, place.c.id == stock.c.loc)
        .where(stock.c.item == item, place.c.site == site)
        .order_by(place.c.kind != "bin", stock.c.qty.desc(), stock.c.loc, stock.c.lot)
    )
    if parcel.location is None:
        query = query.where(place.c.sellable == 1)
    else:
        query = query.where(place.c.code == parcel.location)
    if parcel.lot is not None:
        query = query.where(stock.c.lot == parcel.lot)
    rows = tx.connection.execute(query).all()
    left = parcel.quantity
    taken: list[tuple[int, str, int]] = []
    for row in rows:
        if left and row.qty > 0:
            taken.append((row.loc, row.lot, min(left, row.qty)))
            left -= taken[-1][2]
    if left:
        first = (rows[0].loc, rows[0].lot) if rows else _nowhere(tx, site, parcel)
        taken.append((*first, left))
    return taken


def _nowhere(tx: Transaction, site: int, parcel: Parcel) -> tuple[int, str]:
    """Return a place for goods that the ledger never saw at this site."""
    place = _place(tx, site, parcel.location)
    if place is None:
        place = tx.books.catalogue.place(tx.connection, site, "DOCK")
    return place, parcel.lot or ""


def _place(tx: Transaction, site: int, code: str | None) -> int | None:
    """Return the location of that code; without one, any that sells."""
    place = schema.location
    query = select(place.c.id).where(place.c.site == site).order_by(place.c.id).limit(1)
    mine = place.c.sellable == 1 if code is None else place.c.code == code
    return tx.connection.execute(query.where(mine)).scalar()


def _site_code(tx: Transaction, number: int) -> str:
    site = schema.site
    return str(tx.connection.execute(select(site.c.code).where(site.c.id == number)).scalar_one())
