"""What the command palette offers: what the keys do, in words, and what has no key."""

from collections.abc import Iterator
from functools import partial

from textual.app import SystemCommand

from monitor.screen import MainScreen
from monitor.themes import THEMES


def commands(screen: MainScreen) -> Iterator[SystemCommand]:
    """Yield the commands of the view that is seen, those of its keys first."""
    app = screen.app
    offered = set()
    for active in screen.active_bindings.values():
        binding = active.binding
        if not (binding.tooltip and active.enabled) or binding.action in offered:
            continue
        offered.add(binding.action)
        # The action and not its key: a key that follows Enter at once is taken for a scanner's.
        run = partial(app.call_later, app.run_action, binding.action, active.node)
        words = f"{binding.tooltip} (key {app.get_key_display(binding)})"
        yield SystemCommand(binding.description, words, run)
    for column in screen.page.listing.columns:
        for reverse, way in ((False, "▲"), (True, "▼")):
            sort = partial(screen.sort_by, column.key, reverse=reverse)
            yield SystemCommand(
                f"Sort by {column.title} {way}", "click its title, or s and S", sort
            )
    for theme in THEMES:
        wear = partial(setattr, app, "theme", theme.name)
        yield SystemCommand(f"Colours {theme.name}", "key t goes through them", wear)
