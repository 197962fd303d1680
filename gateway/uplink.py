"""One connection to the broker: the only user of paho.

paho is driven from the event loop, without a thread of its own: `turn` reads and writes, callbacks
only note what came, and nothing is published from inside one. Every connection is a new client, so
no message of an old one is ever sent again behind our back: the outbox does that.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from gateway.config import Config

#: A broker that does not answer for this long counts as away.
CONNECT_TIMEOUT_S = 5.0
KEEPALIVE_S = 20
_NORMAL, _UNSPECIFIED = 0x00, 0x80
#: Acknowledgements, commands, central's state: small and few. What is too much is lost, and said
#: again by central.
_INBOX_MAX = 1_000


Message = paho.MQTTMessage


class Uplink:
    """One connection to the broker: paho's client, what it brought, what it still carries.

    A broker pushes a client off when another of its `client_id` connects; by default it is the
    gateway's own. `will` is a topic and what the broker publishes there when we vanish.
    """

    def __init__(
        self,
        config: Config,
        wake: Callable[[], None],
        will: tuple[str, bytes] | None = None,
        client_id: str | None = None,
    ) -> None:
        self._config, self._wake = config, wake
        self._loop = asyncio.get_running_loop()
        self._writing = False
        self.inbox: deque[Message] = deque(maxlen=_INBOX_MAX)
        self.confirmed: deque[tuple[str, int]] = deque()
        self.in_flight: dict[int, str] = {}
        self.accepted: bool | None = None
        self.reason = "the connection was lost"
        client = self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id or f"docktally-gateway-{config.site}-{config.gateway}",
            protocol=paho.MQTTv5,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(0)  # our own bound holds; paho must keep nothing back
        if will is not None:
            client.will_set(will[0], will[1], qos=1, retain=True)
        broker = config.broker
        if broker.username is not None:
            client.username_pw_set(broker.username, broker.password)
        tls = broker.tls_context()
        if tls is not None:
            client.tls_set_context(tls)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = lambda _client, _userdata, message: self.inbox.append(message)
        client.on_publish = self._on_publish
        client.on_socket_close = lambda _client, _userdata, closed: self._forget(closed)

    async def connect(self) -> None:
        """Open the connection and say hello; raise OSError when that fails."""
        broker = self._config.broker
        await asyncio.to_thread(self._client.connect, broker.host, broker.port, KEEPALIVE_S)
        connection: Any = self._client.socket()
        if connection is None:
            raise ConnectionResetError("closed at once")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._loop.add_reader(connection, self._wake)

    def turn(self) -> bool:
        """Read and write what the socket allows; return whether the connection lives."""
        client = self._client
        client.loop_read()
        connection = client.socket()
        # TLS may hold decrypted packets that the socket no longer signals.
        if connection is not None and getattr(connection, "pending", int)():
            self._wake()
        if client.want_write():
            client.loop_write()
        client.loop_misc()
        self._watch_for_writing()
        return client.socket() is not None

    def subscribe(self, topics: list[str]) -> None:
        """Ask for topics, at least once."""
        self._client.subscribe([(topic, 1) for topic in topics])

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Hand a message to the broker; its confirmation shows up in `confirmed`."""
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        self.in_flight[info.mid] = topic
        self._watch_for_writing()

    def mention(self, topic: str, payload: bytes) -> None:
        """Hand a message to the broker that may get lost; nothing confirms it."""
        self._client.publish(topic, payload, qos=0)
        self._watch_for_writing()

    @property
    def busy(self) -> bool:
        """True while the socket has not taken what it was given."""
        return bool(self._client.want_write())

    def close(self) -> None:
        """Say goodbye, so that the Will stays unsaid, and close."""
        self._client.disconnect()
        self._client.loop_write()
        self.abandon()

    def abandon(self) -> None:
        """Close without a word: the broker publishes the Will."""
        connection = self._client.socket()
        if connection is not None:
            self._forget(connection)
            connection.close()

    def _watch_for_writing(self) -> None:
        connection: Any = self._client.socket()
        wanted = connection is not None and self._client.want_write()
        if wanted and not self._writing:
            self._loop.add_writer(connection, self._wake)
        elif self._writing and not wanted and connection is not None:
            self._loop.remove_writer(connection)
        self._writing = wanted

    def _forget(self, connection: Any) -> None:
        self._loop.remove_reader(connection)
        self._loop.remove_writer(connection)
        self._writing = False

    def _on_connect(
        self, _client: object, _userdata: object, _flags: object, reason: Any, _properties: object
    ) -> None:
        self.accepted = not reason.is_failure
        if reason.is_failure:
            self.reason = f"refused: {reason}"

    def _on_disconnect(
        self, _client: object, _userdata: object, _flags: object, reason: Any, _properties: object
    ) -> None:
        if self.accepted and reason.value not in (_NORMAL, _UNSPECIFIED):
            self.reason = f"the broker closed the connection: {reason}"

    def _on_publish(
        self, _client: object, _userdata: object, mid: int, reason: Any, _properties: object
    ) -> None:
        topic = self.in_flight.pop(mid, None)
        if topic is not None:
            self.confirmed.append((topic, reason.value))
