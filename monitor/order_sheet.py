"""Orders and reservations as a table. Pure."""

from collections.abc import Hashable, Iterable
from typing import Any

from monitor import figures
from monitor.answers import Reservation
from monitor.board import Board
from monitor.listing import Sheet
from monitor.sheet import ALWAYS, Column
from monitor.spans import Span, Tone

#: A hold that ends within this time is worth a look.
_SOON_S = 120.0
_MARKS: dict[str, Span] = {
    "held": Span("◔", "accent"),
    "committed": Span("●", "good"),
    "short": Span("✖", "bad"),
}


class OrderSheet(Sheet[Reservation]):
    """Every open reservation, the newest first."""

    name = "orders"
    urgent_word = "short"
    columns = (
        Column("order", "Order", 14, ALWAYS, widest=32),
        Column("state", "State", 10, 9),
        Column("channel", "Channel", 10, 7, widest=16),
        Column("site", "Site", 8, 4),
        Column("pieces", "Pieces", 7, 8, "number"),
        Column("shipped", "Shipped", 7, 5, "number"),
        Column("skus", "SKUs", 20, 6, widest=48),
        Column("left", "Time left", 9, 8, "number"),
        Column("created", "Age", 5, 3, "moment"),
        Column("id", "Number", 8, 2, "number"),
    )
    first_order = ("created", False)
    extra = frozenset({"id"})

    def __init__(self, board: Board) -> None:
        self._board = board

    def stamp(self) -> int:
        """Return how many lists there were."""
        return self._board.orders.lists

    def items(self) -> Iterable[Reservation]:
        """Return what central listed."""
        return self._board.orders.reservations

    def key(self, item: Reservation) -> Hashable:
        """Return its number."""
        return item.id

    def value(self, item: Reservation, key: str) -> Any:
        """Return a figure or word of a reservation."""
        match key:
            case "order":
                return item.name
            case "pieces":
                return sum(line.quantity for line in item.lines)
            case "shipped":
                return sum(line.shipped for line in item.lines)
            case "skus":
                return ", ".join(line.sku for line in item.lines)
            case "left":
                held = item.state == "held" and item.expires is not None
                return item.expires.timestamp() if held and item.expires else None
            case "created":
                return item.created.timestamp() if item.created else None
            case _:
                return getattr(item, key)

    def text(self, item: Reservation, column: Column, now: float, width: int) -> str:
        """Say what is left of a hold's time."""
        if column.key == "left":
            ends = self.value(item, "left")
            return "" if ends is None else figures.left(ends - now)
        return super().text(item, column, now, width)

    def mark(self, item: Reservation) -> Span:
        """Return its sign."""
        return _MARKS["short"] if self.is_urgent(item) else _MARKS.get(item.state, Span(" "))

    def is_urgent(self, item: Reservation) -> bool:
        """Return whether goods for it are missing: its item is promised more than is there."""
        stock = self._board.stock
        for line in item.lines:
            row = stock.row(item.site, line.sku)
            if row is not None and stock.on_hand[row] < stock.reserved[row]:
                return line.shipped < line.quantity
        return False

    def tone(self, item: Reservation, key: str) -> Tone:
        """Colour the order and its state."""
        del item
        if key == "order":
            return "title"
        return "plain" if key in {"pieces", "state", "left"} else "muted"
