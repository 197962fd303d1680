"""The application: one screen, one feed, one theme."""

import asyncio
import signal
import time

from textual.app import App
from textual.binding import Binding
from textual.theme import Theme

from monitor.board import Board
from monitor.config import Config
from monitor.feed import Feed
from monitor.screen import MainScreen

#: Calm on purpose: colour is for what a person should look at.
_THEME = Theme(
    name="docktally",
    primary="#6ea8d8",
    secondary="#5b7f9c",
    accent="#8ecae6",
    foreground="#d5dce4",
    background="#10151b",
    surface="#161c24",
    panel="#1d2530",
    success="#7cc79a",
    warning="#e8b45a",
    error="#f07f7f",
    dark=True,
)


class MonitorApp(App[None]):
    """Shows a board that a feed keeps true."""

    TITLE = "Docktally"
    CSS_PATH = "monitor.tcss"
    BINDINGS = [Binding("ctrl+c", "quit", "Quit", show=False, priority=True)]  # noqa: RUF012

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.board = Board(config.monitor.low, time.time())

    def get_default_screen(self) -> MainScreen:
        """Return the one live screen."""
        return MainScreen(self.board, self.config)

    def on_mount(self) -> None:
        """Begin to listen."""
        self.register_theme(_THEME)
        self.theme = _THEME.name
        # The terminal must be given back in order, also when a service manager ends us.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.exit)
        self.run_worker(Feed(self.config, self.board).run(), group="feed")
