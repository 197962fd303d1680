"""`docktally doctor`: from here to the broker, to central and back.

The round trip sends the newest scan that central says it has booked once more. Central knows it by
its number, books nothing, and answers with its mark: so the whole way is walked, both directions,
and no stock moves. A gateway that runs meanwhile is not disturbed: the client id is another, and a
repeated answer is one it knows.
"""

import asyncio
import contextlib
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from uuid import UUID, uuid4

from gateway import outbox_look
from gateway.config import Config
from gateway.finding import Finding, Level
from gateway.health import program_version
from gateway.outbox_look import Look
from gateway.uplink import CONNECT_TIMEOUT_S, Uplink
from wire import codec
from wire.broker import Broker
from wire.errors import Malformed, Unavailable
from wire.events import Ack, CentralState
from wire.topics import Topics

#: Retained messages come at once; central says something every five seconds.
_RETAINED_S, _BEAT_S, _ANSWER_S = 2.0, 8.0, 10.0
_FAILURE, _NO_SUBSCRIBERS = 0x80, 0x10
_ACCOUNT = "check broker.username and broker.password, and the account's rights at the broker"


async def of_broker(config: Config, look: Look | None) -> AsyncIterator[Finding]:
    """Yield how far one gets."""
    wake = asyncio.Event()
    try:
        uplink = Uplink(config, wake.set, client_id=f"docktally-doctor-{uuid4().hex[:12]}")
        await uplink.connect()
        try:
            async for finding in _of_connection(_Visit(config, uplink, wake), look):
                yield finding
        finally:
            uplink.close()
    except (OSError, ValueError) as error:
        yield _why_not(error, config.broker)


async def _of_connection(visit: "_Visit", look: Look | None) -> AsyncIterator[Finding]:
    broker, uplink = visit.config.broker, visit.uplink
    if not await visit.until(lambda: uplink.accepted is not None, CONNECT_TIMEOUT_S):
        yield Finding(
            "broker", "warn", f"broker {broker}: something listens there, but not as MQTT 5",
            "check broker.port; a port for TLS needs tls = true or ca_file",
        )  # fmt: skip
        return
    if not uplink.accepted:
        yield Finding("broker", "bad", f"broker {broker}: {uplink.reason}", _ACCOUNT)
        return
    tls = "with TLS" if broker.tls or broker.ca_file else "without TLS"
    name = broker.username or "without account"
    yield Finding("broker", "good", f"broker {broker}: connected {tls}, {name}")
    async for finding in _of_central(visit, look):
        yield finding


async def _of_central(visit: "_Visit", look: Look | None) -> AsyncIterator[Finding]:
    visit.subscribe()
    await visit.until(lambda: visit.central is not None and visit.ack is not None, _RETAINED_S)
    if visit.central is None:
        yield Finding(
            "central", "warn", f"central was never seen at this broker under {visit.root}",
            "start central; compare its broker and topic_root with this file",
        )  # fmt: skip
        return
    if not visit.central.online:
        yield Finding(
            "central", "warn", f"central is offline since {visit.central.since:%Y-%m-%d %H:%M} UTC",
            "start central: scans are stored here and wait for it",
        )  # fmt: skip
        return
    ours = program_version()
    other = "" if visit.central.version == ours else f"; this gateway is {ours}"
    yield Finding("central", "good", f"central {visit.central.version} is online{other}")
    if look is not None and look.last_seq > 0:
        yield _of_mark(visit.ack, look)
    booked = visit.booked(look)
    yield await (_beat(visit) if booked is None else _round_trip(visit, *booked))


def _of_mark(ack: Ack | None, look: Look) -> Finding:
    """Return how much of the outbox central has, by its own word."""
    if ack is None:
        return Finding(
            "central", "warn", "central has said nothing of this gateway's scans yet",
            "if that stays so: may this account read its topic `ack`?",
        )  # fmt: skip
    if ack.epoch != look.epoch:
        return Finding(
            "central", "warn", "central's last word is about another outbox of this gateway",
            "right after the data folder was replaced; else two gateways have one name",
        )  # fmt: skip
    if ack.applied_seq == look.last_seq:
        return Finding("central", "good", f"central has all {look.last_seq:,} scans")
    return Finding(
        "central", "warn", f"central has scan {ack.applied_seq:,}, this outbox {look.last_seq:,}",
        "start the gateway; if it runs, see its log",
    )  # fmt: skip


async def _round_trip(visit: "_Visit", epoch: UUID, seq: int, event: bytes) -> Finding:
    """Send an event that central has already and wait for the answer."""
    begin_s = time.monotonic()
    visit.send(epoch, seq, event)
    came = await visit.until(lambda: bool(visit.refused or visit.answers), _ANSWER_S)
    if visit.refused:
        return Finding(
            "round trip", "bad", f"the broker refuses messages on {visit.events_topic}: "
            f"reason {visit.refused:#04x}", _ACCOUNT,
        )  # fmt: skip
    if not came:
        nobody = visit.confirmed_by_nobody
        return Finding(
            "round trip",
            "bad",
            "nobody listens to this gateway's scans"
            if nobody
            else f"central did not answer within {_ANSWER_S:.0f} s",
            "is central connected to this broker, with this topic_root?"
            if nobody
            else f"see central's log; may this account read {visit.ack_topic}?",
        )
    took_ms = (time.monotonic() - begin_s) * 1_000
    return Finding(
        "round trip", "good", f"to central's ledger and back in {took_ms:.0f} ms (scan {seq:,} "
        "again; nothing was booked)",
    )  # fmt: skip


async def _beat(visit: "_Visit") -> Finding:
    """Hear central: without a booked scan there is nothing to send."""
    if await visit.until(lambda: visit.beats > 0, _BEAT_S):
        return Finding(
            "round trip", "good", "central is heard; the way to it is proven once a scan is booked"
        )
    return Finding(
        "round trip", "warn", f"central says it is online, but was not heard for {_BEAT_S:.0f} s",
        "see central's log",
    )  # fmt: skip


class _Visit:
    """One short connection: what was heard on it so far."""

    def __init__(self, config: Config, uplink: Uplink, wake: asyncio.Event) -> None:
        self.config, self.uplink, self._wake = config, uplink, wake
        topics = Topics(config.topic_root)
        self.root = config.topic_root
        self.events_topic = topics.events(config.site, config.gateway)
        self.ack_topic = topics.ack(config.site, config.gateway)
        self._central_topic = topics.central()
        self.central: CentralState | None = None
        self.beats = 0
        self.ack: Ack | None = None
        self.answers = 0
        self.refused = 0
        self.confirmed_by_nobody = False

    def subscribe(self) -> None:
        """Ask for central's state and its answers to this gateway."""
        self.uplink.subscribe([self.ack_topic, self._central_topic])

    def booked(self, look: Look | None) -> tuple[UUID, int, bytes] | None:
        """Return the newest event that central says it has, by epoch, seq and bytes; None if it
        said nothing of this outbox, or the event is here no longer.
        """
        if look is None or self.ack is None or self.ack.epoch != look.epoch:
            return None
        seq = min(self.ack.applied_seq, look.last_seq)
        with contextlib.suppress(Unavailable):
            event = outbox_look.event_at(self.config.data, seq)
            return (look.epoch, seq, event) if event else None
        return None

    def send(self, epoch: UUID, seq: int, event: bytes) -> None:
        """Publish one event of the outbox; answers count from here."""
        self.answers = 0
        batch = codec.join_batch(self.config.gateway, epoch, uuid4(), seq, [event])
        self.uplink.publish(self.events_topic, batch)

    async def until(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Keep the connection going until `done`, for at most `timeout_s`; return whether it is."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self.uplink.turn():
                    self._take()
                    if done():
                        return True
                    await self._wake.wait()
                    self._wake.clear()
        return done()

    def _take(self) -> None:
        while self.uplink.inbox:
            message = self.uplink.inbox.popleft()
            with contextlib.suppress(Malformed):
                if message.topic == self.ack_topic:
                    self.ack = codec.decode(Ack, bytes(message.payload))
                    self.answers += not message.retain
                elif message.topic == self._central_topic:
                    self.central = codec.decode(CentralState, bytes(message.payload))
                    self.beats += not message.retain
        while self.uplink.confirmed:
            _, reason = self.uplink.confirmed.popleft()
            self.refused = reason if reason >= _FAILURE else 0
            self.confirmed_by_nobody = reason == _NO_SUBSCRIBERS


def _why_not(error: Exception, broker: Broker) -> Finding:
    """Return why the broker cannot be reached: it is away, or will never let us in like this."""
    fix = "check broker.host and broker.port, and whether the broker runs"
    level: Level = "warn"
    files = (broker.ca_file, broker.cert_file, broker.key_file)
    closed = [str(file) for file in files if file and not os.access(file, os.R_OK)]
    match error:
        case OSError() if closed:
            level, what = "bad", f"{closed[0]} cannot be read"
            fix = "correct the files in [broker], or let the gateway's user read them"
        case ssl.SSLError():
            level, what = "bad", f"TLS failed: {error.reason or error}"
            fix = "check ca_file, and that broker.host is the name in the broker's certificate"
        case ConnectionResetError() if broker.tls or broker.ca_file:
            level, what = "bad", "TLS failed: the broker hung up"
            fix = "check broker.port: it may be the one without TLS"
        case TimeoutError():
            what = "no answer; a firewall or the network may be in the way"
        case ConnectionRefusedError():
            what = "nobody listens there"
        case socket.gaierror():
            what = f"the name {broker.host!r} is not known"
        case _:
            what = str(error)
    return Finding("broker", level, f"broker {broker}: {what}", fix)
