"""The first line of the screen, as much of it as fits, and the sentence below when all is not well.

Link, central and the age of the data are told apart and never left out. Pure.
"""

from typing import NamedTuple

from monitor import figures
from monitor.board import Board, Trust
from monitor.dock_health import docks_in_trouble
from monitor.spans import Line, Span, Tone, cells, fit, printable

_TRUST: dict[Trust, Span] = {
    "live": Span("● LIVE", "good"),
    "stored": Span("◌ STORED", "warn"),
    "stopped": Span("▲ STOPPED", "warn"),
    "lost": Span("✖ NOT LIVE", "bad"),
}
_BETWEEN = Span(" │ ", "muted")
_SECONDS_CALM = 10.0
#: The words about a message nobody understood stay this long; its count stays.
MALFORMED_SHOWN_S = 30.0


class Showing(NamedTuple):
    """What is shown just now: rows of stock after the filter, updates that a pause holds back.

    `replay` says how a replay goes; empty when this is no replay.
    """

    rows: int
    paused: bool = False
    waiting: int = 0
    replay: str = ""


class _Piece(NamedTuple):
    long: Line
    short: Line
    droppable: bool = True


def headline(board: Board, showing: Showing, now: float, width: int) -> Line:
    """Return the status line in at most `width` cells; the least important pieces give way."""
    pieces = _pieces(board, showing, now)
    lines = [piece.short for piece in pieces]
    for index in reversed(range(len(pieces))):
        if _cells_of(lines) > width and pieces[index].droppable:
            lines[index] = []
    for index, piece in enumerate(pieces):
        longer = [*lines[:index], piece.long, *lines[index + 1 :]]
        if lines[index] and _cells_of(longer) <= width:
            lines = longer
    return fit(_joined(lines), width)


def notice(board: Board, now: float, trouble: str = "") -> Line | None:
    """Return the sentence that says what is wrong and what happens next; None when all is well.

    `trouble` is what else went wrong, said when nothing is worse.
    """
    load = board.loading(now)
    if load is not None and board.link.up:
        source = "central" if load.source == "central" else "the broker's stored messages"
        words = f" ◌ Loading the stock from {source}: {load.rows:,} rows so far."
        return [Span(words, "accent")]
    for_how_long = figures.age(now - board.link.since)
    match board.trust:
        case "lost":
            rows = " Rows stay as they were." if len(board.stock) else ""
            return [
                Span(f" ✖ {printable(board.link.reason)}", "bad"),
                Span(f" ({for_how_long}).{rows} Trying again by itself."),
            ]
        case "stored":
            return [
                Span(" ◌ Central has not been heard yet: ", "warn"),
                Span("this is the broker's stored copy."),
            ]
        case "stopped":
            away = figures.lasting(board.central.since, now) if board.central else ""
            return [
                Span(f" ▲ Central is offline{away}: ", "warn"),
                Span("stock stands still. Docks keep every scan and send it when central is back."),
            ]
    if board.malformed and now - board.malformed_at < MALFORMED_SHOWN_S:
        return [
            Span(f" ? A message was not understood: {printable(board.malformed_reason)}", "warn")
        ]
    return [Span(f" ▲ {printable(trouble)}", "warn")] if trouble else None


def _pieces(board: Board, showing: Showing, now: float) -> list[_Piece]:
    """Return the pieces, most important first; that is also their order on the screen."""
    trust = _TRUST[board.trust]
    if showing.replay:  # whatever it shows, it is not now
        trust = Span(f"▶ REPLAY {showing.replay}", "accent")
    pieces = [_Piece([Span(" "), trust], [Span(" "), trust], droppable=False)]
    if showing.paused:
        waiting = f"{showing.waiting:,}"
        pieces.append(
            _Piece(
                [Span("‖ PAUSED", "accent"), Span(f", {waiting} updates waiting")],
                [Span(f"‖ +{waiting}", "accent")],
                droppable=False,
            )
        )
    pieces += [_link(board, now), _central(board, now), _data(board, now)]
    new = len(board.unseen_alerts)
    tone: Tone = "warn" if new else "muted"
    pieces.append(
        _Piece(
            [Span(f"! {new} new alert{'' if new == 1 else 's'}", tone)], [Span(f"! {new}", tone)]
        )
    )
    total = f"{len(board.stock):,}"
    counted = total if showing.rows == len(board.stock) else f"{showing.rows:,} of {total}"
    pieces.append(_Piece([Span(f"{counted} SKUs")], [Span(counted)]))
    trouble = docks_in_trouble(board)
    if trouble:
        docks = [Span(f"▲ {trouble} dock{'' if trouble == 1 else 's'}", "warn")]
        pieces.append(_Piece(docks, docks))
    if board.malformed:
        unread = [Span(f"? {board.malformed:,} not understood", "warn")]
        pieces.append(_Piece(unread, [Span(f"? {board.malformed:,}", "warn")]))
    clock = figures.date_and_clock(now) if showing.replay else figures.clock(now)
    pieces.append(_Piece([Span(clock)], [Span(figures.clock(now))]))
    rate = f"{board.changes.per_second(now):,.0f}"
    pieces.append(_Piece([Span(f"{rate} changes/s", "muted")], [Span(f"{rate}/s", "muted")]))
    return pieces


def _link(board: Board, now: float) -> _Piece:
    if board.link.up:
        words = [Span("broker "), Span("●", "good")]
        return _Piece(words, words, droppable=False)
    down = [Span("broker "), Span("✖", "bad")]
    age = figures.age(now - board.link.since)
    return _Piece([*down, Span(f" down {age}", "bad")], down, droppable=False)


def _central(board: Board, now: float) -> _Piece:
    central = board.central
    if central is None or central.generation != board.generation or not board.link.up:
        words = [Span("central "), Span("◌", "warn")]
        return _Piece([*words, Span(" not heard", "warn")], words, droppable=False)
    if not central.state.online:
        words = [Span("central "), Span("✖", "bad")]
        away = figures.lasting(central.since, now)
        return _Piece([*words, Span(f" offline{away}", "bad")], words, droppable=False)
    words = [Span("central "), Span("●", "good")]
    lag = Span(f" {central.state.lag_ms:,.0f} ms", "muted")
    return _Piece([*words, lag], words, droppable=False)


def _data(board: Board, now: float) -> _Piece:
    age = board.data_age(now)
    if age is None:
        words = [Span("no data yet", "warn")]
        return _Piece(words, words, droppable=False)
    tone: Tone = "plain" if age < _SECONDS_CALM and board.trust == "live" else "warn"
    text = figures.age(age)
    return _Piece([Span(f"data {text} old", tone)], [Span(f"{text} old", tone)], droppable=False)


def _joined(lines: list[Line]) -> Line:
    joined = Line()
    for line in filter(None, lines):
        joined += [_BETWEEN, *line] if joined else line
    return joined


def _cells_of(lines: list[Line]) -> int:
    return cells(_joined(lines))
