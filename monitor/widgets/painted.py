"""Lines of spans on the screen: the one place where a tone becomes a colour."""

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.geometry import Region
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from monitor.spans import TONES, Line, cells, fit, joined


class Painted(Widget):
    """A widget that draws lines of spans in the theme's colours."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"tone--{tone}" for tone in TONES}

    def paint(self, line: Line, width: int, background: Style | None = None) -> Strip:
        """Return `line` as exactly `width` cells."""
        base = self.rich_style if background is None else background
        pieces = joined(fit(line, width))
        segments = [Segment(text, base + self._tone_style(tone)) for text, tone in pieces]
        return Strip(segments).adjust_cell_length(width, base)

    def _tone_style(self, tone: str) -> Style:
        style = self.get_component_rich_style(f"tone--{tone}")
        return Style(color=style.color, bold=style.bold)


class OneLine(Painted):
    """A line or a few that somebody else words; `shrink` makes it no wider than its words."""

    def __init__(
        self,
        *,
        id: str | None = None,  # noqa: A002  Textual's own name
        classes: str | None = None,
        shrink: bool = False,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.lines: list[Line] = []
        self._shrink = shrink

    def show(self, *lines: Line) -> None:
        """Draw these lines, if they differ from those drawn."""
        if list(lines) != self.lines:
            self.lines = list(lines)
            self.styles.height = len(lines)
            if self._shrink:
                self.styles.width = max(map(cells, lines), default=0)
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return one painted line."""
        return self.paint(self.lines[y] if y < len(self.lines) else [], self.size.width)


class Panel(Painted, ScrollView, can_focus=True):
    """A titled list of lines that scrolls."""

    def __init__(self, title: str, *, id: str) -> None:  # noqa: A002  Textual's own name
        super().__init__(id=id)
        self._lines: list[Line] = []
        self._title = title
        self.border_title = Content(title)  # never markup: titles come from barcodes, too

    @property
    def line_width(self) -> int:
        """How many cells a line has."""
        return self.scrollable_content_region.width

    def show(self, lines: list[Line], title: str | None = None) -> None:
        """Draw these lines: those that differ from what is drawn."""
        if title is not None and title != self._title:
            self._title = title
            self.border_title = Content(title)
        before, self._lines = self._lines, lines
        if len(lines) != len(before):
            self.virtual_size = self.virtual_size.with_height(len(lines))
            self.refresh()
            return
        top, width = self.scroll_offset.y, self.size.width
        changed = [
            Region(0, y, width, 1)
            for y, (old, new) in enumerate(zip(before[top:], lines[top:], strict=True))
            if old != new and y < self.size.height
        ]
        if changed:
            self.refresh(*changed)

    def render_line(self, y: int) -> Strip:
        """Return one painted line."""
        index = self.scroll_offset.y + y
        return self.paint(self._lines[index] if index < len(self._lines) else [], self.size.width)
