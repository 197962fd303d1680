"""The asyncio MQTT client of central and the monitor, on gmqtt.

Each connection is a fresh client with a clean session: what must survive is in our protocol, not in
the broker. So an acknowledgement can only ever leave on the connection its message came by, and a
late one for a lost connection goes nowhere instead of deleting somebody else's message.
"""

import asyncio
import contextlib
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import gmqtt
from gmqtt.mqtt.handler import MQTTConnectError
from gmqtt.storage import PersistentStorage

from wire.broker import Broker
from wire.errors import Unavailable

log = logging.getLogger(__name__)

#: A broker that accepts TCP but sends no CONNACK for this long counts as away.
CONNECT_TIMEOUT_S = 10.0
KEEPALIVE_S = 20
BACKOFF_FIRST_S, BACKOFF_MAX_S = 0.2, 10.0
#: Publishes awaiting their PUBACK at once; below the window that any broker we ship grants.
INFLIGHT_MAX = 200
#: Messages the broker may send us unacknowledged.
RECEIVE_MAXIMUM = 500
#: gmqtt reconnects by itself unless the count of failures is above the allowed one.
_NO_RECONNECT = -2
_ACCEPTED = 0
#: Retain handling of MQTT 5, 3.8.3.1.
_STORED, _NOT_STORED = 0, 2
logging.getLogger("gmqtt").setLevel(logging.CRITICAL)  # what it says, the link says once and better


class _Acks:
    """The acknowledgements owed on one connection; they leave in the order of arrival."""

    def __init__(self) -> None:
        self._owed: deque[tuple[asyncio.Future[int], list[bool]]] = deque()

    def owe(self) -> tuple["asyncio.Future[int]", Callable[[], None]]:
        """Return the future that gmqtt waits for, and what to call when the message is done."""
        verdict: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        done: list[bool] = []
        self._owed.append((verdict, done))

        def finish() -> None:
            done.append(True)
            while self._owed and self._owed[0][1]:
                _accept(self._owed.popleft()[0])

        return verdict, finish

    def give_up(self) -> None:
        """Let gmqtt's handlers end; the socket is closed, so nothing leaves."""
        while self._owed:
            _accept(self._owed.popleft()[0])


def _accept(verdict: "asyncio.Future[int]") -> None:
    if not verdict.done():
        verdict.set_result(_ACCEPTED)


@dataclass(frozen=True, slots=True)
class Message:
    """An arrived message. With `manual_ack` each must be acknowledged once it is dealt with."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    ack: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker says for us when we vanish.

    It says it after `delay_s`, and not at all when another connection under our client id was made
    by then: so the next process can take a role over without anybody hearing that it was vacant.
    """

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = True
    delay_s: int = 0


class _Confirmations(PersistentStorage):  # type: ignore[misc]  # gmqtt ships no types
    """Makes gmqtt's store of unacknowledged publishes one future each, resolved by the PUBACK."""

    def __init__(self) -> None:
        super().__init__()
        self.newest: asyncio.Future[None]
        self.freed = asyncio.Event()
        self._waiting: dict[int, asyncio.Future[None]] = {}

    def push_message(self, mid: int, raw_package: bytes) -> None:
        super().push_message(mid, raw_package)
        self.newest = self._waiting[mid] = asyncio.get_running_loop().create_future()

    def remove_message_by_mid(self, mid: int) -> None:
        super().remove_message_by_mid(mid)
        waiting = self._waiting.pop(mid, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)
        self.freed.set()

    def lose_all(self) -> None:
        """Fail every publish that was not confirmed."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(Unavailable("the broker connection was lost"))
                waiting.exception()  # seen: whoever gave up waiting must not be warned about it
        self._waiting.clear()
        self.freed.set()


@dataclass
class Link:
    """A connection that comes back. `run` keeps it up; `publish` confirms; `on_message` hears.

    `on_connect` runs after each successful connect and subscribe; `on_state` hears (up, reason).
    """

    broker: Broker
    client_id: str
    on_message: Callable[[Message], None]
    subscriptions: Sequence[tuple[str, int]] = ()
    on_connect: Callable[[], Awaitable[None]] | None = None
    on_state: Callable[[bool, str], None] | None = None
    will: Will | None = None
    manual_ack: bool = False
    _client: Any = field(default=None, init=False)
    _confirmations: _Confirmations | None = field(default=None, init=False)
    _window: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(INFLIGHT_MAX), init=False
    )
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _lost: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _bug: Exception | None = field(default=None, init=False)
    _asked: dict[int, asyncio.Future[None]] = field(default_factory=dict, init=False)
    _acks: _Acks = field(default_factory=_Acks, init=False)

    @property
    def connected(self) -> bool:
        """True while the broker has accepted us and the socket is open."""
        return self._client is not None

    async def run(self) -> None:
        """Connect, stay connected, and connect again, until cancelled."""
        failures = 0
        while True:
            try:
                await self._connect()
            except (OSError, TimeoutError, MQTTConnectError) as error:
                failures += 1
                self._say(up=False, reason=f"broker {self.broker}: {_reason(error)}")
            else:
                failures = 0
                self._say(up=True, reason=f"broker {self.broker}: connected")
                try:
                    await self._stay()
                finally:
                    await self._close()
                self._say(up=False, reason=f"broker {self.broker}: connection lost")
            await asyncio.sleep(backoff_s(failures))

    async def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False
    ) -> None:
        """Send a message; with QoS 1 return once the broker has it, else raise Unavailable."""
        async with self._window:
            message = gmqtt.Message(topic, payload, qos=qos, retain=retain)
            async with self._turn:  # a newer value must not overtake one that waits for the window
                confirmations = await self._send(message)
                confirmed = confirmations.newest if qos > 0 else None
            if confirmed is not None:
                await confirmed

    async def subscribe(self, topic: str, qos: int, *, stored: bool) -> None:
        """Hear a topic too, for as long as this connection lasts; return once the broker agreed.

        With `stored` the broker sends its retained messages, also when it did so before. Raise
        Unavailable when there is no connection, or no longer.
        """
        client = self._client
        if client is None:
            raise Unavailable(f"not connected to the broker {self.broker}")
        subscription = gmqtt.Subscription(
            topic, qos=qos, retain_handling_options=_STORED if stored else _NOT_STORED
        )
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asked[client.subscribe(subscription)] = granted
        await granted

    def unsubscribe(self, topic: str) -> None:
        """Hear a topic no longer."""
        if self._client is not None:
            self._client.unsubscribe(topic)

    async def _send(self, message: gmqtt.Message) -> _Confirmations:
        client, confirmations = self._client, self._confirmations
        if client is None or confirmations is None:
            raise Unavailable(f"not connected to the broker {self.broker}")
        while not _sent(client, message):
            confirmations.freed.clear()
            await confirmations.freed.wait()
            if client is not self._client:
                raise Unavailable("the broker connection was lost")
        return confirmations

    async def _connect(self) -> None:
        confirmations = _Confirmations()
        self._acks = _Acks()
        delay_s = self.will.delay_s if self.will else 0
        client = gmqtt.Client(
            self.client_id,
            # The Will of a session that ends is sent at once, so one that waits needs a session.
            clean_session=not delay_s,
            session_expiry_interval=delay_s,
            # gmqtt would otherwise acknowledge before our handler has even seen the message.
            optimistic_acknowledgement=not self.manual_ack,
            will_message=self._will_message(),
            persistent_storage=confirmations,
            receive_maximum=RECEIVE_MAXIMUM,
        )
        client.set_config({"reconnect_retries": _NO_RECONNECT})
        lost = self._lost = asyncio.Event()
        client.on_disconnect = lambda *_: lost.set()
        client.on_subscribe = self._on_granted
        client.on_message = self._on_manual if self.manual_ack else self._on_automatic
        if self.broker.username is not None:
            client.set_auth_credentials(self.broker.username, self.broker.password)
        tls = self.broker.tls_context()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await client.connect(
                    self.broker.host, self.broker.port, ssl=tls or False, keepalive=KEEPALIVE_S
                )
        except BaseException:
            with contextlib.suppress(OSError):
                await client.disconnect()
            raise
        if self._lost.is_set():
            raise ConnectionResetError("connection closed right after it was accepted")
        self._client, self._confirmations = client, confirmations

    async def _stay(self) -> None:
        for topic, qos in self.subscriptions:
            self._client.subscribe(topic, qos=qos)
        lost = asyncio.ensure_future(self._lost.wait())
        greeting = asyncio.ensure_future(self._greet())
        try:
            await asyncio.wait({lost, greeting}, return_when=asyncio.FIRST_COMPLETED)
            if greeting.done():
                greeting.result()
            await lost
            if self._bug is not None:
                raise self._bug
        finally:
            for task in (lost, greeting):
                task.cancel()

    async def _greet(self) -> None:
        if self.on_connect is not None:
            with contextlib.suppress(Unavailable):
                await self.on_connect()

    async def _close(self) -> None:
        client, self._client = self._client, None
        if self._confirmations is not None:
            self._confirmations.lose_all()
            self._confirmations = None
        for granted in self._asked.values():
            if not granted.done():
                granted.set_exception(Unavailable("the broker connection was lost"))
                granted.exception()  # seen: whoever gave up waiting must not be warned about it
        self._asked.clear()
        if client is not None:
            with contextlib.suppress(OSError):
                await client.disconnect()
        self._acks.give_up()

    def _on_granted(
        self, _client: Any, mid: int, _codes: Sequence[int], _properties: dict[str, Any]
    ) -> None:
        granted = self._asked.pop(mid, None)
        if granted is not None and not granted.done():
            granted.set_result(None)

    def _on_automatic(
        self, _client: Any, topic: str, payload: bytes, qos: int, properties: dict[str, Any]
    ) -> None:
        self._hand_over(Message(topic, bytes(payload), qos, bool(properties["retain"])))

    async def _on_manual(
        self, _client: Any, topic: str, payload: bytes, qos: int, properties: dict[str, Any]
    ) -> int:
        verdict, finish = self._acks.owe()
        self._hand_over(Message(topic, bytes(payload), qos, bool(properties["retain"]), finish))
        return await verdict

    def _hand_over(self, message: Message) -> None:
        try:
            self.on_message(message)
        except Exception as error:  # noqa: BLE001  gmqtt would swallow our own bug; `run` raises it
            self._bug = error
            self._lost.set()

    def _will_message(self) -> gmqtt.Message | None:
        if self.will is None:
            return None
        will = self.will
        delay = {"will_delay_interval": will.delay_s} if will.delay_s else {}
        return gmqtt.Message(will.topic, will.payload, qos=will.qos, retain=will.retain, **delay)

    def _say(self, *, up: bool, reason: str) -> None:
        log.log(logging.INFO if up else logging.WARNING, reason)
        if self.on_state is not None:
            self.on_state(up, reason)


def _sent(client: Any, message: gmqtt.Message) -> bool:
    try:
        client.publish(message)
    except OverflowError:  # the broker's own window is smaller than ours
        return False
    return True


def backoff_s(failures: int) -> float:
    """Return how long to wait before the next attempt: doubling, capped, with jitter."""
    ceiling = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** min(failures, 10))
    return random.uniform(ceiling / 2, ceiling)


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
