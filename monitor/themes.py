"""Colours: calm on purpose, for what a person should look at. Every sign is readable without."""

from textual.theme import Theme

#: The dark theme of the warehouse, the same for daylight, one whose colours differ for everybody
#: (blue, yellow and a light vermilion instead of green, amber and red), and one without colours.
THEMES = (
    Theme(
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
    ),
    Theme(
        name="docktally-light",
        primary="#1f5f8f",
        secondary="#3d6480",
        accent="#0b5d8a",
        foreground="#1c232b",
        background="#fbfbf9",
        surface="#f0f1ef",
        panel="#e4e7e9",
        success="#1d6b3c",
        warning="#7d5300",
        error="#a3212b",
        dark=False,
    ),
    Theme(
        name="docktally-safe",
        primary="#56b4e9",
        secondary="#4a88b0",
        accent="#9ad4f5",
        foreground="#e6e9ed",
        background="#0d1117",
        surface="#151b23",
        panel="#1e2630",
        success="#56b4e9",
        warning="#f0e442",
        error="#ff9a66",
        dark=True,
    ),
    Theme(
        name="docktally-mono",
        primary="#b8b8b8",
        secondary="#8a8a8a",
        accent="#ffffff",
        foreground="#e0e0e0",
        background="#0a0a0a",
        surface="#161616",
        panel="#222222",
        success="#e0e0e0",
        warning="#ffffff",
        error="#ffffff",
        dark=True,
    ),
)


def after(name: str) -> str:
    """Return the name of the theme that follows another one."""
    names = [theme.name for theme in THEMES]
    at = names.index(name) if name in names else -1
    return names[(at + 1) % len(names)]
