"""Messages a monitor hears, and a way to put them on a real broker."""

import asyncio
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime

from wire import codec
from wire.broker import Broker
from wire.events import (
    Activity,
    Alert,
    Availability,
    CentralState,
    ClockState,
    GatewayState,
    NewScanner,
    OutboxState,
    Pattern,
    ScannerState,
    Signal,
)
from wire.link import Link
from wire.topics import DELIVERY, Topics

#: A moment to count from: 2026-03-02 08:00 UTC.
NOW = 1_772_438_400.0
TOPICS = Topics()


def at(seconds: float) -> datetime:
    """Return the moment that many seconds after `NOW`."""
    return datetime.fromtimestamp(NOW + seconds, UTC)


def item(
    sku: str,
    version: int = 1,
    available: int = 100,
    *,
    name: str = "thing",
    site: str = "ber",
    reserved: int = 0,
    as_of: float = 0.0,
) -> Availability:
    """Return an availability."""
    return Availability(
        sku=sku,
        site=site,
        name=name,
        version=version,
        on_hand=available + reserved,
        reserved=reserved,
        safety=0,
        available=available,
        as_of=at(as_of),
        cause="scan",
    )


def central(*, online: bool = True, session: uuid.UUID | None = None) -> CentralState:
    """Return a state of central."""
    return CentralState(
        session=session or uuid.UUID(int=1), online=online, since=at(0), version="0.1.0"
    )


def gateway(
    *scanners: ScannerState,
    online: bool = True,
    session: uuid.UUID | None = None,
    pending: int = 0,
    oldest_age_s: float = 0.0,
    capacity_left: int = 50_000,
    new_scanners: tuple[NewScanner, ...] = (),
) -> GatewayState:
    """Return a state of a gateway."""
    return GatewayState(
        session=session or uuid.UUID(int=2),
        online=online,
        since=at(0),
        version="0.1.0",
        scanners=scanners,
        new_scanners=new_scanners,
        outbox=OutboxState(pending=pending, oldest_age_s=oldest_age_s, capacity_left=capacity_left),
        clock=ClockState(synced=True),
        last_seq=1,
    )


def alert(alert_id: str, severity: str = "warning", opened: float = 0.0) -> Alert:
    """Return an open alert."""
    return Alert.model_validate(
        {
            "id": alert_id,
            "kind": "shortage",
            "severity": severity,
            "title": f"alert {alert_id}",
            "opened": at(opened),
        }
    )


def activity(sku: str = "A-1", text: str = "thing") -> Activity:
    """Return a line of the live feed."""
    return Activity(
        at=at(0), outcome="applied", kind="receive", gateway="g1", scanner="s1", sku=sku, text=text
    )


def signal(pattern: Pattern, text: str = "scan the location first") -> Signal:
    """Return what a person at a scanner was told."""
    return Signal(at=at(0), scanner="s1", pattern=pattern, text=text)


async def publish(
    port: int, messages: Iterable[Availability | Alert | CentralState | Signal | bytes]
) -> None:
    """Put messages on the broker as central does; bytes go where nobody can read them."""
    connected = asyncio.Event()

    async def greet() -> None:
        connected.set()

    link = Link(Broker(port=port), f"central-{uuid.uuid4().hex[:8]}", lambda _: None)
    link.on_connect = greet
    running = asyncio.create_task(link.run())
    try:
        async with asyncio.timeout(30):
            await connected.wait()
            for message in messages:
                match message:
                    case Availability():
                        topic = TOPICS.availability(message.site, message.sku)
                        retain = DELIVERY["availability"].retain
                    case CentralState():
                        topic, retain = TOPICS.central(), DELIVERY["central"].retain
                    case Signal():
                        topic, retain = TOPICS.signals("ber", "g1"), DELIVERY["signals"].retain
                    case Alert():
                        topic, retain = TOPICS.alert(message.id), DELIVERY["alert"].retain
                    case _:
                        topic, retain = TOPICS.activity("ber"), False
                body = message if isinstance(message, bytes) else codec.encode(message)
                await link.publish(topic, body, retain=retain)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
