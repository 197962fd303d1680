"""The monitor's screen with keys pressed into it, on a board fed by hand."""

import csv
import random
from pathlib import Path
from types import SimpleNamespace

import pytest
from textual.app import App
from textual.pilot import Pilot

from monitor import screen as screen_module
from monitor.board import Board
from monitor.config import Config
from monitor.config import Screen as ScreenConfig
from monitor.screen import MainScreen
from monitor.widgets import stock_table
from monitor.widgets.filter_bar import FilterInput
from monitor.widgets.help import HelpScreen
from monitor.widgets.item import ItemScreen
from stock_messages import NOW, activity, alert, central, gateway, item

STYLES = Path(screen_module.__file__).parent / "monitor.tcss"
WIDE, NARROW, SMALL = (120, 40), (80, 24), (60, 18)


class ScreenApp(App[None]):
    """The screen without a feed."""

    CSS_PATH = STYLES

    def __init__(self, board: Board, config: Config | None = None) -> None:
        super().__init__()
        self.main = MainScreen(board, config or Config())

    def get_default_screen(self) -> MainScreen:
        """Return the screen under test."""
        return self.main


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Board:
    """Give a live board of 60 items; time stands still, and nothing repaints by itself."""
    frozen = SimpleNamespace(time=lambda: NOW)
    monkeypatch.setattr(stock_table, "time", frozen)
    monkeypatch.setattr(screen_module, "time", frozen)
    for interval in ("FLUSH_INTERVAL_S", "TICK_INTERVAL_S"):
        monkeypatch.setattr(screen_module, interval, 3_600.0)
    board = Board(10, NOW)
    board.apply_link(up=True, reason="connected", now=NOW)
    board.apply_central(central(), NOW, retained=True)
    for number in range(60):
        name = "valve DN25" if number % 3 == 0 else "hose"
        news = item(f"SKU-{number:03d}", available=number * 7 % 50, name=name)
        board.apply_availability(news, NOW, retained=True)
    board.apply_gateway("ber", "dock-1", gateway(online=False), NOW, retained=False)
    board.apply_alert("a1", alert("a1"), NOW)
    board.apply_activity("ber", activity("SKU-003"), NOW)
    return board


def drawn(app: App[None]) -> str:
    """Return what stands on the whole screen now."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


def skus(app: ScreenApp) -> list[str]:
    """Return the shown SKUs in order."""
    view = app.main.table.view
    return [view.stock.sku[row] for row in view.rows]


async def settled(pilot: Pilot[None]) -> None:
    """Let the screen draw what is known."""
    await pilot.pause()
    pilot.app.main.tick()  # type: ignore[attr-defined]
    await pilot.pause()


async def test_filter_as_you_type(board: Board) -> None:
    """Each letter filters; Enter keeps the filter, Esc clears it; a slash can be typed."""
    app = ScreenApp(board)
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        assert len(skus(app)) == 60
        await pilot.press("slash", *"valve")
        assert skus(app) == [f"SKU-{number:03d}" for number in range(0, 60, 3)]
        await pilot.press("enter")
        assert app.focused is app.main.table
        assert len(skus(app)) == 20
        assert "20 of 60 SKUs" in drawn(app)
        await pilot.press("slash", "slash")
        assert app.main.query_one(FilterInput).value == "valve/"
        assert "No item has all these words." in drawn(app)
        await pilot.press("escape")
        assert len(skus(app)) == 60


async def test_keys_right_after_leaving_the_filter_go_to_the_table(board: Board) -> None:
    """Enter gives the keyboard back before the next key is looked at."""
    app = ScreenApp(board)
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await pilot.press(*"/hose", "enter", "l", "S")
        assert app.main.query_one(FilterInput).value == "hose"
        assert app.main.table.view.low_only
        assert skus(app) == sorted(skus(app), reverse=True)


async def test_sort_by_any_column_both_ways(board: Board) -> None:
    """s walks over the columns, S turns, a click on a title sorts and turns; the title shows it."""
    app = ScreenApp(board)
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        keys = [column.key for column in app.main.table.columns]
        seen = []
        for _ in keys:
            await pilot.press("s")
            seen.append(app.main.table.view.key)
        assert seen == [*keys[1:], "sku"]
        await pilot.press("S")
        assert skus(app) == [f"SKU-{number:03d}" for number in range(59, -1, -1)]
        available = next(c for c in app.main.table.columns if c.key == "available")
        await pilot.click("#heads", offset=(available.x + 3, 0))
        await pilot.pause()
        stock = board.stock
        shown = [stock.available[row] for row in app.main.table.view.rows]
        assert shown == sorted(shown)
        assert "Available▲" in drawn(app)
        await pilot.click("#heads", offset=(available.x + 3, 0))
        await pilot.pause()
        assert "Available▼" in drawn(app)


async def test_the_cursor_follows_the_item(board: Board) -> None:
    """Wherever its line goes, the cursor stays on the same item, and the item stays in sight."""
    app = ScreenApp(board)
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await pilot.press("j", "down", "k", "j")
        table = app.main.table
        assert board.stock.sku[table.cursor_row or 0] == "SKU-002"
        for keys in ("S", "s", "l", "l"):
            await pilot.press(keys)
            assert board.stock.sku[table.cursor_row or 0] == "SKU-002" or keys == "l"
        board.apply_availability(item("SKU-0015"), NOW, retained=False)
        await settled(pilot)
        assert board.stock.sku[table.cursor_row or 0] == "SKU-002"
        assert "▌ SKU-002 " in drawn(app)
        await pilot.press("G")
        assert table.cursor_row == table.view.rows[-1]
        await pilot.press("pageup", "g")
        assert table.cursor_row == table.view.rows[0]


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
        text = drawn(app)
        assert "PAUSED, 3 updates waiting" in text
        assert len(skus(app)) == 60
        assert app.main.table.view.stock.available[1] == 7
        await pilot.press("space")
        await settled(pilot)
        assert "PAUSED" not in drawn(app)
        assert len(skus(app)) == 61
        assert app.main.table.view.stock.available[1] == 43


async def test_detail_and_help_open_and_close(board: Board) -> None:
    """Enter tells all about the item and follows it live; ? explains; Esc closes both."""
    app = ScreenApp(board)
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await pilot.press(*"jjj", "enter")
        assert isinstance(app.screen, ItemScreen)
        board.apply_availability(item("SKU-003", 2, 5), NOW + 1, retained=False)
        app.screen._show()
        await pilot.pause()
        for words in ("SKU-003", "! low", "version    2", "by scan", "receive"):
            assert words in drawn(app)
        await pilot.press("escape", "question_mark")
        assert isinstance(app.screen, HelpScreen)
        assert "filter as you type" in drawn(app)
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
        wanted, columns = skus(app), [column.key for column in app.main.table.columns]
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
            if "Nothing was exported" in drawn(app):
                return
        pytest.fail(f"no word about the failure:\n{drawn(app)}")


async def test_panes_and_alerts_that_were_seen(board: Board) -> None:
    """2, 3 and 4 show one pane on the whole screen, 1 all; looking at alerts makes them seen."""
    app = ScreenApp(board)
    async with app.run_test(size=SMALL) as pilot:
        await settled(pilot)
        assert "1 new" in drawn(app)
        for key, words in (("2", "✖ dock-1"), ("3", "alert a1"), ("4", "SKU-003")):
            await pilot.press(key)
            await settled(pilot)
            assert words in drawn(app)
            assert "SKU-010" not in drawn(app)
        await pilot.press("1")
        await settled(pilot)
        assert "SKU-001" in drawn(app)
        assert "1 new" not in drawn(app)


@pytest.mark.parametrize("size", [WIDE, NARROW, SMALL, (200, 60), (40, 10)])
async def test_every_size_is_useful(board: Board, size: tuple[int, int]) -> None:
    """At any size the screen shows SKUs with what is available and whether they are live."""
    app = ScreenApp(board)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        text = drawn(app)
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
        assert "Waiting for the broker at 127.0.0.1:1883." in drawn(app)
        board.apply_link(up=True, reason="connected", now=NOW)
        await settled(pilot)
        assert "it holds no stock" in drawn(app)


def fresh(app: ScreenApp) -> list[str]:
    """Return the table's lines painted anew from the board, past every cache."""
    table = app.main.table
    return [table.render_line(y).text for y in range(table.size.height)]


def standing(app: ScreenApp) -> list[str]:
    """Return the table's lines as they stand on the screen."""
    region = app.main.table.content_region
    strips = app.screen._compositor.render_strips()[region.y : region.bottom]
    return [strip.crop(region.x, region.right).text for strip in strips]


@pytest.mark.parametrize("size", [WIDE, NARROW, SMALL])
async def test_what_stands_on_the_screen_is_what_the_board_says(
    board: Board, size: tuple[int, int]
) -> None:
    """After any mix of updates and keys no line is stale: partial repainting misses nothing."""
    rng = random.Random(repr(size))
    app = ScreenApp(board)
    keys = ["j", "k", "pagedown", "pageup", "g", "G", "s", "S", "r", "l", "space"]
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        for step in range(40):
            for _ in range(rng.randrange(6)):
                number = rng.randrange(66)
                news = item(f"SKU-{number:03d}", step + 2, rng.randrange(60), name="hose")
                board.apply_availability(news, NOW, retained=False)
            if rng.random() < 0.1:
                board.remove_item("ber", f"SKU-{rng.randrange(60):03d}")
            if rng.random() < 0.4:
                await pilot.press(rng.choice(keys))
            app.main.table.flush()
            await pilot.pause()
            assert standing(app) == fresh(app), f"after step {step}"
