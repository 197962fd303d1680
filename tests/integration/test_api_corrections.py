"""The HTTP door for people: corrections, counts, barcodes, held scans, alerts, open orders."""

from typing import Any

import httpx
import pytest

from ledgers import Site, ask
from wire.events import Identifiers

AT = {"site": "main", "location": "DOCK-1", "sku": "VALVE"}


async def post(http: httpx.AsyncClient, path: str, key: str, **body: Any) -> httpx.Response:
    """Send a command."""
    return await http.post(path, json=body, headers={"Idempotency-Key": key})


async def on_hand(http: httpx.AsyncClient) -> int:
    """Return how many valves there are."""
    return int((await http.get("/stock/VALVE")).json()["sites"][0]["on_hand"])


async def test_stock_is_corrected_once(http: httpx.AsyncClient) -> None:
    """A retry changes nothing, another body under the key is refused, a reversal undoes it."""
    found = AT | {"quantity": 5, "reason": "correction", "note": "behind the rack"}
    for _ in range(2):
        assert (await post(http, "adjustments", "k1", **found)).status_code == 201
    assert await on_hand(http) == 5
    other = await post(http, "adjustments", "k1", **found | {"quantity": 6})
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")
    broken = AT | {"quantity": -2, "reason": "damaged"}
    assert (await post(http, "adjustments", "k2", **broken)).status_code == 201
    assert await on_hand(http) == 3
    newest = {"sku": "VALVE", "newest": True, "limit": 1}
    entry = (await http.get("/events", params=newest)).json()["items"][0]["entries"][0]["entry"]
    assert (await post(http, f"entries/{entry}/reverse", "k3")).status_code == 201
    assert (await post(http, f"entries/{entry}/reverse", "k4")).json()["code"] == "reversed"
    assert await on_hand(http) == 5


async def test_a_count_and_a_transfer(http: httpx.AsyncClient) -> None:
    """A count that expected something else is refused; goods in SCRAP are gone."""
    assert (await post(http, "counts", "k1", **AT, quantity=7)).status_code == 201
    stale = await post(http, "counts", "k2", **AT, quantity=9, expected=8)
    assert (stale.status_code, stale.json()["booked"]) == (409, 7)
    gone = AT | {"to_location": "SCRAP", "quantity": 3, "reason": "expired"}
    assert (await post(http, "transfers", "k3", **gone)).status_code == 201
    assert await on_hand(http) == 4


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("adjustments", {**AT, "quantity": 0, "reason": "correction"}, "quantity_zero"),
        ("adjustments", {**AT, "quantity": 1, "reason": "mood"}, "invalid_request"),
        ("adjustments", {**AT, "sku": "X", "quantity": 1, "reason": "other"}, "no_such_item"),
        ("adjustments", {**AT, "location": "X", "quantity": 1, "reason": "other"},
         "no_such_location"),
        ("counts", {**AT, "quantity": -1}, "invalid_request"),
        ("transfers", {**AT, "to_location": "DOCK-1", "quantity": 1}, "same_place"),
        ("entries/9/reverse", {}, "no_such_entry"),
        ("barcodes", {"code": "", "sku": "VALVE"}, "bad_barcode"),
        ("events/9/resolve", {}, "no_such_event"),
        ("events/9/dismiss", {}, "no_such_event"),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused(
    http: httpx.AsyncClient, path: str, body: dict[str, Any], code: str
) -> None:
    """Each refusal has a code for programs, and nothing is booked."""
    refused = await post(http, path, "k", **body)
    assert refused.json()["code"] == code
    assert (await http.get("/events")).json()["items"] == []


async def test_a_barcode_is_mapped_and_its_scans_are_booked(
    site: Site, http: httpx.AsyncClient
) -> None:
    """The alert closes by itself; the same code for another item is refused."""
    await site.do(quantity=2, identifiers=Identifiers(text="NEW-1"))
    mapped = await post(http, "barcodes", "k1", code="NEW-1", sku="VALVE", each_per=6)
    assert (mapped.status_code, mapped.json()["applied"], mapped.json()["waiting"]) == (200, 1, 0)
    assert await on_hand(http) == 12
    assert (await http.get("/alerts")).json()["items"] == []
    taken = await post(http, "barcodes", "k2", code="NEW-1", sku="HOSE")
    assert taken.json()["code"] == "barcode_taken"


async def test_held_scans_end_once(site: Site, http: httpx.AsyncClient) -> None:
    """One is completed by a person, one was nothing."""
    for text in ("A-1", "A-2"):
        await site.do(identifiers=Identifiers(text=text))
    held = (await http.get("/events", params={"status": "held"})).json()["items"]
    first, second = (item["number"] for item in held)
    assert (await post(http, f"events/{first}/resolve", "k1", sku="VALVE")).status_code == 200
    assert (await post(http, f"events/{first}/dismiss", "k2")).json()["code"] == "not_held"
    assert (await post(http, f"events/{second}/dismiss", "k3", note="a test")).status_code == 200
    assert await on_hand(http) == 1


async def test_an_alert_is_taken_care_of(site: Site, http: httpx.AsyncClient) -> None:
    """It stays open and names the person; closed, there is nothing to take care of."""
    await site.do(identifiers=Identifiers(text="A-1"))
    (alert,) = (await http.get("/alerts")).json()["items"]
    path = f"/alerts/{alert['id']}"
    assert (await http.post(f"{path}/acknowledge", json={"by": "Mika"})).status_code == 200
    (alert,) = (await http.get("/alerts")).json()["items"]
    assert alert["acknowledged_by"] == "Mika"
    assert alert["acknowledged_at"] >= alert["opened"]
    assert (await http.post(f"{path}/close")).json()["state"] == "closed"
    assert (await http.post(f"{path}/acknowledge", json={"by": "Mika"})).status_code == 404


async def test_reservations_are_listed_and_extended(site: Site, http: httpx.AsyncClient) -> None:
    """The newest first, a page at a time; what is released is open no longer."""
    await site.do(quantity=9)
    made = [(await ask(site, key, ("VALVE", 2))).body["id"] for key in ("a", "b", "c")]
    later = await post(http, f"reservations/{made[0]}/extend", "e", ttl_s=3_600)
    assert later.json()["expires"] > (await http.get("/reservations")).json()["items"][0]["expires"]
    await post(http, f"reservations/{made[1]}/release", "r")
    page = (await http.get("/reservations", params={"limit": 1})).json()
    assert [item["id"] for item in page["items"]] == [made[2]]
    assert page["items"][0]["lines"] == [{"sku": "VALVE", "quantity": 2, "shipped": 0}]
    page = (await http.get("/reservations", params={"after": page["next"]})).json()
    assert ([item["id"] for item in page["items"]], page["next"]) == ([made[0]], None)
    released = (await http.get("/reservations", params={"state": "released"})).json()["items"]
    assert [item["id"] for item in released] == [made[1]]
