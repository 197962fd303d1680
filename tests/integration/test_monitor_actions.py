"""What a person changes from the screen: only when meant, once, and told how it ended."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from textual.pilot import Pilot

from fake_central import TOKEN, FakeCentral, fake_central, problem
from monitor import screen as screen_module
from monitor.board import Board
from monitor.config import Central, Config
from monitor.config import Screen as ScreenConfig
from monitor.terminal_line import QUIET_S
from monitor.widgets.form import Confirm, Form
from neighbours import DEADLINE_S
from screens import NARROW, SMALL, WIDE, ScreenApp, busy_board, settled

PLACES = {
    "sku": "SKU-000",
    "locations": [
        {"site": "ber", "location": "A-01", "lot": "L1", "quantity": 3},
        {"site": "ham", "location": "elsewhere", "lot": "", "quantity": 9},
        {"site": "ber", "location": "B-02", "lot": "", "quantity": -1},
    ],
}
ITEMS = {"items": [{"sku": "VALVE-1", "name": "valve DN25"}, {"sku": "VALVE-2", "name": "valve"}]}


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Board:
    """Give a live board on which nothing repaints by itself."""
    for interval in ("FLUSH_INTERVAL_S", "TICK_INTERVAL_S"):
        monkeypatch.setattr(screen_module, interval, 3_600.0)
    return busy_board()


@pytest.fixture
def fake() -> Iterator[FakeCentral]:
    """Give a central that wants a token."""
    with fake_central(TOKEN) as server:
        yield server


def app_with(board: Board, fake: FakeCentral) -> ScreenApp:
    """Return a screen whose person is jo and whose central is the fake."""
    return ScreenApp(
        board,
        Config(central=Central(url=fake.url, token=TOKEN), monitor=ScreenConfig(person="jo")),
    )


async def until(pilot: Pilot[None], condition: Callable[[], object], what: str) -> None:
    """Wait for a condition while the screen lives."""
    end = time.monotonic() + DEADLINE_S
    app: Any = pilot.app
    while not condition():
        assert time.monotonic() < end, f"{what}:\n{app.drawn}"
        await pilot.pause(0.01)


async def shows(pilot: Pilot[None], words: str) -> None:
    """Wait until some words stand on the screen."""
    app: Any = pilot.app
    await until(pilot, lambda: words in app.drawn, f"{words!r} never came")


async def alone(pilot: Pilot[None], key: str) -> None:
    """Press a key as a person does: nothing just before it."""
    await pilot.pause(2 * QUIET_S)
    await pilot.press(key)


async def test_an_alert_is_acknowledged_by_a_person(board: Board, fake: FakeCentral) -> None:
    """a tells central who takes it; the list changes when central says so, not before."""
    path = "/v1/alerts/a2/acknowledge"
    fake.answers["POST", path] = {"id": "a2"}
    app = app_with(board, fake)
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await pilot.press("4", "j")
        await settled(pilot)
        await alone(pilot, "a")
        await shows(pilot, "1 alert is yours")
        assert fake.bodies("POST", path) == [{"by": "jo"}]
        assert board.alerts["a2"].state.acknowledged_by is None
        fake.answers["POST", path] = problem(403, "jo lacks the scope 'adjust'")
        await alone(pilot, "a")
        await shows(pilot, "may not acknowledge")


async def test_keys_in_a_burst_change_nothing(board: Board, fake: FakeCentral) -> None:
    """A barcode that is scanned into the window acknowledges, closes and books nothing."""
    fake.answers["POST", "/v1/alerts/"] = {}
    app = app_with(board, fake)
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await pilot.press("4")
        await settled(pilot)
        await pilot.pause(2 * QUIET_S)
        await pilot.press("a", "1")
        await pilot.press("4", "A", "y", "escape", "x", "y", "escape")
        await pilot.pause(3 * QUIET_S)
        await shows(pilot, "Not done")
        assert not [asked for asked in fake.asked if asked[0] == "POST"]


async def test_all_alerts_that_are_shown_are_taken_after_a_yes(
    board: Board, fake: FakeCentral
) -> None:
    """A asks first; what the filter hides and what somebody has is left alone."""
    fake.answers["POST", "/v1/alerts/"] = {}
    app = app_with(board, fake)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("4", *"/warning")
        await pilot.press("enter", "A")
        assert isinstance(app.screen, Confirm)
        await shows(pilot, "Acknowledge 2 alerts as jo?")
        await pilot.press("enter", "escape")
        assert app.screen is app.main
        await pilot.press("A")
        await alone(pilot, "y")
        posted = lambda: [asked[1] for asked in fake.asked if asked[0] == "POST"]  # noqa: E731
        await until(pilot, lambda: len(posted()) == 2, "both are taken")
        assert posted() == ["/v1/alerts/a2/acknowledge", "/v1/alerts/a3/acknowledge"]


async def test_an_alert_is_closed_after_a_yes(board: Board, fake: FakeCentral) -> None:
    """x names the alert and asks; y closes it."""
    fake.answers["POST", "/v1/alerts/a1/close"] = {"state": "closed"}
    app = app_with(board, fake)
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await pilot.press("4")
        await settled(pilot)
        await pilot.press("x")
        await shows(pilot, "Close “alert a1”?")
        await alone(pilot, "y")
        await shows(pilot, "Closed")


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_an_unknown_barcode_gets_an_item(
    board: Board, fake: FakeCentral, size: tuple[int, int]
) -> None:
    """Search as you type, choose with arrows, say the pack, confirm: the parked scans are told."""
    fake.answers["GET", "/v1/items"] = ITEMS
    fake.answers["POST", "/v1/barcodes"] = {"applied": 12, "waiting": 1}
    app = app_with(board, fake)
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.press("4", "j")
        await settled(pilot)
        await pilot.press("m")
        await pilot.pause()
        assert "What is code-2?" in app.drawn
        await pilot.press(*"valve")
        await shows(pilot, "VALVE-2")
        searched = [asked[2]["search"] for asked in fake.asked if asked[1] == "/v1/items"]
        assert searched[-1] == ["valve"]
        await pilot.press("down", "enter", "backspace", "x", "enter")
        await shows(pilot, "a number from 1 to")
        await pilot.press("backspace", *"12", "enter")
        await shows(pilot, "stands for 12 of VALVE-2")
        await alone(pilot, "y")
        await shows(pilot, "12 scans booked, 1 still wait")
        assert fake.bodies("POST", "/v1/barcodes") == [
            {"code": "code-2", "sku": "VALVE-2", "each_per": 12}
        ]
        assert app.screen is app.main
        await pilot.press("k", "m")
        await shows(pilot, "not about an unknown barcode")


async def test_a_stock_is_adjusted_with_a_reason(board: Board, fake: FakeCentral) -> None:
    """Place, quantity and reason are asked and checked; a try that failed is repeated as one."""
    fake.answers["GET", "/v1/stock/SKU-000"] = PLACES
    fake.answers["POST", "/v1/adjustments"] = problem(503, "the ledger is away")
    app = app_with(board, fake)
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await settled(pilot)
        await pilot.press("plus")
        await shows(pilot, "A-01")
        assert "elsewhere" not in app.drawn
        await pilot.press("down", "down", "up", "enter", "enter", *"0", "enter", *"re", "enter")
        await pilot.press("enter")
        await shows(pilot, "a number above or below zero")
        form: Any = app.screen
        form.set_focus(form.answer("quantity"))
        await pilot.press("backspace", *"-2", "enter", "enter", "enter")
        await shows(pilot, "Reason: one of")
        form.answer("reason").value = ""
        form.set_focus(form.answer("reason"))
        await pilot.press(*"dam", "enter", *"fell", "enter")
        await shows(pilot, "Book 2 fewer SKU-000 of lot L1 at A-01, ber: damaged.")
        await alone(pilot, "y")
        await shows(pilot, "the ledger is away")
        fake.answers["POST", "/v1/adjustments"] = (201, {"event": "x"})
        await alone(pilot, "y")
        await shows(pilot, "-2 at A-01 booked")
        sent = [asked for asked in fake.asked if asked[1] == "/v1/adjustments"]
        assert sent[0][3] == {
            "site": "ber", "sku": "SKU-000", "location": "A-01", "lot": "L1", "quantity": -2,
            "reason": "damaged", "note": "fell (jo)",
        }  # fmt: skip
        assert len({asked[4]["idempotency-key"] for asked in sent}) == 1


async def test_arrows_choose_and_a_wrong_answer_is_gone_back_to(
    board: Board, fake: FakeCentral
) -> None:
    """Places and reasons are chosen below; where nothing is offered, arrows change the question."""
    fake.answers["GET", "/v1/stock/SKU-000"] = PLACES
    app = app_with(board, fake)
    async with app.run_test(size=SMALL) as pilot:
        await settled(pilot)
        await pilot.press("plus")
        await shows(pilot, "A-01")
        form: Any = app.screen
        await pilot.press("down", "enter", "enter", "down")
        await shows(pilot, "cycle_count")
        await pilot.press("down", "down", "up")
        assert form.values["reason"] == "correction"
        await pilot.press("down", "enter")
        assert form.focused is form.answer("note")
        await pilot.press("enter")
        await shows(pilot, "a number above or below zero")
        assert form.focused is form.answer("quantity")
        await pilot.press("5")
        await pilot.pause()
        assert "a number above or below zero" not in app.drawn
        assert form.values == {"location": "A-01", "lot": "L1", "quantity": "5",
                               "reason": "cycle_count", "note": ""}  # fmt: skip
        await pilot.press("up")
        assert form.focused is form.answer("lot")
    assert not [asked for asked in fake.asked if asked[0] == "POST"]


@pytest.mark.parametrize("size", [WIDE, NARROW, SMALL])
async def test_a_form_is_left_and_gone_back_to(
    board: Board, fake: FakeCentral, size: tuple[int, int]
) -> None:
    """Esc goes from the question back to the fields, and from the fields out; nothing is sent."""
    fake.answers["GET", "/v1/stock/SKU-000"] = PLACES
    app = app_with(board, fake)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        await pilot.press("plus")
        await shows(pilot, "A-01")
        await pilot.press("down", "enter", "enter", *"+1", "enter", *"other", "enter", "enter")
        await shows(pilot, "y does it")
        await pilot.press("escape")
        assert isinstance(app.screen, Form)
        assert app.screen.focused is app.screen.answer("note")
        await pilot.press("y")
        assert app.screen.values["note"] == "y"
        await pilot.press("escape")
        assert app.screen is app.main
    assert not [asked for asked in fake.asked if asked[0] == "POST"]


async def test_the_item_in_full_asks_central(board: Board, fake: FakeCentral) -> None:
    """Places by lot, promises, history with scanner and person; without central one sentence."""
    fake.answers["GET", "/v1/stock/SKU-000"] = PLACES
    fake.answers["GET", "/v1/events"] = {"items": [{
        "gateway": "dock-1", "site": "ber", "seq": 7, "kind": "pick", "scanner": "hs-1",
        "status": "applied",
        "event": {"event_time": "2026-03-02T07:00:00Z", "operator": "mk", "document": "PO-7"},
        "entries": [{"sku": "SKU-000", "from": "A-01", "to": "CUSTOMER", "quantity": 3}],
    }]}  # fmt: skip
    fake.answers["GET", "/v1/reservations"] = {"items": [{
        "id": 1, "state": "held", "site": "ber", "channel": "web", "order_ref": "9912",
        "expires": "2026-03-02T08:04:51Z", "lines": [{"sku": "SKU-000", "quantity": 3}],
    }]}  # fmt: skip
    app = app_with(board, fake)
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await pilot.press("enter")
        for words in ("lot L1", "✖ below zero", "9912", "4:51 left", "A-01→CUSTOMER",
                      "hs-1@dock-1", "by mk PO-7"):  # fmt: skip
            await shows(pilot, words)
        await pilot.press("escape", "3")
        await until(pilot, lambda: app.rows == [1], "the order is listed")
        await settled(pilot)
        assert "9912" in app.drawn


async def test_what_needs_a_broker_says_that_there_is_none(board: Board, fake: FakeCentral) -> None:
    """Identify and replay: without a connection nothing is promised."""
    app = app_with(board, fake)
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await pilot.press("2", *"/door-r")
        await pilot.press("enter")
        await alone(pilot, "i")
        await shows(pilot, "dock-3 was not asked: not connected")
        await pilot.press("R")
        await shows(pilot, "not connected to the broker")
        await pilot.press("enter")
        await shows(pilot, "has not said anything to this gateway yet")
