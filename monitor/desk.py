"""What every screen works with: what is known, what time it is, and whom to ask."""

import getpass
from collections.abc import Callable
from dataclasses import dataclass

from monitor.board import Board
from monitor.central_api import CentralApi
from monitor.config import Config
from monitor.feed import Feed
from monitor.recording import Recorder, Replay
from wire.ids import NAME_LENGTH_MAX


@dataclass(frozen=True, slots=True)
class Desk:
    """One person's place. `clock` gives seconds since 1970: in a replay, those of the recording."""

    config: Config
    board: Board
    clock: Callable[[], float]
    api: CentralApi
    feed: Feed
    recorder: Recorder | None = None
    replay: Replay | None = None

    @property
    def person(self) -> str:
        """Who sits here, for central's records."""
        return (self.config.monitor.person or _user())[:NAME_LENGTH_MAX]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a service without a name
        return "monitor"
