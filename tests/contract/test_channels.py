"""Shops: what their webhooks say, and that their quantities follow ours."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from central import signing
from central.channels import generic, shopify, woocommerce
from central.channels.order_events import OrderEvent, Unsigned, Unusable
from central.channels.pusher import Pusher
from central.channels.shops import Shop as Api
from central.channels.shops import ShopifyShop, WooShop
from central.guarded_http import Client
from fake_shops import KEY, LOCATION, SECRET, TOKEN, FakeShopify, FakeWoo
from ledgers import Site
from shops import Shop
from wire.events import Identifiers

PAYLOADS = Path(__file__).parent.parent / "data" / "shops"
HERE = (ip_network("127.0.0.0/8"),)
DEADLINE_S = 30.0


def payload(name: str) -> bytes:
    """Return a recorded webhook body."""
    return (PAYLOADS / f"{name}.json").read_bytes()


def signed(body: bytes, header: str, secret: str = "s3cret") -> dict[str, str]:
    """Return the signature header that the shop would send."""
    digest = hmac.digest(secret.encode(), body, hashlib.sha256)
    return {header: base64.b64encode(digest).decode()}


def from_shopify(topic: str, body: bytes) -> list[OrderEvent]:
    """Read a webhook of Shopify."""
    headers = {"x-shopify-topic": topic, "x-shopify-event-id": "event-1"}
    return shopify.read(
        headers | signed(body, "x-shopify-hmac-sha256"), body, ["old secret", "s3cret"]
    )


def from_woo(topic: str, body: bytes) -> list[OrderEvent]:
    """Read a webhook of WooCommerce."""
    headers = {"x-wc-webhook-topic": topic} | signed(body, "x-wc-webhook-signature")
    return woocommerce.read(headers, body, ["s3cret"])


def test_shopify_orders_are_understood() -> None:
    """Created, cancelled, fulfilled: the step, the order, the pieces of each SKU, the moment."""
    order, noon = "820982911946154508", 1_778_688_000_000_000
    body = payload("shopify_orders_create")
    assert from_shopify("orders/create", body) == [
        OrderEvent(
            f"approved:{order}", "approved", order, {"VALVE": 3, "HOSE": 1}, at_us=noon,
            label="#9999",
        )
    ]  # fmt: skip
    ended = body.replace(b'"cancelled_at": null', b'"cancelled_at": "2026-05-13T16:00:00Z"')
    assert from_shopify("orders/create", ended) == []
    assert from_shopify("orders/cancelled", ended) == [
        OrderEvent(f"cancelled:{order}", "cancelled", order, {}, at_us=noon, label="#9999")
    ]
    shipped = from_shopify("fulfillments/create", payload("shopify_fulfillments_create"))
    at_us = noon + (3 * 3_600 + 40 * 60 + 10) * 1_000_000
    assert shipped == [OrderEvent("shipped:123456", "shipped", order, {"VALVE": 2}, at_us=at_us)]
    assert from_shopify("app/uninstalled", b"{}") == []


def test_woocommerce_orders_are_understood() -> None:
    """What counts is the order's status; the ping of a new webhook says nothing."""
    order = json.loads(payload("woocommerce_order"))
    for status, step in (
        ("processing", "approved"), ("on-hold", "approved"), ("completed", "shipped"),
        ("cancelled", "cancelled"), ("failed", "cancelled"),
    ):  # fmt: skip
        events = from_woo("order.updated", json.dumps(order | {"status": status}).encode())
        assert [(event.step, event.order_ref) for event in events] == [(step, "727")]
    (approved,) = from_woo("order.created", payload("woocommerce_order"))
    assert (approved.lines, approved.whole) == ({"VALVE": 2, "HOSE": 1}, True)
    assert from_woo("order.created", json.dumps(order | {"status": "pending"}).encode()) == []
    assert woocommerce.read({}, b"webhook_id=5", ["s3cret"]) == []


def test_generic_events_are_understood() -> None:
    """Any program can sign an event of its own."""
    secret = signing.secret_of(bytes(32))
    body = json.dumps(
        {"type": "order.approved", "data": {"order": "7", "lines": [{"sku": "A", "quantity": 2}]}}
    ).encode()
    headers = signing.headers([secret], "msg_1", 1_000, body)
    assert generic.read(headers, body, [secret], 1_000) == [
        OrderEvent("msg_1", "approved", "7", {"A": 2}, label="7")
    ]
    other = b'{"type":"weather.changed","data":{"order":"7"}}'
    assert generic.read(signing.headers([secret], "m", 1_000, other), other, [secret], 1_000) == []


@pytest.mark.parametrize("read", [from_shopify, from_woo])
@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b"\xff", b'{"line_items": 5, "id": 1}'])
def test_what_is_no_order_is_said_so(read: Callable[..., Any], body: bytes) -> None:
    """A body that the shop would not send is refused with a sentence, never a crash."""
    with pytest.raises(Unusable):
        read("orders/create" if read is from_shopify else "order.created", body)


def test_a_line_without_sku_goes_by_its_name() -> None:
    """It was sold: the order waits for a person, who reads what it is; the rest is understood."""
    order = json.loads(payload("shopify_orders_create"))
    order["line_items"][0] |= {"sku": None, "title": "Ball valve\0"}
    (event,) = from_shopify("orders/create", json.dumps(order).encode())
    assert event.lines == {"(no SKU) Ball valve\N{SYMBOL FOR NULL}": 2, "HOSE": 1, "VALVE": 1}


def test_a_payment_that_is_tried_again_is_the_newest_word() -> None:
    """WooCommerce says failed, then processing: each with when, so the last one counts."""
    order = json.loads(payload("woocommerce_order"))
    said = [
        from_woo("order.updated", json.dumps(order | changes).encode())[0]
        for changes in (
            {"status": "failed", "date_modified_gmt": "2026-03-22T15:30:00"},
            {"status": "processing", "date_modified_gmt": "2026-03-22T15:31:00"},
            {"status": "processing", "date_modified_gmt": "2026-03-22T15:32:00"},
        )
    ]
    assert [event.step for event in said] == ["cancelled", "approved", "approved"]
    assert len({event.id for event in said}) == 3
    assert said[1].at_us == (said[0].at_us or 0) + 60_000_000


def test_unsigned_requests_are_strangers() -> None:
    """Without the right signature nothing is believed."""
    body = payload("shopify_orders_create")
    with pytest.raises(Unsigned):
        shopify.read(signed(body, "x-shopify-hmac-sha256", "wrong"), body, ["s3cret"])
    with pytest.raises(Unsigned):
        woocommerce.read({"x-wc-webhook-topic": "order.created"}, body, ["s3cret"])
    with pytest.raises(Unsigned):
        generic.read({}, b"{}", [signing.secret_of(bytes(32))], 0)


@asynccontextmanager
async def pushing(site: Site, make: Callable[[Client], Api]) -> AsyncIterator[Pusher]:
    """Run a pusher until the block ends."""
    client = Client(HERE, timeout_s=10)
    pusher = Pusher("shop", "main", make(client), site.writer, site.reader)
    running = asyncio.create_task(pusher.run())
    yield pusher
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await client.aclose()


async def eventually(condition: Callable[[], object], what: str) -> None:
    """Wait until something holds."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"never happened: {what}")


def at_shopify(server: Shop) -> Callable[[Client], Api]:
    """Return what makes the API of a fake Shopify."""
    base = server.url.removesuffix("/hook")
    return lambda client: ShopifyShop(client, base, TOKEN, LOCATION)


async def test_shopify_follows_every_change(site: Site) -> None:
    """What can be promised is what the shop may sell, never below zero; others are untouched."""
    fake = FakeShopify({"VALVE": 99, "OTHER": 5})
    async with Shop(answer=fake.answer) as server, pushing(site, at_shopify(server)) as pusher:
        await site.do(quantity=7)
        await site.do(identifiers=Identifiers(sku="HOSE"))
        pusher.wake()
        await eventually(lambda: fake.levels["VALVE"] == 7, "the first level arrives")
        await site.do("ship", quantity=9)
        pusher.wake()
        await eventually(lambda: fake.levels["VALVE"] == 0, "below zero is zero")
        assert fake.levels["OTHER"] == 5
        note = "SELECT note FROM listing WHERE remote_id = ''"
        assert site.rows(note) == [("the shop has no such SKU",)]


async def test_a_sale_in_the_shop_is_not_overwritten(site: Site) -> None:
    """Somebody bought there meanwhile: the compare fails, the level is read anew, then set."""
    fake = FakeShopify({"VALVE": 0})
    async with Shop(answer=fake.answer) as server, pushing(site, at_shopify(server)) as pusher:
        await site.do(quantity=7)
        pusher.wake()
        await eventually(lambda: fake.levels["VALVE"] == 7, "the level arrives")
        fake.levels["VALVE"] = 5
        await site.do("ship", quantity=2)
        await site.do()
        pusher.wake()
        await eventually(lambda: fake.levels["VALVE"] == 6, "the level is right again")
        assert fake.stale == 1


async def test_shopify_may_ask_us_to_wait(site: Site) -> None:
    """An empty cost bucket is a pause, not an error; then everything follows."""
    fake = FakeShopify({"VALVE": 0}, bucket=5.0, cost=50.0)
    async with Shop(answer=fake.answer) as server, pushing(site, at_shopify(server)) as pusher:
        await site.do(quantity=3)
        pusher.wake()
        await eventually(lambda: fake.levels["VALVE"] == 3, "the level arrives after a while")
        assert fake.throttled >= 1
        assert site.rows("SELECT COUNT(*) FROM alert WHERE kind = 'delivery_failing'") == [(0,)]


async def test_woocommerce_follows_every_change(site: Site) -> None:
    """Products and variations get the new quantity in batches; a busy shop is waited for."""
    fake = FakeWoo(patience=1)
    fake.add(11, "VALVE", 0)
    fake.add(12, "HOSE", 0, parent=10)
    async with Shop(answer=fake.answer) as server:
        base = server.url.removesuffix("/hook")
        async with pushing(site, lambda client: WooShop(client, base, KEY, SECRET)) as pusher:
            await site.do(quantity=4)
            await site.do(identifiers=Identifiers(sku="HOSE"), quantity=2)
            pusher.wake()
            await eventually(lambda: _stock(fake) == {"VALVE": 4, "HOSE": 2}, "both arrive")
            await site.do("ship")
            pusher.wake()
            await eventually(lambda: _stock(fake)["VALVE"] == 3, "a change arrives")
    assert fake.busy >= 1
    assert all(product["manage_stock"] for product in fake.products.values())


def _stock(fake: FakeWoo) -> dict[str, int]:
    return {sku: product["stock_quantity"] for sku, product in fake.products.items()}


async def test_nothing_is_missed_over_a_restart(site: Site) -> None:
    """What the shop confirmed is kept: a pusher that starts later sends what is newer."""
    fake = FakeShopify({"VALVE": 0})
    async with Shop(answer=fake.answer) as server:
        await site.do(quantity=7)
        async with pushing(site, at_shopify(server)):
            await eventually(lambda: fake.levels["VALVE"] == 7, "the level arrives")
        await site.do(quantity=1)
        sets = fake.sets
        async with pushing(site, at_shopify(server)):
            await eventually(lambda: fake.levels["VALVE"] == 8, "the newer level arrives")
        assert fake.sets == sets + 1
