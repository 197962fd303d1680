"""Text that nobody expected, from a barcode, a topic or a file, stops nothing in central."""

import json
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest

from central import api, catalogue, intake
from central.alerts import Concern
from ledgers import EACH, Site, scan
from wire import codec, events
from wire.errors import Malformed
from wire.events import Batch, Identifiers
from wire.topics import Address

HERE = Address("events", "main", "gate")


def batch(*payloads: Any) -> bytes:
    """Return a batch of gateway "gate" with these as its events."""
    head = {"v": 1, "gateway": "gate", "epoch": str(uuid.uuid4()), "session": str(uuid.uuid4())}
    return json.dumps(head | {"first_seq": 1, "events": payloads}).encode()


def good(seq: int) -> Any:
    """Return an event as JSON."""
    return json.loads(codec.encode(scan(seq)))


async def test_the_longest_unknown_text_is_held_like_any_other(site: Site) -> None:
    """The reason and the alert are short enough for a person and for the wire."""
    done = await site.do(identifiers=Identifiers(text="€" * events.TEXT_LENGTH_MAX))
    assert [each.code for each in done.rejected] == ["unknown_barcode"]
    assert len(done.rejected[0].message) < 200
    assert len(done.activity) == 1
    (ref,) = site.rows("SELECT ref FROM alert")
    assert len(ref[0]) == events.TEXT_LENGTH_MAX


async def test_an_alert_about_something_long_is_still_told(site: Site) -> None:
    """What is too long for the wire is cut there; the database has all of it."""
    long = "x" * 70_000
    concern = Concern("malformed_message", long, "warning", long, long)
    await site.writer.submit(lambda tx: tx.books.raise_alert(concern))
    async with client(site) as http:
        (alert,) = (await http.get("/v1/alerts")).json()["items"]
    assert alert["title"] == "x" * events.TEXT_LENGTH_MAX


def client(site: Site) -> httpx.AsyncClient:
    """Return a client of the HTTP door."""
    app = api.build(site.writer, site.reader, api.Settings("1"))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://central")


async def test_a_person_closes_an_alert(site: Site) -> None:
    """Closed, it is told so and is in no list; when its cause recurs it opens again."""
    said: list[Any] = []
    site.writer.on_commit = said.extend
    unknown = {"identifiers": Identifiers(text="WHAT?")}
    await site.do(**unknown)
    async with client(site) as http:
        (alert,) = (await http.get("/v1/alerts")).json()["items"]
        closing = f"/v1/alerts/{alert['id']}/close"
        assert (await http.post(closing)).json() == {"id": alert["id"], "state": "closed"}
        assert (said[-1].channel, said[-1].key, said[-1].body) == ("alert", (alert["id"],), b"")
        assert (await http.get("/v1/alerts")).json()["items"] == []
        assert (await http.post(closing)).status_code == 404
        await site.do(**unknown)
        (again,) = (await http.get("/v1/alerts")).json()["items"]
    assert (again["id"], again["count"]) == (alert["id"], 1)


async def test_a_zero_byte_in_an_order_stops_nothing(site: Site) -> None:
    """Text with U+0000, from a barcode or a shop, is kept; a database may draw it as a picture."""
    await site.do(quantity=2, location="A\0-1", identifiers=Identifiers(gtin14=EACH, lot="L\0"))
    order = {
        "channel": "w\0eb", "site": "main", "order_ref": "\0",
        "lines": [{"sku": "VALVE", "quantity": 1}],
    }  # fmt: skip
    async with client(site) as http:
        held = await http.post("/v1/reservations", json=order, headers={"Idempotency-Key": "k"})
        assert held.status_code == 201
        shipped = await http.post(
            f"/v1/reservations/{held.json()['id']}/ship", headers={"Idempotency-Key": "ship"}
        )
        assert shipped.json()["state"] == "done"
        assert (await http.get("/v1/events")).status_code == 200
    assert site.available() == (1, 0)


@pytest.mark.parametrize("junk", [7, None, "text", [], {}, {"seq": 2}])
def test_one_bad_event_costs_its_neighbours_nothing(junk: Any) -> None:
    """Whatever stands where an event belongs, the others keep their place."""
    arrived = intake.arrival(HERE, batch(good(1), junk, good(3)))
    assert [event.seq for event in arrived.events] == [1, 3]
    assert [(seq, json.loads(text)) for seq, text, _ in arrived.broken] == [(2, junk)]


async def test_a_batch_with_junk_is_applied_to_its_end(site: Site) -> None:
    """The bad event is rejected with its bytes kept, what follows it is booked."""
    arrived = intake.arrival(HERE, batch(good(1), "junk", good(3)))
    (done,) = await site.writer.apply([arrived])
    assert (done.applied_seq, [each.code for each in done.rejected]) == (3, ["malformed"])
    assert site.places()["DOCK-1"] == 2


def test_a_batch_without_a_head_is_malformed() -> None:
    """Nobody can say whose it is."""
    with pytest.raises(Malformed, match="epoch"):
        intake.arrival(HERE, batch(good(1)).replace(b"epoch", b"epoca"))


def test_a_batch_of_another_name_is_malformed() -> None:
    """A gateway speaks for itself."""
    whole = Batch(
        gateway="other", epoch=uuid.uuid4(), session=uuid.uuid4(), first_seq=1, events=(scan(1),)
    )
    with pytest.raises(Malformed, match="'other' on the topic of 'gate'"):
        intake.arrival(HERE, codec.encode(whole))


def test_a_name_that_could_not_be_told_is_not_imported(tmp_path: Path) -> None:
    """The sentence names file, line and limit."""
    path = tmp_path / "items.csv"
    path.write_text("sku,name,barcode,each_per\nA," + "n" * 2_001 + ",,\n")
    with pytest.raises(catalogue.CatalogueError, match=r"items\.csv:2: a name has at most 2000"):
        catalogue.import_items(None, path)  # type: ignore[arg-type]  # refused before it is used
