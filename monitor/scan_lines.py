"""Lines of the live feed in words. Pure."""

from monitor import figures
from monitor.board import Scan
from monitor.spans import Line, Span, Tone, cell, printable

OUTCOME: dict[str, tuple[str, Tone]] = {
    "applied": ("✓", "good"),
    "held": ("◐", "warn"),
    "refused": ("✖", "bad"),
}
#: A scan told this long after it was made comes from a dock that had been cut off.
_LATE_S = 60.0


def scan_line(scan: Scan, now: float, *, short: bool = False) -> Line:
    """Return when, where, what happened to which goods; `short` leaves out item and gateway."""
    line = scan.line
    mark, tone = OUTCOME[line.outcome]
    at = line.at.timestamp()
    count = "" if line.quantity is None else f"x{line.quantity}"
    way = "→".join(printable(place) for place in (line.location, line.to_location) if place)
    spans = [Span(figures.clock(at), "muted"), Span(f" {mark} ", tone)]
    if short:
        spans += [Span(f"{printable(line.kind)} {count} {way} "), Span(printable(line.scanner))]
    else:
        scanner = printable(f"{line.gateway}/{line.scanner}")
        spans += [
            Span(cell(scanner, 16), "muted"),
            Span(f" {cell(printable(line.kind), 10)}{cell(count, 5, right=True)} "),
            Span(printable(line.sku or ""), "title"),
            Span(f" {way}" if way else "", "muted"),
        ]
    if line.outcome != "applied" or not short:
        spans.append(Span(f" {printable(line.text)}", "muted" if tone == "good" else tone))
    if line.operator:
        spans.append(Span(f" by {printable(line.operator)}", "muted"))
    if now - at > _LATE_S:
        spans.append(Span(f" ({figures.age(now - at)} ago)", "muted"))
    return spans
