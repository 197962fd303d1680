"""Judges rows that changed, and opens and closes the alerts about them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from central import lookups, schema, statements
from central.alerts import Alerts, Announcement, Concern
from central.names import Label, Level

StockKey = tuple[int, int, str]  # item, location, lot
_LEVEL_KINDS = ("shortage", "low_stock")
#: Orders that an alert names; `affected` gives all of them.
ORDERS_NAMED_MAX = 20


@dataclass
class Watch:
    """What a person must know of one transaction."""

    connection: Connection
    alerts: Alerts
    now_us: int
    announcements: list[Announcement] = field(default_factory=list)
    _learn: Callable[[], None] = lambda: None

    def raise_alert(self, concern: Concern) -> None:
        """Open an alert, or count it once more."""
        self.announcements.append(self.alerts.open(self.connection, self.now_us, concern))

    def settle(self, kind: str, ref: str) -> None:
        """Close an alert, when it is open."""
        closed = self.alerts.close(self.connection, self.now_us, kind, ref)
        if closed is not None:
            self.announcements.append(closed)

    def acknowledge(self, kind: str, ref: str, who: str) -> None:
        """Note who takes care of an alert, when it is open."""
        told = self.alerts.acknowledge(self.connection, self.now_us, kind, ref, who)
        if told is not None:
            self.announcements.append(told)

    def is_open(self, kind: str, ref: str) -> bool:
        """Return whether there is such an alert."""
        return self.alerts.is_open(self.connection, kind, ref)

    def learn(self, places: Iterable[StockKey], labels: Iterable[Label]) -> None:
        """Ask for the alerts about places and availability; their rows are locked already."""
        self._learn = self.alerts.look(
            self.connection,
            [
                *(("negative_bin", place_ref(*key)) for key in places),
                *((kind, f"{sku}@{site}") for (site, sku), *_ in labels for kind in _LEVEL_KINDS),
            ]
            if self.alerts.shared
            else (),
        )

    def below_zero(self, places: Sequence[StockKey], left: set[StockKey]) -> list[StockKey]:
        """Return the places to judge: below zero, or said to be. `left` are those with less now.

        What was asked with `learn` is known then.
        """
        fewer = sorted(left.intersection(places))
        found = lookups.ask_below_zero(self.connection, fewer)
        self._learn()
        said = self.alerts.known("negative_bin")
        keys = {key for key in places if place_ref(*key) in said} if said else set()
        return sorted(keys.union(found()))

    def places(self, keys: Sequence[StockKey]) -> None:
        """Judge places: nothing can lie below zero."""
        for part in statements.parts(keys):
            for row in self.connection.execute(statements.STOCK_OF, {"keys": part}).all():
                self._place(row)

    def _place(self, row: Row[Any]) -> None:
        ref = place_ref(row.item, row.loc, row.lot)
        if row.qty >= 0:
            self.settle("negative_bin", ref)
        elif not self.is_open("negative_bin", ref):
            self.raise_alert(
                Concern(
                    "negative_bin",
                    ref,
                    "warning",
                    f"{row.sku} is below zero at {row.code}: {row.qty}",
                    "More was taken than was ever put there: count the place.",
                )
            )

    def availability(self, rows: Sequence[Level]) -> None:
        """Judge what can be sold."""
        for row in rows:
            self._promises(row)
            self._level(row)

    def _promises(self, row: Level) -> None:
        ref = _level_ref(row)
        if row.on_hand >= row.reserved:
            self.settle("shortage", ref)
            return
        title = f"{row.sku}: {row.reserved} promised, {row.on_hand} on hand"
        if self.is_open("shortage", ref) and self._title("shortage", ref) == title:
            return
        orders = affected(self.connection, row.item, row.site, row.reserved - row.on_hand)
        named = ", ".join(order["order"] for order in orders[:ORDERS_NAMED_MAX])
        more = len(orders) - ORDERS_NAMED_MAX
        detail = (
            "Count, restock or cancel orders. Promised last, so without goods now: "
            f"{named or 'none'}{f' and {more} more' if more > 0 else ''}."
        )
        self.raise_alert(Concern("shortage", ref, "critical", title, detail, row.code))

    def _level(self, row: Level) -> None:
        ref = _level_ref(row)
        available = row.on_hand - row.reserved - row.safety
        if row.low_stock is None or available > row.low_stock or not row.active:
            self.settle("low_stock", ref)
        elif not self.is_open("low_stock", ref):
            self.raise_alert(
                Concern(
                    "low_stock",
                    ref,
                    "warning",
                    f"{row.sku} is low at {row.code}: {available} available",
                    f"Its level is {row.low_stock}: order more, or change the level.",
                    row.code,
                )
            )

    def expiry(self, sku: str, lot: str, first: str, other: date) -> None:
        """Tell that two labels of one lot disagree."""
        self.raise_alert(
            Concern(
                "lot_expiry",
                f"{sku}:{lot}",
                "warning",
                f"lot {lot} of {sku}: expires {first}, or {other}?",
                f"Labels say both. {first} came first and stands: look at the goods, then set the "
                "date of the lot.",
            )
        )

    def late_count(self, key: tuple[int, int, str]) -> None:
        """Tell that nobody knows whether a movement was before or after a count."""
        ref = place_ref(*key)
        if self.is_open("late_count", ref):
            return
        item, place = schema.item, schema.location
        row = self.connection.execute(
            select(item.c.sku, place.c.code)
            .join(place, place.c.id == key[1])
            .where(item.c.id == key[0])
        ).one()
        self.raise_alert(
            Concern(
                "late_count",
                ref,
                "warning",
                f"the count of {row.sku} at {row.code} may be wrong",
                "A clock that nothing had set decides whether something moved before or after it. "
                "Count the place again.",
            )
        )

    def _title(self, kind: str, ref: str) -> str | None:
        table = schema.alert
        return self.connection.execute(
            select(table.c.title).where(
                table.c.kind == kind, table.c.ref == ref, table.c.closed_us.is_(None)
            )
        ).scalar()


def _level_ref(row: Level) -> str:
    return f"{row.sku}@{row.code}"


def place_ref(item: int, place: int, lot: str) -> str:
    """Return what alerts about one place's row refer to."""
    return f"{item}:{place}:{lot}"


def affected(connection: Connection, item: int, site: int, missing: int) -> list[dict[str, Any]]:
    """Return the orders that `missing` eaches are missing from: who was promised last, first."""
    orders: list[dict[str, Any]] = []
    for row in connection.execute(open_lines(item, site)):
        if missing <= 0:
            break
        orders.append(
            {
                "reservation": row.id,
                "channel": row.channel,
                "order": row.order_ref or f"reservation:{row.id}",
                "missing": min(row.left, missing),
            }
        )
        missing -= row.left
    return orders


def open_lines(item: int, site: int) -> Select[Any]:
    """Return the query of the open promises of an item at a site, newest first."""
    line, table = schema.reservation_line, schema.reservation
    return (
        select(
            table.c.id, table.c.channel, table.c.order_ref, (line.c.qty - line.c.done).label("left")
        )
        .join(table, table.c.id == line.c.res)
        .where(
            line.c.item == item,
            line.c.done < line.c.qty,
            table.c.site == site,
            table.c.state.in_(statements.OPEN_STATES),
        )
        .order_by(line.c.res.desc())
    )
