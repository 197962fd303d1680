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
from functools import partial
from importlib.metadata import version

import uvicorn
from sqlalchemy import Engine, func, select

from central import api, database, reservations, schema, upkeep
from central.api.changes import Feed
from central.config import Config
from central.dispatcher import Dispatcher
from central.guarded_http import Client
from central.intake import Intake
from central.outbound import Outbound
from central.writer import Writer
from wire import codec
from wire.errors import Unavailable
from wire.events import CentralState
from wire.link import Link, Will
from wire.topics import DELIVERY, Topics

log = logging.getLogger(__name__)

STATE_INTERVAL_S = 5.0
#: Holds that are over are given back this often.
SWEEP_INTERVAL_S = 1.0
VERSION = version("docktally")


async def run(config: Config) -> None:
    """Run central until SIGTERM or SIGINT; OSError when its HTTP port is taken."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    engine = database.open_writer(config.database)
    database.migrate(engine)
    reader = database.open_reader(config.database)
    door = socket.create_server((config.api.host, config.api.port))
    topics = Topics(config.topic_root)
    state = CentralState(
        session=uuid.uuid4(),
        online=False,
        since=datetime.now(UTC),
        version=VERSION,
        api="http://{}:{}".format(*door.getsockname()[:2]),
    )
    will = Will(topics.central(), codec.encode(state))
    async with asyncio.TaskGroup() as tasks, Writer(engine, config.sellable) as writer:
        link = Link(
            config.broker,
            f"docktally-central-{state.session.hex[:12]}",
            lambda message: intake.on_message(message),  # noqa: PLW0108  made just below
            [(topics.every(channel), 1) for channel in ("events", "state", "alert")],
            on_connect=lambda: _greet(intake, outbound),
            will=will,
            manual_ack=True,
        )
        client = Client(config.webhooks.allow_networks, config.webhooks.timeout_s)
        dispatcher = Dispatcher(writer, reader, client)
        feed = Feed()
        outbound = Outbound(link, topics, reader, writer, tasks, dispatcher.wake, feed.advance)
        writer.on_commit = outbound.offer
        intake = Intake(link, topics, writer, outbound, tasks)
        server = _Server(
            uvicorn.Config(
                api.build(writer, reader, _door(config), feed),
                log_config=None,
                lifespan="off",
            )
        )
        work = (
            link.run(),
            intake.run(),
            outbound.number(),
            dispatcher.run(),
            _sweep(writer),
            _tell_state(intake, reader, state.model_copy(update={"online": True})),
            server.serve([door]),
        )
        gc.collect()
        gc.freeze()  # what start-up made stays; looking through it again would delay scans
        running = [tasks.create_task(each) for each in work]
        await stop.wait()
        log.info("stopping")
        with contextlib.suppress(Unavailable):
            await link.publish(will.topic, will.payload, qos=will.qos, retain=will.retain)
        server.should_exit = True
        await running.pop()
        for task in running:
            task.cancel()
    reader.dispose()
    engine.dispose()


def _door(config: Config) -> api.Settings:
    return api.Settings(
        VERSION, config.api.token, config.api.rate_per_s, config.webhooks.allow_networks
    )


class _Server(uvicorn.Server):
    """uvicorn, but the signals stay ours: all parts stop together."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _greet(intake: Intake, outbound: Outbound) -> None:
    await intake.greet()
    await outbound.announce_all()


async def _sweep(writer: Writer) -> None:
    done = ""
    while True:
        await asyncio.sleep(SWEEP_INTERVAL_S)
        with contextlib.suppress(Unavailable):
            await writer.submit(reservations.expire)
            while (version := await writer.submit(partial(upkeep.catch_up, done=done))) is None:
                pass  # the next portion, after the scans that arrived meanwhile
            done = version


async def _tell_state(intake: Intake, reader: Engine, state: CentralState) -> None:
    def position() -> int:
        with reader.begin() as connection:
            return connection.execute(select(func.max(schema.event.c.id))).scalar() or 0

    delivery = DELIVERY["central"]
    while True:
        now = state.model_copy(
            update={
                "lag_ms": round(intake.lag_ms, 1),
                "ledger_position": await asyncio.to_thread(position),
            }
        )
        with contextlib.suppress(Unavailable):
            await intake.link.publish(
                intake.topics.central(),
                codec.encode(now),
                qos=delivery.qos,
                retain=delivery.retain,
            )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STATE_INTERVAL_S):
                await intake.connected.wait()
        intake.connected.clear()
