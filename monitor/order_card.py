"""All there is to know about one reservation, as lines. Pure."""

from monitor import figures
from monitor.answers import Reservation, ReservedLine
from monitor.board import Board
from monitor.spans import Line, Span, cell, labelled, printable

_STATES = {
    "held": "held for a while: the shop has not said yet that it is paid",
    "committed": "committed: an order that waits to be shipped",
}


def title(order: Reservation) -> str:
    """Return what names the order."""
    return printable(f"order {order.name}")


def card(board: Board, order: Reservation, now: float, width: int) -> list[Line]:
    """Return the lines about a reservation: its state, then every item with what is there of it."""
    made = "" if order.created is None else f"{figures.age(now - order.created.timestamp())} ago"
    lines = [
        labelled("state", Span(printable(_STATES.get(order.state, order.state)))),
        labelled("for", Span(printable(f"{order.channel} at {order.site}"))),
        labelled("made", Span(made), Span(f"  our number {order.id}", "muted")),
    ]
    if order.state == "held" and order.expires is not None:
        rest = figures.left(order.expires.timestamp() - now)
        lines.append(labelled("time left", Span(rest, "title")))
    return [*lines, [], *(_line(board, order, each, width) for each in order.lines)]


def _line(board: Board, order: Reservation, line: ReservedLine, width: int) -> Line:
    stock = board.stock
    row = stock.row(order.site, line.sku)
    name = "" if row is None else stock.name[row]
    shipped = f", {line.shipped:,} shipped" if line.shipped else ""
    there = "not in the stock shown" if row is None else f"{stock.on_hand[row]:,} on hand"
    short = row is not None and stock.on_hand[row] < stock.reserved[row]
    room = max(8, min(40, width - 50))
    return [
        Span("✖ " if short else "  ", "bad"),
        Span(f"{line.quantity:>6,} ", "title"),
        Span(f"{cell(printable(line.sku), 16)} "),
        Span(f"{cell(printable(name), room)} ", "muted"),
        Span(f"{there}{shipped}", "bad" if short else "muted"),
        Span(", promised more than that" if short else "", "bad"),
    ]
