"""The open alerts in words, the most urgent first. Pure."""

from monitor import figures
from monitor.board import Board
from monitor.spans import Line, Span, Tone, printable

_SEVERITY: dict[str, tuple[str, Tone]] = {
    "critical": ("✖", "bad"),
    "warning": ("▲", "warn"),
    "info": ("○", "accent"),
}


def alert_lines(board: Board, now: float, *, detailed: bool) -> list[Line]:
    """Return one line an alert, and with `detailed` a second one that says more."""
    lines: list[Line] = []
    for alert in board.alerts_by_urgency():
        state = alert.state
        mark, tone = _SEVERITY[state.severity]
        confirmed = board.link.up and alert.generation == board.generation
        is_new = alert.name in board.unseen_alerts
        line = [
            Span(f"{mark}{'*' if is_new else ' '}", tone),
            Span(f"{figures.moment(state.opened, now)} ", "muted"),
        ]
        if state.count > 1:
            line.append(Span(f"{state.count:,}x ", tone))
        if not confirmed:
            line.append(Span("◌ may be over: ", "muted"))
        line.append(Span(printable(state.title), "title" if is_new else "plain"))
        lines.append(line)
        if detailed and (state.detail or state.ref):
            words = " · ".join(word for word in (state.detail, state.ref, state.site) if word)
            lines.append([Span(f"        {printable(words)}", "muted")])
    return lines


def alerts_title(board: Board) -> str:
    """Return the panel's title: how many are open and how many nobody has looked at."""
    new = len(board.unseen_alerts)
    return f"Alerts {len(board.alerts)}" + (f", {new} new" if new else "")
