"""The five views: each filters, sorts, pauses, exports, copies, and fits any screen."""

import csv
import random
from pathlib import Path
from typing import Any

import pytest

from monitor import screen as screen_module
from monitor.board import Board
from monitor.commands import commands
from monitor.config import Config
from monitor.config import Screen as ScreenConfig
from monitor.widgets import help as help_module
from monitor.widgets.details import DetailScreen
from screens import NARROW, SMALL, WIDE, ScreenApp, busy_board, fresh, settled, standing
from stock_messages import NOW, activity, alert, gateway, item
from wire.events import ScannerState

#: key of the view: what it calls its rows, words that must stand there, a filter and what it leaves
VIEWS = {
    "1": ("stock", ("SKU-000", "valve DN25"), "valve", 20),
    "2": ("docks", ("OFFLINE", "UNPLUGGED", "+ EM20", "door-l"), "scanner:door", 2),
    "3": ("orders", ("HTTP API",), "x", 0),
    "4": ("alerts", ("critical", "alert a1", "alert a4"), "urgency=warning", 2),
    "5": ("activity", ("SKU-003", "◐", "text 2"), "outcome=held", 1),
}
_PRESSED = {"=": "equals_sign", ":": "colon"}


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Board:
    """Give a live board on which nothing repaints by itself."""
    for interval in ("FLUSH_INTERVAL_S", "TICK_INTERVAL_S"):
        monkeypatch.setattr(screen_module, interval, 3_600.0)
    return busy_board()


@pytest.mark.parametrize("size", [WIDE, NARROW, SMALL])
async def test_every_view_is_useful_at_every_size(board: Board, size: tuple[int, int]) -> None:
    """Whether it is live, the rows, and the keys are there; no line sticks out."""
    app = ScreenApp(board)
    async with app.run_test(size=size) as pilot:
        for key, (name, words, _, _) in VIEWS.items():
            await pilot.press(key)
            await settled(pilot)
            text = app.drawn
            assert app.page.listing.name == name
            assert "● LIVE" in text
            assert "? Help" in text
            assert [word for word in words if word in text] == list(words)
            assert all(len(line) <= size[0] for line in text.splitlines())
            await pilot.press("escape")
            assert app.page.listing.name == "stock"


async def test_every_view_filters_sorts_and_exports(board: Board, tmp_path: Path) -> None:
    """As typed; by each column both ways; what is saved is what is shown; views do not mix."""
    app = ScreenApp(board, Config(monitor=ScreenConfig(export_folder=tmp_path)))
    async with app.run_test(size=WIDE) as pilot:
        for key, (name, _, text, count) in VIEWS.items():
            if name == "orders":
                continue
            await pilot.press(key)
            await settled(pilot)
            everything = len(app.rows)
            await pilot.press("slash", *[_PRESSED.get(letter, letter) for letter in text], "enter")
            assert len(app.rows) == count
            before = set(app.rows)
            for _ in app.page.table.placed:
                await pilot.press("s")
                assert set(app.rows) == before
            await pilot.press("S")
            assert set(app.rows) == before
            assert app.page.listing.order[1]
            await pilot.press("e")
            await app.workers.wait_for_complete()
            heading, *records = saved(tmp_path, name)
            columns = [each.key for each in app.page.table.placed]
            assert heading[: len(columns)] == columns
            assert len(records) == count
            await pilot.press("3")
            assert app.page.listing.text == ""
            await pilot.press(key, "escape")
            assert len(app.rows) == everything


def saved(folder: Path, name: str) -> list[list[str]]:
    """Return the lines of the one CSV file of a view."""
    (path,) = folder.glob(f"docktally-{name}-*.csv")
    with path.open(newline="") as file:
        return list(csv.reader(file))


async def test_urgent_only_leaves_what_needs_a_person(board: Board) -> None:
    """l: docks in trouble and new scanners; alerts nobody has; scans that were not booked."""
    app = ScreenApp(board)
    taken = alert("a1", "critical").model_copy(update={"acknowledged_by": "mk"})
    board.apply_alert("a1", taken, NOW)
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        for key, left in (("2", 3), ("4", 3), ("5", 2)):
            await pilot.press(key, "l")
            await settled(pilot)
            assert len(app.rows) == left
            await pilot.press("l")
            assert len(app.rows) == left + 1
        await pilot.press("4")
        await settled(pilot)
        assert app.rows == ["a2", "a3", "a4", "a1"]
        assert "mk" in app.drawn


async def test_the_cursor_stays_on_its_row_in_a_list_that_moves(board: Board) -> None:
    """New scans come on top; whoever looks at one keeps it, and its details."""
    app = ScreenApp(board)
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await pilot.press("5", "j")
        await settled(pilot)
        row = app.page.table.cursor_row
        for number in range(7):
            board.apply_activity("ber", activity(f"NEW-{number}"), NOW)
        app.main.flush()
        await pilot.pause()
        assert app.page.table.cursor_row == row
        assert app.rows[:1] != [row]
        assert "text 1" in app.drawn


async def test_the_most_urgent_is_never_scrolled_away(board: Board) -> None:
    """New alerts come on top and are seen; a key means the alert that was looked at before."""
    app = ScreenApp(board)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("4")
        await settled(pilot)
        looked_at = app.page.table.cursor_row
        assert looked_at == app.rows[0] == "a1"
        for number in range(5):
            board.apply_alert(f"new-{number}", alert(f"new-{number}", "critical", number + 1), NOW)
        await settled(pilot)
        assert app.page.table.cursor_row == looked_at
        assert app.rows[0] == "new-4"
        assert app.page.table.scroll_offset.y == 0
        assert "alert new-4" in app.drawn
        board.apply_alert(looked_at, None, NOW)
        await settled(pilot)
        assert app.page.table.cursor_row == "a2"


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_whether_it_is_live_is_seen_above_every_dialog(
    board: Board, size: tuple[int, int]
) -> None:
    """Link, central and the age of the data stay on the first line, whatever is open."""
    app = ScreenApp(board)
    async with app.run_test(size=size) as pilot:
        for keys in (("1", "enter"), ("1", "plus"), ("1", "c"), ("1", "question_mark"),
                     ("2", "enter"), ("2", "R"), ("4", "j", "m"), ("4", "A"), ("4", "x"),
                     ("5", "enter")):  # fmt: skip
            await pilot.press(*keys)
            await settled(pilot)
            assert app.screen is not app.main, keys
            first = app.drawn.splitlines()[0]
            assert all(words in first for words in ("● LIVE", "broker ●", "central ●", "old")), keys
            while app.screen is not app.main:
                await pilot.press("escape")
                await pilot.pause()


async def test_the_palette_says_in_words_what_keys_do_and_does_it(board: Board) -> None:
    """Each command once; those of another view are not offered; orders and colours are, too."""

    class WithPalette(ScreenApp):
        def get_system_commands(self, screen: Any) -> Any:
            return commands(screen)

    app = WithPalette(board)
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await pilot.press("2")
        await settled(pilot)
        offered = {each.title: each for each in commands(app.main)}
        assert len(offered) == len(list(commands(app.main)))
        assert {"Identify", "Sort by Scanner ▼", "Colours docktally-safe"} <= set(offered)
        assert not {"Acknowledge", "Adjust", "Sort by Reserved ▲", "Down"} & set(offered)
        await pilot.press("ctrl+p", *"sort by scanner")
        await pilot.pause(0.5)
        await pilot.press("down", "enter")
        await pilot.pause(0.5)
        assert app.page.listing.order == ("scanner", True)
        offered["Colours docktally-safe"].callback()
        await pilot.pause()
        assert app.theme == "docktally-safe"
        offered["Help"].callback()
        await pilot.pause()
        await settled(pilot)
        assert "Keys and marks" in app.drawn


async def test_a_paused_view_stands_still(board: Board) -> None:
    """Whatever happens meanwhile is counted and shown when it goes on."""
    app = ScreenApp(board)
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await pilot.press("5", "space")
        board.apply_activity("ber", activity("NEW-1"), NOW)
        await settled(pilot)
        assert len(app.rows) == 3
        assert "PAUSED, 1 updates waiting" in app.drawn
        await pilot.press("space")
        await settled(pilot)
        assert len(app.rows) == 4


async def test_detail_tells_all_and_follows(board: Board) -> None:
    """Enter shows everything about the row; a row that goes away leaves its last word."""
    app = ScreenApp(board)
    async with app.run_test(size=WIDE) as pilot:
        for key, words in (("2", "room for"), ("4", "what to do about"), ("5", "booked")):
            await pilot.press(key)
            await settled(pilot)
            await pilot.press("enter")
            await pilot.pause()
            assert isinstance(app.screen, DetailScreen)
            app.screen.show()
            await pilot.pause()
            assert words in app.drawn
            for known in (board.gateways, board.alerts, board.scans):
                known.clear()
            app.main.tick()
            app.screen.show()
            await pilot.pause()
            assert words in app.drawn
            await pilot.press("y", "escape")
            assert app.screen is app.main
            board = refilled(board)


def refilled(board: Board) -> Board:
    """Put back what a busy board has."""
    again = busy_board()
    board.gateways, board.alerts, board.scans = again.gateways, again.alerts, again.scans
    return board


async def test_columns_are_chosen(board: Board) -> None:
    """c offers them with a tick; what is taken is shown, and only that."""
    app = ScreenApp(board)
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await pilot.press("c")
        await pilot.pause()
        assert "[x] On hand" in app.drawn
        assert "[ ] Cause" in app.drawn
        await pilot.press("space", *"jjjjjj", "space", "enter")
        await settled(pilot)
        shown = [each.key for each in app.page.table.placed]
        assert "cause" in shown
        assert "name" not in shown
        await pilot.press("c", "space", "escape")
        await settled(pilot)
        assert [each.key for each in app.page.table.placed] == shown


async def test_columns_of_the_configuration_are_shown(board: Board) -> None:
    """[monitor] columns says which to begin with; SKU and availability are always there."""
    app = ScreenApp(board, Config(monitor=ScreenConfig(columns=("version", "cause"))))
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        shown = [each.key for each in app.page.table.placed]
        assert shown == ["sku", "available", "cause", "version"]


async def test_titles_from_outside_are_no_markup(board: Board) -> None:
    """A SKU with brackets is shown as it is, wherever it is a title."""
    hostile = "[bold]x[/][@click=app.quit]y"
    board.apply_availability(item("!" + hostile, name=hostile), NOW, retained=False)
    app = ScreenApp(board)
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        assert f"!{hostile[:20]}" in app.drawn
        await pilot.press("enter")
        await pilot.pause()
        app.screen.show()  # type: ignore[attr-defined]
        await pilot.pause()
        assert f"!{hostile}" in app.drawn
        await pilot.press("y", "c")


async def test_every_key_is_explained(board: Board) -> None:
    """Each key of the screen is in the help, and the other way round."""
    app = ScreenApp(board)
    explained = " ".join(keys for keys, _ in help_module.KEYS).split()
    names = {"/": "slash", "+": "plus", "Space": "space", "Enter": "enter", "^p": "ctrl+p"}
    async with app.run_test(size=WIDE) as pilot:
        taken: set[str] = set()
        for key in VIEWS:
            await pilot.press(key)
            await settled(pilot)
            taken |= set(app.screen.active_bindings)
    for key in explained:
        assert names.get(key, key) in taken, key
    silent = {"escape", "question_mark", "ctrl+c", "ctrl+q", "down", "up", "home", "end",
              "pagedown", "pageup", "ctrl+f", "ctrl+b", "tab", "shift+tab", "ctrl+i",
              "left", "right", "ctrl+pageup", "ctrl+pagedown", "super+c"}  # fmt: skip
    assert taken - silent - {names.get(key, key) for key in explained} == set()


KEYS = ["j", "k", "pagedown", "pageup", "g", "G", "s", "S", "r", "l", "space"]


def disturb(board: Board, rng: random.Random, step: int) -> None:
    """Let something happen, of any kind."""
    for _ in range(rng.randrange(5)):
        number = rng.randrange(66)
        news = item(f"SKU-{number:03d}", step + 2, rng.randrange(60), name="hose")
        board.apply_availability(news, NOW, retained=False)
        board.apply_activity("ber", activity(f"SKU-{number:03d}", str(step)), NOW)
    if rng.random() < 0.5:
        scanner = ScannerState(
            name="s", source="p", online=rng.random() < 0.7, scans=step, unreadable=step % 3
        )
        state = gateway(scanner, online=rng.random() < 0.8, pending=rng.randrange(4))
        board.apply_gateway("ber", f"dock-{rng.randrange(30)}", state, NOW, retained=False)
    if rng.random() < 0.5:
        name = f"a{rng.randrange(30)}"
        severity = rng.choice(["info", "warning", "critical"])
        news_alert = alert(name, severity, rng.randrange(100)) if rng.random() < 0.7 else None
        board.apply_alert(name, news_alert, NOW)


@pytest.mark.parametrize("size", [WIDE, NARROW, SMALL])
async def test_what_stands_there_is_what_the_board_says(
    board: Board, size: tuple[int, int]
) -> None:
    """After any mix of events, keys and views no line is stale, and no row is missing."""
    rng = random.Random(repr(size))
    app = ScreenApp(board)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        for step in range(50):
            disturb(board, rng, step)
            if step % 8 == 0:
                await pilot.press(rng.choice("245"))
            if rng.random() < 0.4:
                await pilot.press(rng.choice(KEYS))
            app.moment += rng.choice((0, 0.2, 3, 70))
            await settled(pilot)
            assert standing(app) == fresh(app), f"after step {step}"
            listing: Any = app.page.listing
            if not listing.paused:
                sheet = listing.sheet
                wanted = {
                    sheet.key(each)
                    for each in sheet.items()
                    if not listing.urgent_only or sheet.is_urgent(each)
                }
                assert set(listing.rows) == wanted


async def test_a_storm_of_resizes_leaves_a_whole_screen(board: Board) -> None:
    """However often and fast the size changes, in the end everything stands where it belongs."""
    rng = random.Random(5)
    app = ScreenApp(board)
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        for step in range(15):
            await pilot.press(rng.choice(list(VIEWS)))
            width, height = rng.randrange(20, 200), rng.randrange(4, 60)
            await pilot.resize_terminal(width, height)
            await settled(pilot)
            lines = app.drawn.splitlines()
            assert len(lines) == height, f"after step {step}"
            assert {len(line) for line in lines} == {width}
            assert height < 10 or standing(app) == fresh(app), f"after step {step}"
