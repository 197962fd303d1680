"""Central reads a plain request to reserve itself, FastAPI any other: nobody can tell which."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from central import api, tokens
from central.api import promises
from ledgers import Site

TOKEN = "the-owner"
PLAIN, BY_FASTAPI = "application/json", "application/json; charset=utf-8"
BODY = {
    "channel": "web", "site": "main", "ttl_s": 60, "order_ref": "1001",
    "lines": [{"sku": "VALVE", "quantity": 1}],
}  # fmt: skip
STRANGE = (
    None, True, 0, -1, 1, 1.0, 1.5, 10**12, 10**30, "", "1", " 60", "main", "any", "x" * 300,
    "\x00", "\ud800", [], {}, ["main"], [{"sku": "VALVE"}], [{"sku": "VALVE", "quantity": "1"}],
    [{"sku": "VALVE", "quantity": 99}], [{"sku": "NONE", "quantity": 1, "x": 1}], [None],
)  # fmt: skip


@pytest.fixture
async def http(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of the real application that sends a token."""
    app = api.build(site.writer, site.reader, api.Settings("1.2.3", TOKEN))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://c", headers=headers) as one:
        yield one


@pytest.fixture
def read_by_us(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the bodies that central has read itself."""
    read = []
    validate = promises.ReservationRequest.model_validate_json

    def note(body: bytes) -> promises.ReservationRequest:
        wanted = validate(body)
        read.append(body.decode())
        return wanted

    monkeypatch.setattr(promises.ReservationRequest, "model_validate_json", note)
    return read


async def answers(http: httpx.AsyncClient, body: bytes, key: str, **headers: str) -> list[object]:
    """Return what is answered to a request that is plain, and to the same that is not."""
    found = []
    for way, kind in (("p", PLAIN), ("f", BY_FASTAPI)):
        sent = {"Content-Type": kind, "Idempotency-Key": key and f"{key}-{way}"} | headers
        answer = await http.post("/v1/reservations", content=body, headers=sent)
        told = answer.json()
        if answer.status_code == 201:
            await http.post(
                f"/v1/reservations/{told.pop('id')}/release",
                headers={"Idempotency-Key": f"{key}-{way}-back"},
            )
            told.pop("expires")
        found.append((answer.status_code, answer.headers["content-type"], told))
    return found


async def test_both_ways_answer_the_same(
    site: Site, http: httpx.AsyncClient, read_by_us: list[str]
) -> None:
    """Each field of a good request in turn is left out, or holds something strange."""
    await site.do(quantity=5)
    bodies = [BODY | {"more": 1}]
    for field in BODY:
        bodies.append({name: value for name, value in BODY.items() if name != field})
        bodies.extend(BODY | {field: strange} for strange in STRANGE)
    statuses = set()
    for number, body in enumerate(bodies):
        plain, other = await answers(http, json.dumps(body).encode(), f"k{number}")
        assert plain == other, body
        statuses.add(plain[0])
    assert statuses == {201, 400, 404, 409, 422}
    assert read_by_us


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"\xff", b"\xef\xbb\xbf{}", b'{"site": NaN}', b"1" * 5_000]
)
async def test_no_json_is_refused_both_ways(http: httpx.AsyncClient, body: bytes) -> None:
    """What is no request at all."""
    plain, other = await answers(http, body, "k")
    assert plain == other
    assert plain[0] in {400, 422}


async def test_the_key_and_the_token_count_both_ways(site: Site, http: httpx.AsyncClient) -> None:
    """Without them, with a key too long, with tokens of nobody, of a reader, of channels."""
    await site.do(quantity=5)
    body = json.dumps(BODY).encode()
    made = {}
    for name, scopes, channel in (
        ("reader", ["stock:read"], None),
        ("market", ["reserve"], "market"),
        ("web", ["reserve"], "web"),
    ):
        made[name] = await site.writer.submit(
            lambda tx, n=name, s=scopes, c=channel: tokens.create(tx.connection, n, s, c, 0)
        )
    cases = [
        ("", {}, 422), ("k" * 300, {}, 422),
        ("a", {"Authorization": ""}, 401), ("b", {"Authorization": "Bearer nobody"}, 401),
        ("c", {"Authorization": "Basic bmFtZTp3b3Jk"}, 401),
        ("d", {"Authorization": f"Bearer {made['reader']}"}, 403),
        ("e", {"Authorization": f"Bearer {made['market']}"}, 403),
        ("f", {"Authorization": f"Bearer {made['web']}"}, 201),
        ("g", {"Authorization": f"bearer {made['web']}"}, 201),
    ]  # fmt: skip
    for again in range(2):  # the second time the token is remembered
        for key, headers, status in cases:
            plain, other = await answers(http, body, key and f"{key}{again}", **headers)
            assert plain == other, (key, headers)
            assert plain[0] == status, plain
