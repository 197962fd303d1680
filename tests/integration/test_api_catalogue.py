"""The HTTP door: what is sold, where it lies, what is kept back; made, read, changed, closed."""

from datetime import timedelta
from typing import Any

import httpx

from central import api
from central.api import words
from ledgers import EACH, NOON, Site, ask
from wire.events import Identifiers


async def post(http: httpx.AsyncClient, path: str, key: str, **body: Any) -> httpx.Response:
    """Send a command; its key is of this path alone."""
    return await http.post(path, json=body, headers={"Idempotency-Key": f"{path} {key}"})


async def sold(http: httpx.AsyncClient) -> list[dict[str, Any]]:
    """Return the availability of the valve."""
    return list((await http.get("/stock", params={"sku": "VALVE"})).json()["items"])


def test_every_field_is_described() -> None:
    """Whoever reads /docs finds what each field and parameter means, and its unit."""
    application = api.build(None, None, api.Settings("1"))  # type: ignore[arg-type]
    description = application.openapi()
    assert words.silent(description) == []
    said = {where.rpartition(".")[2] for where, _ in words._said(description)}
    assert set(words.WORDS) <= said


async def test_an_item_is_made_renamed_and_taken_off_sale(
    site: Site, http: httpx.AsyncClient
) -> None:
    """Off sale it is promised to nobody on any channel; promises stand, and goods are booked."""
    await site.do(quantity=5)
    await ask(site, "before", ("VALVE", 1))
    before = (await sold(http))[0]["version"]
    off = await http.patch("/items/VALVE", json={"active": False})
    assert off.json() == {"sku": "VALVE", "name": "valve DN25", "active": False}
    now = (await sold(http))[0]
    assert (now["available"], now["on_hand"], now["active"]) == (0, 5, False)
    assert now["version"] > before
    refused = await ask(site, "while", ("VALVE", 1))
    assert refused.body["lines"] == [{"sku": "VALVE", "requested": 1, "available": 0}]
    await site.do(quantity=2)
    assert site.available() == (7, 1)
    assert [e["sku"] for e in (await http.get("/items?active=false")).json()["items"]] == ["VALVE"]
    await http.patch("/items/VALVE", json={"active": True, "name": "a valve"})
    assert (await ask(site, "after", ("VALVE", 6))).status == 201
    assert (await sold(http))[0]["name"] == "a valve"
    assert (await http.patch("/items/GHOST", json={})).json()["code"] == "no_such_item"


async def test_a_change_that_was_made_meanwhile_is_not_overwritten(
    site: Site, http: httpx.AsyncClient
) -> None:
    """If-Match refuses with 412 what was decided on an older reading, and only that."""
    tag = (await http.get("/items/VALVE")).headers["ETag"]
    headers = {"If-Match": tag}
    assert (await http.patch("/items/VALVE", json={"name": "x"}, headers=headers)).is_success
    late = await http.patch("/items/VALVE", json={"name": "y"}, headers=headers)
    assert (late.status_code, late.json()["code"]) == (412, "changed")
    fresh = late.json()["etag"]
    assert (await http.get("/items/VALVE", headers={"If-None-Match": fresh})).status_code == 304
    for weak in (f"W/{fresh}", "*", f'"other", {fresh}'):
        answer = await http.patch("/items/VALVE", json={}, headers={"If-Match": weak})
        assert answer.is_success, weak


async def test_a_count_on_an_old_reading_is_refused_and_a_retry_is_not(
    site: Site, http: httpx.AsyncClient
) -> None:
    """The tag of the stock covers every place, sellable or not; the first answer stands."""
    await site.do(quantity=5, location="Q-1")
    tag = (await http.get("/stock/VALVE")).headers["ETag"]
    body = {"site": "main", "location": "Q-1", "sku": "VALVE", "quantity": 4}
    for _ in range(2):
        headers = {"If-Match": tag, "Idempotency-Key": "k"}
        assert (await http.post("/counts", json=body, headers=headers)).status_code == 201
    headers = {"If-Match": tag, "Idempotency-Key": "l"}
    assert (await http.post("/counts", json=body, headers=headers)).status_code == 412
    assert site.places() == {"Q-1": 4, "SUPPLIER": -5, "ADJUST": 1}


async def test_a_sku_may_have_any_characters(site: Site, http: httpx.AsyncClient) -> None:
    """Percent-encoded, a slash in it leads nowhere else."""
    assert (await post(http, "/items", "k", sku="A/B 1", name="odd")).is_success
    assert (await post(http, "/barcodes", "k", code="X/Y", sku="A/B 1", each_per=6)).is_success
    assert (await http.get("/items/A%2FB%201")).json()["name"] == "odd"
    codes = (await http.get("/items/A%2FB%201/barcodes")).json()["items"]
    assert codes == [{"code": "X/Y", "sku": "A/B 1", "each_per": 6}]
    assert (await http.get("/barcodes/X%2FY")).json() == codes[0]
    assert (await http.get("/stock/A%2FB%201")).json()["sites"] == []


async def test_a_barcode_is_taken_away(site: Site, http: httpx.AsyncClient) -> None:
    """What was scanned stays, what is scanned from now on waits, and another item may have it."""
    await site.do()
    assert (await http.get(f"/barcodes/{EACH}")).json()["code"] == EACH.zfill(14)
    taken = await post(http, "/barcodes", "k", code=EACH, sku="HOSE")
    assert taken.json()["code"] == "barcode_taken"
    assert (await http.delete(f"/barcodes/{EACH}")).json()["state"] == "removed"
    assert (await http.delete(f"/barcodes/{EACH}")).json()["code"] == "no_such_barcode"
    assert (await site.do()).rejected[0].code == "unknown_barcode"
    waiting = (await http.get("/exceptions")).json()["items"]
    assert [(e["code"], e["gateway"]) for e in waiting] == [("unknown_barcode", "gate")]
    mapped = await post(http, "/barcodes", "l", code=EACH, sku="HOSE")
    assert mapped.json()["applied"] == 1
    assert (site.available("VALVE"), site.available("HOSE")) == ((1, 0), (1, 0))


async def test_sites_and_locations(site: Site, http: httpx.AsyncClient) -> None:
    """Made once, with a kind that says what sells; closed when empty; opened again."""
    assert (await post(http, "/sites", "k", site="north", priority=3)).status_code == 201
    assert (await post(http, "/sites", "l", site="north")).json()["code"] == "site_exists"
    for name in ("any", "central"):
        assert (await post(http, "/sites", name, site=name)).json()["code"] == "reserved_name"
    assert (await http.patch("/sites/north", json={"priority": 1})).json()["priority"] == 1
    sites = (await http.get("/sites")).json()["items"]
    assert sites == [{"site": "main", "priority": 0}, {"site": "north", "priority": 1}]
    made = await post(http, "/locations", "k", site="north", location="N-1", kind="quarantine")
    told = {"site": "north", "location": "N-1", "kind": "quarantine", "sellable": False}
    assert made.json() == told | {"active": True}
    again = await post(http, "/locations", "l", site="north", location="N-1")
    assert again.json()["code"] == "location_exists"
    at = {"site": "north", "location": "N-1", "sku": "VALVE"}
    more = at | {"quantity": 2, "reason": "received"}
    assert (await post(http, "/adjustments", "k", **more)).is_success
    refused = await http.patch("/locations/north/N-1", json={"active": False})
    assert (refused.status_code, "VALVE" in refused.json()["detail"]) == (409, True)
    bin_now = await http.patch("/locations/north/N-1", json={"kind": "bin"})
    assert bin_now.json()["sellable"]
    assert (await sold(http))[0]["available"] == 2
    await post(http, "/counts", "k", **at, quantity=0)
    assert (await http.patch("/locations/north/N-1", json={"active": False})).is_success
    closed = await post(http, "/adjustments", "l", **more)
    assert closed.json()["detail"] == "there is no location N-1 in use at north"
    assert (await http.get("/locations/north/N-1")).json()["active"] is False
    found = (await http.get("/locations", params={"active": False})).json()["items"]
    assert [each["location"] for each in found] == ["N-1"]
    await http.patch("/locations/north/N-1", json={"active": True})
    assert (await post(http, "/adjustments", "m", **more)).is_success


async def test_levels_and_shares(site: Site, http: httpx.AsyncClient) -> None:
    """Kept back at once, listed, and set for many with an answer for each line."""
    await site.do(quantity=10)
    level = {"site": "main", "sku": "VALVE", "safety": 2, "low_stock": 9}
    assert (await post(http, "/levels", "k", **level)).json() == level
    assert (await sold(http))[0]["available"] == 8
    assert (await http.get("/levels")).json()["items"] == [level]
    alerts = (await http.get("/alerts", params={"kind": "low_stock"})).json()["items"]
    assert [each["ref"] for each in alerts] == ["VALVE@main"]
    assert (await http.get(f"/alerts/{alerts[0]['id']}")).json() == alerts[0]
    share = {"site": "main", "sku": "VALVE", "channel": "web", "buffer": 3, "cap": 4}
    told = share | {"oversell": 0, "used": 0}
    assert (await post(http, "/shares", "k", **share)).json() == told
    assert (await http.get("/shares", params={"channel": "web"})).json()["items"] == [told]
    assert (await ask(site, "k", ("VALVE", 5))).body["lines"][0]["available"] == 4
    lines = [level | {"safety": 0, "low_stock": None}, level | {"sku": "GHOST"}]
    batch = (await post(http, "/levels/batch", "k", lines=lines)).json()
    assert (batch["done"], batch["refused"]) == (1, 1)
    assert batch["results"][1]["code"] == "no_such_item"
    assert (await http.get("/alerts")).json()["items"] == []
    closed = (await http.get("/alerts", params={"state": "closed"})).json()["items"]
    assert (closed[0]["kind"], closed[0]["closed"] > closed[0]["opened"]) == ("low_stock", True)


async def test_lots_and_their_dates(site: Site, http: httpx.AsyncClient) -> None:
    """Listed with what is left, dated by hand, and found where they lie once they expire."""
    for code, quantity in (("L1", 3), ("L2", 4)):
        await site.do(quantity=quantity, identifiers=Identifiers(gtin14=EACH, lot=code))
        body = {"sku": "VALVE", "lot": code, "expires": f"2027-0{code[1]}-01"}
        assert (await http.put("/lots", json=body)).json() == body
    first = (await http.get("/lots", params={"limit": 1})).json()
    assert first["items"][0] | {"quantity": 0} == body | {
        "lot": "L1", "expires": "2027-01-01", "quantity": 0,
    }  # fmt: skip
    rest = (await http.get("/lots", params={"after": first["next"]})).json()
    assert [(each["lot"], each["quantity"]) for each in rest["items"]] == [("L2", 4)]
    old = (await http.get("/lots/expired", params={"by": "2027-01-31"})).json()["items"]
    assert [(e["lot"], e["location"], e["quantity"]) for e in old] == [("L1", "DOCK-1", 3)]
    pages, after = [], ""
    while True:
        query = {"by": "2028-01-01", "limit": 1, "after": after}
        page = (await http.get("/lots/expired", params=query)).json()
        pages += [each["lot"] for each in page["items"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert pages == ["L1", "L2"]


async def test_stock_at_a_moment(site: Site, http: httpx.AsyncClient) -> None:
    """What lay where at noon, as it is known now, and as it was known then; page by page."""
    await site.do(quantity=10)
    known = (await http.get("/ledger")).json()["position"]
    assert known == 1
    await site.do("putaway", quantity=4, to_location="A-1", minute=30)
    await site.do(quantity=1, identifiers=Identifiers(sku="HOSE"), minute=-30)

    async def then(minutes: float, **more: Any) -> tuple[list[tuple[str, str, int]], Any]:
        at = (NOON + timedelta(minutes=minutes)).isoformat()
        page = (await http.get("/stock", params={"at": at} | more)).json()
        return [(e["sku"], e["location"], e["quantity"]) for e in page["items"]], page["next"]

    assert await then(-60) == ([], None)
    assert await then(20, sku="VALVE") == ([("VALVE", "DOCK-1", 10)], None)
    first, after = await then(60, limit=1)
    assert first == [("HOSE", "DOCK-1", 1)]
    assert await then(60, limit=1, after=after) == (
        [("VALVE", "A-1", 4), ("VALVE", "DOCK-1", 6)], None,
    )  # fmt: skip
    assert (await then(60, site="north"))[0] == []
    early = {"known": "2020-01-01T00:00:00+01:00"}
    assert (await http.get("/stock", params=early)).json()["items"] == []
    zoneless = await http.get("/stock", params={"at": "2026-01-01T00:00:00"})
    assert (zoneless.status_code, "timezone" in zoneless.json()["detail"]) == (422, True)


async def test_a_batch_answers_each_line_and_goes_on_after_a_retry(
    site: Site, http: httpx.AsyncClient
) -> None:
    """120 lines in portions; again under the key nothing is done twice; other lines are refused."""
    at = {"site": "main", "location": "A-1", "sku": "VALVE", "reason": "received"}
    lines: list[dict[str, Any]] = [at | {"quantity": 1} for _ in range(120)]
    lines[7] = at | {"quantity": 1, "sku": "GHOST"}
    for _ in range(2):
        done = (await post(http, "/adjustments/batch", "k", lines=lines)).json()
        assert (done["done"], done["refused"]) == (119, 1)
        assert [each["line"] for each in done["results"]] == list(range(120))
        assert site.available() == (119, 0)
    lines[0] = at | {"quantity": 2}
    other = (await post(http, "/adjustments/batch", "k", lines=lines)).json()["results"]
    assert (other[0]["code"], other[1]["status"]) == ("key_reused", 201)
    assert site.available() == (119, 0)
    many = await post(http, "/adjustments/batch", "l", lines=[at | {"quantity": 1}] * 501)
    assert (many.status_code, "500" in many.json()["detail"]) == (422, True)
    counts = [{k: v for k, v in at.items() if k != "reason"} | {"quantity": 100, "expected": 119}]
    moved = [at | {"to_location": "B-1", "quantity": 40, "reason": "transfer"}]
    assert (await post(http, "/counts/batch", "k", lines=counts * 2)).json()["refused"] == 1
    assert (await post(http, "/transfers/batch", "k", lines=moved)).json()["done"] == 1
    items = [{"sku": f"NEW-{n}", "name": "new"} for n in range(60)]
    assert (await post(http, "/items/batch", "k", lines=items)).json()["done"] == 60
    codes = [{"code": f"CODE-{n}", "sku": f"NEW-{n}"} for n in range(60)]
    assert (await post(http, "/barcodes/batch", "k", lines=codes)).json()["done"] == 60
    assert site.places() == {"A-1": 60, "B-1": 40, "ADJUST": -100}


async def test_what_is_short_names_the_orders(site: Site, http: httpx.AsyncClient) -> None:
    """Shortages are listed with whom they fail."""
    await site.do(quantity=5)
    await ask(site, "k", ("VALVE", 4))
    await site.do("damage", quantity=3)
    found = (await http.get("/shortages")).json()["items"]
    assert found == [
        {"sku": "VALVE", "site": "main", "on_hand": 2, "reserved": 4, "missing": 2, "orders": [
            {"reservation": 1, "channel": "web", "order": "order-1", "missing": 2}]},
    ]  # fmt: skip


async def test_a_webhook_is_changed(http: httpx.AsyncClient) -> None:
    """Another choice of messages keeps its secret; what cannot be called is refused."""
    made = (await http.post("/webhooks", json={"url": "https://example.com/x"})).json()
    path = f"/webhooks/{made['id']}"
    assert (await http.get(path)).json() == {k: v for k, v in made.items() if k != "secret"}
    change = {"types": ["reservation.expired"], "site": "main"}
    changed = (await http.patch(path, json=change)).json()
    assert changed == {k: v for k, v in made.items() if k != "secret"} | change
    bad = await http.patch(path, json={"url": "http://10.0.0.1/x"})
    assert bad.json()["code"] == "forbidden_url"
    bad = await http.patch(path, json={"types": ["weather.changed"]})
    assert "reservation.expired" in bad.json()["detail"]
    assert (await http.get(f"{path}/deliveries")).json() == {"items": [], "next": None}
    assert (await http.get("/webhooks/9")).status_code == 404


async def test_a_refusal_is_a_sentence(http: httpx.AsyncClient) -> None:
    """It says what is wrong and what to do, as a problem document."""
    for method, path, status, says in (
        ("GET", "/nowhere", 404, "/docs shows every path"),
        ("PUT", "/stock", 405, "does not take PUT; use GET"),
        ("POST", "/counts", 422, "Idempotency-Key is missing: send a new UUID"),
        ("GET", "/stock?at=2026-01-01T00:00:00Z&sku=A&sku=B", 400, "one sku"),
        ("GET", "/reservations?state=lost", 422, "state"),
        ("GET", "/barcodes/123", 404, "stands for nothing"),
        ("GET", "/alerts/low_stock-1", 404, "no open alert"),
        ("GET", "/lots?after=x", 400, "`next` of an earlier answer"),
    ):
        answer = await http.request(method, path, json={} if method == "POST" else None)
        assert answer.status_code == status, path
        assert answer.headers["content-type"] == "application/problem+json"
        assert says in answer.json()["detail"], path


async def test_a_body_that_is_no_json_says_where(http: httpx.AsyncClient) -> None:
    """And one with several faults names them all."""
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    broken = await http.post("/items", content=b'{"sku": ', headers=headers)
    assert "the body is no JSON" in broken.json()["detail"]
    wrong = await http.post("/items", json={"name": 1, "colour": "red"}, headers=headers)
    assert len(wrong.json()["errors"]) == 3


async def test_a_name_that_no_database_holds_is_nobodys(http: httpx.AsyncClient) -> None:
    """U+0000 in an address finds nothing; PostgreSQL would not even take it in a query."""
    for path in (
        "/stock/%00", "/items/%00", "/items/%00/barcodes", "/barcodes/%00", "/orders/%00",
        "/locations/%00/%00", "/stock?site=%00", "/levels?sku=%00", "/alerts/%00-1",
        "/reservations?order_ref=%00", "/lots?sku=%00", "/events?sku=%00",
    ):  # fmt: skip
        answer = await http.get(path)
        assert answer.status_code in {200, 404}, path
        assert answer.status_code == 404 or answer.json()["items"] == [], path


async def test_a_change_by_a_name_that_no_database_holds_finds_nothing(
    http: httpx.AsyncClient,
) -> None:
    """Also where something is to be done."""
    for method, path, body in (
        ("PATCH", "/items/%00", {}), ("DELETE", "/barcodes/%00", None),
        ("PATCH", "/sites/%00", {"priority": 1}), ("PATCH", "/locations/%00/x", {}),
        ("PUT", "/lots", {"sku": "\0", "lot": "L", "expires": "2027-01-01"}),
        ("POST", "/orders/%00/ship?channel=web", None),
    ):  # fmt: skip
        headers = {"Idempotency-Key": path}
        answer = await http.request(method, path, json=body, headers=headers)
        assert answer.status_code == 404, (path, answer.text)
