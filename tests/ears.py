"""Somebody who hears everything on a broker, and says anything there."""

from collections.abc import Callable

import paho.mqtt.client as paho

from wire import codec
from wire.errors import Malformed
from wire.events import GatewayState
from wire.topics import Topics

#: How long the broker may take to accept a message.
_PUBLISH_S = 30.0


class Ears:
    """Hears every message on the broker and can say anything there."""

    def __init__(self, port: int) -> None:
        self.topics = Topics()
        self.newest: dict[str, bytes] = {}
        #: Called with each message, in the order of their arrival.
        self.tell: Callable[[str, bytes], object] = lambda _topic, _payload: None
        client = self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        client.on_connect = lambda *_: client.subscribe(f"{self.topics.root}/#", qos=1)
        client.on_message = self._hear
        client.reconnect_delay_set(1, 1)
        client.connect("127.0.0.1", port)
        client.loop_start()

    def _hear(self, _client: object, _userdata: object, message: paho.MQTTMessage) -> None:
        self.newest[message.topic] = message.payload
        self.tell(message.topic, message.payload)

    def say(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish bytes; return when the broker has them."""
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(_PUBLISH_S)

    def state(self, site: str, gateway: str) -> GatewayState | None:
        """Return a gateway's newest state, None while it has said nothing that makes sense."""
        try:
            return codec.decode(GatewayState, self.newest[self.topics.state(site, gateway)])
        except (KeyError, Malformed):
            return None

    def close(self) -> None:
        """Stop listening."""
        self._client.disconnect()
        self._client.loop_stop()
