"""Shops and central as in life: webhooks in, quantities out, and central dies in between."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

import exposition
from docktally.children import Child, wait_for_port
from fake_shops import KEY, LOCATION, SECRET, TOKEN, FakeShopify, FakeWoo, Reply
from ledgers import NewLedger
from neighbours import DEADLINE_S, free_port
from shops import Call, Shop
from sites import run

PAYLOADS = Path(__file__).parent.parent / "data" / "shops"
HOOK_SECRET = "shpss_1"
_CONFIG = """\
database = "{database}"
[broker]
port = {broker}
[api]
port = {port}
[webhooks]
allow_networks = ["127.0.0.0/8"]
timeout_s = 5.0
[[channel]]
name = "shopify"
kind = "shopify"
site = "main"
secrets = ["older", "{secret}"]
url = "http://127.0.0.1:{shopify}"
token = "{token}"
location = "{location}"
[[channel]]
name = "woo"
kind = "woocommerce"
site = "main"
secrets = ["{secret}"]
url = "http://127.0.0.1:{woo}"
key = "{key}"
secret = "{account}"
"""


@dataclass
class Street:
    """A central, and two shops on the same street that sell the same valves. Nobody else."""

    folder: Path
    database: str
    fake_shopify: FakeShopify
    fake_woo: FakeWoo
    port: int = field(default_factory=free_port)

    async def __aenter__(self) -> Self:
        self._stack = AsyncExitStack()
        enter = self._stack.enter_async_context
        self.shopify = await enter(Shop(answer=self.fake_shopify.answer))
        self.woo = await enter(Shop(answer=self.fake_woo.answer))
        self.http = await enter(
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=DEADLINE_S)
        )
        config = self.folder / "central.toml"
        config.write_text(
            _CONFIG.format(
                database=self.database, broker=free_port(), port=self.port, secret=HOOK_SECRET,
                shopify=self.shopify.port, token=TOKEN, location=LOCATION, woo=self.woo.port,
                key=KEY, account=SECRET,
            )
        )  # fmt: skip
        self.central = Child("central", [sys.executable, "-m", "central", "--config", str(config)])
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.central.kill()
        await self._stack.aclose()
        log = (self.folder / "central.log").read_text()
        print(log[-20_000:])
        assert "Traceback" not in log

    async def start(self) -> None:
        """Start central and return once it answers."""
        self.central.start(self.folder / "central.log")
        await asyncio.to_thread(wait_for_port, self.central, self.port)

    async def hook(self, channel: str, topic: str, said: dict[str, Any]) -> httpx.Response:
        """Tell central something as a shop does."""
        body = json.dumps(said).encode()
        digest = hmac.digest(HOOK_SECRET.encode(), body, hashlib.sha256)
        name = "Shopify-Hmac-Sha256" if channel == "shopify" else "WC-Webhook-Signature"
        kind = "Shopify-Topic" if channel == "shopify" else "WC-Webhook-Topic"
        headers = {f"X-{name}": base64.b64encode(digest).decode(), f"X-{kind}": topic}
        return await self.http.post(f"/v1/hooks/{channel}", content=body, headers=headers)

    async def insist(self, channel: str, topic: str, said: dict[str, Any]) -> str:
        """Tell it until it is heard, as a shop does that gets no answer; return the state."""
        answer = await self.until_heard(lambda: self.hook(channel, topic, said))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["state"])

    async def until_heard(self, ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
        """Ask while central is not there, or dies over it; return its answer."""
        async with asyncio.timeout(2 * DEADLINE_S):
            while True:
                with contextlib.suppress(httpx.TransportError):
                    answer = await ask()
                    if answer.status_code != 503:
                        return answer
                await asyncio.sleep(0.05)

    async def receive(self, quantity: int, key: str) -> None:
        """Put valves onto the shelf."""
        said = {"site": "main", "location": "A-1", "sku": "VALVE", "quantity": quantity,
                "reason": "received"}  # fmt: skip
        headers = {"Idempotency-Key": key}
        answer = await self.until_heard(
            lambda: self.http.post("/v1/adjustments", json=said, headers=headers)
        )
        assert answer.status_code == 201, answer.text

    async def stock(self) -> dict[str, int]:
        """Return what central says of the valves."""
        (row,) = (await self.http.get("/v1/stock/VALVE")).json()["sites"]
        return {name: row[name] for name in ("on_hand", "reserved", "available")}

    def shelves(self) -> tuple[int, int]:
        """Return what the two shops sell now."""
        return (
            self.fake_shopify.levels["VALVE"],
            self.fake_woo.products["VALVE"]["stock_quantity"],
        )

    async def sells(self, quantity: int) -> None:
        """Wait until both shops sell this many."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                while self.shelves() != (quantity, quantity):
                    await asyncio.sleep(0.02)
        except TimeoutError:
            pytest.fail(f"the shops sell {self.shelves()}, not {quantity}")


@pytest.fixture
async def street(new_ledger: NewLedger, tmp_path: Path) -> AsyncIterator[Street]:
    """Give a central with two shops that are slow to answer much."""
    woo = FakeWoo(patience=3)
    woo.add(11, "VALVE", 0, parent=10)
    fake = FakeShopify({"VALVE": 0}, bucket=60.0, cost=20.0, restore_per_s=200.0)
    async with Street(tmp_path, new_ledger(), fake, woo) as street:
        yield street


def shopify_order(number: int, quantity: int) -> dict[str, Any]:
    """Return a recorded order of Shopify with another number, of valves alone."""
    order = json.loads((PAYLOADS / "shopify_orders_create.json").read_bytes())
    line = order["line_items"][0] | {"quantity": quantity, "current_quantity": quantity}
    return dict(order | {"id": number, "name": f"#{number}", "line_items": [line]})


def woo_order(number: int, quantity: int, status: str, minute: int) -> dict[str, Any]:
    """Return a recorded order of WooCommerce with another number, of valves alone."""
    order = json.loads((PAYLOADS / "woocommerce_order.json").read_bytes())
    line = order["line_items"][0] | {"quantity": quantity}
    moment = f"2026-03-22T16:{minute:02}:00"
    changes = {"id": number, "number": str(number), "status": status, "line_items": [line]}
    return dict(order | changes | {"date_modified_gmt": moment})


async def test_what_one_shop_sells_the_other_has_no_more(street: Street) -> None:
    """Goods in, orders in from both, a parcel, a cancellation: both shops follow each time."""
    await street.receive(10, "a")
    await street.sells(10)
    street.fake_shopify.levels["VALVE"] -= 3  # its customer has bought
    assert (await street.hook("shopify", "orders/create", shopify_order(1, 3))).json() == {
        "order": "1", "step": "approved", "state": "done",
    }  # fmt: skip
    await street.sells(7)
    street.fake_woo.products["VALVE"]["stock_quantity"] -= 2
    await street.insist("woo", "order.created", woo_order(50, 2, "processing", 1))
    await street.sells(5)
    parcel = json.loads((PAYLOADS / "shopify_fulfillments_create.json").read_bytes())
    line = parcel["line_items"][0] | {"quantity": 3}
    await street.insist(
        "shopify", "fulfillments/create", parcel | {"order_id": 1, "line_items": [line]}
    )
    assert await street.stock() == {"on_hand": 7, "reserved": 2, "available": 5}
    await street.insist("woo", "order.updated", woo_order(50, 2, "cancelled", 2))
    await street.sells(7)
    assert await street.insist("shopify", "orders/create", shopify_order(2, 9)) == "waiting"
    await street.sells(0)
    (alert,) = (await street.http.get("/v1/alerts")).json()["items"]
    assert alert["title"] == "order #2 of shopify waits: 2 VALVE missing"
    await street.receive(5, "b")
    await street.sells(3)
    assert (await street.http.get("/v1/alerts")).json()["items"] == []
    street.shopify.awake.clear()  # one shop does not answer any more
    feed = (await street.http.get("/v1/changes")).json()["cursor"]
    told = asyncio.create_task(
        street.http.get("/v1/changes", params={"after": feed, "wait": int(DEADLINE_S)})
    )
    await street.receive(1, "c")
    assert (await told).json()["items"]
    while street.shelves() != (3, 4):  # the other one hears of it, and so does everybody
        await asyncio.sleep(0.02)
    figures = exposition.read((await street.http.get("/metrics")).text).samples
    assert figures['docktally_channel_waiting{channel="shopify"}'] == 1
    assert figures['docktally_channel_oldest_seconds{channel="shopify"}'] > 0
    street.shopify.awake.set()
    await street.sells(4)
    assert street.fake_shopify.stale >= 1
    assert street.fake_shopify.throttled + street.fake_woo.busy >= 1
    verify = await asyncio.to_thread(run, "docktally", "verify", "--database", street.database)
    assert verify.returncode == 0, verify.stdout


async def test_central_is_killed_in_the_middle(street: Street) -> None:
    """Orders pour in, twice each; central is killed while it answers and while it pushes.

    Each order is promised once, and both shops end at what is left.
    """
    await street.receive(1_000, "a")
    await street.sells(1_000)
    rng = random.Random(2)
    orders = [(number, rng.randint(1, 4)) for number in range(1, 41)]
    said = [("shopify", "orders/create", shopify_order(n, q)) for n, q in orders[:20]]
    said += [("woo", "order.created", woo_order(n, q, "processing", 1)) for n, q in orders[20:]]
    said += said
    rng.shuffle(said)
    kills = 0

    def kill_before_the_answer(call: Call) -> Reply:
        nonlocal kills
        reply = street.fake_shopify.answer(call)
        if kills == 1 and b"inventorySetQuantities" in call.body:
            street.central.kill()  # the shop has set it, and nobody hears that
            kills = 2
        return reply

    street.shopify.answer = kill_before_the_answer
    telling = asyncio.gather(*(street.insist(*each) for each in said))
    await asyncio.sleep(0.3)
    street.central.kill()
    await street.start()
    kills = 1
    more = asyncio.create_task(street.receive(1, "b"))
    async with asyncio.timeout(DEADLINE_S):
        while kills == 1:
            await asyncio.sleep(0.02)
    await street.start()
    await more
    states = await telling
    assert set(states) <= {"done", "repeated"}
    sold = sum(quantity for _, quantity in orders)
    await street.sells(1_001 - sold)
    assert await street.stock() == {
        "on_hand": 1_001, "reserved": sold, "available": 1_001 - sold,
    }  # fmt: skip
    street.central.kill()
    verify = await asyncio.to_thread(run, "docktally", "verify", "--database", street.database)
    assert verify.returncode == 0, verify.stdout
