"""wire.link against a real mosquitto: what central and the monitor rely on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from neighbours import Mosquitto
from wire.broker import Broker
from wire.errors import Unavailable
from wire.link import RECEIVE_MAXIMUM, Link, Message, Will

pytestmark = pytest.mark.broker
DEADLINE_S = 20


@asynccontextmanager
async def running(link: Link) -> AsyncIterator[Link]:
    """Run a link until the block ends; return once it is connected."""
    ready = asyncio.Event()
    greeting = link.on_connect

    async def on_connect() -> None:
        if greeting:
            await greeting()
        ready.set()

    link.on_connect = on_connect
    task = asyncio.create_task(link.run())
    try:
        async with asyncio.timeout(DEADLINE_S):
            await ready.wait()
        yield link
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def listener(
    mosquitto: Mosquitto, name: str, topic: str, **options: object
) -> tuple[Link, asyncio.Queue[Message]]:
    """Give a link that puts what it hears on `topic` into a queue."""
    heard: asyncio.Queue[Message] = asyncio.Queue(10_000)
    link = Link(Broker(port=mosquitto.port), name, heard.put_nowait, [(topic, 1)], **options)  # type: ignore[arg-type]
    return link, heard


async def next_of(heard: asyncio.Queue[Message]) -> Message:
    """Return the next message within the deadline."""
    async with asyncio.timeout(DEADLINE_S):
        return await heard.get()


async def test_publish_returns_after_the_broker_has_it(mosquitto: Mosquitto) -> None:
    """More publishes than any window allows all arrive, in order."""
    hearing, heard = listener(mosquitto, "hears", "t/#")
    speaking = Link(Broker(port=mosquitto.port), "speaks", lambda _: None)
    async with running(hearing), running(speaking):
        await asyncio.sleep(0)
        await asyncio.gather(*(speaking.publish(f"t/{n}", b"%d" % n) for n in range(2_000)))
        assert [(await next_of(heard)).payload for _ in range(2_000)] == [
            b"%d" % n for n in range(2_000)
        ]


async def test_a_small_window_of_the_broker_keeps_the_order(mosquitto: Mosquitto) -> None:
    """On a broker that grants few messages in flight, a newer value never comes before an older."""
    mosquitto.stop()
    mosquitto.conf = "listener 0\nallow_anonymous true\nmax_inflight_messages 3\n"
    mosquitto.start()
    hearing, heard = listener(mosquitto, "hears", "t")
    speaking = Link(Broker(port=mosquitto.port), "speaks", lambda _: None)

    numbers = iter(range(200))

    async def speak() -> None:
        for number in numbers:
            await speaking.publish("t", b"%d" % number)

    async with running(hearing), running(speaking):
        await asyncio.gather(*(speak() for _ in range(8)))
        assert [int((await next_of(heard)).payload) for _ in range(200)] == list(range(200))


async def test_retained_messages_say_so(mosquitto: Mosquitto) -> None:
    """A late subscriber gets the retained message, marked as retained."""
    speaking = Link(Broker(port=mosquitto.port), "speaks", lambda _: None)
    async with running(speaking):
        await speaking.publish("state", b"here", retain=True)
    hearing, heard = listener(mosquitto, "hears", "state")
    async with running(hearing):
        message = await next_of(heard)
    assert (message.payload, message.retain) == (b"here", True)


async def test_nothing_is_acknowledged_before_ack(mosquitto: Mosquitto) -> None:
    """With manual_ack the broker holds back at the receive window until acks free it, in order."""
    hearing, heard = listener(mosquitto, "central", "t", manual_ack=True)
    speaking = Link(Broker(port=mosquitto.port), "speaks", lambda _: None)
    total = RECEIVE_MAXIMUM + 50
    async with running(hearing), running(speaking):
        await asyncio.gather(*(speaking.publish("t", b"%d" % n) for n in range(total)))
        first = [await next_of(heard) for _ in range(RECEIVE_MAXIMUM)]
        await speaking.publish("other", b"a round trip, so that anything more would be here by now")
        assert heard.empty()
        for message in first:
            message.ack()
        rest = [await next_of(heard) for _ in range(50)]
    assert [int(message.payload) for message in first + rest] == list(range(total))


async def test_comes_back_after_the_broker_was_killed(mosquitto: Mosquitto) -> None:
    """After kill -9 and a wiped data directory the link connects and subscribes again by itself."""
    states: list[bool] = []
    hearing, heard = listener(mosquitto, "hears", "t", on_state=lambda up, _: states.append(up))
    async with running(hearing):
        mosquitto.kill()
        async with asyncio.timeout(DEADLINE_S):
            while hearing.connected:
                await asyncio.sleep(0.01)
        with pytest.raises(Unavailable):
            await hearing.publish("t", b"lost")
        mosquitto.wipe()
        mosquitto.start()
        async with asyncio.timeout(DEADLINE_S):
            while not hearing.connected:
                await asyncio.sleep(0.01)
        await hearing.publish("t", b"again")
        assert (await next_of(heard)).payload == b"again"
    assert states[0] is True
    assert False in states


async def test_first_connect_refused_is_retried() -> None:
    """A broker that is not there yet is no reason to give up."""
    states: list[tuple[bool, str]] = []
    tried = asyncio.Event()

    def on_state(up: bool, reason: str) -> None:
        states.append((up, reason))
        if len(states) == 2:
            tried.set()

    link = Link(Broker(port=1), "hears", lambda _: None, on_state=on_state)
    task = asyncio.create_task(link.run())
    async with asyncio.timeout(DEADLINE_S):
        await tried.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not any(up for up, _ in states)
    assert "127.0.0.1:1" in states[0][1]


async def test_the_will_speaks_when_we_vanish(mosquitto: Mosquitto) -> None:
    """A connection that ends without goodbye leaves the Will, retained."""
    hearing, heard = listener(mosquitto, "hears", "state")
    dying = Link(Broker(port=mosquitto.port), "dies", lambda _: None, will=Will("state", b"gone"))
    async with running(hearing), running(dying):
        dying._client._connection._transport.abort()
        assert (await next_of(heard)).payload == b"gone"


async def test_a_bug_in_the_handler_ends_the_link(mosquitto: Mosquitto) -> None:
    """Our own mistake is never swallowed by the MQTT library."""

    def broken(_: Message) -> None:
        raise ZeroDivisionError

    link = Link(Broker(port=mosquitto.port), "hears", broken, [("t", 1)])
    task = asyncio.create_task(link.run())
    speaking = Link(Broker(port=mosquitto.port), "speaks", lambda _: None)
    async with running(speaking), asyncio.timeout(DEADLINE_S):
        while not task.done():
            await speaking.publish("t", b"x")
            await asyncio.sleep(0.02)
    with pytest.raises(ZeroDivisionError):
        task.result()


async def test_a_topic_is_heard_later_with_or_without_what_is_stored(mosquitto: Mosquitto) -> None:
    """subscribe returns once the broker hears us; stored messages come only when asked for."""
    heard: asyncio.Queue[Message] = asyncio.Queue(100)
    link = Link(Broker(port=mosquitto.port), "later", heard.put_nowait)
    async with running(link):
        await link.publish("t/1", b"stored", retain=True)
        await link.subscribe("t/+", 1, stored=False)
        await link.publish("t/2", b"live")
        assert (await next_of(heard)).payload == b"live"
        await link.subscribe("t/+", 1, stored=True)
        again = await next_of(heard)
        assert (again.payload, again.retain) == (b"stored", True)
        link.unsubscribe("t/+")
        await link.publish("t/2", b"unheard")
        await link.subscribe("end", 1, stored=False)
        await link.publish("end", b"end")
        assert (await next_of(heard)).payload == b"end"
    with pytest.raises(Unavailable):
        await link.subscribe("t/+", 1, stored=True)


async def test_a_subscription_ends_with_its_connection(mosquitto: Mosquitto) -> None:
    """Whoever waits for the broker's word when it dies is told that it is away."""
    link = Link(Broker(port=mosquitto.port), "waits", lambda _: None)
    async with running(link):
        waiting = asyncio.create_task(link.subscribe("t/+", 1, stored=True))
        await asyncio.sleep(0)
        mosquitto.kill()
        (result,) = await asyncio.gather(waiting, return_exceptions=True)
        assert result is None or isinstance(result, Unavailable)
