"""All there is to know about one alert, as lines. Pure."""

from monitor import figures
from monitor.alert_lines import SEVERITY
from monitor.board import Board, Heard
from monitor.spans import Line, Span, labelled, printable, wrapped
from wire.events import Alert

UNKNOWN_BARCODE = "unknown_barcode"
#: What a person can do here about an alert of a kind.
_KEYS = {UNKNOWN_BARCODE: "m says what the barcode stands for; its scans are booked then"}


def title(alert: Heard[Alert]) -> str:
    """Return what names the alert."""
    return printable(alert.state.kind.replace("_", " "))


def card(board: Board, alert: Heard[Alert], now: float, width: int) -> list[Line]:
    """Return the lines about an alert: how bad, since when, who takes care, what to do."""
    state = alert.state
    mark, tone = SEVERITY[state.severity]
    opened = state.opened.timestamp()
    often = f", {state.count:,} times since" if state.count > 1 else ""
    lines = [
        *wrapped(state.title, width, "title"),
        labelled(
            "urgency",
            Span(f"{mark} {state.severity}", tone),
            Span("" if board.is_confirmed(alert) else "  ◌ may be over by now", "muted"),
        ),
        labelled("since", Span(f"{figures.age(now - opened)}{often}")),
        labelled("about", Span(printable(state.ref or ""))),
        labelled("taken", *_taken(state, now)),
    ]
    if state.site:
        lines.append(labelled("site", Span(printable(state.site))))
    lines += [[], *wrapped(state.detail, width)]
    if state.kind in _KEYS:
        lines += [[], *wrapped(_KEYS[state.kind], width, "accent")]
    return lines


def _taken(state: Alert, now: float) -> Line:
    if state.acknowledged_by is None:
        return [Span("by nobody yet; a says that you do", "warn")]
    when = state.acknowledged_at
    ago = "" if when is None else f", {figures.age(now - when.timestamp())} ago"
    return [Span(f"✓ by {printable(state.acknowledged_by)}{ago}")]
