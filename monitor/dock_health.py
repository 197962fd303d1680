"""What is wrong at the docks, in words, the same for the list and for the headline. Pure."""

from collections.abc import Iterator

from monitor import figures
from monitor.board import Board, Heard
from monitor.spans import Line, Span, cell, cells, printable
from wire.events import GatewayState, NewScanner, ScannerState

#: Scans that wait longer than this at a dock are worth a look.
WAIT_CALM_S = 30.0
#: Room for fewer scans than this is worth a look: an hour or so of a busy dock.
ROOM_CALM = 1_000
#: A clock further off than this makes event times doubtful.
OFFSET_CALM_MS = 2_000.0


def docks_in_trouble(board: Board) -> int:
    """Return how many gateways have something wrong."""
    return sum(1 for gateway in board.gateways.values() if severity(board, gateway))


def dock_lines(board: Board, now: float, width: int) -> list[Line]:
    """Return every gateway with its scanners, those in trouble first."""
    gateways = sorted(
        board.gateways.values(),
        key=lambda gateway: (-severity(board, gateway), gateway.site, gateway.name),
    )
    many_sites = len({gateway.site for gateway in gateways}) > 1
    lines: list[Line] = []
    for gateway in gateways:
        lines += _gateway(board, gateway, now, width, many_sites=many_sites)
    return lines


def is_current(board: Board, gateway: Heard[GatewayState]) -> bool:
    """Return whether a gateway's state was heard since the last connect."""
    return board.link.up and gateway.generation == board.generation


def severity(board: Board, gateway: Heard[GatewayState]) -> int:
    """Return 2 when scans are lost or cannot be made, 1 when it is worth a look, else 0."""
    state = gateway.state
    outbox = state.outbox
    unplugged = any(not scanner.online for scanner in state.scanners)
    lost = is_current(board, gateway) and not state.online
    if lost or unplugged or outbox.problem or outbox.capacity_left == 0:
        return 2
    return int(
        outbox.oldest_age_s > WAIT_CALM_S
        or outbox.capacity_left < ROOM_CALM
        or any(scanner.problem for scanner in state.scanners)
        or _clock_is_off(state)
    )


def _gateway(
    board: Board, gateway: Heard[GatewayState], now: float, width: int, *, many_sites: bool
) -> list[Line]:
    state = gateway.state
    current = is_current(board, gateway)
    name = printable(f"{gateway.site}/{gateway.name}" if many_sites else gateway.name)
    title = Span(f" {name} ", "title")
    if not current:
        words = Span(f"not heard {figures.coarse_age(now - gateway.at)}", "warn")
        lines = [_spread([Span("◌", "warn"), title], [words], width)]
    elif not state.online:
        words = Span(f"OFFLINE{figures.lasting(gateway.since, now)}", "bad")
        lines = [_spread([Span("✖", "bad"), title], [words], width)]
    else:
        lines = [_spread([Span("●", "good"), title], _outbox(state), width)]
    if not (current and state.online) and state.outbox.pending:
        lines.append([Span("  last heard: ", "muted"), *_outbox(state)])
    lines += [[Span("  "), problem] for problem in problems(state)]
    for scanner in state.scanners:
        lines += _scanner(scanner, now, width, live=state.online and current)
    lines += [_new_scanner(found) for found in state.new_scanners]
    return lines


def _outbox(state: GatewayState) -> Line:
    outbox = state.outbox
    tight = outbox.capacity_left < ROOM_CALM
    return [
        Span(f"{outbox.pending:,} wait, ", "plain" if outbox.pending else "muted"),
        Span(
            f"{'▲ ' if tight else ''}room {figures.number(outbox.capacity_left, 9)}",
            "warn" if tight else "muted",
        ),
    ]


def problems(state: GatewayState) -> Iterator[Span]:
    """Yield what is wrong with a gateway, the worst first."""
    outbox = state.outbox
    if outbox.capacity_left == 0:
        yield Span("✖ outbox FULL: scans are refused", "bad")
    if outbox.problem:
        yield Span(f"✖ {printable(outbox.problem)}", "bad")
    if outbox.oldest_age_s > WAIT_CALM_S:
        yield Span(f"▲ the oldest waits {figures.coarse_age(outbox.oldest_age_s)}", "warn")
    clock = _clock_problem(state)
    if clock is not None:
        yield Span(f"▲ {clock}", "warn")


def _new_scanner(found: NewScanner) -> Line:
    line = [
        Span(f"  + {printable(found.product)} ({found.source}) ", "accent"),
        Span("not configured: docktally scanners", "muted"),
    ]
    if found.problem:
        line.append(Span(f"; {printable(found.problem)}", "warn"))
    return line


def _scanner(scanner: ScannerState, now: float, width: int, *, live: bool) -> list[Line]:
    name = printable(scanner.name)
    last = scanner.last_scan
    ago = figures.coarse_age(now - last.timestamp()) if last else "no scan"
    station = printable("".join(f"{word} " for word in (scanner.mode, scanner.location) if word))
    scans = Span(f"{figures.number(scanner.scans, 6)} sc ", "muted")
    counts = ((scanner.repeats, "repeated"), (scanner.no_reads, "no-read"))
    asides = "".join(f"{number:,} {word} " for number, word in counts if number)
    right = []
    if scanner.unreadable:
        right.append(Span(f"{scanner.unreadable:,} unread ", "warn"))
    if scanner.refused:
        right.append(Span(f"{scanner.refused:,} refused ", "bad"))
    right.append(Span(cell(ago, 6, right=True), "muted"))
    if not scanner.online:
        left = [Span("  ✖ ", "bad"), Span(f"{name} UNPLUGGED ", "bad")]
    else:
        left = [Span("  ● ", "good") if live else Span("  ◌ ", "warn"), Span(f"{name} ")]
    middles = [[Span(station, "muted"), scans], [scans]]
    middles = [[*middles[0], Span(asides, "muted")], *middles]
    lines = [_spread(left, right, width, *middles)]
    if scanner.problem:
        lines.append([Span(f"    {printable(scanner.problem)}", "warn")])
    return lines


def _clock_is_off(state: GatewayState) -> bool:
    return abs(state.clock.offset_ms or 0.0) > OFFSET_CALM_MS


def _clock_problem(state: GatewayState) -> str | None:
    if _clock_is_off(state):
        return f"clock is {(state.clock.offset_ms or 0.0) / 1_000:+.1f} s off"
    return None if state.clock.synced else "clock has no time source"


def _spread(left: Line, right: Line, width: int, *middles: Line) -> Line:
    """Return `right` at the far end, and before it the first of `middles` that leaves it room."""
    room = width - cells(left) - cells(right)
    middle = next((middle for middle in middles if cells(middle) <= room), [])
    return [*left, Span(" " * (room - cells(middle))), *middle, *right]
