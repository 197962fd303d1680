"""`docktally sim fleet`: many gateways without scanners, straight to the broker, for load."""

import logging
import random
import threading
import time
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from firmware_sim import catalog, gs1
from firmware_sim.sending import Sender
from wire import codec, ids
from wire.broker import Broker
from wire.errors import Malformed
from wire.events import Ack, Clock, Event, Identifiers
from wire.topics import DEFAULT_ROOT, DELIVERY, Topics

log = logging.getLogger(__name__)

#: Central answers within milliseconds; after this long without progress something got lost.
ACK_TIMEOUT_S = 5.0
#: How often due events are made and stalls are looked for.
_TICK_S = 0.02
_KEEPALIVE_S = 30
#: Waits remembered per gateway for the figures; the newest.
_WAITS_MAX = 100_000
_KINDS: Sequence[Any] = ("receive", "receive", "receive", "ship")


@dataclass(frozen=True, slots=True)
class Load:
    """What a fleet does. `rate` counts events a second of each gateway."""

    broker: Broker
    catalogue: catalog.Catalogue
    gateways: int = 10
    rate: float = 10.0
    seconds: float = 10.0
    drain_s: float = 30.0
    seed: int = 1
    topic_root: str = DEFAULT_ROOT


class VirtualGateway:
    """One gateway: makes events, publishes them in order, keeps them until central's ack."""

    def __init__(self, name: str, load: Load) -> None:
        """Prepare a gateway with a fresh epoch."""
        self.name = name
        self.waits_s: deque[float] = deque(maxlen=_WAITS_MAX)
        self.reconnects = -1
        self._rng = random.Random(f"{load.seed} {name}")
        self._load = load
        self._lock = threading.Lock()
        self._topics = Topics(load.topic_root)
        site = load.catalogue.site
        self._events, self._acks = self._topics.events(site, name), self._topics.ack(site, name)
        self.sender = Sender(name, uuid.uuid4(), uuid.uuid4())
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=f"{name}-{self.sender.session}",
            protocol=mqtt.MQTTv5,
        )  # fmt: skip
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 5)
        broker = load.broker
        self._client.username_pw_set(broker.username, broker.password)
        context = broker.tls_context()
        if context is not None:
            self._client.tls_set_context(context)

    def start(self) -> None:
        """Begin to connect; it goes on trying by itself."""
        broker = self._load.broker
        self._client.connect_async(broker.host, broker.port, _KEEPALIVE_S, clean_start=True)
        self._client.loop_start()

    def stop(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def scan(self, now: datetime) -> None:
        """Make one event and publish what the window allows."""
        with self._lock:
            self.sender.append(self._event(self.sender.last_seq + 1, now), time.monotonic())
            self._publish()

    def tick(self) -> None:
        """Send again what central did not acknowledge in time."""
        with self._lock:
            now_s = time.monotonic()
            if self.sender.stalled(now_s, ACK_TIMEOUT_S):
                self.sender.rewind(now_s)
            self._publish()

    def _publish(self) -> None:
        if not self._client.is_connected():
            return
        delivery = DELIVERY["events"]
        while (batch := self.sender.next_batch()) is not None:
            self._client.publish(self._events, batch, delivery.qos, delivery.retain)

    def _event(self, seq: int, now: datetime) -> Event:
        item = self._rng.choice(self._load.catalogue.items)
        return Event(
            seq=seq,
            id=ids.new_id(int(now.timestamp() * 1_000), self._rng),
            kind=self._rng.choice(_KINDS),
            event_time=now,
            clock=Clock(
                boot_id=str(self.sender.session),
                monotonic_us=time.monotonic_ns() // 1_000,
                synced=True,
            ),
            scanner=f"{self.name}-1",
            location=self._load.catalogue.docks[0],
            identifiers=Identifiers(gtin14=gs1.gtin14(item.each)),
            symbology="]E0",
            raw=gs1.trade_item(item.each),
        )

    def _on_connect(
        self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        if reason.is_failure:
            log.warning("%s: the broker refuses: %s", self.name, reason)
            return
        client.subscribe(self._acks, qos=DELIVERY["ack"].qos)
        with self._lock:
            self.reconnects += 1
            self.sender.rewind(time.monotonic())
            self._publish()

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        try:
            ack = codec.decode(Ack, bytes(message.payload))
        except Malformed as error:
            log.error("%s: an acknowledgement that is none: %s", self.name, error)
            return
        with self._lock:
            self.waits_s.extend(self.sender.on_ack(ack, time.monotonic()))
            self._publish()


@dataclass
class Fleet:
    """All gateways of one load. `stop` ends the scanning; what is pending is still delivered."""

    load: Load
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> dict[str, float]:
        """Scan for the load's time, wait until all is acknowledged, and return the figures."""
        load = self.load
        gateways = [VirtualGateway(f"fleet-{n + 1:04}", load) for n in range(load.gateways)]
        for gateway in gateways:
            gateway.start()
        try:
            begun = time.monotonic()
            self._scan(gateways, begun)
            scanned_s = time.monotonic() - begun
            self._drain(gateways)
            drained_s = time.monotonic() - begun
        finally:
            for gateway in gateways:
                gateway.stop()
        return _figures(gateways, scanned_s, drained_s)

    def _scan(self, gateways: Sequence[VirtualGateway], begun: float) -> None:
        made = 0
        while not self.stop.wait(_TICK_S):
            elapsed = time.monotonic() - begun
            if self.load.seconds and elapsed >= self.load.seconds:
                return
            now = datetime.now(UTC)
            due = int(elapsed * self.load.rate)
            for gateway in gateways:
                for _ in range(due - made):
                    gateway.scan(now)
                gateway.tick()
            made = due

    def _drain(self, gateways: Sequence[VirtualGateway]) -> None:
        end = time.monotonic() + self.load.drain_s
        while any(gateway.sender.pending for gateway in gateways) and time.monotonic() < end:
            time.sleep(_TICK_S)
            for gateway in gateways:
                gateway.tick()


def _figures(
    gateways: Sequence[VirtualGateway], scanned_s: float, drained_s: float
) -> dict[str, float]:
    waits = sorted(wait for gateway in gateways for wait in gateway.waits_s) or [0.0]
    made = sum(gateway.sender.last_seq for gateway in gateways)
    return {
        "gateways": len(gateways),
        "events": made,
        "acked": sum(gateway.sender.acked_seq for gateway in gateways),
        "pending": sum(gateway.sender.pending for gateway in gateways),
        "rejected": sum(gateway.sender.rejected for gateway in gateways),
        "rewinds": sum(gateway.sender.rewinds for gateway in gateways),
        "reconnects": sum(max(0, gateway.reconnects) for gateway in gateways),
        "events_per_s": round(made / scanned_s, 1),
        "acked_within_s": round(drained_s, 3),
        "ack_ms_median": round(waits[len(waits) // 2] * 1_000, 1),
        "ack_ms_p99": round(waits[len(waits) * 99 // 100] * 1_000, 1),
        "ack_ms_longest": round(waits[-1] * 1_000, 1),
    }
