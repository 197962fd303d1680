"""The one live screen: five views of the board below one status line, and the keys of them all."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar, cast

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import Screen
from textual.widgets import Input

from monitor import export
from monitor.desk import Desk
from monitor.headline import Showing, headline, notice
from monitor.spans import printable
from monitor.terminal_line import TerminalApp
from monitor.themes import after
from monitor.widgets.activity_page import ActivityPage
from monitor.widgets.alerts_page import AlertsPage
from monitor.widgets.column_choice import ColumnChoice
from monitor.widgets.docks_page import DocksPage
from monitor.widgets.filter_bar import FilterBar, FilterInput
from monitor.widgets.help import HelpScreen
from monitor.widgets.hints import Hints
from monitor.widgets.orders_page import OrdersPage
from monitor.widgets.page import Page
from monitor.widgets.painted import OneLine
from monitor.widgets.stock_page import StockPage
from monitor.widgets.table import ColumnHeads

#: Repainting what changed this often looks immediate and costs little.
FLUSH_INTERVAL_S = 0.1
TICK_INTERVAL_S = 1.0
#: While the first stock comes, only its number is drawn that often.
_LOADING_FLUSH_S = 0.5
#: All of them act as they are read, and the filter gets the keyboard at once: with anything slower,
#: a filter that is typed fast or pasted would set off the keys it is made of, and a view that is
#: turned to just before would take the keyboard away from it.
_KEYS = (
    Binding(
        "slash",
        "filter",
        "Filter",
        key_display="/",
        tooltip="words in any column, or conditions",
    ),
    # The last line shows as many as fit, so what a newcomer needs comes first.
    Binding("enter", "detail", "Detail", key_display="Enter", tooltip="everything about the row"),
    Binding("1", "view(0)", "Views", key_display="1-5", tooltip="stock, and all at a glance"),
    Binding("2", "view(1)", "Docks", show=False, tooltip="docks and scanners"),
    Binding("3", "view(2)", "Orders", show=False, tooltip="orders and reservations"),
    Binding("4", "view(3)", "Alerts", show=False, tooltip="alerts, most urgent first"),
    Binding("5", "view(4)", "Activity", show=False, tooltip="the latest scans"),
    Binding("s", "sort", "Sort", tooltip="by the next column"),
    Binding("S", "reverse", "Reverse", show=False, tooltip="sort the other way round"),
    Binding("l", "urgent", "Low", tooltip="only what needs a look, or all again"),
    Binding(
        "space",
        "pause",
        "Pause",
        key_display="Space",
        tooltip="stand still; updates are kept, or go on",
    ),
    Binding("r", "sort_again", "Re-sort", tooltip="put the held order right"),
    Binding("c", "columns", "Columns", tooltip="choose what is shown"),
    Binding("y", "copy", "Copy", tooltip="what names the row"),
    Binding("e", "export", "Export", tooltip="what is shown, as CSV"),
    Binding("E", "picture", "Picture", show=False, tooltip="the screen, as SVG"),
    Binding("t", "next_theme", "Theme", tooltip="other colours"),
    Binding("q", "quit", "Quit", tooltip="end it"),
    Binding("escape", "clear", "Clear filter", show=False, tooltip="show all rows again"),
    Binding("question_mark", "help", "Help", key_display="?", tooltip="keys and marks"),
)


class MainScreen(Screen[None]):
    """Stock, docks, orders, alerts and activity."""

    AUTO_FOCUS = "#stock Table"
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012  declared so by Textual
        (0, "-narrow"),
        (100, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-short"),
        (21, "-middle"),
        (32, "-tall"),
    ]
    BINDINGS: ClassVar[list[BindingType]] = [replace(key, priority=True) for key in _KEYS]

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.board = desk.board
        self.pages: list[Page] = [
            StockPage(desk), DocksPage(desk), OrdersPage(desk), AlertsPage(desk),
            ActivityPage(desk),
        ]  # fmt: skip
        self.page = self.pages[0]
        self._flushed = 0.0
        if desk.config.monitor.columns:
            self.page.listing.choose(desk.config.monitor.columns)

    def compose(self) -> ComposeResult:
        """Yield the parts from top to bottom."""
        yield OneLine(id="status")
        yield OneLine(id="notice")
        yield FilterBar(self._leave_filter)
        with Container(id="views"):
            yield from self.pages
        yield Hints()

    def on_mount(self) -> None:
        """Begin to follow the board."""
        self._show_page()
        self.set_interval(FLUSH_INTERVAL_S, self.flush)
        self.set_interval(TICK_INTERVAL_S, self.tick)
        self.call_after_refresh(self.tick)

    def on_resize(self) -> None:
        """Fit everything to the new size once it is laid out."""
        self.call_after_refresh(self.tick)

    def flush(self) -> None:
        """Ten times a second: what changed in the view that is seen, or how far a load is.

        Not while the terminal is behind: what changed meanwhile is drawn once it has caught up.
        """
        if cast("TerminalApp", self.app).is_behind:
            return
        now = self.desk.clock()
        load = self.board.loading(now)
        if load is not None:
            self._show_status(now)
            if now - load.at < FLUSH_INTERVAL_S and now - self._flushed < _LOADING_FLUSH_S:
                return  # rows are still coming: they are all there sooner when fewer are drawn
        self._flushed = now
        self.page.flush()

    def tick(self) -> None:
        """Once a second: ages, sums, and what changes rarely."""
        now = self.desk.clock()
        self.board.settle(now)
        if not cast("TerminalApp", self.app).is_behind:
            self.page.tick()
            self._show_sums(now)
        if self.board.take_bell() and self.desk.config.monitor.bell:
            self.app.bell()
        self.flush()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Let every key be typed while the filter has the keyboard."""
        del action, parameters
        return not isinstance(self.focused, FilterInput)

    def action_filter(self) -> None:
        """Give the keyboard to the filter, before the next key is looked at."""
        self.set_focus(self.query_one(FilterInput))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter as it is typed."""
        if event.value != self.page.listing.text:
            self._filter(event.value, urgent_only=self.page.listing.urgent_only)

    def action_clear(self) -> None:
        """Clear the filter, or go back to the first view."""
        if self.page.listing.text:
            self.query_one(FilterInput).value = ""
        elif self.page is not self.pages[0]:
            self.action_view(0)

    def action_urgent(self) -> None:
        """Show only what a person should look at, or everything again."""
        listing = self.page.listing
        self._filter(listing.text, urgent_only=not listing.urgent_only)

    def action_sort(self) -> None:
        """Sort by the next column that is shown."""
        shown = [each.key for each in self.page.table.placed]
        key, _ = self.page.listing.order
        at = shown.index(key) if key in shown else -1
        self.sort_by(shown[(at + 1) % len(shown)], reverse=False)

    def action_reverse(self) -> None:
        """Sort the other way round."""
        key, reverse = self.page.listing.order
        self.sort_by(key, reverse=not reverse)

    def action_sort_again(self) -> None:
        """Put the order right now."""
        key, reverse = self.page.listing.order
        self.sort_by(key, reverse=reverse)

    def on_column_heads_picked(self, event: ColumnHeads.Picked) -> None:
        """Sort by the clicked column, the other way round if it is the one already."""
        key, reverse = self.page.listing.order
        self.sort_by(event.key, reverse=event.key == key and not reverse)

    def action_pause(self) -> None:
        """Let the view stand still, or go on; of a replay, its time."""
        if self.desk.replay is not None:
            self.desk.replay.stand()
        else:
            self.page.listing.pause(self.desk.clock())
            self.page.table.contents_changed()
        self.tick()

    def action_detail(self) -> None:
        """Show everything about the row under the cursor."""
        row = self.page.table.cursor_row
        if row is not None:
            self.app.push_screen(self.page.detail_screen(row))

    def on_table_opened(self) -> None:
        """Show everything about the row that was double-clicked."""
        self.action_detail()

    def action_view(self, number: int) -> None:
        """Show one of the views."""
        self.page = self.pages[number]
        self._show_page()
        self.set_focus(self.page.table)
        if self.page.id == "alerts":
            self.board.unseen_alerts.clear()
        self.page.opened()
        self.tick()
        self.call_after_refresh(self.tick)

    def action_columns(self) -> None:
        """Let a person choose the columns of this view."""
        self.app.push_screen(ColumnChoice(self.page.listing), self._columns_chosen)

    def action_copy(self) -> None:
        """Put what names the row under the cursor into the terminal's clipboard."""
        row = self.page.table.cursor_row
        if row is not None:
            words = self.page.listing.copied(row)
            self.app.copy_to_clipboard(words)
            self.notify(f"{printable(words)} copied", markup=False)

    def action_next_theme(self) -> None:
        """Wear the next theme."""
        self.app.theme = after(self.app.theme)
        self.notify(f"theme {self.app.theme}", timeout=2)

    def action_quit(self) -> None:
        """End it."""
        self.app.exit()

    def action_help(self) -> None:
        """Show what keys and marks mean."""
        self.app.push_screen(HelpScreen())

    def action_export(self) -> None:
        """Save exactly what is shown as CSV."""
        listing = self.page.listing
        records = listing.records(self.page.table.placed)
        rows = len(listing.rows)
        write = partial(export.write_csv, records)
        self._save(listing.name, "csv", write, f"{rows:,} rows")

    def action_picture(self) -> None:
        """Save the screen as it is drawn."""
        drawn = self.app.export_screenshot(title="Docktally")
        self._save("screen", "svg", partial(export.write_text, drawn), "The screen")

    @work(thread=True, exclusive=True, group="export")
    def _save(self, name: str, kind: str, write: export.Write, what: str) -> None:
        folder = self.desk.config.monitor.export_folder
        try:
            path = export.save(folder, name, kind, self.desk.clock(), write)
        except OSError as error:
            words = f"Nothing was exported: {folder.resolve()}: {error.strerror}"
            self.app.call_from_thread(self.notify, words, severity="error", markup=False)
        else:
            saved = partial(self._saved, path, f"{what} saved in {path.resolve()}")
            self.app.call_from_thread(saved)

    def _saved(self, path: Path, words: str) -> None:
        if self.app.is_web:  # the folder is not where the person sits
            self.app.deliver_binary(path)
        self.notify(words, markup=False)

    def _leave_filter(self) -> None:
        self.set_focus(self.page.table)

    def _columns_chosen(self, keys: list[str] | None) -> None:
        if keys is not None:
            self.page.listing.choose(keys)
            self.page.table.contents_changed()

    def _show_page(self) -> None:
        for page in self.pages:
            page.display = page is self.page
        self.query_one(FilterInput).value = self.page.listing.text

    def _filter(self, text: str, *, urgent_only: bool) -> None:
        now = self.desk.clock()
        self.page.listing.filter(text, urgent_only=urgent_only, now=now)
        self.page.show_words()
        self.page.table.contents_changed()
        self._show_sums(now)

    def sort_by(self, key: str, *, reverse: bool) -> None:
        """Put the rows in another order."""
        self.page.listing.sort(key, reverse=reverse)
        self.page.table.contents_changed()
        self.query_one(FilterBar).show(self.page.listing)

    def _show_sums(self, now: float) -> None:
        self.query_one(FilterBar).show(self.page.listing)
        self._show_status(now)

    def _show_status(self, now: float) -> None:
        stock, here = self.pages[0].listing, self.page.listing
        replay = self.desk.replay.words() if self.desk.replay else ""
        showing = Showing(len(stock.rows), here.paused, here.waiting, replay)
        status = self.query_one("#status", OneLine)
        status.show(headline(self.board, showing, now, self.size.width))
        recorder = self.desk.recorder
        sentence = notice(self.board, now, recorder.problem if recorder else "")
        self.query_one("#notice", OneLine).show(*([sentence] if sentence else []))
