"""All there is to know about one line of the live feed, as lines. Pure."""

from monitor import figures
from monitor.board import Board, Scan
from monitor.scan_lines import OUTCOME
from monitor.spans import Line, Span, labelled, printable, wrapped

_WORDS = {
    "applied": "booked",
    "held": "held: it waits for a person, nothing is booked yet",
    "refused": "refused: nothing is booked",
}


def title(scan: Scan) -> str:
    """Return what names the scan."""
    return printable(f"{scan.line.kind} {scan.line.sku or ''}")


def card(board: Board, scan: Scan, now: float, width: int) -> list[Line]:
    """Return the lines about a scan: what happened to which goods, who, where, and why."""
    line = scan.line
    mark, tone = OUTCOME[line.outcome]
    at = line.at.timestamp()
    row = board.stock.row(scan.site, line.sku) if line.sku else None
    left = "" if row is None else f"  {board.stock.available[row]:,} available now"
    way = " → ".join(filter(None, (line.location, line.to_location)))
    fields = (
        ("when", f"{figures.clock(at)}, {figures.age(now - at)} ago"),
        ("what", f"{line.kind}{'' if line.quantity is None else f' x{line.quantity:,}'}"),
        ("where", way),
        ("scanner", f"{line.scanner} at {line.gateway}, {scan.site}"),
        ("person", line.operator or ""),
        ("document", line.document or ""),
    )
    lines = [labelled("outcome", Span(f"{mark} {_WORDS[line.outcome]}", tone))]
    if line.sku:
        lines.append(labelled("item", Span(printable(line.sku), "title"), Span(left, "muted")))
    lines += [labelled(label, Span(printable(text))) for label, text in fields if text]
    return [*lines, *wrapped(line.text, width, "muted" if line.outcome == "applied" else tone)]
