"""The monitor without a screen: one JSON line a change, for scripts and tests."""

import asyncio
import json
import os
import signal
import sys
import time
from typing import Any

from monitor.board import Board
from monitor.config import Config
from monitor.feed import Feed
from monitor.recording import Recorder, Replay


def run(config: Config, recorder: Recorder | None = None, replay: Replay | None = None) -> None:
    """Print changes until SIGTERM, Ctrl+C, the end of a replay, or until nobody reads any more."""
    # The reader may stand still for long, and then the loop cannot look at signals: these two must
    # end us even in the middle of a write.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    clock = replay.now if replay else time.time
    board = Board(config.monitor.low, clock())
    feed = Feed(config, board, _print, recorder=recorder, clock=clock)
    try:
        asyncio.run(replay.run(feed.hear, feed.hear_link) if replay else feed.run())
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:
        # Python flushes standard output once more at exit; that must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


def _print(kind: str, fields: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"type": kind, **fields}, ensure_ascii=False) + "\n")
    sys.stdout.flush()
