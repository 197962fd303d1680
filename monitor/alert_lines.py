"""The open alerts in words, the most urgent first. Pure."""

from monitor import figures
from monitor.board import Board
from monitor.spans import Line, Span, Tone, printable

SEVERITY: dict[str, tuple[str, Tone]] = {
    "critical": ("✖", "bad"),
    "warning": ("▲", "warn"),
    "info": ("○", "accent"),
}


def alert_lines(board: Board, now: float) -> list[Line]:
    """Return one line an alert."""
    lines: list[Line] = []
    for alert in board.alerts_by_urgency():
        state = alert.state
        mark, tone = SEVERITY[state.severity]
        confirmed = board.is_confirmed(alert)
        is_new = alert.name in board.unseen_alerts
        taken = state.acknowledged_by
        if taken is not None:
            mark, tone = "✓", "muted"
        line = [
            Span(f"{mark}{'*' if is_new else ' '}", tone),
            Span(f"{figures.moment(state.opened, now)} ", "muted"),
        ]
        if state.count > 1:
            line.append(Span(f"{state.count:,}x ", tone))
        if not confirmed:
            line.append(Span("◌ may be over: ", "muted"))
        plain: Tone = "muted" if taken is not None else "plain"
        line.append(Span(printable(state.title), "title" if is_new else plain))
        if taken is not None:
            line.append(Span(f"  {printable(taken)} has it", "muted"))
        lines.append(line)
    return lines


def alerts_title(board: Board) -> str:
    """Return the panel's title: how many are open and how many nobody has looked at."""
    new = len(board.unseen_alerts)
    return f"Alerts {len(board.alerts)}" + (f", {new} new" if new else "")
