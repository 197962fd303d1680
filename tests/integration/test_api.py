"""The HTTP door: what a storefront developer meets."""

from collections.abc import AsyncIterator

import httpx
import pytest

from central import api, settling
from ledgers import EACH, Site
from wire.events import Identifiers

BASE = "http://central"


@pytest.fixture
async def http(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of the real application on a real ledger."""
    app = api.build(site.writer, site.reader, api.Settings("1.2.3"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        yield client


def order(quantity: int = 1, **more: object) -> dict[str, object]:
    """Return the body of a reservation request."""
    lines = [{"sku": "VALVE", "quantity": quantity}]
    return {"channel": "web", "site": "main", "lines": lines} | more


async def reserve(http: httpx.AsyncClient, key: str, **more: object) -> httpx.Response:
    """Ask for a reservation."""
    return await http.post(
        "/v1/reservations",
        json=order(**more),
        headers={"Idempotency-Key": key},  # type: ignore[arg-type]
    )


async def test_reserve_commit_ship(site: Site, http: httpx.AsyncClient) -> None:
    """An order's whole life over HTTP, and the stock after it."""
    await site.do(quantity=5)
    held = await reserve(http, "k", quantity=2)
    assert held.status_code == 201
    assert held.json()["state"] == "held"
    number = held.json()["id"]
    for action, state in (("commit", "committed"), ("ship", "done")):
        key = {"Idempotency-Key": action}
        done = await http.post(f"/v1/reservations/{number}/{action}", headers=key)
        assert (done.status_code, done.json()["state"]) == (200, state)
    stock = (await http.get("/v1/stock/VALVE")).json()
    assert stock["sites"][0] | {"version": 0} == {
        "sku": "VALVE", "site": "main", "name": "valve DN25", "on_hand": 3, "reserved": 0,
        "safety": 0, "available": 3, "active": True, "version": 0,
    }  # fmt: skip
    assert stock["locations"] == [
        {"site": "main", "location": "DOCK-1", "lot": "", "expires": None, "quantity": 3}
    ]


async def test_a_shortage_is_a_problem_document(http: httpx.AsyncClient) -> None:
    """409 names what was asked and what is there, in RFC 9457's form."""
    answer = await reserve(http, "k")
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "out_of_stock"
    assert answer.json()["lines"] == [{"sku": "VALVE", "requested": 1, "available": 0}]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (order(quantity=0), "quantity"),
        (order(lines=[]), "lines"),
        (order(ttl_s=10**9), "ttl_s"),
        (order(colour="red"), "colour"),
        ({}, "site"),
    ],
)
async def test_bad_requests_say_which_field(
    http: httpx.AsyncClient, body: dict[str, object], says: str
) -> None:
    """A developer sees what to change."""
    answer = await http.post("/v1/reservations", json=body, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 422
    assert says in answer.json()["detail"]


async def test_the_idempotency_key_is_mandatory(http: httpx.AsyncClient) -> None:
    """Without it a retry could reserve twice."""
    answer = await http.post("/v1/reservations", json=order())
    assert answer.status_code == 422
    assert "Idempotency-Key".lower() in answer.json()["detail"].lower()


async def test_lists_go_on_where_they_ended(site: Site, http: httpx.AsyncClient) -> None:
    """Cursors are opaque, pages do not overlap, and a made-up cursor is refused."""
    await site.do()
    await site.do(identifiers=Identifiers(text="HOSE-1"))
    first = (await http.get("/v1/stock", params={"limit": 1})).json()
    second = (await http.get("/v1/stock", params={"limit": 1, "after": first["next"]})).json()
    assert [page["items"][0]["sku"] for page in (first, second)] == ["HOSE", "VALVE"]
    assert second["next"] is None
    assert (await http.get("/v1/stock", params={"after": "made up"})).status_code == 400


async def test_events_show_what_they_posted(site: Site, http: httpx.AsyncClient) -> None:
    """Every scan can be followed from its bytes to its entries."""
    await site.do()
    await site.do(identifiers=Identifiers(text="unheard of"))
    items = (await http.get("/v1/events", params={"gateway": "gate"})).json()["items"]
    assert [(i["seq"], i["status"], i["code"]) for i in items] == [
        (1, "applied", None), (2, "held", "unknown_barcode"),
    ]  # fmt: skip
    assert items[0]["event"]["identifiers"] == {"gtin14": EACH}
    assert items[0]["entries"] == [
        {"entry": 1, "sku": "VALVE", "lot": "", "from": "SUPPLIER", "to": "DOCK-1", "quantity": 1,
         "reason": "receive"}
    ]  # fmt: skip
    after = (await http.get("/v1/events", params={"limit": 1})).json()["next"]
    assert (await http.get("/v1/events", params={"after": after})).json()["items"] == items[1:]
    assert items[1]["settled"] is None
    await site.run(settling.dismiss_held, 2, "api:office")
    items = (await http.get("/v1/events")).json()["items"]
    assert items[1]["settled"] == {"status": "dismissed", "by": "api:office"}
    newest = {"newest": True, "limit": 1}
    page = (await http.get("/v1/events", params=newest)).json()
    assert [item["number"] for item in page["items"]] == [2]
    page = (await http.get("/v1/events", params={**newest, "after": page["next"]})).json()
    assert ([item["number"] for item in page["items"]], page["next"]) == ([1], None)
    for wanted, numbers in (({"sku": "VALVE"}, [1]), ({"status": "held"}, [2]), ({"sku": "X"}, [])):
        page = (await http.get("/v1/events", params=wanted)).json()
        assert [item["number"] for item in page["items"]] == numbers


async def test_ledger_and_alerts(site: Site, http: httpx.AsyncClient) -> None:
    """The ledger's position, each outbox's mark, and what a person should look at."""
    await site.do(identifiers=Identifiers(text="unheard of"))
    ledger = (await http.get("/v1/ledger")).json()
    assert ledger["position"] == 1
    assert [(g["gateway"], g["applied_seq"]) for g in ledger["gateways"]] == [("gate", 1)]
    alert = (await http.get("/v1/alerts")).json()["items"][0]
    assert (alert["kind"], alert["ref"], alert["count"]) == ("unknown_barcode", "unheard of", 1)


async def test_unknown_things_are_404(http: httpx.AsyncClient) -> None:
    """An item or reservation that does not exist."""
    assert (await http.get("/v1/stock/GHOST")).status_code == 404
    lost = await http.post("/v1/reservations/9/commit", headers={"Idempotency-Key": "k"})
    assert lost.json()["code"] == "no_such_reservation"


async def test_a_token_closes_the_door(site: Site) -> None:
    """With a token every request needs it, but the health check; a wrong one is refused."""
    app = api.build(site.writer, site.reader, api.Settings("1.2.3", "secret"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/v1/stock")).status_code == 401
        wrong = {"Authorization": "Bearer Secret"}
        assert (await client.get("/v1/stock", headers=wrong)).status_code == 401
        right = {"Authorization": "Bearer secret"}
        assert (await client.get("/v1/stock", headers=right)).status_code == 200
