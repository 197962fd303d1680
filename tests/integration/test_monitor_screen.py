"""The monitor's main view with keys pressed into it, on a board fed by hand."""

import asyncio
import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import screen as screen_module
from monitor.board import Board
from monitor.config import Config
from monitor.config import Screen as ScreenConfig
from monitor.stock_listing import StockListing
from monitor.widgets.filter_bar import FilterInput
from monitor.widgets.help import HelpScreen
from monitor.widgets.item import ItemScreen
from screens import NARROW, SMALL, WIDE, ScreenApp, busy_board, fresh, settled, standing
from stock_messages import NOW, item
from wire.events import Availability


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Board:
    """Give a live board of 60 items; nothing repaints by itself."""
    for interval in ("FLUSH_INTERVAL_S", "TICK_INTERVAL_S"):
        monkeypatch.setattr(screen_module, interval, 3_600.0)
    return busy_board()


def listing(app: ScreenApp) -> StockListing:
    """Return what the main view lists."""
    found = app.main.pages[0].listing
    assert isinstance(found, StockListing)
    return found


async def test_filter_as_you_type(board: Board) -> None:
    """Each letter filters; Enter keeps the filter, Esc clears it; a slash can be typed."""
    app = ScreenApp(board)
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        assert len(app.skus) == 60
        await pilot.press("slash", *"valve")
        assert app.skus == [f"SKU-{number:03d}" for number in range(0, 60, 3)]
        await pilot.press("enter")
        assert app.focused is app.page.table
        assert len(app.skus) == 20
        assert "20 of 60 SKUs" in app.drawn
        await pilot.press("slash", "slash")
        assert app.main.query_one(FilterInput).value == "valve/"
        assert "Nothing passes this filter." in app.drawn
        await pilot.press("escape")
        assert len(app.skus) == 60


async def test_keys_right_after_leaving_the_filter_go_to_the_table(board: Board) -> None:
    """Enter gives the keyboard back before the next key is looked at."""
    app = ScreenApp(board)
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await pilot.press(*"/hose", "enter", "l", "S")
        assert app.main.query_one(FilterInput).value == "hose"
        assert app.page.listing.urgent_only
        assert app.skus == sorted(app.skus, reverse=True)


async def test_sort_by_any_column_both_ways(board: Board) -> None:
    """s walks over the columns, S turns, a click on a title sorts and turns; the title shows it."""
    app = ScreenApp(board)
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        keys = [each.key for each in app.page.table.placed]
        seen = []
        for _ in keys:
            await pilot.press("s")
            seen.append(app.page.listing.order[0])
        assert seen == [*keys[1:], "sku"]
        await pilot.press("S")
        assert app.skus == [f"SKU-{number:03d}" for number in range(59, -1, -1)]
        available = next(each for each in app.page.table.placed if each.key == "available")
        await pilot.click("#stock .heads", offset=(available.x + 3, 0))
        await pilot.pause()
        stock = board.stock
        shown = [stock.available[row] for row in app.page.listing.rows]
        assert shown == sorted(shown)
        assert "Available▲" in app.drawn
        await pilot.click("#stock .heads", offset=(available.x + 3, 0))
        await pilot.pause()
        assert "Available▼" in app.drawn


async def test_the_cursor_follows_the_item(board: Board) -> None:
    """Wherever its line goes, the cursor stays on the same item, and the item stays in sight."""
    app = ScreenApp(board)
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await pilot.press("j", "down", "k", "j")
        table = app.page.table
        assert board.stock.sku[table.cursor_row or 0] == "SKU-002"
        for keys in ("S", "s", "l", "l"):
            await pilot.press(keys)
            assert board.stock.sku[table.cursor_row or 0] == "SKU-002" or keys == "l"
        board.apply_availability(item("SKU-0015"), NOW, retained=False)
        await settled(pilot)
        assert board.stock.sku[table.cursor_row or 0] == "SKU-002"
        assert "▌  SKU-002 " in app.drawn
        await pilot.press("G")
        assert table.cursor_row == table.listing.rows[-1]
        await pilot.press("pageup", "g")
        assert table.cursor_row == table.listing.rows[0]


async def test_pause_stands_still_and_loses_nothing(board: Board) -> None:
    """Paused, the figures stay and the backlog is counted; going on shows the present."""
    app = ScreenApp(board)
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await pilot.press("space")
        for version in (2, 3):
            news = item("SKU-001", version, 40 + version, name="hose")
            board.apply_availability(news, NOW, retained=False)
        board.apply_availability(item("SKU-999"), NOW, retained=False)
        await settled(pilot)
        await pilot.press("G", "g", "S", "S")
        text = app.drawn
        assert "PAUSED, 3 updates waiting" in text
        assert len(app.skus) == 60
        assert listing(app).stock.available[1] == 7
        await pilot.press("space")
        await settled(pilot)
        assert "PAUSED" not in app.drawn
        assert len(app.skus) == 61
        assert listing(app).stock.available[1] == 43


async def test_detail_and_help_open_and_close(board: Board) -> None:
    """Enter tells all about the item and follows it live; ? explains; Esc closes both."""
    app = ScreenApp(board)
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await pilot.press(*"jjj", "enter")
        assert isinstance(app.screen, ItemScreen)
        board.apply_availability(item("SKU-003", 2, 5), NOW + 1, retained=False)
        app.screen.show()
        await pilot.pause()
        for words in ("SKU-003", "! low", "version    2", "by scan", "receive"):
            assert words in app.drawn
        await pilot.press("escape", "question_mark")
        assert isinstance(app.screen, HelpScreen)
        assert "filter as you type" in app.drawn
        await pilot.press("escape")
        assert app.screen is app.main


async def test_copy_gives_the_sku_to_the_terminal(board: Board) -> None:
    """y copies the SKU under the cursor."""
    app = ScreenApp(board)
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await pilot.press("j", "y")
        assert app.clipboard == "SKU-001"


def saved(folder: Path) -> list[dict[str, str]]:
    """Return the records of the one CSV file in a folder."""
    (path,) = folder.glob("*.csv")
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


async def test_export_is_exactly_what_is_shown(board: Board, tmp_path: Path) -> None:
    """e saves the rows that are shown, in their order, with the columns that are shown."""
    config = Config(monitor=ScreenConfig(export_folder=tmp_path))
    app = ScreenApp(board, config)
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await pilot.press(*"/valve", "enter", "S", "e")
        await app.workers.wait_for_complete()
        wanted, columns = app.skus, [each.key for each in app.page.table.placed]
    records = saved(tmp_path)
    assert [record["sku"] for record in records] == wanted
    assert list(records[0]) == [*columns, "live"]
    assert (records[-1]["available"], records[-1]["live"]) == ("0", "yes")


async def test_an_export_that_fails_says_so(board: Board, tmp_path: Path) -> None:
    """A folder that is not there is told, and the screen goes on."""
    config = Config(monitor=ScreenConfig(export_folder=tmp_path / "nowhere"))
    app = ScreenApp(board, config)
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await settled(pilot)
        await pilot.press("e")
        await app.workers.wait_for_complete()
        for _ in range(100):
            await pilot.pause(0.01)
            if "Nothing was exported" in app.drawn:
                return
        pytest.fail(f"no word about the failure:\n{app.drawn}")


@pytest.mark.parametrize("size", [WIDE, NARROW, SMALL, (200, 60), (40, 10)])
async def test_every_size_is_useful(board: Board, size: tuple[int, int]) -> None:
    """At any size the screen shows SKUs with what is available and whether they are live."""
    app = ScreenApp(board)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        text = app.drawn
        assert all(words in text for words in ("● LIVE", "SKU-001", "7 !"))
        if size[0] >= SMALL[0]:
            assert "broker ●" in text
            assert "central ●" in text


async def test_an_empty_screen_says_what_it_waits_for() -> None:
    """Before anything arrives there is a sentence with the broker's address, not a blank table."""
    board = Board(10, NOW)
    app = ScreenApp(board)
    async with app.run_test(size=NARROW) as pilot:
        await settled(pilot)
        assert "Waiting for the broker at 127.0.0.1:1883." in app.drawn
        board.apply_link(up=True, reason="connected", now=NOW)
        await settled(pilot)
        assert "it holds no stock" in app.drawn


#: What is typed, and what it means said another way.
FILTERS: dict[str, Callable[[Availability], bool]] = {
    "": lambda _: True,
    "hose": lambda news: news.name == "hose",
    "avail<20": lambda news: news.available < 20,
    "sku-01 on_hand>=30": lambda news: "SKU-01" in news.sku and news.on_hand >= 30,
}
PRESSED = ["j", "k", "pagedown", "pageup", "g", "G", "s", "S", "r", "l", "space"]
heard = st.lists(
    st.tuples(st.integers(0, 66), st.integers(0, 60), st.sampled_from(["hose", "valve DN25"])),
    max_size=6,
)
happenings = st.one_of(
    st.tuples(st.just("heard"), heard),
    st.tuples(st.just("removed"), st.integers(0, 60)),
    st.tuples(st.just("pressed"), st.sampled_from(PRESSED)),
    st.tuples(st.just("typed"), st.sampled_from(list(FILTERS))),
    st.tuples(st.just("resized"), st.sampled_from([WIDE, NARROW, SMALL, (97, 33)])),
)


@settings(max_examples=10, deadline=None)
@given(st.sampled_from([WIDE, NARROW, SMALL]), st.lists(happenings, min_size=8, max_size=20))
def test_what_stands_on_the_screen_is_what_the_board_says(
    size: tuple[int, int], steps: list[tuple[str, Any]]
) -> None:
    """After any mix of updates, keys, filters and sizes no line is stale and no row is missing."""
    with pytest.MonkeyPatch.context() as patch:
        for interval in ("FLUSH_INTERVAL_S", "TICK_INTERVAL_S"):
            patch.setattr(screen_module, interval, 3_600.0)
        asyncio.run(live_through(size, steps))


async def live_through(size: tuple[int, int], steps: list[tuple[str, Any]]) -> None:
    """Let things happen, and after each compare what stands there with what must."""
    board = busy_board()
    stock, known = board.stock, {}
    for row, sku in enumerate(stock.sku):
        known[sku] = item(sku, available=stock.available[row], name=stock.name[row])
    app = ScreenApp(board)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        for version, (action, what) in enumerate(steps, start=2):
            if action == "heard":
                for number, available, name in what:
                    news = item(f"SKU-{number:03d}", version, available, name=name)
                    if board.apply_availability(news, NOW, retained=False):
                        known[news.sku] = news
            elif action == "removed":
                board.remove_item("ber", f"SKU-{what:03d}")
                known.pop(f"SKU-{what:03d}", None)
            elif action == "pressed":
                await pilot.press(what)
            elif action == "typed":
                app.main.query_one(FilterInput).value = what
            else:
                await pilot.resize_terminal(*what)
            if action in {"typed", "resized"}:
                await pilot.pause()
            app.page.table.flush()
            await pilot.pause()
            assert standing(app) == fresh(app), f"after step {version}: {action} {what}"
            listing = app.page.listing
            if not listing.paused:
                passes = FILTERS[listing.text]
                wanted = {
                    news.sku
                    for news in known.values()
                    if passes(news) and (not listing.urgent_only or news.available <= 10)
                }
                assert sorted(app.skus) == sorted(wanted), f"after step {version}: {action}"
