"""The application: one screen, one feed or one replay, the themes."""

import asyncio
import gc
import signal
import time
from collections.abc import Iterable

from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.screen import Screen

from monitor.board import Board
from monitor.central_api import CentralApi
from monitor.commands import commands
from monitor.config import Config
from monitor.desk import Desk
from monitor.feed import Feed
from monitor.recording import Recorder, Replay
from monitor.screen import MainScreen
from monitor.terminal_line import TerminalApp
from monitor.themes import THEMES

#: Garbage waits for the first stock to be loaded, but no longer than this.
_LOAD_MAX_S = 30.0
#: Full collections less often than usual: one takes longer than a key may. Small ones often: each
#: looks at every row of the lists that a filter or a sort has just made.
_COLLECT_AFTER = (2_000, 20, 20)
#: What a replay shows is over: nobody may be asked or told anything because of it.
_NO_CENTRAL = "This is a replay: central is not asked, and nothing is changed."


class MonitorApp(TerminalApp):
    """Shows a board that a feed keeps true, or a replay."""

    TITLE = "Docktally"
    CSS_PATH = "monitor.tcss"
    BINDINGS = [Binding("ctrl+c", "quit", "Quit", show=False, priority=True)]  # noqa: RUF012

    def __init__(
        self, config: Config, recorder: Recorder | None = None, replay: Replay | None = None
    ) -> None:
        super().__init__()
        clock = replay.now if replay else time.time
        board = Board(config.monitor.low, clock())
        api = CentralApi(config.central, lambda: announced(board), _NO_CENTRAL if replay else "")
        feed = Feed(config, board, api=api, recorder=recorder, clock=clock)
        self.desk = Desk(config, board, clock, api, feed, recorder, replay)

    def get_default_screen(self) -> MainScreen:
        """Return the one live screen."""
        return MainScreen(self.desk)

    def on_mount(self) -> None:
        """Begin to listen."""
        wear(self, self.desk.config.monitor.theme)
        # The terminal must be given back in order, also when a service manager ends us.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.exit)
        gc.disable()
        self._tend_by_s = time.monotonic() + _LOAD_MAX_S
        self._tending = self.set_interval(1.0, self._tend)
        feed, replay = self.desk.feed, self.desk.replay
        self.run_worker(
            replay.run(feed.hear, feed.hear_link) if replay else feed.run(), group="feed"
        )

    def _tend(self) -> None:
        """Once the stock is loaded, let the garbage collector work again, but not on the stock.

        It would look at every one of 100,000 rows again and again, a tenth of a second each time.
        """
        board, now_s = self.desk.board, time.monotonic()
        loaded = len(board.stock) > 0 and board.loading(self.desk.clock()) is None
        if loaded or now_s > self._tend_by_s:
            self._tending.stop()
            gc.collect()
            gc.freeze()
            gc.set_threshold(*_COLLECT_AFTER)
            gc.enable()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer what the keys do, in words, and more."""
        return commands(screen) if isinstance(screen, MainScreen) else ()


def announced(board: Board) -> str | None:
    """Return where central says that its API answers; None when it was not heard."""
    central = board.central
    return None if central is None else central.state.api


def wear(app: App[None], theme: str) -> None:
    """Give an application our themes, and one of them to begin with."""
    for each in THEMES:
        app.register_theme(each)
    app.theme = theme
