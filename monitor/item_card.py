"""All there is to know about one item at one site, as lines. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from monitor import figures
from monitor.answers import SNAPSHOT, Events, ItemStock, Problem, Recorded
from monitor.board import Board
from monitor.scan_lines import scan_line
from monitor.spans import Line, Span, cell, folded, labelled, printable, wrapped
from monitor.stock import Stock

_LABEL_WIDTH = 11
_LEVEL = {"": Span(""), "low": Span("  ! low", "warn"), "out": Span("  ✖ none left", "bad")}
_BESIDE_BARS = 30
_ORDERS_SHOWN = 12
_EVENT_INDENT = 6


@dataclass(slots=True)
class Facts:
    """What central said about an item when it was asked; None until it answers."""

    places: ItemStock | Problem | None = None
    events: Events | Problem | None = None


def title(stock: Stock, row: int) -> str:
    """Return what names the item."""
    return printable(f"{stock.sku[row]} {stock.name[row]} @ {stock.site[row]}")


def card(board: Board, stock: Stock, row: int, now: float, width: int, height: int) -> list[Line]:
    """Return the lines about a row, at most `height`: figures first, then its latest scans."""
    lines = [*figures_of(board, stock, row, now, width), []]
    lines += _scans(board, stock, row, now, height - len(lines))
    return lines[:height]


def full(board: Board, stock: Stock, row: int, facts: Facts, now: float, width: int) -> list[Line]:
    """Return everything: figures, where it lies, who is promised how much, what happened to it."""
    site, sku = stock.site[row], stock.sku[row]
    lines = figures_of(board, stock, row, now, width)
    scans = iter(_scans(board, stock, row, now, 10))
    if isinstance(facts.places, Problem) and facts.places == facts.events:
        heading = "Where it lies, who is promised how much, what happened"
        lines += _headed(heading, _missing(facts.places, width))
        return [*lines, *_headed("Seen live", scans)]
    return [
        *lines,
        *_headed("Where it lies", _places(facts.places, site, width)),
        *_headed("Promised to", _promises(board, site, sku, now, width)),
        *_headed("What happened", _history(facts.events, sku, site, now, width)),
        *_headed("Seen live", scans),
    ]


def figures_of(board: Board, stock: Stock, row: int, now: float, width: int) -> list[Line]:
    """Return the figures of a row and how the available ones moved."""
    live = board.row_is_live(row)
    promised = stock.reserved[row]
    held = f"{promised:,} reserved, {stock.safety[row]:,} safety"
    as_of, cause = stock.as_of[row], stock.cause[row]
    return [
        _labelled(
            "available", Span(f"{stock.available[row]:,}", "title"), _LEVEL[stock.level(row)]
        ),
        _labelled("on hand", Span(f"{stock.on_hand[row]:,}")),
        _labelled("held back", Span(held)),
        _labelled(
            "as of",
            Span(f"{figures.clock(as_of)}, {figures.age(now - as_of)} ago"),
            Span("") if live else Span("  ◌ not live", "warn"),
        ),
        _labelled(
            "version",
            Span(f"{stock.version[row]:,}"),
            Span("" if cause == SNAPSHOT else f"  by {printable(cause)}", "muted"),
        ),
        _moved(stock, row, now, width - _LABEL_WIDTH),
    ]


def _scans(board: Board, stock: Stock, row: int, now: float, room: int) -> list[Line]:
    if room <= 0:
        return []
    scans = board.scans_of(stock.site[row], stock.sku[row], room)
    return [scan_line(scan, now, short=True) for scan in scans] or [
        [Span("no scan of it seen yet", "muted")]
    ]


def _moved(stock: Stock, row: int, now: float, width: int) -> Line:
    trails = stock.trails
    if row not in trails:
        return _labelled("moved", Span("no change seen yet", "muted"))
    low, high = trails.span(row)
    words = f" {low:,} to {high:,} in {figures.coarse_age(now - trails.since(row))}"
    wide = max(4, min(_BESIDE_BARS, width - len(words)))
    bars = figures.sparkline(trails.drawn(row, now, wide))
    return _labelled("moved", Span(bars, "accent"), Span(words, "muted"))


def _headed(heading: str, lines: Iterator[Line]) -> Iterator[Line]:
    yield []
    yield [Span(heading, "accent")]
    yield from lines


def _places(places: ItemStock | Problem | None, site: str, width: int) -> Iterator[Line]:
    if not isinstance(places, ItemStock):
        yield from _missing(places, width)
        return
    here = [place for place in places.locations if place.site == site]
    for place in here:
        lot = f"lot {place.lot}" if place.lot else ""
        bad = place.quantity < 0
        yield [
            Span(
                f"{place.quantity:>9,}{' ✖ below zero' if bad else ''}", "bad" if bad else "plain"
            ),
            Span(f"  {cell(printable(place.location), 20)}"),
            Span(printable(lot), "muted"),
        ]
    if not here:
        yield [Span("nowhere", "muted")]


def _promises(board: Board, site: str, sku: str, now: float, width: int) -> Iterator[Line]:
    orders = board.orders
    if orders.problem:
        yield from _missing(Problem(orders.problem), width)
    if orders.at is None:
        if not orders.problem:
            yield from _missing(None, width)
        return
    found = orders.of(site, sku)
    for order, held in found[:_ORDERS_SHOWN]:
        ends = order.expires if order.state == "held" else None
        left = f"  {figures.left(ends.timestamp() - now)} left" if ends else ""
        yield [
            Span(f"{held:>9,}"),
            Span(f"  {cell(printable(order.name), 20)}", "title"),
            Span(f"{printable(order.channel)} {printable(order.state)}{left}", "muted"),
        ]
    if len(found) > _ORDERS_SHOWN:
        yield [Span(f"and {len(found) - _ORDERS_SHOWN} more orders", "muted")]
    if not found:
        yield [Span("nobody", "muted")]


def _history(
    events: Events | Problem | None, sku: str, site: str, now: float, width: int
) -> Iterator[Line]:
    if not isinstance(events, Events):
        yield from _missing(events, width)
        return
    here = [each for each in events.items if each.site == site]
    for each in here:
        yield from folded(_event(each, sku, now), width, _EVENT_INDENT)
    if not here:
        yield [Span("nothing is recorded", "muted")]


def _event(each: Recorded, sku: str, now: float) -> Line:
    said = each.event
    mine = [entry for entry in each.entries if entry.sku == sku]
    way = f"{mine[0].origin}→{mine[0].target}" if mine else ""
    lots = ", ".join(sorted({f"lot {entry.lot}" for entry in mine if entry.lot}))
    pieces = sum(entry.quantity for entry in mine)
    count = f"{pieces:,}" if mine else each.status
    who = " ".join(filter(None, (said.operator and f"by {said.operator}", said.document)))
    why = " ".join(filter(None, (said.reason, said.note)))
    return [
        Span(f"{figures.moment(said.event_time, now)} ", "muted"),
        Span(f"{cell(printable(each.kind), 9)}{count:>7} "),
        Span(f"{cell(printable(way), 20)} "),
        Span(f"{printable(each.scanner)}@{printable(each.gateway)} ", "muted"),
        Span(printable(" ".join(filter(None, (lots, who))))),
        Span(f" {printable(why)}" if why else "", "muted"),
    ]


def _missing(why: Problem | None, width: int) -> Iterator[Line]:
    if why is None:
        yield [Span("asking central ...", "muted")]
    else:
        yield from wrapped(why.sentence, width, "warn")


def _labelled(label: str, *spans: Span) -> Line:
    return labelled(label, *spans, width=_LABEL_WIDTH)
