"""Webhooks out: signed, in order, newest level only, and nobody waits for somebody else's shop."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any

import pytest
import standardwebhooks

from central import deliveries, endpoints, reservations, retry, shipping, signing
from central.dispatcher import Dispatcher
from central.endpoints import Wish
from central.feed_messages import AVAILABILITY
from central.guarded_http import Client, Forbidden
from central.requests import Answer
from ledgers import Site, ask
from neighbours import DEADLINE_S, free_port
from shops import Shop, close, eventually
from wire.events import Identifiers

HERE = (ip_network("127.0.0.0/8"),)


class Post:
    """A ledger whose changes are sent."""

    def __init__(self, site: Site, dispatcher: Dispatcher) -> None:
        self.site, self.dispatcher = site, dispatcher

    async def do(self, command: Callable[..., Answer], *values: Any) -> Answer:
        """Run a command."""
        return await self.site.writer.submit(lambda tx: command(tx, *values))

    async def listen(self, url: str, *types: str) -> tuple[int, str]:
        """Register an endpoint, for levels if nothing else is said; return number and secret."""
        types = types or (AVAILABILITY,)
        answer = await self.do(endpoints.add, Wish(url, types), HERE)
        assert answer.status == 201, answer
        return answer.body["id"], answer.body["secret"]

    async def relay(self) -> None:
        """Do what the relay does after a commit."""
        _, webhooks = await self.site.writer.submit(
            lambda tx: deliveries.relay(tx.connection, tx.now_us)
        )
        self.dispatcher.wake(webhooks)

    async def scan(self, times: int = 1, **fields: Any) -> None:
        """Receive goods, each in a commit of its own, and relay each."""
        for _ in range(times):
            await self.site.do(**fields)
            await self.relay()

    async def log(self, webhook: int) -> list[dict[str, Any]]:
        """Return the deliveries of an endpoint."""
        with self.site.reader.begin() as connection:
            return endpoints.log_of(connection, webhook, None, None, 100)

    async def hook(self, webhook: int) -> dict[str, Any]:
        """Return an endpoint as people see it."""
        with self.site.reader.begin() as connection:
            return next(h for h in endpoints.all_of(connection) if h["id"] == webhook)


@pytest.fixture
async def post(site: Site) -> AsyncIterator[Post]:
    """Give a ledger with a running dispatcher."""
    async with sending(site) as dispatcher:
        yield Post(site, dispatcher)


@asynccontextmanager
async def sending(site: Site) -> AsyncIterator[Dispatcher]:
    """Run a dispatcher until the block ends."""
    client = Client(HERE, timeout_s=DEADLINE_S)
    dispatcher = Dispatcher(site.writer, site.reader, client)
    running = asyncio.create_task(dispatcher.run())
    yield dispatcher
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await close(client)


def versions(shop: Shop, sku: str = "VALVE") -> list[int]:
    """Return the versions of an item that a shop heard of, in order."""
    heard = [json.loads(call.body)["data"] for call in shop.calls]
    return [data["version"] for data in heard if data.get("sku") == sku]


async def test_a_change_is_told_and_the_reference_library_accepts_it(post: Post) -> None:
    """One scan, one signed message with the new numbers."""
    async with Shop() as shop:
        _, secret = await post.listen(shop.url)
        await post.scan()
        await eventually(lambda: len(shop.calls) == 1, "the shop is told")
        call = shop.calls[0]
        payload = standardwebhooks.Webhook(secret).verify(call.body, call.headers)
        assert payload["type"] == "inventory.availability.changed"
        assert (payload["data"]["sku"], payload["data"]["available"]) == ("VALVE", 1)
        assert len(call.body) < 20_000


async def test_a_secret_is_rotated_without_a_gap(post: Post) -> None:
    """For a day both secrets sign; a receiver may change whenever it likes."""
    async with Shop() as shop:
        webhook, old = await post.listen(shop.url)
        new = (await post.do(endpoints.rotate, webhook)).body["secret"]
        await post.scan()
        await eventually(lambda: shop.calls, "the shop is told")
        call = shop.calls[0]
        for secret in (old, new):
            standardwebhooks.Webhook(secret).verify(call.body, call.headers)


async def test_an_endpoint_that_was_away_gets_the_newest_level_only(post: Post) -> None:
    """Fifty changes while it did not answer are one message each item, in their order."""
    async with Shop() as shop:
        shop.awake.clear()
        await post.listen(shop.url)
        await post.scan()
        await eventually(lambda: shop.calls, "the first is on its way")
        await post.scan(50)
        await post.scan(identifiers=Identifiers(sku="HOSE"))
        shop.awake.set()
        await eventually(lambda: versions(shop)[-1:] == [51], "the newest arrives")
        await eventually(lambda: versions(shop, "HOSE") == [1], "the other item arrives")
        assert versions(shop) == [1, 51]


async def test_versions_of_an_item_never_go_back(post: Post) -> None:
    """However fast the changes, an endpoint hears them in order."""
    async with Shop() as shop:
        await post.listen(shop.url)
        for _ in range(20):
            await post.scan(5)
            await asyncio.sleep(0)
        await eventually(lambda: versions(shop)[-1:] == [100], "the last arrives")
        assert versions(shop) == sorted(set(versions(shop)))


async def test_a_dead_and_a_slow_shop_delay_nobody(post: Post) -> None:
    """One endpoint refuses connections, one never answers; the other 98 hear of every change."""
    async with Shop() as slow, Shop() as good:
        slow.awake.clear()
        await post.listen(f"http://127.0.0.1:{free_port()}/dead")
        await post.listen(slow.url)
        for _ in range(98):
            await post.listen(good.url)
        await post.scan()
        await eventually(lambda: len(good.calls) == 98, "all others are told")
        await post.scan()
        await eventually(lambda: versions(good).count(2) == 98, "all others are told again")
        assert len(slow.calls) == 1


async def test_gone_disables_and_tells_a_person(post: Post) -> None:
    """410 ends it at once; enabled again, a replay from the last cursor brings what was missed."""
    async with Shop(answer=lambda _: (410, {}, b"")) as shop:
        webhook, _ = await post.listen(shop.url)
        await post.scan()
        await eventually(lambda: _is(post, webhook, "disabled"), "it is disabled")
        alerts = post.site.rows("SELECT kind FROM alert WHERE closed_us IS NULL")
        assert alerts == [("delivery_failing",)]
        await post.scan(3)
        assert len(shop.calls) == 1
        shop.answer = lambda _: (200, {}, b"")
        await post.do(endpoints.enable, webhook)
        missed = await post.do(endpoints.replay, webhook, 0)
        assert missed.body["next_cursor"] is None
        post.dispatcher.wake({webhook})
        await eventually(lambda: versions(shop)[-1:] == [4], "it hears the newest level")
        assert post.site.rows("SELECT kind FROM alert WHERE closed_us IS NULL") == []


async def _is(post: Post, webhook: int, state: str) -> bool:
    return (await post.hook(webhook))["state"] == state


async def test_a_failure_is_tried_again_under_the_same_id(post: Post) -> None:
    """After a 503 the same message comes again, five seconds later, and the log tells why."""
    async with Shop(answer=lambda _: (503, {}, b"closed")) as shop:
        webhook, _ = await post.listen(shop.url)
        await post.scan()
        await eventually(lambda: _failures(post, webhook), "the failure is noted")
        entry = (await post.log(webhook))[0]
        assert (entry["status"], entry["note"], entry["attempts"]) == (503, "closed", 1)
        shop.answer = lambda _: (204, {}, b"")
        await eventually(lambda: len(shop.calls) == 2, "it is tried again")
        first, second = (call.headers["webhook-id"] for call in shop.calls)
        assert first == second
        await eventually(lambda: _state(post, webhook, "done"), "the log says done")
        assert (await post.hook(webhook))["failures"] == 0


async def _failures(post: Post, webhook: int) -> bool:
    return (await post.hook(webhook))["failures"] == 1


async def _state(post: Post, webhook: int, state: str) -> bool:
    return (await post.log(webhook))[0]["state"] == state


async def test_one_bad_message_does_not_stop_the_others(post: Post) -> None:
    """A shop that knows no VALVE answers 404 for it and still hears of the HOSE."""

    def answer(call: Any) -> tuple[int, dict[str, str], bytes]:
        return (404 if b"VALVE" in call.body else 200), {}, b""

    async with Shop(answer=answer) as shop:
        webhook, _ = await post.listen(shop.url)
        await post.scan()
        await eventually(lambda: shop.calls, "the first is refused")
        await post.scan(identifiers=Identifiers(sku="HOSE"))
        await eventually(lambda: versions(shop, "HOSE") == [1], "the other item arrives")
        assert (await post.hook(webhook))["failures"] == 0


async def test_what_waits_survives_a_restart(site: Site) -> None:
    """Deliveries are made with the change they tell of: a later dispatcher sends them."""
    async with Shop() as shop:
        async with sending(site) as dispatcher:
            post = Post(site, dispatcher)
            shop.awake.clear()
            await post.listen(shop.url)
            await post.scan(2)
            await eventually(lambda: shop.calls, "the first is on its way")
        shop.awake.set()
        async with sending(site):
            await eventually(lambda: versions(shop)[-1:] == [2], "the newest arrives")


async def test_types_and_sites_are_chosen(post: Post) -> None:
    """An endpoint hears what it asked for."""
    async with Shop() as shop:
        await post.listen(shop.url, "scan.unresolved")
        await post.scan()
        await post.scan(identifiers=Identifiers(text="nobody knows"))
        await eventually(lambda: shop.calls, "it is told")
        assert [json.loads(call.body)["type"] for call in shop.calls] == ["scan.unresolved"]


async def test_the_steps_of_an_order_come_in_order(post: Post) -> None:
    """None is left out for a newer one, though all wait while the shop is away."""
    async with Shop() as shop:
        shop.awake.clear()
        steps = ("reservation.created", "reservation.committed", "reservation.fulfilled")
        await post.listen(shop.url, *steps)
        await post.scan(3)
        for key in "ab":
            number = (await ask(post.site, key, ("VALVE", 1))).body["id"]
            for step in (reservations.commit, shipping.ship):
                await post.do(step, number)
        await post.relay()
        shop.awake.set()
        await eventually(lambda: len(shop.calls) == 6, "all steps arrive")
        heard = [json.loads(call.body) for call in shop.calls]
        for number in (1, 2):
            mine = [each["type"] for each in heard if each["data"]["id"] == number]
            assert mine == list(steps)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("https://10.0.0.1/x", "inside our own network"),
        ("https://[::1]/x", "inside our own network"),
        ("https://[::ffff:169.254.169.254]/latest", "inside our own network"),
        ("http://192.168.0.1/x", "not encrypted"),
        ("ftp://example.com/x", "no http"),
        ("https://user:password@example.com/", "user name"),
        ("https://example.com:0/", "no http"),
    ],
)
async def test_our_own_network_is_not_called(site: Site, url: str, sentence: str) -> None:
    """An address that a stranger chose cannot reach what only we can reach."""
    answer = await site.writer.submit(lambda tx: endpoints.add(tx, Wish(url), ()))
    assert (answer.status, answer.body["code"]) == (422, "forbidden_url")
    assert sentence in answer.body["detail"]


async def test_a_name_that_leads_into_our_network_is_not_called() -> None:
    """What counts is where a name leads at the moment of the call."""
    client = Client((), timeout_s=5)
    with pytest.raises(Forbidden, match="inside our own network"):
        await client.post("https://localhost:1/x", {}, b"{}")
    await client.aclose()


async def test_redirects_are_failures(post: Post) -> None:
    """A redirect could lead anywhere: it is not followed."""
    async with Shop(answer=lambda _: (302, {"location": "http://127.0.0.1/"}, b"")) as shop:
        webhook, _ = await post.listen(shop.url)
        await post.scan()
        await eventually(lambda: _tried(post, webhook), "it was tried")
        assert (await post.log(webhook))[0]["status"] == 302


async def _tried(post: Post, webhook: int) -> bool:
    return bool((await post.log(webhook))[0]["attempts"])


def test_the_schedule_lasts_three_days_and_ends() -> None:
    """Ten attempts over about three days, each delay a little different; then it is over."""
    waits = [retry.delay_s(failures, 0.0) for failures in range(10)]
    assert sum(wait or 0 for wait in waits) == pytest.approx(3 * 86_400, rel=0.1)
    assert retry.delay_s(1, 1.0) == pytest.approx(5.5)
    assert retry.delay_s(1, 0.0, retry_after_s=120) == 120
    assert retry.delay_s(10, 0.0) is None


def test_signatures_are_checked_as_the_specification_says() -> None:
    """Right secret, right time, right body; anything else is refused with the reason."""
    secret = signing.secret_of(bytes(range(32)))
    body = b'{"a":1}'
    given = signing.headers([secret], "msg_1", 1_000_000, body)
    assert signing.verify([secret], given, body, 1_000_100) == "msg_1"
    for bad, why in (
        ((given, body + b" ", 1_000_000), "no signature"),
        ((given, body, 1_000_400), "from our clock"),
        (({}, body, 1_000_000), "are needed"),
    ):
        with pytest.raises(signing.BadSignature, match=why):
            signing.verify([secret], *bad)
    with pytest.raises(ValueError, match="24 to 64 bytes"):
        signing.key_of("whsec_AAAA")
