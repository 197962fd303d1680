"""The gateway's parts, wired together."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from uuid import UUID

from gateway import clock, health
from gateway.config import Config
from gateway.drain import Drain
from gateway.errands import Errands
from gateway.hotplug import Hotplug
from gateway.outbox import Outbox
from gateway.readers import Readers
from wire.errors import Unavailable
from wire.events import GatewayState
from wire.settings import ConfigError

log = logging.getLogger(__name__)

#: How often a disk in trouble is tried, so that the state is true before the next scan.
_PROBE_S = 2.0


async def run(load: Callable[[], Config], errands: Errands) -> None:
    """Run a gateway on what `load` returns until cancelled; the errand Reload calls it again."""
    settings = load()
    since = clock.now()
    outbox = Outbox(settings.data, settings.outbox)

    def state_of(session: UUID, online: bool) -> GatewayState:  # noqa: FBT001
        return health.state(
            session,
            online=online,
            since=since,
            readers=readers,
            new_scanners=hotplug.new_scanners,
            outbox=outbox,
            problem=drain.problem,
        )

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
            readers = Readers(tasks, outbox, lambda: drain.online, drain.on_change)
            hotplug = Hotplug(readers, drain.on_change)
            await readers.apply(settings.scanner)
            tasks.create_task(hotplug.run())
            tasks.create_task(errands.run(outbox, drain, readers, reload))
            tasks.create_task(drain.run())
            tasks.create_task(_watch(outbox))
        writing.cancel()


async def _watch(outbox: Outbox) -> None:
    """Try the disk while it is in trouble."""
    while True:
        await asyncio.sleep(_PROBE_S)
        if not outbox.well:
            with contextlib.suppress(Unavailable):
                await outbox.probe()
