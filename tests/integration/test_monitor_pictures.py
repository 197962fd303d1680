"""Pictures of the screen at a moment that stands still, against those that a person approved.

After a change that is meant, draw them anew and look at each in a browser:
NEW_PICTURES=1 .venv/bin/python -m pytest tests/integration/test_monitor_pictures.py
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.widgets import Input

from monitor import screen as screen_module
from monitor.answers import Reservation, Reservations, ReservedLine
from monitor.board import Board
from monitor.config import Config
from monitor.config import Screen as ScreenConfig
from screens import NARROW, SMALL, WIDE, ScreenApp, busy_board, settled
from stock_messages import NOW, at

APPROVED = Path(__file__).parent.parent / "data" / "screens"
#: name: size, theme, keys to get there, and whether the broker is there
PICTURES: dict[str, tuple[tuple[int, int], str, tuple[str, ...], bool]] = {
    "stock-wide": (WIDE, "docktally", (), True),
    "stock": (NARROW, "docktally", (), True),
    "stock-small": (SMALL, "docktally", (), True),
    "stock-low-light": (NARROW, "docktally-light", ("l", "j"), True),
    "stock-lost-mono": (NARROW, "docktally-mono", (), False),
    "docks-safe": (NARROW, "docktally-safe", ("2",), True),
    "orders": (NARROW, "docktally", ("3", "j"), True),
    "alerts-safe": (NARROW, "docktally-safe", ("4",), True),
    "activity": (NARROW, "docktally", ("5",), True),
    "columns": (NARROW, "docktally", ("c",), True),
    "adjust-small": (SMALL, "docktally", ("plus", "tab", "tab", "tab", "d"), True),
}


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Iterator[Board]:
    """Give a live board in a zone of its own, on which nothing repaints by itself."""
    for interval in ("FLUSH_INTERVAL_S", "TICK_INTERVAL_S"):
        monkeypatch.setattr(screen_module, interval, 3_600.0)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    board = busy_board()
    orders = (
        Reservation(
            id=7, state="held", channel="web", site="ber", order_ref="9912", created=at(-40),
            expires=at(291), lines=(ReservedLine(sku="SKU-001", quantity=3),),
        ),
        Reservation(
            id=6, state="committed", channel="wholesale", site="ber", created=at(-4_000),
            lines=(ReservedLine(sku="SKU-002", quantity=900, shipped=1),),
        ),
    )  # fmt: skip
    board.orders.take([Reservations(items=orders)], NOW)
    yield board
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("name", PICTURES)
async def test_it_looks_as_it_was_approved(board: Board, name: str, tmp_path: Path) -> None:
    """Every cell and every colour."""
    size, theme, keys, there = PICTURES[name]
    app = ScreenApp(board, Config(monitor=ScreenConfig(theme=theme)))  # type: ignore[arg-type]
    app.moment = NOW + 3
    if not there:
        board.apply_link(up=False, reason="broker 127.0.0.1:1883: no answer", now=NOW)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        await pilot.press(*keys)
        for field in app.screen.query(Input):
            field.cursor_blink = False
        await settled(pilot)
        drawn, words = app.export_screenshot(title=name), app.drawn
    approved = APPROVED / f"{name}.svg"
    if os.environ.get("NEW_PICTURES"):
        approved.parent.mkdir(exist_ok=True)
        approved.write_text(drawn)
    seen = tmp_path / approved.name
    seen.write_text(drawn)
    assert drawn == approved.read_text(), f"{seen} is not {approved}; its words are\n{words}"
