"""The gateway's parts, wired together."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from uuid import UUID

from gateway import health
from gateway.beeper import Beeper
from gateway.clock import DockClock, Read, read_kernel
from gateway.config import Config
from gateway.drain import Drain
from gateway.errands import Errands
from gateway.hotplug import Hotplug
from gateway.outbox import Outbox
from gateway.readers import Readers
from wire.errors import Unavailable
from wire.events import TEXT_LENGTH_MAX, GatewayState, Pattern, Signal
from wire.ids import segment
from wire.settings import ConfigError

log = logging.getLogger(__name__)

#: How often a disk in trouble is tried, so that the state is true before the next scan.
_PROBE_S = 2.0
#: How often the clock is looked at for a time source or a step.
_CLOCK_S = 1.0


async def run(load: Callable[[], Config], errands: Errands, read: Read = read_kernel) -> None:
    """Run a gateway on what `load` returns until cancelled; the errand Reload calls it again.

    `read` looks at the machine's clocks.
    """
    settings = load()
    clock = DockClock(read)
    since_us = clock.uptime_us()
    owner = f"{segment(settings.site)}/{segment(settings.gateway)}"
    outbox = Outbox(settings.data, settings.outbox, owner=owner, clock=clock)
    beeper = Beeper(settings.beeper)

    def state_of(session: UUID, online: bool) -> GatewayState:  # noqa: FBT001
        return health.state(
            session,
            online=online,
            since_us=since_us,
            clock=clock,
            readers=readers,
            new_scanners=hotplug.new_scanners,
            outbox=outbox,
            problem=drain.problem,
        )

    def tell(scanner: str, pattern: Pattern, text: str) -> None:
        signal = Signal(
            at=clock.now(), scanner=scanner, pattern=pattern, text=text[:TEXT_LENGTH_MAX]
        )
        beeper.give(signal)
        drain.tell(signal)

    async def reload() -> None:
        try:
            fresh = load()
        except ConfigError as error:
            log.error("not reloaded: %s", error)
            return
        await readers.apply(fresh.scanner)
        hotplug.look_again()
        if fresh.model_copy(update={"scanner": settings.scanner}) != settings:
            log.warning("reloaded the scanners; restart the gateway to apply the other changes")

    async with asyncio.TaskGroup() as storing:
        writing = storing.create_task(outbox.run())
        with contextlib.suppress(Unavailable):  # then scans are refused until the disk is well
            await outbox.probe()
        # The outbox ends last: the others store and publish until their own end.
        async with asyncio.TaskGroup() as tasks:
            drain = Drain(settings, outbox, state_of, errands.add)
            readers = Readers(tasks, outbox, lambda: drain.online, drain.on_change, clock, tell)
            hotplug = Hotplug(readers, drain.on_change)
            await readers.apply(settings.scanner)
            tasks.create_task(hotplug.run())
            tasks.create_task(errands.run(outbox, drain, readers, reload))
            tasks.create_task(drain.run())
            tasks.create_task(_watch(outbox))
            tasks.create_task(_keep_time(clock, outbox, drain.on_change))
            tasks.create_task(beeper.run())
        writing.cancel()


async def _watch(outbox: Outbox) -> None:
    """Try the disk while it is in trouble."""
    while True:
        await asyncio.sleep(_PROBE_S)
        if not outbox.well:
            with contextlib.suppress(Unavailable):
                await outbox.probe()


async def _keep_time(clock: DockClock, outbox: Outbox, changed: Callable[[], None]) -> None:
    """Date anew what was scanned before the clock was right, as soon as it is."""
    due = False
    while True:
        if clock.look():
            log.info("the clock is synchronised; scans of this boot are dated by it")
            due = True
            changed()
        if due:
            with contextlib.suppress(Unavailable):  # then again in a second
                await outbox.revise(clock.redate)
                due = False
        await asyncio.sleep(_CLOCK_S)
