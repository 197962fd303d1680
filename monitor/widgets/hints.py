"""The last line: which keys do what here, as many as fit. A click does it, too."""

from textual.events import Click
from textual.screen import Screen

from monitor.spans import Line, Span, cells
from monitor.widgets.painted import OneLine

_LAST = "help"


class Hints(OneLine):
    """Keys of the view that has the keyboard, the most useful first, and help at the end."""

    def __init__(self) -> None:
        super().__init__(id="hints")
        self._places: list[tuple[int, int, str]] = []  # from, to, key

    def on_mount(self) -> None:
        """Follow the keyboard."""
        self.screen.bindings_updated_signal.subscribe(self, self._update)

    def on_resize(self) -> None:
        """Fit the new width."""
        self._update(self.screen)

    def on_click(self, event: Click) -> None:
        """Press the key that was clicked."""
        for begin, end, key in self._places:
            if begin <= event.x < end:
                self.app.simulate_key(key)

    def _update(self, screen: Screen[object]) -> None:
        hints = [
            (active.binding.key, self.app.get_key_display(active.binding), active.binding)
            for active in screen.active_bindings.values()
            if active.binding.show and active.enabled
        ]
        hints.sort(key=lambda hint: hint[2].action == _LAST)
        line, places = Line(), []
        last = hints[-1:] if hints and hints[-1][2].action == _LAST else []
        kept = sum(len(shown) + len(binding.description) + 3 for _, shown, binding in last)
        seen = set()
        for key, shown, binding in hints:
            if binding.action in seen:
                continue
            words = [Span(f" {shown}", "accent"), Span(f" {binding.description} ", "muted")]
            begin = cells(line)
            room = self.size.width - begin - (0 if binding.action == _LAST else kept)
            if cells(words) > room:
                continue
            seen.add(binding.action)
            line += words
            places.append((begin, cells(line), key))
        self._places = places
        self.show(line)
