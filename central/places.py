"""Sites and the locations in them, made and changed by hand. Commands for the writer."""

from typing import Any

from sqlalchemy import insert, select, update

from central import catalogue, schema, upkeep
from central.requests import Answer, problem
from central.reservations import ANY_SITE
from central.rules import Outside
from central.writer import Transaction
from wire.topics import RESERVED_SITES

#: Items named when a location cannot be closed because of them.
_NAMED_MAX = 5


def add_site(tx: Transaction, site: str, priority: int) -> Answer:
    """Make a site. A gateway makes its own by its first scan."""
    if site in {*RESERVED_SITES, ANY_SITE}:
        return problem(422, "reserved_name", f"{site!r} has a meaning of its own: use another name")
    if _site(tx, site) is not None:
        return problem(409, "site_exists", f"there is a site {site} already")
    tx.connection.execute(insert(schema.site).values(code=site, priority=priority))
    catalogue.bump(tx.connection)
    return Answer(201, {"site": site, "priority": priority})


def add_location(tx: Transaction, site: str, location: str, kind: str) -> Answer:
    """Make a location at a site that exists."""
    number = _site(tx, site)
    if number is None:
        return problem(404, "no_such_site", f"there is no site {site}: make it first")
    if location in Outside.__members__:
        detail = f"{location} is the name of a place outside the house: use another code"
        return problem(422, "reserved_name", detail)
    if _row(tx, number, location) is not None:
        return problem(409, "location_exists", f"{site} has a location {location} already")
    sellable = int(kind in tx.books.catalogue.sellable_kinds)
    tx.connection.execute(
        insert(schema.location).values(site=number, code=location, kind=kind, sellable=sellable)
    )
    catalogue.bump(tx.connection)
    return Answer(201, shown(site, _row(tx, number, location)))


def change_location(
    tx: Transaction,
    site: str,
    location: str,
    *,
    kind: str | None = None,
    active: bool | None = None,
) -> Answer:
    """Give a location another kind, close it or open it again.

    With the kind, what lies there may become sellable, or no more; that is summed up at once. Only
    an empty location is closed. Then people book nothing there; what is scanned there counts.
    """
    number = _site(tx, site)
    row = _row(tx, number, location) if number is not None else None
    if number is None or row is None:
        return problem(404, "no_such_location", f"there is no location {location} at {site}")
    tx.books.flush()
    if active is False and (lying := _lying(tx, row.id)):
        detail = f"{location} at {site} is not empty: move or count {', '.join(lying)} first"
        return problem(409, "not_empty", detail)
    values = {
        "kind": row.kind if kind is None else kind,
        "active": row.active if active is None else int(active),
    }
    catalogue.bump(tx.connection)
    tx.connection.execute(
        update(schema.location).where(schema.location.c.id == row.id).values(**values)
    )
    while upkeep.sum_up(tx):
        pass  # the next location whose kind says that it sells, or no more
    return Answer(200, shown(site, _row(tx, number, location)))


def shown(site: str, row: Any) -> dict[str, Any]:
    """Return a location as people see it."""
    return {
        "site": site, "location": row.code, "kind": row.kind, "sellable": bool(row.sellable),
        "active": bool(row.active),
    }  # fmt: skip


def _site(tx: Transaction, code: str) -> int | None:
    table = schema.site
    return tx.connection.execute(select(table.c.id).where(table.c.code == code)).scalar()


def _row(tx: Transaction, site: int, code: str) -> Any:
    place = schema.location
    mine = (place.c.site == site, place.c.code == code)
    return tx.connection.execute(select(place).where(*mine)).first()


def _lying(tx: Transaction, location: int) -> list[str]:
    stock, item = schema.stock, schema.item
    rows = tx.connection.execute(
        select(item.c.sku)
        .join(stock, stock.c.item == item.c.id)
        .where(stock.c.loc == location, stock.c.qty != 0)
        .distinct()
        .order_by(item.c.sku)
        .limit(_NAMED_MAX)
    )
    return list(rows.scalars())
