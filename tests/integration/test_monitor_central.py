"""The monitor's way to central's HTTP API: answers, refusals, old centrals, none at all."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from fake_central import TOKEN, FakeCentral, fake_central, problem
from monitor import snapshot
from monitor.answers import Done, Events, Items, ItemStock, Mapped, Problem, Reservations
from monitor.board import Board
from monitor.central_api import CentralApi
from monitor.config import Central
from neighbours import free_port
from stock_messages import NOW, central, item

EVENT = {
    "gateway": "dock-1", "site": "ber", "epoch": "e", "seq": 7, "id": "i", "kind": "pick",
    "scanner": "hs-1", "status": "applied", "code": None,
    "event": {"event_time": "2026-03-02T08:00:00Z", "operator": "mk", "clock": {}},
    "entries": [{"sku": "A/1", "lot": "", "from": "A-01", "to": "B-02", "quantity": 3,
                 "reason": "pick"}],
}  # fmt: skip


@pytest.fixture
def fake() -> Iterator[FakeCentral]:
    """Give a central that wants a token."""
    with fake_central(TOKEN) as server:
        yield server


def api(fake: FakeCentral, token: str | None = TOKEN) -> CentralApi:
    """Return the client as a configuration with a URL makes it."""
    return CentralApi(Central(url=fake.url, token=token), lambda: None)


async def test_it_asks_what_it_says_it_asks(fake: FakeCentral) -> None:
    """Every route with its body, its key and the token; names are percent-encoded."""
    fake.answers = {
        ("GET", "/v1/stock/A%2F1"): {"sku": "A/1", "locations": [
            {"site": "ber", "location": "A-01", "lot": "L1", "quantity": 3}]},
        ("GET", "/v1/events"): {"items": [EVENT], "next": None},
        ("GET", "/v1/reservations"): {"items": [{"id": 9, "state": "held", "new_field": 1,
            "lines": [{"sku": "A/1", "quantity": 3}]}], "next": None},
        ("GET", "/v1/items"): {"items": [{"sku": "A/1", "name": "valve"}], "next": None},
        ("POST", "/v1/alerts/a-1/acknowledge"): {"id": "a-1"},
        ("POST", "/v1/alerts/a-1/close"): {"id": "a-1", "state": "closed"},
        ("POST", "/v1/barcodes"): (201, {"applied": 12, "left": 1}),
        ("POST", "/v1/adjustments"): (201, {"event": "x"}),
    }  # fmt: skip
    client = api(fake)
    places = await client.places("A/1")
    assert isinstance(places, ItemStock)
    assert places.locations[0].lot == "L1"
    events = await client.events("A/1")
    assert isinstance(events, Events)
    assert events.items[0].entries[0].origin == "A-01"
    orders = await client.reservations("")
    assert isinstance(orders, Reservations)
    assert orders.items[0].name == "#9"
    assert isinstance(await client.find_items("val & ve"), Items)
    assert isinstance(await client.acknowledge("a-1", "mk"), Done)
    assert isinstance(await client.close("a-1"), Done)
    assert await client.map_barcode("401", "A/1", 12, "key-1") == Mapped(applied=12, left=1)
    assert isinstance(await client.adjust({"sku": "A/1", "quantity": -2}, "key-2"), Done)
    asked = {(method, path): (query, body, headers) for method, path, query, body, headers
             in fake.asked}  # fmt: skip
    assert asked["GET", "/v1/items"][0]["search"] == ["val & ve"]
    assert asked["GET", "/v1/events"][0]["sku"] == ["A/1"]
    assert asked["POST", "/v1/alerts/a-1/acknowledge"][1] == {"by": "mk"}
    assert asked["POST", "/v1/barcodes"][1] == {"code": "401", "sku": "A/1", "each_per": 12}
    assert asked["POST", "/v1/barcodes"][2]["idempotency-key"] == "key-1"
    assert asked["POST", "/v1/adjustments"][2]["idempotency-key"] == "key-2"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "too old to acknowledge alerts; update it"),
        (problem(405, "Method Not Allowed"), "too old"),
        (problem(403, "mk lacks the scope 'adjust'"), "may not acknowledge alerts: mk lacks"),
        (problem(404, "there is no open alert a-1"), "says no: there is no open alert a-1"),
        (problem(503, "the ledger is away"), "says no: the ledger is away"),
        ((500, b"<html>"), "says no: HTTP 500"),
        ((200, b"not json"), "was not understood"),
    ],
)
async def test_every_refusal_is_a_sentence(fake: FakeCentral, answer: object, words: str) -> None:
    """What central or a proxy before it answers, a person reads what to do."""
    fake.answers = {("POST", "/v1/alerts/a-1/acknowledge"): answer}
    told = await api(fake).acknowledge("a-1", "mk")
    assert isinstance(told, Problem)
    assert words in told.sentence


async def test_an_old_central_that_gives_all_events_is_noticed(fake: FakeCentral) -> None:
    """It does not know `sku` and answers with events of other items: better none than those."""
    fake.answers = {("GET", "/v1/events"): {"items": [EVENT], "next": None}}
    told = await api(fake).events("B")
    assert isinstance(told, Problem)
    assert "too old to give the history of one item" in told.sentence


async def test_the_token_goes_only_where_it_is_meant_to_go(fake: FakeCentral) -> None:
    """To the configured address, or to this machine; never to whatever the broker announces."""
    fake.answers = {("GET", "/v1/items"): {"items": []}}
    here = CentralApi(Central(token=TOKEN), lambda: fake.url)
    assert isinstance(await here.find_items("x"), Items)
    away = CentralApi(Central(token=TOKEN), lambda: "http://elsewhere.example:8420")
    assert away.server.token is None  # type: ignore[union-attr]
    without = await api(fake, None).find_items("x")
    assert isinstance(without, Problem)
    assert "DOCKTALLY_TOKEN" in without.sentence


async def test_a_central_that_is_away_is_said_so() -> None:
    """Not announced, refusing, silent, hanging up, or talking another protocol."""
    nowhere = await CentralApi(Central(), lambda: None).find_items("x")
    assert nowhere == Problem("Central has not said yet where its HTTP API answers.")
    refusing = CentralApi(Central(), lambda: f"http://127.0.0.1:{free_port()}")
    told = await refusing.find_items("x")
    assert isinstance(told, Problem)
    assert "connection refused" in told.sentence
    assert "set url in [central]" in told.sentence
    for reply in (b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"):
        server = await asyncio.start_server(
            lambda _reader, writer, reply=reply: (writer.write(reply), writer.close()),
            "127.0.0.1",
        )
        port = server.sockets[0].getsockname()[1]
        async with server:
            broken = CentralApi(Central(url=f"http://127.0.0.1:{port}"), lambda: None)
            told = await broken.find_items("x")
        assert isinstance(told, Problem), reply
        assert "cannot be reached" in told.sentence


async def test_giving_up_is_immediate() -> None:
    """A central that accepts and says nothing does not keep the screen from closing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        asking = asyncio.create_task(CentralApi(Central(url=url), lambda: None).find_items("x"))
        await asyncio.sleep(0.05)
        asking.cancel()
        async with asyncio.timeout(2):
            await asyncio.gather(asking, return_exceptions=True)
        assert asking.cancelled()


def stock_page(number: int, after: str | None) -> dict[str, object]:
    """Return one page with one item."""
    row = {"sku": f"S-{number}", "site": "ber", "name": "n", "version": 5, "on_hand": 9,
           "reserved": 2, "safety": 0, "available": 7}  # fmt: skip
    return {"items": [row], "next": after}


async def test_the_first_stock_comes_page_by_page(fake: FakeCentral) -> None:
    """Every page is asked for; what was heard live meanwhile is newer and stays."""
    fake.answers[("GET", "/v1/stock")] = lambda query, _: (
        stock_page(1, "c1") if query.get("after", [""]) == [""] else stock_page(2, None)
    )
    board = Board(10, NOW)
    board.apply_link(up=True, reason="connected", now=NOW)
    board.apply_central(central(), NOW, retained=True)
    board.apply_availability(item("S-1", 6, 1), NOW, retained=False)
    assert await snapshot.from_central(api(fake), board, "ber", lambda: NOW)
    assert board.stock.sku == ["S-1", "S-2"]
    assert list(board.stock.available) == [1, 7]
    assert board.row_is_live(1)
    assert [asked[2]["site"] for asked in fake.asked] == [["ber"], ["ber"]]


async def test_without_central_the_stock_comes_from_elsewhere(fake: FakeCentral) -> None:
    """A refusal, at once or in the middle, is told to the caller, who asks the broker."""
    board = Board(10, NOW)
    assert not await snapshot.from_central(api(fake), board, None, lambda: NOW)
    fake.answers[("GET", "/v1/stock")] = lambda query, _: (
        stock_page(1, "c1") if "after" not in query else problem(503, "away")
    )
    assert not await snapshot.from_central(api(fake), board, None, lambda: NOW)


async def test_orders_are_one_list_of_one_moment(fake: FakeCentral) -> None:
    """All pages together; a failure keeps the old list and says why it is old."""
    page = {
        "items": [
            {
                "id": 1,
                "state": "held",
                "site": "ber",
                "lines": [{"sku": "A", "quantity": 3, "shipped": 1}],
            }
        ],
        "next": "c",
    }
    fake.answers[("GET", "/v1/reservations")] = lambda query, _: (
        page if "after" not in query else {**page, "next": None}
    )
    board = Board(10, NOW)
    await snapshot.orders(api(fake), board, lambda: NOW)
    assert len(board.orders.reservations) == 2
    assert [held for _, held in board.orders.of("ber", "A")] == [2, 2]
    assert board.orders.of("ham", "A") == []
    fake.answers.clear()
    await snapshot.orders(api(fake), board, lambda: NOW + 9)
    assert len(board.orders.reservations) == 2
    assert (board.orders.at, bool(board.orders.problem)) == (NOW, True)
