"""What is wrong at the docks, in words, the same for the list and for the headline. Pure."""

from monitor import figures
from monitor.board import Board, Heard
from monitor.spans import Line, Span, cell, cells, printable
from wire.events import GatewayState, ScannerState

#: Scans that wait longer than this at a dock are worth a look.
WAIT_CALM_S = 30.0
#: Room for fewer scans than this is worth a look: an hour or so of a busy dock.
ROOM_CALM = 1_000
#: A clock further off than this makes event times doubtful.
OFFSET_CALM_MS = 2_000.0


def docks_in_trouble(board: Board) -> int:
    """Return how many gateways have something wrong."""
    return sum(1 for gateway in board.gateways.values() if _severity(board, gateway))


def dock_lines(board: Board, now: float, width: int) -> list[Line]:
    """Return every gateway with its scanners, those in trouble first."""
    gateways = sorted(
        board.gateways.values(),
        key=lambda gateway: (-_severity(board, gateway), gateway.site, gateway.name),
    )
    many_sites = len({gateway.site for gateway in gateways}) > 1
    lines: list[Line] = []
    for gateway in gateways:
        lines += _gateway(board, gateway, now, width, many_sites=many_sites)
    return lines


def _current(board: Board, gateway: Heard[GatewayState]) -> bool:
    return board.link.up and gateway.generation == board.generation


def _severity(board: Board, gateway: Heard[GatewayState]) -> int:
    state = gateway.state
    outbox = state.outbox
    if _current(board, gateway) and (
        not state.online or outbox.problem or outbox.capacity_left == 0
    ):
        return 2
    return int(
        outbox.oldest_age_s > WAIT_CALM_S
        or outbox.capacity_left < ROOM_CALM
        or any(not scanner.online or scanner.problem for scanner in state.scanners)
        or _clock_problem(state) is not None
    )


def _gateway(
    board: Board, gateway: Heard[GatewayState], now: float, width: int, *, many_sites: bool
) -> list[Line]:
    state = gateway.state
    name = printable(f"{gateway.site}/{gateway.name}" if many_sites else gateway.name)
    if not _current(board, gateway):
        mark, words = Span("◌", "warn"), Span(f"not heard {figures.coarse_age(now - gateway.at)}")
    elif not state.online:
        mark, words = (
            Span("✖", "bad"),
            Span(f"OFFLINE {figures.coarse_age(now - gateway.at)}", "bad"),
        )
    else:
        up = figures.coarse_age(now - state.since.timestamp())
        mark, words = Span("●", "good"), Span(f"up {up}", "muted")
    lines = [_spread([mark, Span(f" {name}", "title")], words, width)]
    lines.append(_outbox(state))
    clock = _clock_problem(state)
    if clock is not None:
        lines.append([Span("  ▲ ", "warn"), Span(clock, "warn")])
    for scanner in state.scanners:
        lines += _scanner(scanner, now, width, live=state.online and _current(board, gateway))
    return lines


def _outbox(state: GatewayState) -> Line:
    outbox = state.outbox
    room = f"room for {figures.number(outbox.capacity_left, 7)}"
    if outbox.problem:
        return [Span(f"  ✖ {printable(outbox.problem)}", "bad")]
    if outbox.capacity_left == 0:
        return [Span("  ✖ outbox FULL: scans are refused", "bad")]
    tight = outbox.capacity_left < ROOM_CALM
    space = Span(f", {'▲ ' if tight else ''}{room}", "warn" if tight else "muted")
    if outbox.pending == 0:
        return [Span("  nothing waits", "muted"), space]
    late = outbox.oldest_age_s > WAIT_CALM_S
    waiting = f"{outbox.pending:,} wait ({figures.coarse_age(outbox.oldest_age_s)})"
    return [Span(f"  {'▲ ' if late else ''}{waiting}", "warn" if late else "plain"), space]


def _scanner(scanner: ScannerState, now: float, width: int, *, live: bool) -> list[Line]:
    name = printable(scanner.name)
    if not scanner.online:
        lines = [[Span("  ✖ ", "bad"), Span(f"{name} UNPLUGGED", "bad")]]
    else:
        last = scanner.last_scan
        ago = figures.coarse_age(now - last.timestamp()) if last else "no scan"
        station = printable(" ".join(word for word in (scanner.mode, scanner.location) if word))
        counted = f"{figures.number(scanner.scans, 6)} sc {cell(ago, 7, right=True)}"
        lines = [
            _spread(
                [
                    Span("  ● " if live else "  ◌ ", "good" if live else "warn"),
                    Span(name),
                    Span(f" {station}", "muted"),
                ],
                Span(counted, "muted"),
                width,
            )
        ]
    if scanner.problem:
        lines.append([Span(f"    {printable(scanner.problem)}", "warn")])
    if scanner.unreadable or scanner.refused:
        lines.append(
            [
                Span("    "),
                Span(
                    f"{scanner.unreadable:,} unreadable", "warn" if scanner.unreadable else "muted"
                ),
                Span(", "),
                Span(f"{scanner.refused:,} refused", "bad" if scanner.refused else "muted"),
            ]
        )
    return lines


def _clock_problem(state: GatewayState) -> str | None:
    offset = state.clock.offset_ms
    if offset is not None and abs(offset) > OFFSET_CALM_MS:
        return f"clock is {offset / 1_000:+.1f} s off"
    return None if state.clock.synced else "clock has no time source"


def _spread(left: Line, right: Span, width: int) -> Line:
    """Return `left` and, at the far end if there is room, `right`."""
    gap = width - cells(left) - cells([right])
    if gap < 1:  # the words in the middle give way to the figures at the end
        left = left[:2]
        gap = max(1, width - cells(left) - cells([right]))
    return [*left, Span(" " * gap), right]
