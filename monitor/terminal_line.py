"""The terminal as a line between a person and us: what comes in bursts, what waits to go out.

What changes something for everybody must not be set off by the letters of a barcode that was
scanned into the wrong window, or by a paste. So it waits for a moment in which no other key comes.
The keys that do so have priority bindings: their actions run as the key is read, not later.

Over a slow line, what is drawn waits; Textual then stands still until there is room, and so does
all that is heard. So whoever draws by himself asks first whether the line is behind.
"""

from collections import deque
from collections.abc import Callable

from textual import events
from textual.app import App

#: Scanners type a key every few milliseconds; nobody presses two on purpose this fast.
QUIET_S = 0.08


#: Updates of the screen that may wait; Textual stands still at 30.
_WAITING_MAX = 2


class TerminalApp(App[None]):
    """An application that knows which keys came in a burst, and whether its line is behind."""

    def __init__(self) -> None:
        super().__init__()
        self._burst = 0
        self._read_at = 0.0
        #: Bursts of more than one key, as far back as a deed can wait.
        self._crowded: deque[int] = deque(maxlen=16)

    async def on_event(self, event: events.Event) -> None:
        """See how keys follow one another, by when they were read and not when there was time."""
        if isinstance(event, events.Key) and not event.is_forwarded:
            if event.time - self._read_at > QUIET_S:
                self._burst += 1
            else:
                self._crowded.append(self._burst)
            self._read_at = event.time
        await super().on_event(event)

    @property
    def is_behind(self) -> bool:
        """True while the terminal has not taken what was drawn before."""
        writer = getattr(self._driver, "_writer_thread", None)
        return writer is not None and writer._queue.qsize() > _WAITING_MAX  # noqa: SLF001

    def deliberately(self, deed: Callable[[], object]) -> None:
        """Do what the key that is just read asks for, unless other keys come with it."""
        burst = self._burst

        def judge() -> None:
            if burst in self._crowded:
                self.notify("Not done: other keys came together with this one.", timeout=3)
            else:
                deed()

        self.set_timer(QUIET_S, judge)
