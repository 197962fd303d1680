"""Draining the outbox: batches out, central's acknowledgements in; the gateway's state and signals.

The broker's own acknowledgement frees nothing. It only tells when nobody listens or when we are not
allowed to publish; then the drain pauses, never the scans.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable
from uuid import UUID, uuid4

from gateway.config import Config
from gateway.outbox import Outbox
from gateway.outbox_file import Extent
from gateway.signal_feed import SignalFeed
from gateway.uplink import CONNECT_TIMEOUT_S, Message, Uplink
from gateway.window import Window
from wire import codec
from wire.errors import Malformed, Unavailable
from wire.events import Ack, CentralState, Command, GatewayState, Rejected, Signal
from wire.topics import Topics

log = logging.getLogger(__name__)

BACKOFF_FIRST_S, BACKOFF_MAX_S = 0.2, 5.0
#: Brokers push a client off without a word when another of its name connects. Two that do this to
#: each other must not do it in quick turns.
_SETTLED_S, _SUSPICIOUS_LOSSES = 10.0, 3
#: Messages without PUBACK. Below the 20 that every broker grants; the window bounds the events.
IN_FLIGHT_MAX = 16
#: Batches sent before scans, acknowledgements and beeps get their turn again.
_BATCHES_PER_TURN = 2
#: The state is published on change at most this often, and without change this rarely.
STATE_MIN_S, STATE_MAX_S = 0.5, 5.0
#: The broker said that nobody listens, or refused: wait for central, or look again after this.
_PAUSE_S = 5.0
_KEEPALIVE_CHECK_S = 1.0
#: What the broker keeps for us, above all where central stands, comes within this.
_GREETING_S = 0.5
#: How long a stop waits for the broker to take the last word.
_FAREWELL_S = 1.0
_NO_SUBSCRIBERS, _FAILURE = 0x10, 0x80


class Drain:
    """Keeps central informed of what the outbox holds, for as long as `run` runs.

    `state_of(session, online)` gives the state to publish; `on_errand` hears of commands and of
    events that central rejected, and must not block.
    """

    def __init__(
        self,
        config: Config,
        outbox: Outbox,
        state_of: Callable[[UUID, bool], GatewayState],
        on_errand: Callable[[Command | Rejected], None],
    ) -> None:
        self._config, self._outbox = config, outbox
        self._state_of, self._on_errand = state_of, on_errand
        topics = Topics(config.topic_root)
        self._events_topic = topics.events(config.site, config.gateway)
        self._state_topic = topics.state(config.site, config.gateway)
        self._ack_topic = topics.ack(config.site, config.gateway)
        self._commands_topic = topics.commands(config.site, config.gateway)
        self._central_topic = topics.central()
        self._signals_topic = topics.signals(config.site, config.gateway)
        self._signals = SignalFeed()
        self._window = Window()
        #: The newest seq handed to the broker, of which epoch.
        self._sent: tuple[UUID | None, int] = (None, 0)
        #: On this connection central has said where it stands.
        self._heard = False
        #: An epoch that is not to be sent any more.
        self._superseded: UUID | None = None
        self._wake = asyncio.Event()
        self._central_online: bool | None = None
        self._central_session: UUID | None = None
        self._paused_until_s = self._state_due_s = self._state_sent_s = 0.0
        self._connected = False
        self._broker_problem: str | None = "not connected to the broker yet"
        self._refusal: str | None = None
        self._gap: str | None = None
        self._silent = False
        outbox.on_commit = self.on_change

    @property
    def online(self) -> bool:
        """True while scans reach central and are booked, as far as one can know."""
        hindered = self._refusal or self._gap or self._silent
        return self._connected and self._central_online is True and not hindered

    @property
    def problem(self) -> str | None:
        """Why scans do not reach central, None when all is well."""
        return self._broker_problem or self._refusal or self._gap

    def on_change(self) -> None:
        """Something is new: send what there is to send, publish the state soon."""
        self._state_due_s = min(self._state_due_s, self._state_sent_s + STATE_MIN_S)
        self._wake.set()

    def tell(self, signal: Signal) -> None:
        """Let everybody see what a person was told; without a broker it is forgotten."""
        if self._connected and self._signals.add(signal, _now_s()):
            self._wake.set()

    def replay(self, epoch: UUID, from_seq: int) -> None:
        """Send again from `from_seq` on, as far as the journal goes."""
        extent = self._outbox.extent
        if extent is None or epoch != extent.epoch:
            log.warning("replay asked for epoch %s, which is not ours", epoch)
            return
        self._outbox.acknowledge(min(from_seq - 1, self._outbox.acked_seq))
        self._window.epoch = None
        self._wake.set()

    async def run(self) -> None:
        """Connect, stay connected, and connect again, until cancelled."""
        failures = 0
        while True:
            session = uuid4()
            will = codec.encode(self._state_of(session, False))
            try:
                uplink = Uplink(self._config, self._wake.set, (self._state_topic, will))
                await uplink.connect()
                failures = 0 if await self._stay(uplink, session) else failures + 1
                reason = uplink.reason
                if uplink.accepted and failures >= _SUSPICIOUS_LOSSES:
                    reason += "; is another gateway running under the same site and name?"
            except (OSError, ValueError) as error:
                failures += 1
                reason = _reason(error)
            self._connected = False
            self._central_online = None
            problem = f"broker {self._config.broker}: {reason}"
            if problem != self._broker_problem:
                log.warning("%s; scans are stored, and sent when it is back", problem)
            self._broker_problem = problem
            ceiling_s = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** min(failures, 10))
            await asyncio.sleep(random.uniform(ceiling_s / 2, ceiling_s))

    async def _stay(self, uplink: Uplink, session: UUID) -> bool:
        """Serve one connection until it is lost; return whether it was a lasting one."""
        try:
            give_up_s = _now_s() + CONNECT_TIMEOUT_S
            while uplink.turn() and uplink.accepted is None:
                if _now_s() > give_up_s:
                    uplink.reason = "no answer"
                    return False
                await self._wait(give_up_s)
            if not uplink.accepted:
                return False
            uplink.subscribe([self._ack_topic, self._commands_topic, self._central_topic])
            connected_s = _now_s()
            self._connected, self._broker_problem, self._refusal = True, None, None
            self._window.epoch, self._heard = None, False
            self._state_due_s, self._paused_until_s = 0.0, connected_s + _GREETING_S
            self._signals.take()
            log.info("broker %s: connected", self._config.broker)
            while uplink.turn():
                await self._wait(self._serve(uplink, session))
        except asyncio.CancelledError:
            await self._farewell(uplink, session)
            raise
        finally:
            uplink.abandon()
        return _now_s() - connected_s > _SETTLED_S

    def _serve(self, uplink: Uplink, session: UUID) -> float:
        """Do all there is to do now; return when to look again without being woken."""
        now_s = _now_s()
        while uplink.inbox:
            self._on_message(uplink.inbox.popleft(), now_s)
        while uplink.confirmed:
            self._on_confirmed(*uplink.confirmed.popleft(), now_s)
        self._drain(uplink, session, now_s)
        if not uplink.busy:
            for signal in self._signals.take():
                uplink.mention(self._signals_topic, codec.encode(signal))
        if now_s >= self._state_due_s:
            self._publish_state(uplink, session, online=True)
            self._state_sent_s, self._state_due_s = now_s, now_s + STATE_MAX_S
        deadlines = [self._state_due_s, now_s + _KEEPALIVE_CHECK_S]
        if self._window.deadline_s is not None:
            deadlines.append(self._window.deadline_s)
        if now_s < self._paused_until_s:
            deadlines.append(self._paused_until_s)
        return min(deadlines)

    def _drain(self, uplink: Uplink, session: UUID, now_s: float) -> None:
        extent = self._outbox.extent
        window = self._window
        if extent is None or extent.epoch == self._superseded:
            return
        if self._central_online is False or now_s < self._paused_until_s:
            return
        acked, newest = self._outbox.acked_seq, extent.last_seq
        if not self._heard:
            # One event, and one that is not news if there is any, asks where central stands. Our
            # numbers mean nothing if this file was put back to an older copy: then central has
            # other scans under them, and would pass over ours.
            newest = min(newest, max(acked, extent.first_seq))
            acked = newest - 1
        if window.epoch != extent.epoch:
            window.start(extent.epoch, max(0, acked), now_s)
        if window.rewind_if_stuck(now_s):
            self._silent = True
            log.warning("central acknowledges nothing; sending again after seq %d", window.acked)
        for _ in range(_BATCHES_PER_TURN):
            waiting = newest - window.sent
            room = min(window.room, codec.BATCH_EVENTS_MAX)
            # Small batches while a backlog waits would waste the line.
            if waiting <= 0 or room < min(waiting, codec.BATCH_EVENTS_MAX):
                return
            if len(uplink.in_flight) >= IN_FLIGHT_MAX:
                return
            first = max(window.sent + 1, extent.first_seq)
            try:
                events = self._outbox.rows(first - 1, min(room, waiting), codec.BATCH_BYTES_MAX)
            except Unavailable as error:
                self._pause(now_s)
                log.error("%s", error)
                return
            batch = codec.join_batch(self._config.gateway, extent.epoch, session, first, events)
            uplink.publish(self._events_topic, batch)
            window.on_sent(first + len(events) - 1, now_s)
            self._sent = (extent.epoch, max(self._sent_seq(extent), window.sent))
        self._wake.set()

    def _on_message(self, message: Message, now_s: float) -> None:
        try:
            if message.topic == self._ack_topic:
                self._on_ack(codec.decode(Ack, bytes(message.payload)), now_s)
                if not message.retain and self._central_online is None:
                    self._central_online = True  # only central acknowledges
            elif message.topic == self._central_topic:
                self._on_central(codec.decode(CentralState, bytes(message.payload)), now_s)
            else:
                self._on_errand(codec.decode_command(bytes(message.payload)))
        except Malformed as error:
            log.warning("ignored a message on %s: %s", message.topic, error)

    def _on_ack(self, ack: Ack, now_s: float) -> None:
        extent = self._outbox.extent
        if extent is None or ack.epoch != extent.epoch:
            return
        self._paused_until_s, self._refusal = 0.0, None
        self._heard, self._silent = True, False
        if ack.applied_seq > max(extent.opened_seq, self._sent_seq(extent)):
            # These numbers were given to other scans, before the file was put back or damaged.
            log.critical("central has scans that this outbox has not sent: a copy was put back")
            self._superseded = ack.epoch
            self._outbox.supersede()
            return
        before = self._outbox.acked_seq
        for rejected in ack.rejected:
            if before < rejected.seq <= ack.applied_seq:
                self._on_errand(rejected)
        self._outbox.acknowledge(ack.applied_seq)
        if self._window.epoch == extent.epoch:
            self._window.on_ack(ack, now_s)
        self._gap = None
        if ack.applied_seq + 1 < extent.first_seq:
            self._gap = (
                f"central lacks the events from seq {ack.applied_seq + 1} to "
                f"{extent.first_seq - 1}, which this gateway keeps no longer; compare the stock"
            )
            log.critical("%s", self._gap)
        self.on_change()

    def _sent_seq(self, extent: Extent) -> int:
        return self._sent[1] if self._sent[0] == extent.epoch else 0

    def _on_central(self, state: CentralState, now_s: float) -> None:
        if state.online != self._central_online or state.session != self._central_session:
            # What was sent while it was away went to nobody.
            self._paused_until_s = 0.0
            self._window.rewind(now_s)
            log.info("central is %s", "online" if state.online else "offline")
        self._central_online, self._central_session = state.online, state.session

    def _on_confirmed(self, topic: str, reason: int, now_s: float) -> None:
        if reason >= _FAILURE:
            self._refusal = f"the broker refuses messages on {topic}: reason {reason:#04x}"
            log.error("%s", self._refusal)
        if topic == self._events_topic and (reason >= _FAILURE or reason == _NO_SUBSCRIBERS):
            self._pause(now_s)

    def _pause(self, now_s: float) -> None:
        self._paused_until_s = now_s + _PAUSE_S
        self._window.rewind(now_s)

    def _publish_state(self, uplink: Uplink, session: UUID, *, online: bool) -> None:
        payload = codec.encode(self._state_of(session, online))
        uplink.publish(self._state_topic, payload, retain=True)

    async def _farewell(self, uplink: Uplink, session: UUID) -> None:
        """Tell everybody that we stop on purpose."""
        if not self._connected:
            return
        self._publish_state(uplink, session, online=False)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_S):
                while uplink.turn() and self._state_topic in uplink.in_flight.values():
                    await self._wait(_now_s() + _FAREWELL_S)
        uplink.close()

    async def _wait(self, until_s: float) -> None:
        if self._wake.is_set():
            await asyncio.sleep(0)  # there is more to do, but others have their turn first
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, until_s - _now_s())):
                    await self._wake.wait()
        self._wake.clear()


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _now_s() -> float:
    return time.monotonic()
