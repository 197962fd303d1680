"""Wires central together and runs it until it is told to stop."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version

import uvicorn
from sqlalchemy import Engine

from central import api, database
from central.alerts import Announcement
from central.api.changes import Feed
from central.config import Config
from central.guarded_http import Client
from central.intake import Intake
from central.leader import Leader
from central.tenure import Tenure
from central.writer import Writer
from wire.events import CentralState
from wire.link import Link
from wire.topics import Topics

log = logging.getLogger(__name__)

VERSION = version("docktally")


async def run(config: Config) -> None:
    """Run central until SIGTERM or SIGINT; OSError when its HTTP port is taken."""
    with database.claimed(config.database), contextlib.ExitStack() as engines:
        engine = engines.enter_context(database.using(database.open_writer(config.database)))
        database.migrate(engine)
        reader = engines.enter_context(database.using(database.open_reader(config.database)))
        leases = None
        if database.is_shared(config.database):
            leases = engines.enter_context(database.using(database.open_leases(config.database)))
        await _run(config, engine, reader, leases)


async def _run(config: Config, engine: Engine, reader: Engine, leases: Engine | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    door = socket.create_server((config.api.host, config.api.port))
    topics = Topics(config.topic_root)
    state = CentralState(
        session=uuid.uuid4(),
        online=False,
        since=datetime.now(UTC),
        version=VERSION,
        api="http://{}:{}".format(*door.getsockname()[:2]),
    )
    owner = str(state.session) if leases is not None else None
    tenure = Tenure(str(state.session), leases)
    async with (
        asyncio.TaskGroup() as tasks,
        Writer(engine, config.sellable, owner) as writer,
    ):
        link = Link(
            config.broker,
            f"docktally-central-{state.session.hex[:12]}",
            lambda message: intake.on_message(message),  # noqa: PLW0108  made just below
            [(topics.every(channel), 1) for channel in ("events", "state")],
            on_connect=lambda: intake.greet(),  # noqa: PLW0108
            manual_ack=True,
        )
        intake = Intake(link, topics, writer, tenure)
        tenure.on_change = intake.on_tenure
        client = Client(config.webhooks.allow_networks, config.webhooks.timeout_s)
        feed = Feed()
        leader = Leader(
            config.broker, topics, writer, reader, tenure, state, config.feed_days, intake,
            client, feed.advance, config.channel,
        )  # fmt: skip

        def on_commit(announcements: list[Announcement]) -> None:
            intake.tell(announcements)
            leader.offer(announcements)

        writer.on_commit = on_commit
        server = _Server(
            uvicorn.Config(
                api.build(writer, reader, _door(config), feed, leader.lags),
                log_config=None,
                # A line for each request of a flash sale would cost more than it tells.
                access_log=log.isEnabledFor(logging.DEBUG),
                lifespan="off",
            )
        )
        work = (
            link.run(), intake.run(), leader.run(), leader.hear(), tenure.run(),
            server.serve([door]),
        )  # fmt: skip
        calm_collector()
        running = [tasks.create_task(each) for each in work]
        await stop.wait()
        log.info("stopping")
        await leader.farewell()
        server.should_exit = True
        await running.pop()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await tenure.leave()
        await client.aclose()


def _door(config: Config) -> api.Settings:
    return api.Settings(
        VERSION,
        config.api.token,
        config.api.rate_per_s,
        config.webhooks.allow_networks,
        config.channel,
    )


def calm_collector() -> None:
    """Keep the garbage collector from what start-up made, which stays, and from looking too often.

    By default it looks after each 700 objects: a tenth of the time of a busy central.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def new_loop() -> asyncio.AbstractEventLoop:
    """Return uvloop's: for an HTTP request it takes half of what asyncio's own takes."""
    try:
        import uvloop
    except ImportError:  # there is none for every machine
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class _Server(uvicorn.Server):
    """uvicorn, but the signals stay ours: all parts stop together."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
