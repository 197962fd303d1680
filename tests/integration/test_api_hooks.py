"""Webhooks of shops over HTTP: signed, repeated, strange, too large; what people see of them."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from central import api, signing, tokens
from central.api.limits import BODY_BYTES_MAX
from central.channel_config import Channel
from ledgers import Site

PAYLOADS = Path(__file__).parent.parent / "data" / "shops"
OLD, NEW = signing.secret_of(bytes(32)), signing.secret_of(bytes(range(32)))
CHANNELS = (
    Channel(name="own", kind="generic", site="main", secrets=(OLD, NEW)),
    Channel(name="shopify", kind="shopify", site="main", secrets=("s3cret",), push=False),
    Channel(name="woo", kind="woocommerce", site="main", secrets=("s3cret",), push=False),
    Channel(
        name="mute", kind="shopify", site="main", url="https://x.example", token="t", location="l"
    ),
)


@pytest.fixture
async def http(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of the real application on a real ledger, with channels."""
    app = api.build(site.writer, site.reader, api.Settings("1", channels=CHANNELS))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://central") as client:
        yield client


async def own(
    http: httpx.AsyncClient, kind: str, order: str, number: str, /, *, at: int = 0,
    secret: str = NEW, **more: Any,
) -> httpx.Response:  # fmt: skip
    """Send an event as a storefront of our own signs it."""
    body = json.dumps({"type": kind, "data": {"order": order, **more}}).encode()
    headers = signing.headers([secret], number, at or int(time.time()), body)
    return await http.post("/v1/hooks/own", content=body, headers=headers)


async def shopify(http: httpx.AsyncClient, topic: str, body: bytes) -> httpx.Response:
    """Send a webhook as Shopify does."""
    signature = base64.b64encode(hmac.digest(b"s3cret", body, hashlib.sha256)).decode()
    headers = {"X-Shopify-Hmac-Sha256": signature, "X-Shopify-Topic": topic}
    return await http.post("/v1/hooks/shopify", content=body, headers=headers)


async def woo(http: httpx.AsyncClient, topic: str, body: bytes) -> httpx.Response:
    """Send a webhook as WooCommerce does."""
    signature = base64.b64encode(hmac.digest(b"s3cret", body, hashlib.sha256)).decode()
    headers = {"X-WC-Webhook-Signature": signature, "X-WC-Webhook-Topic": topic}
    return await http.post("/v1/hooks/woo", content=body, headers=headers)


def said(answer: httpx.Response) -> tuple[int, str]:
    """Return the status and what became of an event."""
    return answer.status_code, answer.json().get("state") or answer.json()["code"]


async def test_an_own_storefront_tells_of_an_order(site: Site, http: httpx.AsyncClient) -> None:
    """Approved, shipped in parts, cancelled; with the old secret or the new one; each id once."""
    await site.do(quantity=10)
    lines = [{"sku": "VALVE", "quantity": 3}]
    for state, secret in (("done", NEW), ("repeated", OLD)):
        answer = await own(http, "order.approved", "1", "a", secret=secret, lines=lines)
        assert said(answer) == (200, state)
    assert site.available() == (10, 3)
    part = [{"sku": "VALVE", "quantity": 1}]
    await own(http, "shipment.label_created", "1", "b", lines=part)
    await own(http, "order.cancelled", "1", "c")
    assert site.available() == (9, 0)
    await own(http, "return.received", "1", "d")
    assert site.places()["Q-1"] == 1
    assert said(await own(http, "weather.changed", "1", "e")) == (200, "ignored")


async def test_who_does_not_sign_is_nobody(site: Site, http: httpx.AsyncClient) -> None:
    """Wrong secret, old timestamp, no signature: 401. A channel that is not there: 404."""
    stranger = await own(http, "order.approved", "1", "a", secret=signing.secret_of(b"x" * 32))
    late = await own(http, "order.approved", "1", "a", at=1_000)
    endless = await own(http, "order.approved", "1", "a", at=10**400)
    bare = await http.post("/v1/hooks/shopify", content=b"{}")
    for answer in (stranger, late, endless, bare):
        assert said(answer) == (401, "unauthorized")
        assert answer.headers["content-type"] == "application/problem+json"
    for name in ("nobody", "mute"):
        assert said(await http.post(f"/v1/hooks/{name}", content=b"{}")) == (404, "not_found")
    assert site.rows("SELECT COUNT(*) FROM shop_order") == [(0,)]


async def test_too_much_is_refused(http: httpx.AsyncClient) -> None:
    """Also when the sender does not say beforehand how much it is."""

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(BODY_BYTES_MAX // 65_536 + 2):
            yield bytes(65_536)

    announced = await http.post("/v1/hooks/shopify", content=bytes(BODY_BYTES_MAX + 1))
    assert said(announced) == (413, "too_large")
    assert said(await http.post("/v1/hooks/shopify", content=parts())) == (413, "too_large")


async def test_shopify_from_the_order_to_the_label(site: Site, http: httpx.AsyncClient) -> None:
    """Recorded webhooks, the second try of each included; fulfilled in part, then cancelled."""
    await site.do(quantity=10)
    order = (PAYLOADS / "shopify_orders_create.json").read_bytes()
    fulfilled = (PAYLOADS / "shopify_fulfillments_create.json").read_bytes()
    assert said(await shopify(http, "orders/create", order)) == (200, "waiting")  # no HOSE
    assert said(await shopify(http, "orders/create", order)) == (200, "repeated")
    assert site.available() == (10, 3)
    for state in ("done", "repeated"):
        assert said(await shopify(http, "fulfillments/create", fulfilled)) == (200, state)
    assert site.available() == (8, 1)
    ended = order.replace(b'"cancelled_at": null', b'"cancelled_at": "2026-05-14T08:00:00Z"')
    assert said(await shopify(http, "orders/cancelled", ended)) == (200, "done")
    assert (site.available(), site.open_alerts()) == ((8, 0), [])
    assert said(await shopify(http, "products/update", b"{}")) == (200, "ignored")


async def test_woocommerce_from_the_order_to_completed(site: Site, http: httpx.AsyncClient) -> None:
    """An order that changes often is one order; what comes before its creation counts."""
    await site.do(quantity=10)
    order = json.loads((PAYLOADS / "woocommerce_order.json").read_bytes())
    order["line_items"] = order["line_items"][:1]

    def changed(status: str, minute: int) -> bytes:
        moment = f"2026-03-22T16:{minute:02}:00"
        return json.dumps(order | {"status": status, "date_modified_gmt": moment}).encode()

    ping = await http.post("/v1/hooks/woo", content=b"webhook_id=5")
    assert said(ping) == (200, "ignored")
    await woo(http, "order.updated", changed("processing", 2))
    assert said(await woo(http, "order.created", changed("failed", 1))) == (200, "done")
    await woo(http, "order.updated", changed("processing", 3))
    assert site.available() == (10, 2)
    await woo(http, "order.updated", changed("completed", 4))
    await woo(http, "order.updated", changed("completed", 5))  # a note was added
    assert site.available() == (8, 0)


async def test_what_nobody_understands_is_kept(site: Site, http: httpx.AsyncClient) -> None:
    """Signed but strange: quarantine and an alert, once. A shop hears yes, a programmer why not."""
    for _ in range(2):
        answer = await shopify(http, "orders/create", b'{"id": 7}')
        assert said(answer) == (202, "kept")
    refused = await own(http, "order.approved", "", "a")
    assert said(refused) == (422, "unusable")
    assert refused.json()["detail"].startswith("data.order: ")
    kept = site.rows("SELECT topic, payload FROM quarantine ORDER BY id")
    assert [topic for topic, _ in kept] == ["hooks/shopify", "hooks/own"]
    assert bytes(kept[0][1]) == b'{"id": 7}'
    assert site.open_alerts() == ["malformed_message"] * 2
    for nasty in (b"[" * 100_000, b'{"id": "\\u0000", "line_items": [{"quantity": 1e400}]}'):
        assert (await shopify(http, "orders/create", nasty)).status_code == 202
    text = {"sku": "\0\ud800", "quantity": 1, "title": "x"}
    odd = json.dumps({"id": "\0\ud800", "line_items": [text]}).encode()
    assert said(await shopify(http, "orders/create", odd)) == (200, "waiting")


async def test_people_see_what_waits_and_settle_it(site: Site, http: httpx.AsyncClient) -> None:
    """Listed with what is missing; retried and dismissed with a token that may adjust."""
    lines = [{"sku": "VALVE", "quantity": 3}, {"sku": "LAMP", "quantity": 1}]
    await own(http, "order.approved", "7", "a", lines=lines)
    await own(http, "order.approved", "8", "b", lines=lines[:1])
    newest, first = (await http.get("/v1/shop-orders")).json()["items"]
    assert (newest["order"], first["order"], first["state"]) == ("8", "7", "waiting")
    assert first["missing"] == [
        {"sku": "LAMP", "quantity": 1, "lacks": "item"},
        {"sku": "VALVE", "quantity": 3, "lacks": "stock"},
    ]
    assert first["steps"][0]["lines"] == lines
    page = (await http.get("/v1/shop-orders", params={"limit": 1})).json()
    rest = (await http.get("/v1/shop-orders", params={"limit": 1, "after": page["next"]})).json()
    assert (page["items"], rest["items"], rest["next"]) == ([newest], [first], None)
    await site.do(quantity=3)
    again = await http.post(f"/v1/shop-orders/{newest['id']}/retry")
    assert said(again) == (200, "done")
    assert said(await http.post(f"/v1/shop-orders/{first['id']}/dismiss")) == (200, "dismissed")
    assert (await http.get("/v1/shop-orders")).json()["items"] == []
    everything = (await http.get("/v1/shop-orders", params={"state": "all"})).json()["items"]
    assert [order["state"] for order in everything] == ["done", "done"]
    assert said(await http.post("/v1/shop-orders/99/retry")) == (404, "no_such_order")


async def test_the_channels_are_listed(site: Site, http: httpx.AsyncClient) -> None:
    """Which hear, which push, how far each is; one can be told to push all anew."""
    await site.do()
    await own(http, "order.approved", "7", "a", lines=[{"sku": "VALVE", "quantity": 3}])
    listed = {each["name"]: each for each in (await http.get("/v1/channels")).json()["items"]}
    assert [(n, c["hears"], c["pushes"], c["waiting_orders"]) for n, c in listed.items()] == [
        ("own", True, False, 1), ("shopify", True, False, 0), ("woo", True, False, 0),
        ("mute", False, True, 0),
    ]  # fmt: skip
    assert {k: listed["mute"][k] for k in ("confirmed", "behind", "problem")} == {
        "confirmed": 0, "behind": 1, "problem": None,
    }  # fmt: skip
    assert (await http.post("/v1/channels/mute/push")).json() == {"items": 0}
    assert said(await http.post("/v1/channels/own/push")) == (404, "not_found")


async def test_a_token_of_one_channel_sees_no_other(site: Site, http: httpx.AsyncClient) -> None:
    """Orders and channels of others are not there for it."""
    await own(http, "order.approved", "7", "a", lines=[{"sku": "VALVE", "quantity": 3}])
    headers = {}
    for name in ("own", "woo"):
        made = await site.writer.submit(
            lambda tx, name=name: tokens.create(
                tx.connection, name, ("stock:read", "adjust"), name, tx.now_us
            )
        )
        headers[name] = {"Authorization": f"Bearer {made}"}
    assert (await http.get("/v1/shop-orders")).status_code == 401
    (order,) = (await http.get("/v1/shop-orders", headers=headers["own"])).json()["items"]
    assert (await http.get("/v1/shop-orders", headers=headers["woo"])).json()["items"] == []
    path = f"/v1/shop-orders/{order['id']}/dismiss"
    assert said(await http.post(path, headers=headers["woo"])) == (404, "no_such_order")
    other = await http.get("/v1/shop-orders", headers=headers["woo"], params={"channel": "own"})
    assert said(other) == (403, "forbidden")
    names = (await http.get("/v1/channels", headers=headers["woo"])).json()["items"]
    assert [each["name"] for each in names] == ["woo"]


async def test_many_deliveries_at_once_are_each_done_once(
    site: Site, http: httpx.AsyncClient
) -> None:
    """Sixty requests, twenty orders: the last pieces go to some of them, and no piece to two."""
    await site.do(quantity=30)
    lines = [{"sku": "VALVE", "quantity": 2}]
    answers = await asyncio.gather(
        *(own(http, "order.approved", f"{n % 20}", f"a{n % 20}", lines=lines) for n in range(60))
    )
    states = sorted(said(answer) for answer in answers)
    assert states == [(200, "done")] * 15 + [(200, "repeated")] * 40 + [(200, "waiting")] * 5
    assert site.available() == (30, 30)
