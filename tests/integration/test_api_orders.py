"""The HTTP door for shops: single reservations, orders by reference, parcels, keys, channels."""

from typing import Any

import httpx

from central import reservations, tokens
from central.writer import number
from ledgers import Site, ask

ORDER = "/orders/order-1"


async def step(
    http: httpx.AsyncClient, path: str, key: str = "k", body: Any = None, **headers: str
) -> httpx.Response:
    """Ask for a step."""
    return await http.post(path, json=body, headers={"Idempotency-Key": f"{path} {key}"} | headers)


async def test_a_reservation_is_looked_at(site: Site, http: httpx.AsyncClient) -> None:
    """Its state, its lines, when it ends; its tag changes when it does."""
    await site.do(quantity=5)
    held = (await ask(site, "k", ("VALVE", 3))).body
    seen = await http.get(f"/reservations/{held['id']}")
    assert seen.json() | {"created": ""} == {
        "id": held["id"], "state": "held", "channel": "web", "site": "main",
        "order_ref": "order-1", "created": "", "expires": held["expires"],
        "lines": [{"sku": "VALVE", "quantity": 3, "shipped": 0}],
    }  # fmt: skip
    fresh = {"If-None-Match": seen.headers["ETag"]}
    assert (await http.get(f"/reservations/{held['id']}", headers=fresh)).status_code == 304
    await step(http, f"/reservations/{held['id']}/commit")
    changed = await http.get(f"/reservations/{held['id']}", headers=fresh)
    assert (changed.json()["state"], changed.json()["expires"]) == ("committed", None)
    lost = await http.get("/reservations/99")
    assert (lost.status_code, lost.json()["detail"]) == (404, "there is no reservation 99")


async def test_reservations_are_found(site: Site, http: httpx.AsyncClient) -> None:
    """By order, channel and state; refused ones only where they are asked for."""
    await site.do(quantity=1)
    await ask(site, "k", ("VALVE", 1))
    await ask(site, "l", ("VALVE", 1))

    async def found(**wanted: str) -> list[int]:
        page = (await http.get("/reservations", params=wanted)).json()
        return [each["id"] for each in page["items"]]

    assert await found() == [1]
    assert await found(state="rejected") == [2]
    assert await found(state="any", order_ref="order-1") == [2, 1]
    assert await found(order_ref="order-2") == await found(channel="market") == []
    assert await found(site="main", channel="web") == [1]


async def test_an_order_goes_out_in_parcels_once_each(site: Site, http: httpx.AsyncClient) -> None:
    """A retry ships nothing twice; more than is left is refused; the order tells what is open."""
    await site.do(quantity=5)
    number = (await ask(site, "k", ("VALVE", 3))).body["id"]
    path = f"/reservations/{number}/ship"
    parcel = {"parcels": [{"sku": "VALVE", "quantity": 2, "location": "DOCK-1"}]}
    for _ in range(2):
        assert (await step(http, path, "a", parcel)).json()["state"] == "committed"
    assert site.available() == (3, 1)
    other = await step(http, path, "a", {"parcels": []})
    assert other.json()["code"] == "key_reused"
    beyond = await step(http, path, "b", parcel)
    assert beyond.json()["lines"] == [{"sku": "VALVE", "requested": 2, "left": 1}]
    order = (await http.get(ORDER)).json()
    assert order["open"]
    assert order["lines"] == [{"sku": "VALVE", "promised": 3, "shipped": 2, "open": 1}]
    assert (await step(http, path, "c")).json()["state"] == "done"
    order = (await http.get(ORDER)).json()
    assert (order["open"], order["lines"][0]["open"]) == (False, 0)
    assert [each["state"] for each in order["reservations"]] == ["done"]


async def test_every_step_needs_its_key(site: Site, http: httpx.AsyncClient) -> None:
    """A retry gets the first answer, so that whoever lost it knows what happened."""
    await site.do()
    await ask(site, "k", ("VALVE", 1))
    for path in ("commit", "release", "extend", "ship"):
        bare = await http.post(f"/reservations/1/{path}", json={"ttl_s": 5})
        assert (bare.status_code, "Idempotency-Key" in bare.json()["detail"]) == (422, True), path
    for _ in range(2):
        first = await step(http, "/reservations/1/commit")
        assert first.json()["changed"] is True
    assert (await step(http, "/reservations/1/commit", "other")).json()["changed"] is False


async def test_an_order_is_approved_shipped_and_cancelled(
    site: Site, http: httpx.AsyncClient
) -> None:
    """In the shop's own words; what was shipped stays shipped."""
    await site.do(quantity=9)
    for key in ("k", "l"):
        await ask(site, key, ("VALVE", 2))
    nobody = await step(http, f"{ORDER}/approve")
    assert (nobody.status_code, nobody.json()["code"]) == (400, "bad_request")
    approved = (await step(http, f"{ORDER}/approve?channel=web")).json()
    assert (approved["state"], sorted(approved["reservations"])) == ("committed", [1, 2])
    await step(http, "/reservations/1/ship", "k", {"parcels": [{"sku": "VALVE", "quantity": 1}]})
    assert (await step(http, f"{ORDER}/cancel?channel=web")).json()["state"] == "released"
    assert site.available() == (8, 0)
    order = (await http.get(f"{ORDER}?channel=web")).json()
    assert order["lines"] == [{"sku": "VALVE", "promised": 1, "shipped": 1, "open": 0}]
    late = await step(http, f"{ORDER}/ship?channel=web")
    assert (late.status_code, late.json()["code"]) == (409, "not_shippable")
    lost = await step(http, "/orders/1002/ship?channel=web")
    assert (lost.status_code, lost.json()["code"]) == (404, "no_such_order")
    assert (await http.get("/orders/1002")).status_code == 404


async def test_a_channel_sees_its_own(site: Site, http: httpx.AsyncClient) -> None:
    """Not the others' reservations, orders, shortages or messages, wherever one might look."""
    await site.do(quantity=2)

    async def token(channel: str) -> dict[str, str]:
        made = await site.writer.submit(
            lambda tx: tokens.create(
                tx.connection, channel, ["stock:read", "reserve"], channel, tx.now_us
            )
        )
        return {"Authorization": f"Bearer {made}"}

    web, market = await token("web"), await token("market")
    start = (await http.get("/changes", headers=market)).json()["cursor"]
    await ask(site, "k", ("VALVE", 2))
    await site.do("damage", quantity=1)
    while await site.writer.submit(number):
        pass
    assert (await http.get("/reservations/1", headers=market)).status_code == 404
    assert (await http.get("/reservations", headers=market)).json()["items"] == []
    assert (await http.get("/reservations?channel=web", headers=market)).status_code == 403
    assert (await http.get(ORDER, headers=market)).status_code == 404
    assert (await step(http, f"{ORDER}/cancel", **market)).json()["code"] == "no_such_order"
    assert (await step(http, "/reservations/1/release", **market)).status_code == 404
    short = (await http.get("/shortages", headers=market)).json()["items"]
    assert [each["orders"] for each in short] == [[]]
    told = (await http.get("/changes", params={"after": start}, headers=market)).json()
    kinds = {each["type"] for each in told["items"]}
    assert kinds >= {"inventory.availability.changed", "inventory.out_of_stock"}
    assert not {kind for kind in kinds if kind.startswith(("reservation", "receipt", "shipment"))}
    end = {"after": told["cursor"]}
    assert (await http.get("/changes", params=end, headers=web)).json()["items"] == []
    told = (await http.get("/changes", params={"after": start}, headers=web)).json()
    assert "reservation.created" in {each["type"] for each in told["items"]}
    assert (await http.get("/reservations/1", headers=web)).json()["channel"] == "web"
    assert (await http.get(ORDER, headers=web)).status_code == 200


async def test_a_page_of_others_messages_is_passed_over(
    site: Site, http: httpx.AsyncClient
) -> None:
    """A cursor moves on over what the caller may not see, and finds what comes after it."""
    await site.do(quantity=9)
    while await site.writer.submit(number):
        pass
    start = (await http.get("/changes")).json()["cursor"]
    await site.writer.submit(
        lambda tx: tokens.create(tx.connection, "m", ["stock:read"], "market", tx.now_us)
    )
    made = await site.writer.submit(
        lambda tx: tokens.create(tx.connection, "n", ["stock:read"], "market", tx.now_us)
    )
    for n in range(5):
        held = (await ask(site, f"k{n}", ("VALVE", 1))).body["id"]
        await site.run(reservations.release, held)
    while await site.writer.submit(number):
        pass
    headers, after, heard = {"Authorization": f"Bearer {made}"}, start, []
    for _ in range(20):
        query = {"after": after, "limit": 1}
        page = (await http.get("/changes", params=query, headers=headers)).json()
        if not page["items"]:
            break
        heard += page["items"]
        after = page["cursor"]
    assert len(heard) == 10
    assert {each["type"] for each in heard} == {"inventory.availability.changed"}
