"""The HTTP door, beyond promises: who may do what, the change feed, scans, limits."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from central import api, outbox, tokens
from central.api.changes import Feed
from central.api.limits import BODY_BYTES_MAX
from central.writer import number
from ledgers import EACH, Site, scan
from wire.events import Batch

BASE = "http://central"
#: Of a step that is asked for once.
KEY = {"Idempotency-Key": "step"}
pytestmark = pytest.mark.usefixtures("site")


def client(site: Site, feed: Feed | None = None, **settings: Any) -> httpx.AsyncClient:
    """Return a client of the real application on a real ledger."""
    app = api.build(site.writer, site.reader, api.Settings("1", **settings), feed)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE)


@pytest.fixture
async def http(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of a central without tokens."""
    async with client(site) as each:
        yield each


async def token(site: Site, *scopes: Any, channel: str | None = None) -> dict[str, str]:
    """Make a token and return the header that carries it."""
    made = await site.writer.submit(
        lambda tx: tokens.create(tx.connection, "-".join(scopes), scopes, channel, tx.now_us)
    )
    return {"Authorization": f"Bearer {made}"}


async def reserve(http: httpx.AsyncClient, headers: dict[str, str], **more: Any) -> httpx.Response:
    """Ask for one valve."""
    body = {"site": "main", "lines": [{"sku": "VALVE", "quantity": 1}], **more}
    return await http.post(
        "/v1/reservations", json=body, headers={"Idempotency-Key": "k", **headers}
    )


async def test_a_token_opens_what_its_scopes_say(site: Site, http: httpx.AsyncClient) -> None:
    """Once there is a token, strangers are out; each token does its part and nothing else."""
    assert (await http.get("/v1/stock")).status_code == 200
    reader, shop = await token(site, "stock:read"), await token(site, "reserve", channel="web")
    admin = await token(site, "admin")
    assert (await http.get("/v1/stock")).status_code == 401
    assert (await http.get("/v1/stock", headers=reader)).status_code == 200
    refused = await reserve(http, reader, channel="web")
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert "'reserve'" in refused.json()["detail"]
    assert (await http.get("/v1/stock", headers=shop)).status_code == 403
    await site.do()
    assert (await reserve(http, shop)).status_code == 201
    assert (await http.get("/v1/webhooks", headers=admin)).status_code == 200
    assert (await http.get("/healthz")).status_code == 200


async def test_a_token_stays_in_its_channel(site: Site, http: httpx.AsyncClient) -> None:
    """A shop cannot reserve for another channel, nor touch another channel's orders."""
    await site.do(quantity=5)
    web = await token(site, "reserve", channel="web")
    other = await token(site, "reserve", channel="market")
    assert (await reserve(http, web, channel="market")).status_code == 403
    held = (await reserve(http, web)).json()
    answer = await http.post(f"/v1/reservations/{held['id']}/release", headers=other | KEY)
    assert (answer.status_code, answer.json()["code"]) == (404, "no_such_reservation")
    answer = await http.post(f"/v1/reservations/{held['id']}/release", headers=web | KEY)
    assert answer.json()["state"] == "released"


async def test_a_revoked_token_is_out(site: Site) -> None:
    """Revoked is refused, at the latest when the memory of it is over."""
    header = await token(site, "stock:read")
    await site.writer.submit(lambda tx: tokens.revoke(tx.connection, "stock:read", tx.now_us))
    async with client(site, token="owner") as http:
        assert (await http.get("/v1/stock", headers=header)).status_code == 401
        owner = {"Authorization": "Bearer owner"}
        assert (await http.get("/v1/stock", headers=owner)).status_code == 200


async def test_tokens_are_stored_as_hashes(site: Site) -> None:
    """Whoever reads the database cannot call with what it finds."""
    header = await token(site, "admin")
    secret = header["Authorization"].removeprefix("Bearer ")
    rows = site.rows("SELECT hash FROM token")
    assert secret not in str(rows)


async def test_stock_has_an_etag(site: Site, http: httpx.AsyncClient) -> None:
    """Nothing new is 304; a change has another tag."""
    await site.do()
    first = await http.get("/v1/stock/VALVE")
    tag = first.headers["ETag"]
    again = await http.get("/v1/stock/VALVE", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    await site.do()
    changed = await http.get("/v1/stock/VALVE", headers={"If-None-Match": tag})
    assert (changed.status_code, changed.headers["ETag"] != tag) == (200, True)


async def relay(site: Site, feed: Feed) -> None:
    """Do what the relay does after a commit."""
    await site.writer.submit(number)
    feed.advance()


async def test_the_feed_has_every_change_behind_a_cursor(site: Site) -> None:
    """A reader that was away reads on from its cursor and misses nothing."""
    feed = Feed()
    async with client(site, feed) as http:
        start = (await http.get("/v1/changes")).json()
        assert start["items"] == []
        for _ in range(3):
            await site.do()
            await relay(site, feed)
        query = {"after": start["cursor"], "limit": 2}
        first = (await http.get("/v1/changes", params=query)).json()
        query = {"after": first["cursor"], "limit": 9}
        rest = (await http.get("/v1/changes", params=query)).json()
        heard = first["items"] + rest["items"]
        levels = [each for each in heard if each["type"] == "inventory.availability.changed"]
        assert [each["data"]["available"] for each in levels] == [1, 2, 3]
        assert [each["type"] for each in first["items"]] == [
            "inventory.availability.changed", "receipt.recorded",
        ]  # fmt: skip


async def test_a_long_poll_answers_as_soon_as_there_is_news(site: Site) -> None:
    """It waits while there is nothing, and no longer."""
    feed = Feed()
    async with client(site, feed) as http:
        cursor = (await http.get("/v1/changes")).json()["cursor"]
        asked = asyncio.create_task(
            http.get("/v1/changes", params={"after": cursor, "wait": 60}, timeout=60)
        )
        await asyncio.sleep(0.2)
        assert not asked.done()
        await site.do()
        await relay(site, feed)
        async with asyncio.timeout(30):
            items = (await asked).json()["items"]
        assert items[0]["data"]["sku"] == "VALVE"
        cursor = (await http.get("/v1/changes")).json()["cursor"]
        empty = await http.get("/v1/changes", params={"after": cursor, "wait": 0.1})
        assert empty.json() == {"items": [], "cursor": cursor}


async def test_a_cursor_that_is_too_old_is_gone(site: Site, http: httpx.AsyncClient) -> None:
    """What was pruned is not passed over in silence."""
    for _ in range(3):
        await site.do()
        await site.writer.submit(number)
    old = api.pages.seal(1)
    assert await site.writer.submit(lambda tx: outbox.prune(tx.connection, 2**62)) == 5
    answer = await http.get("/v1/changes", params={"after": old})
    assert (answer.status_code, answer.json()["code"]) == (410, "cursor_expired")
    assert (await http.get("/v1/changes", params={"after": "rubbish"})).status_code == 400


@contextmanager
def served(site: Site, feed: Feed) -> Iterator[str]:
    """Serve over a real socket: a stream has no end that a client in memory could wait for."""
    app = api.build(site.writer, site.reader, api.Settings("1"), feed)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.force_exit = server.should_exit = True
        thread.join()


async def test_changes_are_streamed(site: Site) -> None:
    """Server-Sent Events: id, type, data; a reader comes back with the last id."""
    feed = Feed()
    with served(site, feed) as base:
        async with httpx.AsyncClient(base_url=base, timeout=30) as http:
            last = ""
            for number in (1, 2):
                headers = {"Last-Event-ID": last} if last else {}
                async with http.stream("GET", "/v1/changes/stream", headers=headers) as stream:
                    lines = stream.aiter_lines()
                    assert await anext(lines) == ": welcome"
                    await site.do()
                    await relay(site, feed)
                    event = [line async for line in _one(lines, "inventory.availability.changed")]
                fields = dict(line.split(": ", 1) for line in event)
                assert fields["event"] == "inventory.availability.changed"
                assert json.loads(fields["data"])["available"] == number
                last = fields["id"]


async def test_a_site_may_have_a_slash(site: Site, http: httpx.AsyncClient) -> None:
    """It is `%2F` in a path: the place is found, changed and scanned at, also over a socket."""
    names, path = {"site": "DE/BER", "location": "A/1"}, "/v1/locations/DE%2FBER/A%2F1"
    for made, body in (("/v1/sites", {"site": "DE/BER"}), ("/v1/locations", names)):
        answer = await http.post(made, json=body, headers={"Idempotency-Key": made})
        assert answer.is_success, answer.text
    with served(site, Feed()) as base:
        found = await asyncio.to_thread(httpx.get, base + path)
    assert found.json().items() >= names.items()
    assert (await http.get(path)).json() == found.json()
    for status in (200, 412):
        answer = await http.patch(
            path, json={"kind": "damaged"}, headers={"If-Match": found.headers["ETag"]}
        )
        assert answer.status_code == status, answer.text
    said = batch(site, 1, scan(1, location="A/1"))
    assert (await http.post("/v1/events/DE%2FBER", content=said)).json()["applied_seq"] == 1
    places = (await http.get("/v1/stock/VALVE")).json()["locations"]
    assert [each.items() >= names.items() for each in places] == [True]
    for path, said_of in (  # the same characters, but another place; and none at all
        ("/v1/locations/DE/BER/A/1", "no location BER/A/1 at DE"),
        ("/v1/locations/DE%2FBER", "no location  at DE/BER"),
    ):
        lost = await http.get(path)
        assert (lost.status_code, lost.json()["code"]) == (404, "not_found"), path
        assert said_of in lost.json()["detail"]


async def _one(lines: AsyncIterator[str], kind: str) -> AsyncIterator[str]:
    """Yield the lines of the next event of a kind."""
    event: list[str] = []
    async for line in lines:
        if line:
            event.append(line)
        else:
            if f"event: {kind}" in event:
                for each in event:
                    yield each
                return
            event.clear()


def batch(site: Site, first: int, *events: Any) -> bytes:
    """Return a batch as a device without MQTT sends it."""
    whole = Batch(
        gateway="pocket", epoch=site.epoch, session=site.epoch, first_seq=first, events=events
    )
    return whole.model_dump_json(exclude_none=True).encode()


async def test_scans_come_in_over_http_once(site: Site, http: httpx.AsyncClient) -> None:
    """Applied, acknowledged, and applied once however often they are sent; a hole is named."""
    for _ in range(2):
        answer = await http.post("/v1/events/main", content=batch(site, 1, scan(1), scan(2)))
        assert answer.json() == {"applied_seq": 2, "expect_seq": 3, "rejected": []}
    assert site.available() == (2, 0)
    gap = await http.post("/v1/events/main", content=batch(site, 5, scan(5)))
    assert (gap.status_code, gap.json()["expect_seq"]) == (409, 3)
    rubbish = await http.post("/v1/events/main", content=b"{")
    assert (rubbish.status_code, rubbish.json()["code"]) == (422, "malformed")
    reserved = await http.post("/v1/events/central", content=batch(site, 3, scan(3)))
    assert (reserved.status_code, reserved.json()["code"]) == (422, "reserved_name")


async def test_too_much_is_refused(site: Site) -> None:
    """A body that is too large is refused unread; a caller that is too fast is told when."""
    async with client(site, rate_per_s=1) as http:
        answers = [await http.get("/v1/stock") for _ in range(4)]
        assert [each.status_code for each in answers] == [200, 200, 429, 429]
        assert int(answers[-1].headers["Retry-After"]) >= 1
    async with client(site) as http:
        large = await http.post("/v1/events/main", content=b"x" * (BODY_BYTES_MAX + 1))
        assert (large.status_code, large.json()["code"]) == (413, "too_large")


async def test_items_are_found_added_and_listed(site: Site, http: httpx.AsyncClient) -> None:
    """Searching finds words anywhere; adding twice with one key adds once."""
    found = (await http.get("/v1/items", params={"search": "dn25 VAL"})).json()
    assert [each["sku"] for each in found["items"]] == ["VALVE"]
    key = {"Idempotency-Key": "k"}
    for name, status in (("a pump", 200), ("a pump", 200), ("another", 422)):
        body = {"sku": "PUMP", "name": name}
        assert (await http.post("/v1/items", json=body, headers=key)).status_code == status
    codes = (await http.get("/v1/items/VALVE/barcodes")).json()["items"]
    assert {"code": "0" + EACH[1:], "each_per": 1} in codes or len(codes) == 2
    places = (await http.get("/v1/locations", params={"site": "main"})).json()["items"]
    assert {
        "site": "main", "location": "Q-1", "kind": "quarantine", "sellable": False, "active": True,
    } in places  # fmt: skip
    assert site.rows("SELECT name FROM item WHERE sku = 'PUMP'") == [("a pump",)]
