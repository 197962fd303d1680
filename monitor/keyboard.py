"""Telling a person at the keys from a burst: a paste, or a barcode scanner that types.

What changes something for everybody must not be set off by the letters of a barcode that was
scanned into the wrong window. So it waits for a moment in which no other key comes.
"""

import time
from collections.abc import Callable

from textual import events
from textual.app import App

#: Scanners type a key every few milliseconds; nobody presses two on purpose this fast.
QUIET_S = 0.08


class Keyboard(App[None]):
    """An application that knows when the last key came."""

    def __init__(self) -> None:
        super().__init__()
        self._keys = 0
        self._last_s = 0.0

    async def on_event(self, event: events.Event) -> None:
        """Count keys as they are read."""
        if isinstance(event, events.Key) and not event.is_forwarded:
            now_s = time.monotonic()
            quiet = now_s - self._last_s > QUIET_S
            self._last_s = now_s
            self._keys = 1 if quiet else self._keys + 1
        await super().on_event(event)

    def deliberately(self, deed: Callable[[], object]) -> None:
        """Do what a key asks for, unless other keys came with it."""

        def judge() -> None:
            if self._keys == 1:
                deed()
            else:
                self.notify("Not done: other keys came together with this one.", timeout=3)

        self.set_timer(QUIET_S, judge)
