"""The quantities of shops follow what can be promised: the newest, whatever the shop does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network

import pytest

from central import assortment, levels
from central.channels import push_list
from central.channels.pusher import Pusher
from central.channels.shopify_login import Login
from central.channels.shops import Shop as Api
from central.channels.shops import ShopifyShop, WooShop
from central.guarded_http import Client
from fake_shops import KEY, LOCATION, SECRET, TOKEN, FakeShopify, FakeWoo, Reply
from ledgers import Site
from shops import Call, Shop, close, eventually
from wire.events import Identifiers

HERE = (ip_network("127.0.0.0/8"),)


@asynccontextmanager
async def pushing(
    site: Site, make: Callable[[Client], Api], *, told_after_s: float = 60
) -> AsyncIterator[Pusher]:
    """Run a pusher until the block ends."""
    client = Client(HERE, timeout_s=10)
    pusher = Pusher(
        "shop", "main", make(client), site.writer, site.reader, told_after_s=told_after_s
    )
    before, site.writer.on_commit = site.writer.on_commit, pusher.offer
    running = asyncio.create_task(pusher.run())
    yield pusher
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    site.writer.on_commit = before
    await close(client)


def at_shopify(server: Shop) -> Callable[[Client], Api]:
    """Return what makes the API of a fake Shopify."""
    base = server.url.removesuffix("/hook")
    return lambda client: ShopifyShop(client, base, TOKEN, LOCATION)


async def test_what_is_taken_off_sale_is_sold_nowhere(site: Site) -> None:
    """The shop gets zero while the item is off sale, and what lies there once it is back."""
    fake = FakeShopify({"VALVE": 99})
    async with Shop(answer=fake.answer) as server, pushing(site, at_shopify(server)):
        await site.do(quantity=7)
        await eventually(lambda: fake.levels["VALVE"] == 7, "the first level arrives")
        await site.run(assortment.change_item, "VALVE", active=False)
        await eventually(lambda: fake.levels["VALVE"] == 0, "none is for sale")
        await site.run(assortment.change_item, "VALVE", active=True)
        await eventually(lambda: fake.levels["VALVE"] == 7, "all are for sale again")


async def test_shopify_follows_every_change(site: Site) -> None:
    """What can be promised is what the shop may sell, never below zero; others are untouched."""
    fake = FakeShopify({"VALVE": 99, "OTHER": 5})
    async with Shop(answer=fake.answer) as server, pushing(site, at_shopify(server)):
        await site.do(quantity=7)
        await site.do(identifiers=Identifiers(sku="HOSE"))
        await eventually(lambda: fake.levels["VALVE"] == 7, "the first level arrives")
        await site.do("ship", quantity=9)
        await eventually(lambda: fake.levels["VALVE"] == 0, "below zero is zero")
        assert fake.levels["OTHER"] == 5
        note = "SELECT note FROM listing WHERE remote_id = ''"
        told = [("the shop has no such SKU",)]
        await eventually(lambda: site.rows(note) == told, "the other one is noted")


async def test_how_far_a_shop_is_behind(site: Site) -> None:
    """Nothing while all is confirmed; while the shop is away, what changed, once for each item."""
    fake = FakeShopify({"VALVE": 0, "HOSE": 0})
    async with Shop(answer=fake.answer) as server, pushing(site, at_shopify(server)) as pusher:
        await site.do(quantity=7)
        await eventually(lambda: fake.levels["VALVE"] == 7, "the first level arrives")
        await eventually(lambda: pusher.lag() == (0, 0.0), "and nothing waits")
        server.awake.clear()
        for _ in range(3):
            await site.do()
            await site.do(identifiers=Identifiers(sku="HOSE"))
        await eventually(lambda: pusher.lag().items == 2, "both items wait")
        age_s = pusher.lag().oldest_s
        await site.do()
        assert pusher.lag().oldest_s > age_s, "the newest value is as late as the first"
        server.awake.set()
        await eventually(lambda: fake.levels == {"VALVE": 11, "HOSE": 3}, "all arrives")
        await eventually(lambda: pusher.lag() == (0, 0.0), "and nothing waits")


async def test_a_sale_in_the_shop_is_not_overwritten(site: Site) -> None:
    """Somebody bought there meanwhile: the compare fails, the level is read anew, then set."""
    fake = FakeShopify({"VALVE": 0})
    async with Shop(answer=fake.answer) as server, pushing(site, at_shopify(server)):
        await site.do(quantity=7)
        await eventually(lambda: fake.levels["VALVE"] == 7, "the level arrives")
        fake.levels["VALVE"] = 5
        await site.do("ship", quantity=2)
        await site.do()
        await eventually(lambda: fake.levels["VALVE"] == 6, "the level is right again")
        assert fake.stale == 1


async def test_shopify_may_ask_us_to_wait(site: Site) -> None:
    """An empty cost bucket is a pause, not an error; then everything follows."""
    fake = FakeShopify({"VALVE": 0}, bucket=5.0, cost=50.0)
    async with Shop(answer=fake.answer) as server, pushing(site, at_shopify(server)):
        await site.do(quantity=3)
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
        async with pushing(site, lambda client: WooShop(client, base, KEY, SECRET)):
            await site.do(quantity=4)
            await site.do(identifiers=Identifiers(sku="HOSE"), quantity=2)
            await eventually(lambda: _stock(fake) == {"VALVE": 4, "HOSE": 2}, "both arrive")
            await site.do("ship")
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


async def test_a_quantity_that_comes_again_is_set_again(site: Site) -> None:
    """Seven, six, seven, six: Shopify does nothing on a key that it knows, so each has its own."""
    fake = FakeShopify({"VALVE": 0})
    async with Shop(answer=fake.answer) as server, pushing(site, at_shopify(server)):
        await site.do(quantity=7)
        for kind, quantity in (("ship", 6), ("receive", 7), ("ship", 6), ("receive", 7)):
            await site.do(kind)
            await eventually(
                lambda quantity=quantity: fake.levels["VALVE"] == quantity,  # type: ignore[misc]
                f"the level is {quantity}",
            )
        assert fake.stale == 0


async def test_an_answer_that_got_lost_does_no_harm(site: Site) -> None:
    """Set, but we never heard: the same call with the same key says so, and sets nothing twice."""
    fake = FakeShopify({"VALVE": 0})
    lost: list[int] = []

    def answer(call: Call) -> Reply:
        reply = fake.answer(call)
        if fake.levels["VALVE"] == 8 and len(lost) < 2:
            lost.append(reply[0])
            return 502, {}, b""
        return reply

    async with Shop(answer=answer) as server, pushing(site, at_shopify(server)):
        await site.do(quantity=7)
        await eventually(lambda: fake.levels["VALVE"] == 7, "the first level arrives")
        await site.do()
        confirmed = (
            "SELECT l.known FROM listing l JOIN avail a ON a.item = l.item AND a.ver = l.ver"
        )
        await eventually(lambda: site.rows(confirmed) == [(8,)], "it is confirmed in the end")
        assert (fake.sets, fake.stale) == (2, 0)


async def test_an_item_that_the_shop_refuses_does_not_hold_up_the_others(site: Site) -> None:
    """Shopify sets all of a call or nothing: who is refused is left out, and a person is told."""
    fake = FakeShopify({"VALVE": 0, "HOSE": 0}, refused={"HOSE"})
    async with Shop(answer=fake.answer) as server, pushing(site, at_shopify(server)):
        await site.do(identifiers=Identifiers(sku="HOSE"), quantity=2)
        await site.do(quantity=7)
        await eventually(lambda: fake.levels["VALVE"] == 7, "the other one is set")
        await eventually(lambda: site.open_alerts() == ["delivery_failing"], "a person is told")
        (title,) = site.rows("SELECT title FROM alert")[0]
        assert title.startswith("shop does not take the stock of HOSE: ITEM_NOT_STOCKED")
        fake.refused.clear()
        with site.writer.engine.begin() as tx:
            push_list.push_anew(tx, "shop")
        await eventually(lambda: fake.levels["HOSE"] == 2, "it is set once the shop takes it")
        await eventually(lambda: site.open_alerts() == [], "the alert is closed")


@pytest.mark.parametrize(
    "reply",
    [
        (500, {}, b"oops"), (401, {}, b"who?"), (200, {}, b"<html>"), (200, {}, b"[]"),
        (200, {}, b'{"data": {"productVariants": {"nodes": [{"sku": "VALVE"}]}}}'),
        (200, {}, b'{"data": {"productVariants": null}}'), (429, {"retry-after": "1"}, b""),
    ],
)  # fmt: skip
async def test_a_shop_that_fails_for_long_is_told_of(site: Site, reply: Reply) -> None:
    """Whatever it answers: no crash, an alert after a while, gone with the first success, also
    when that is another leader's."""
    fake = FakeShopify({"VALVE": 0})
    async with Shop(answer=lambda _: reply) as server:
        await site.do(quantity=7)
        async with pushing(site, at_shopify(server), told_after_s=0.5):
            await eventually(lambda: site.open_alerts() == ["delivery_failing"], "an alert opens")
        server.answer = fake.answer
        async with pushing(site, at_shopify(server)):
            await eventually(lambda: fake.levels["VALVE"] == 7, "the level arrives")
            await eventually(lambda: site.open_alerts() == [], "the alert is closed")


async def test_a_shop_gets_what_its_channel_may_promise(site: Site) -> None:
    """Less what is kept back from it, within its cap; a new share is pushed by itself."""
    fake = FakeShopify({"VALVE": 0})
    async with Shop(answer=fake.answer) as server, pushing(site, at_shopify(server)):
        await site.do(quantity=10)
        await eventually(lambda: fake.levels["VALVE"] == 10, "all of it")
        await site.run(levels.set_share, levels.Share("main", "VALVE", "shop", buffer=3))
        await eventually(lambda: fake.levels["VALVE"] == 7, "less the buffer")
        await site.run(levels.set_share, levels.Share("main", "VALVE", "shop", cap=2))
        await eventually(lambda: fake.levels["VALVE"] == 2, "no more than the cap")


async def test_an_app_of_shopify_logs_in_by_itself(site: Site) -> None:
    """Its token is good for a day and asked for once; one that is taken back is asked for anew.
    With a wrong secret a person is told what to look at."""
    fake = FakeShopify({"VALVE": 0})
    async with Shop(answer=fake.answer) as server:
        base = server.url.removesuffix("/hook")

        def shop(client: Client, secret: str = SECRET) -> ShopifyShop:
            return ShopifyShop(client, base, "", LOCATION, Login(client, base, KEY, secret))

        async with pushing(site, shop):
            for quantity in (1, 2):
                await site.do()
                await eventually(
                    lambda n=quantity: fake.levels["VALVE"] == n,  # type: ignore[misc]
                    "the level arrives",
                )
            assert fake.logins == 1
            fake.tokens.clear()
            await site.do()
            await eventually(lambda: fake.levels["VALVE"] == 3, "it logs in again")
            assert fake.logins == 2
        await site.do()
        async with pushing(site, lambda client: shop(client, "wrong"), told_after_s=0):
            await eventually(lambda: site.open_alerts() == ["delivery_failing"], "an alert opens")
        (title,) = site.rows("SELECT title FROM alert")[0]
        assert "does not let our app in (400" in title


async def test_other_sites_are_not_pushed(site: Site) -> None:
    """A channel sells what lies at its site."""
    fake = FakeShopify({"VALVE": 0})
    async with Shop(answer=fake.answer) as server, pushing(site, at_shopify(server)):
        await site.beside("gate", "north").do(quantity=5, location="N-1")
        await site.do(quantity=2)
        await eventually(lambda: fake.levels["VALVE"] == 2, "only our own site")


async def test_what_is_pushed_no_more_is_forgotten(site: Site) -> None:
    """A channel that left the configuration: its rows and its alerts go."""
    async with Shop(answer=lambda _: (500, {}, b"")) as server:
        await site.do(quantity=7)
        async with pushing(site, at_shopify(server), told_after_s=0):
            await eventually(lambda: site.open_alerts() == ["delivery_failing"], "an alert opens")
    fake = FakeShopify({"VALVE": 0})
    async with Shop(answer=fake.answer) as server, pushing(site, at_shopify(server)):
        await eventually(lambda: fake.levels["VALVE"] == 7, "it is listed")
        await eventually(lambda: site.rows("SELECT COUNT(*) FROM listing") == [(1,)], "and noted")
    await site.run(push_list.forget_others, ["shop"])
    assert site.rows("SELECT COUNT(*) FROM listing") == [(1,)]
    await site.run(push_list.forget_others, [])
    assert site.rows("SELECT COUNT(*) FROM listing") == [(0,)]
