"""All there is to know about one gateway, as lines. Pure."""

from monitor import figures
from monitor.board import Board, Heard
from monitor.dock_health import OFFSET_CALM_MS, ROOM_CALM, WAIT_CALM_S, is_current
from monitor.spans import Line, Span, folded, labelled, printable, wrapped
from wire.events import GatewayState, ScannerState

_INDENT = 12


def title(gateway: Heard[GatewayState]) -> str:
    """Return what names the gateway."""
    return printable(f"{gateway.name} @ {gateway.site}")


def card(board: Board, gateway: Heard[GatewayState], now: float, width: int) -> list[Line]:
    """Return the lines about a gateway: is it there, what waits, its clock, its scanners."""
    state = gateway.state
    lines = folded(_link(board, gateway, now), width, _INDENT)
    lines += [*_outbox(state, width), *_clock(state, width)]
    lines += folded(_booked(board, gateway), width, _INDENT)
    for scanner in state.scanners:
        lines += _scanner(scanner, now, width)
    for new in state.new_scanners:
        lines.append([Span("  + ", "accent"), Span(f"new: {printable(new.product)}", "title")])
        lines.append([Span(f"    to adopt it: {printable(new.port)}", "muted")])
        if new.problem:
            lines += wrapped(f"    {new.problem}", width, "warn", 4)
    if not (state.scanners or state.new_scanners):
        lines.append([Span("  no scanner is configured here", "warn")])
    return lines


def _link(board: Board, gateway: Heard[GatewayState], now: float) -> Line:
    state = gateway.state
    if not is_current(board, gateway):
        word = Span(f"◌ not heard for {figures.age(now - gateway.at)}; what follows is old", "warn")
    elif not state.online:
        word = Span(f"✖ OFFLINE{figures.lasting(gateway.since, now)}; scans wait there", "bad")
    else:
        word = Span("● online", "good")
    runs = figures.coarse_age(now - state.since.timestamp())
    about = Span(f"  runs for {runs}, version {printable(state.version)}", "muted")
    return labelled("gateway", word, about)


def _outbox(state: GatewayState, width: int) -> list[Line]:
    outbox = state.outbox
    oldest = f", the oldest {figures.coarse_age(outbox.oldest_age_s)}" if outbox.pending else ""
    slow = outbox.oldest_age_s > WAIT_CALM_S
    tight = outbox.capacity_left < ROOM_CALM
    line = labelled(
        "outbox",
        Span(f"{'▲ ' if slow else ''}{outbox.pending:,} wait{oldest}", "warn" if slow else "plain"),
        Span("; "),
        Span(
            f"{'▲ ' if tight else ''}room for {outbox.capacity_left:,} more",
            "warn" if tight else "plain",
        ),
    )
    if outbox.problem is None:
        return folded(line, width, _INDENT)
    return [
        *folded(line, width, _INDENT),
        *wrapped(" " * _INDENT + f"✖ {outbox.problem}", width, "bad", _INDENT),
    ]


def _clock(state: GatewayState, width: int) -> list[Line]:
    clock = state.clock
    offset = "" if clock.offset_ms is None else f", {clock.offset_ms / 1_000:+.3f} s"
    if abs(clock.offset_ms or 0.0) > OFFSET_CALM_MS:
        return [labelled("clock", Span(f"▲ wrong{offset}", "warn"))]
    if not clock.synced:
        no_source = Span("▲ no time source: ", "warn")
        line = labelled("clock", no_source, Span("times of its scans are put right later", "warn"))
        return folded(line, width, _INDENT)
    return [labelled("clock", Span("● right", "good"), Span(offset))]


def _booked(board: Board, gateway: Heard[GatewayState]) -> Line:
    newest = gateway.state.last_seq
    ack = board.acks.get((gateway.site, gateway.name))
    if ack is None:
        return labelled("scans", Span(f"number {newest:,} is the newest on its disk"))
    behind = max(0, newest - ack.applied_seq)
    booked = Span(f"central has booked up to {ack.applied_seq:,} of {newest:,}")
    return labelled("scans", booked, Span(f"  ({behind:,} to come)" if behind else "", "muted"))


def _scanner(scanner: ScannerState, now: float, width: int) -> list[Line]:
    last = scanner.last_scan
    ago = f"last {figures.coarse_age(now - last.timestamp())} ago" if last else "no scan yet"
    station = " ".join(filter(None, (scanner.mode, scanner.location)))
    sign = Span("  ● ", "good") if scanner.online else Span("  ✖ ", "bad")
    name = f"{printable(scanner.name)}{'' if scanner.online else ' UNPLUGGED'}"
    counts = {
        "unread": scanner.unreadable, "refused": scanner.refused,
        "repeats": scanner.repeats, "no reads": scanner.no_reads,
    }  # fmt: skip
    said = ", ".join(f"{count:,} {word}" for word, count in counts.items() if count)
    about = [
        sign,
        Span(name, "title" if scanner.online else "bad"),
        Span(f"  {printable(station)}"),
        Span(f"  {scanner.scans:,} scans, {ago}"),
        Span(f"  {said}" if said else "", "warn"),
    ]
    lines = [*folded(about, width, 4), [Span(f"    {printable(scanner.source)}", "muted")]]
    if scanner.problem:
        lines += wrapped(f"    {scanner.problem}", width, "warn", 4)
    return lines
