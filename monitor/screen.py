"""The one live screen: puts the board's facts into the widgets and keys into deeds."""

import time
from functools import partial
from itertools import islice
from typing import ClassVar, Literal

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.screen import Screen
from textual.widgets import Footer, Input

from monitor import export, item_card
from monitor.alert_lines import alert_lines, alerts_title
from monitor.board import Board
from monitor.config import Config
from monitor.dock_health import dock_lines, docks_in_trouble
from monitor.headline import Showing, headline, notice
from monitor.scan_lines import scan_line
from monitor.spans import Line, Span, printable
from monitor.view import SortKey
from monitor.widgets.filter_bar import FilterBar, FilterInput
from monitor.widgets.help import HelpScreen
from monitor.widgets.item import ItemScreen
from monitor.widgets.painted import OneLine, Panel
from monitor.widgets.stock_table import ColumnHeads, StockTable, sentence

#: Repainting what changed this often looks immediate and costs little.
FLUSH_INTERVAL_S = 0.1
TICK_INTERVAL_S = 1.0
#: Lines of the live feed worded at each change: on a screen of their own, and beside the stock.
_SCANS_MAX, _SCANS_BESIDE_MAX = 300, 40

Pane = Literal["all", "docks", "alerts", "scans"]


class MainScreen(Screen[None]):
    """Stock, docks, alerts and live scans."""

    AUTO_FOCUS = "#table"
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012  declared so by Textual
        (0, "-narrow"),
        (100, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-short"),
        (21, "-middle"),
        (32, "-tall"),
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        # Priority and set_focus at once: with anything slower, a filter that is typed fast or
        # pasted would set off the keys it is made of.
        Binding("slash", "filter", "Filter", key_display="/", priority=True),
        # The footer shows as many as fit, so what a newcomer needs comes first.
        Binding("s", "sort", "Sort"),
        Binding("l", "low", "Low"),
        Binding("space", "pause", "Pause"),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("q", "app.quit", "Quit"),
        Binding("enter", "detail", "Detail"),
        Binding("1", "pane('all')", "Panes", key_display="1-4"),
        Binding("2", "pane('docks')", "Docks", show=False),
        Binding("3", "pane('alerts')", "Alerts", show=False),
        Binding("4", "pane('scans')", "Scans", show=False),
        Binding("r", "sort_again", "Re-sort"),
        Binding("S", "reverse", "Reverse", show=False),
        Binding("y", "copy", "Copy"),
        Binding("e", "export", "Export"),
        Binding("escape", "clear", "Clear filter", show=False),
    ]

    def __init__(self, board: Board, config: Config) -> None:
        super().__init__()
        self.board = board
        self.config = config
        self.pane: Pane = "all"
        self._paused_at = 0
        self._scans_shown = -1
        self.column_heads = ColumnHeads(id="heads")
        self.table = StockTable(board, self.column_heads)

    def compose(self) -> ComposeResult:
        """Yield the parts, in the order of the grid in monitor.tcss."""
        yield OneLine(id="status")
        yield OneLine(id="notice")
        yield FilterBar(id="bar")
        with Container(id="panes"):
            with Vertical(id="stock"):
                yield self.column_heads
                yield self.table
            yield Panel("Docks", id="docks")
            yield Panel("Alerts", id="alerts")
            yield Panel("Live scans", id="scans")
            yield Panel("Item", id="card")
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Begin to follow the board."""
        self.query_one("#stock").border_title = "Stock"
        self.set_interval(FLUSH_INTERVAL_S, self.flush)
        self.set_interval(TICK_INTERVAL_S, self.tick)
        self.call_after_refresh(self.tick)

    def on_resize(self) -> None:
        """Fit everything to the new size once it is laid out."""
        self.call_after_refresh(self.tick)

    def flush(self) -> None:
        """Ten times a second: stock, the card of the item, live scans."""
        now = time.time()
        self.table.flush()
        self._show_scans(now)
        self._show_card(now)

    def tick(self) -> None:
        """Once a second: ages, sums, docks, alerts."""
        now = time.time()
        self.board.settle(now)
        self.table.empty = self._empty()
        self.table.tick()
        self.query_one(FilterBar).show(self.table.view)
        self._show_status(now)
        docks = self.query_one("#docks", Panel)
        trouble = docks_in_trouble(self.board)
        docks.show(
            dock_lines(self.board, now, docks.line_width)
            or [[Span("No dock has reported yet.", "muted")]],
            f"Docks and scanners{f', ▲ {trouble}' if trouble else ''}",
        )
        self.query_one("#alerts", Panel).show(
            alert_lines(self.board, now, detailed=self.pane == "alerts")
            or [[Span("No alert is open.", "muted")]],
            alerts_title(self.board),
        )
        self._scans_shown = -1  # their ages have grown
        self.flush()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Let the slash be typed while the filter has the keyboard."""
        del parameters
        return not (action == "filter" and isinstance(self.focused, FilterInput))

    def action_filter(self) -> None:
        """Give the keyboard to the filter, before the next key is looked at."""
        self.action_pane("all")
        self.set_focus(self.query_one(FilterInput))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter as it is typed."""
        self._filter(event.value, low_only=self.table.view.low_only)

    def action_clear(self) -> None:
        """Clear the filter, or go back to all panes."""
        if self.pane != "all":
            self.action_pane("all")
        else:
            self.query_one(FilterInput).value = ""

    def action_low(self) -> None:
        """Show only what is low, or all again."""
        self._filter(self.query_one(FilterInput).value, low_only=not self.table.view.low_only)

    def action_sort(self) -> None:
        """Sort by the next column that is shown."""
        shown = [column.key for column in self.table.columns]
        key = self.table.view.key
        at = shown.index(key) if key in shown else -1
        self._sort(shown[(at + 1) % len(shown)], reverse=False)

    def action_reverse(self) -> None:
        """Sort the other way round."""
        self._sort(self.table.view.key, reverse=not self.table.view.reverse)

    def action_sort_again(self) -> None:
        """Put the order right now."""
        self._sort(self.table.view.key, reverse=self.table.view.reverse)

    def on_column_heads_picked(self, event: ColumnHeads.Picked) -> None:
        """Sort by the clicked column, the other way round if it is the one already."""
        view = self.table.view
        self._sort(event.key, reverse=event.key == view.key and not view.reverse)

    def action_pause(self) -> None:
        """Let the table stand still, or go on."""
        self.table.pause()
        self._paused_at = self.board.stock.applied
        self.tick()

    def action_detail(self) -> None:
        """Show everything about the item under the cursor."""
        row = self.table.cursor_row
        if row is not None:
            self.app.push_screen(ItemScreen(self.board, row))

    def on_stock_table_opened(self) -> None:
        """Show everything about the item that was double-clicked."""
        self.action_detail()

    def action_pane(self, pane: Pane) -> None:
        """Show all panes, or one of them on the whole screen."""
        self.remove_class(*(f"only-{each}" for each in ("docks", "alerts", "scans")))
        self.pane = pane
        if pane == "alerts":
            self.board.unseen_alerts.clear()
        if pane == "all":
            self.set_focus(self.table)
        else:
            self.add_class(f"only-{pane}")
            self.set_focus(self.query_one(f"#{pane}"))
        self.call_after_refresh(self.tick)

    def action_copy(self) -> None:
        """Put the SKU under the cursor into the terminal's clipboard."""
        row = self.table.cursor_row
        if row is not None:
            sku = self.table.view.stock.sku[row]
            self.app.copy_to_clipboard(sku)
            self.notify(f"{printable(sku)} copied", markup=False)

    def action_help(self) -> None:
        """Show what keys and marks mean."""
        self.app.push_screen(HelpScreen())

    def action_export(self) -> None:
        """Save exactly what is shown as CSV."""
        rows = list(self.table.view.rows)
        live = {row for row in rows if self.board.row_is_live(row)}
        stock = self.table.view.stock.frozen()
        self._save(partial(export.records, stock, rows, self.table.columns, live), len(rows))

    @work(thread=True, exclusive=True, group="export")
    def _save(self, records: "partial[export.Records]", count: int) -> None:
        folder = self.config.monitor.export_folder
        try:
            path = export.save(folder, time.time(), records())
        except OSError as error:
            words = f"Nothing was exported: {folder.resolve()}: {error.strerror}"
            self.app.call_from_thread(self.notify, words, severity="error", markup=False)
        else:
            words = f"{count:,} rows saved in {path.resolve()}"
            self.app.call_from_thread(self.notify, words, markup=False)

    def _filter(self, text: str, *, low_only: bool) -> None:
        self.table.view.filter(text, low_only=low_only)
        self.table.empty = self._empty()
        self.table.contents_changed()
        self.query_one(FilterBar).show(self.table.view)
        self._show_status(time.time())

    def _sort(self, key: SortKey, *, reverse: bool) -> None:
        self.table.view.sort(key, reverse=reverse)
        self.table.contents_changed()
        self.query_one(FilterBar).show(self.table.view)

    def _show_status(self, now: float) -> None:
        waiting = self.board.stock.applied - self._paused_at
        showing = Showing(len(self.table.view.rows), self.table.paused, waiting)
        status = self.query_one("#status", OneLine)
        status.show(headline(self.board, showing, now, self.size.width))
        sentence = notice(self.board, now)
        self.query_one("#notice", OneLine).show(*([sentence] if sentence else []))

    def _show_scans(self, now: float) -> None:
        heard = self.board.scans_heard
        if self.table.paused or heard == self._scans_shown:
            return
        self._scans_shown = heard
        limit = _SCANS_MAX if self.pane == "scans" else _SCANS_BESIDE_MAX
        self.query_one("#scans", Panel).show(
            [scan_line(scan, now) for scan in islice(reversed(self.board.scans), limit)]
            or [[Span("No scan seen yet.", "muted")]]
        )

    def _show_card(self, now: float) -> None:
        panel, row = self.query_one("#card", Panel), self.table.cursor_row
        if not panel.display or row is None:
            return
        stock = self.table.view.stock
        size = panel.scrollable_content_region
        lines = item_card.card(self.board, stock, row, now, size.width, size.height)
        panel.show(lines, item_card.title(stock, row))

    def _empty(self) -> list[Line]:
        view, broker = self.table.view, self.config.broker
        if len(view.stock):
            if view.words:
                return sentence("No item has all these words.", "Esc clears the filter.")
            return sentence("Nothing is low or sold out.", "l shows all items again.")
        if not self.board.link.up:
            return sentence(
                f"Waiting for the broker at {broker}.",
                "The screen fills by itself as soon as the broker answers.",
                "Another broker: docktally monitor --broker host:port",
            )
        return sentence(
            f"Connected to the broker at {broker}; it holds no stock"
            + (f" of site {self.config.site}." if self.config.site else "."),
            "Rows appear as soon as central announces its first item.",
            f"Listening below {self.config.topic_root}. Is `docktally central` running?",
        )
