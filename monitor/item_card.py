"""All there is to know about one item at one site, as lines. Pure."""

from monitor import figures
from monitor.board import Board
from monitor.scan_lines import scan_line
from monitor.spans import Line, Span, printable
from monitor.stock import Stock

_LABEL_WIDTH = 11
_LEVEL = {"": Span(""), "low": Span("  ! low", "warn"), "out": Span("  ✖ none left", "bad")}


def card(board: Board, stock: Stock, row: int, now: float, width: int, height: int) -> list[Line]:
    """Return the lines about a row, at most `height`: figures first, then its latest scans."""
    live = board.row_is_live(row)
    lines = [
        _labelled(
            "available", Span(f"{stock.available[row]:,}", "title"), _LEVEL[stock.level(row)]
        ),
        _labelled("on hand", Span(f"{stock.on_hand[row]:,}")),
        _labelled(
            "held back",
            Span(f"{stock.reserved[row]:,} reserved, {stock.safety[row]:,} safety"),
        ),
        _labelled(
            "as of",
            Span(f"{figures.clock(stock.as_of[row])}, {figures.age(now - stock.as_of[row])} ago"),
            Span("") if live else Span("  ◌ not live", "warn"),
        ),
        _labelled(
            "version",
            Span(f"{stock.version[row]:,}"),
            Span(f"  by {printable(stock.cause[row])}", "muted"),
        ),
        _history(stock, row, now, width - _LABEL_WIDTH),
        [],
    ]
    room = height - len(lines)
    if room > 0:
        scans = board.scans_of(stock.site[row], stock.sku[row], room)
        lines += [scan_line(scan, now, short=True) for scan in scans] or [
            [Span("no scan of it seen yet", "muted")]
        ]
    return lines[:height]


def title(stock: Stock, row: int) -> str:
    """Return what names the item."""
    return printable(f"{stock.sku[row]} {stock.name[row]} @ {stock.site[row]}")


def _history(stock: Stock, row: int, now: float, width: int) -> Line:
    trail = stock.trails.get(row)
    if trail is None:
        return _labelled("moved", Span("no change seen yet", "muted"))
    low, high = trail.range
    words = f" {low:,} to {high:,} in {figures.coarse_age(now - trail.since)}"
    bars = figures.sparkline(trail.drawn(now, max(4, min(24, width - len(words)))))
    return _labelled("moved", Span(bars, "accent"), Span(words, "muted"))


def _labelled(label: str, *spans: Span) -> Line:
    return [Span(f"{label:<{_LABEL_WIDTH}}", "muted"), *spans]
