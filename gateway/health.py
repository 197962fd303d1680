"""What a gateway tells everybody about itself: one retained message."""

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from uuid import UUID

from gateway.clock import DockClock
from gateway.outbox import Outbox
from gateway.reader import Reader
from wire.events import GatewayState, NewScanner


def program_version() -> str:
    """Return the installed version, or that this is a bare checkout."""
    try:
        return version("docktally")
    except PackageNotFoundError:
        return "0+checkout"


def state(
    session: UUID,
    *,
    online: bool,
    since_us: int,
    clock: DockClock,
    readers: Iterable[Reader],
    new_scanners: tuple[NewScanner, ...],
    outbox: Outbox,
    problem: str | None,
) -> GatewayState:
    """Return the state to publish; `problem` is the uplink's, the outbox's own goes first.

    `since_us` is the uptime at which the program began.
    """
    waiting = outbox.state()
    if waiting.problem is None and problem is not None:
        waiting = waiting.model_copy(update={"problem": problem})
    return GatewayState(
        session=session,
        online=online,
        since=clock.moment_of(since_us),
        version=program_version(),
        scanners=tuple(reader.state() for reader in readers),
        new_scanners=new_scanners,
        outbox=waiting,
        clock=clock.state(),
        last_seq=outbox.extent.last_seq if outbox.extent else 0,
    )
