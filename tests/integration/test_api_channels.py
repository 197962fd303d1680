"""A token bound to a channel: nothing that it can read names another channel's orders."""

from typing import Any

import httpx
import pytest

from central import api, tokens
from central.levels import Share, set_share
from central.writer import number
from ledgers import Site, ask
from shop_hands import channel, event, say
from wire.events import Identifiers

#: Each names an order of the channel `web`, or what else only that channel should know.
SECRETS = ("order-1", "web-77", "web-label", "web-buyer")
#: Every route that reads, and what it does for a token that is bound to another channel.
REFUSED = (
    "/metrics", "/v1/alerts", "/v1/alerts/{alert_id}", "/v1/events", "/v1/exceptions", "/v1/ledger",
    "/v1/webhooks", "/v1/webhooks/{webhook}", "/v1/webhooks/{webhook}/deliveries",
)  # fmt: skip
HIDDEN = ("/v1/orders/{order_ref}", "/v1/reservations/{number}")
SHOWN = (
    "/healthz", "/v1/barcodes", "/v1/barcodes/{code}", "/v1/changes", "/v1/channels", "/v1/items",
    "/v1/items/{sku}", "/v1/items/{sku}/barcodes", "/v1/levels", "/v1/locations",
    "/v1/locations/{site}/{location}", "/v1/lots", "/v1/lots/expired", "/v1/reservations",
    "/v1/shares", "/v1/shop-orders", "/v1/shortages", "/v1/sites", "/v1/stock", "/v1/stock/{sku}",
)  # fmt: skip
#: Without an end, so not to be read here; it shows what /v1/changes shows.
STREAMED = ("/v1/changes/stream",)
NAMES = {
    "order_ref": "order-1", "number": "1", "code": "HOSE-1", "sku": "VALVE", "site": "main",
    "location": "A-1", "webhook": "1",
}  # fmt: skip
QUERIES: dict[str, dict[str, str]] = {
    "/v1/shop-orders": {"state": "all"}, "/v1/reservations": {"state": "any"},
    "/v1/lots/expired": {"by": "2027-05-31"},
}  # fmt: skip
WEB = channel()


@pytest.fixture
def http(site: Site) -> httpx.AsyncClient:
    """Give a client of the real application on a real ledger, with a shop."""
    app = api.build(site.writer, site.reader, api.Settings("1", token="owner", channels=[WEB]))
    owner = {"Authorization": "Bearer owner"}
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://central", headers=owner)


async def bound(site: Site, *scopes: Any) -> dict[str, str]:
    """Make a token of the channel `market` and return the header that carries it."""
    made = await site.writer.submit(
        lambda tx: tokens.create(tx.connection, "market", scopes, "market", tx.now_us)
    )
    return {"Authorization": f"Bearer {made}"}


async def trade(site: Site) -> None:
    """Let the channel `web` sell, ship, wait and fail to get, and docks scan for its orders."""
    await site.do(quantity=9)
    await site.run(set_share, Share("main", "VALVE", "web", buffer=0, oversell=0, cap=8))
    await ask(site, "k", ("VALVE", 4))
    await say(site, event("approved", "web-77", lines={"VALVE": 2, "HOSE": 1}, label="web-label"))
    await site.do("ship", document="order-1")
    await site.do("ship", document="web-buyer", identifiers=Identifiers(text="STRANGER"))
    await site.do("damage", quantity=6)
    while await site.writer.submit(number):
        pass


async def read(http: httpx.AsyncClient, route: str, headers: dict[str, str]) -> httpx.Response:
    """Read a route, about web's things where it asks for one."""
    if route.endswith("{alert_id}"):
        first = (await http.get("/v1/alerts", params={"kind": "shortage"})).json()["items"][0]
        return await http.get(f"/v1/alerts/{first['id']}", headers=headers)
    query = {"/v1/changes": {"after": api.pages.seal(0), "limit": "999"}, **QUERIES}.get(route)
    return await http.get(route.format(**NAMES), params=query, headers=headers)


async def test_what_each_route_shows_of_another_channel(
    site: Site, http: httpx.AsyncClient
) -> None:
    """Refused with the way out, unknown, or shown without it; no route is forgotten."""
    await trade(site)
    market = await bound(site, "admin")
    assert {
        path for path, does in http_routes(http).items() if "get" in does
    } == {*REFUSED, *HIDDEN, *SHOWN, *STREAMED}  # fmt: skip
    told = {route: (await read(http, route, {})).text for route in (*REFUSED, *HIDDEN, *SHOWN)}
    assert {route for route, text in told.items() if any(each in text for each in SECRETS)} == {
        "/v1/alerts", "/v1/alerts/{alert_id}", "/v1/changes", "/v1/events", "/v1/exceptions",
        "/v1/orders/{order_ref}", "/v1/reservations", "/v1/reservations/{number}",
        "/v1/shop-orders", "/v1/shortages",
    }  # fmt: skip
    for route, status in [
        *dict.fromkeys(REFUSED, 403).items(), *dict.fromkeys(HIDDEN, 404).items(),
        *dict.fromkeys(SHOWN, 200).items(),
    ]:  # fmt: skip
        answer = await read(http, route, market)
        assert answer.status_code == status, (route, answer.text)
        if route not in HIDDEN:  # which say again what was asked for
            assert not any(secret in answer.text for secret in SECRETS), (route, answer.text)
        if route in REFUSED:
            said = answer.json()
            assert (said["code"], answer.headers["content-type"]) == (
                "forbidden", "application/problem+json",
            )  # fmt: skip
            assert "bound to none, or read /v1/reservations" in said["detail"]
    assert (await http.get("/v1/shares", headers=market)).json()["items"] == []
    assert (await http.get("/v1/shares?channel=web", headers=market)).status_code == 403


def http_routes(http: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    """Return what the application that a client talks to serves: methods by path."""
    app: Any = http._transport.app  # type: ignore[attr-defined]
    paths: dict[str, dict[str, Any]] = app.openapi()["paths"]
    return paths


async def test_a_bound_token_changes_no_other_channels_things(
    site: Site, http: httpx.AsyncClient
) -> None:
    """Nor does it take care of alerts, whose answer would show whether there is one."""
    await trade(site)
    market = await bound(site, "admin")
    alert = (await http.get("/v1/alerts")).json()["items"][0]["id"]
    for path, body in (
        ("/v1/shares", {"site": "main", "sku": "VALVE", "channel": "web", "cap": 0}),
        (f"/v1/alerts/{alert}/acknowledge", {"by": "Kim"}),
        (f"/v1/alerts/{alert}/close", None),
        ("/v1/webhooks", {"url": "https://shop.example/hook"}),
    ):
        answer = await http.post(path, json=body, headers=market | {"Idempotency-Key": path})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), path
    own = {"site": "main", "sku": "VALVE", "channel": "market", "cap": 5}
    answer = await http.post("/v1/shares", json=own, headers=market | {"Idempotency-Key": "own"})
    assert answer.json()["channel"] == "market"
    shares = (await http.get("/v1/shares", headers=market)).json()["items"]
    assert [each["channel"] for each in shares] == ["market"]


async def test_a_shortage_is_told_without_the_orders(site: Site, http: httpx.AsyncClient) -> None:
    """A shop hears when goods are missing and when no more; /v1/shortages names its orders."""
    market = await bound(site, "stock:read")
    start = (await http.get("/v1/changes", headers=market)).json()["cursor"]
    await trade(site)
    await site.do(quantity=9)
    while await site.writer.submit(number):
        pass
    query = {"after": start, "limit": 999}
    mine = (await http.get("/v1/changes", params=query, headers=market)).json()["items"]
    everything = (await http.get("/v1/changes", params=query)).json()["items"]

    def alerts(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [i["data"] for i in items if i["type"].startswith(("inventory.short", "alert."))]

    assert [each.get("kind", "closed") for each in alerts(mine)] == ["shortage", "closed"]
    assert "order-1" in str(alerts(everything))
    assert "detail" not in alerts(mine)[0]
    assert "order_waiting" in str(alerts(everything))
