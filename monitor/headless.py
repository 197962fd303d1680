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


def run(config: Config) -> None:
    """Print changes until SIGTERM, Ctrl+C, or until nobody reads any more."""
    # The reader may stand still for long, and then the loop cannot look at signals: these two must
    # end us even in the middle of a write.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    board = Board(config.monitor.low, time.time())
    try:
        asyncio.run(Feed(config, board, _print).run())
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
