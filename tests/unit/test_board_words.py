"""What the screen says, at any width, with any content."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import figures
from monitor.alert_lines import alert_lines
from monitor.board import Board, Scan
from monitor.dock_health import dock_lines
from monitor.headline import Showing, headline, notice
from monitor.item_card import card
from monitor.scan_lines import scan_line
from monitor.sheet import heads
from monitor.spans import Span, cell, cells, fit, folded, plain, printable
from monitor.stock_listing import StockListing
from stock_messages import NOW, activity, alert, at, central, gateway, item, signal
from wire.events import NewScanner, ScannerState

CONTROL = "".join(map(chr, [*range(0x20), 0x7F, *range(0x80, 0xA0), 0x202E, 0x200B]))


def board_of(trust: str) -> Board:
    """Return a board in a state of trust."""
    board = Board(10, NOW)
    board.apply_availability(item("A-1", reserved=3), NOW, retained=True)
    if trust != "lost":
        board.apply_link(up=True, reason="connected", now=NOW)
    if trust in ("stopped", "live"):
        board.apply_central(central(online=trust == "live"), NOW, retained=False)
    board.apply_gateway("ber", "g1", gateway(online=False), NOW, retained=False)
    board.apply_alert("x", alert("x"), NOW)
    board.apply_malformed("t: not JSON", NOW)
    assert board.trust == trust
    return board


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(["lost", "stored", "stopped", "live"]), st.integers(20, 200), st.booleans())
def test_the_status_always_tells_link_central_and_age(trust: str, width: int, paused: bool) -> None:
    """No width is exceeded, and from 60 on no width leaves out what makes stock believable."""
    line = headline(board_of(trust), Showing(1, paused, 1_234), NOW + 4_000, width)
    assert cells(line) <= width
    if width >= 60:
        text = plain(line)
        assert all(word in text for word in ("broker", "central", "old"))
        assert ("1,234" in text) == paused


@pytest.mark.parametrize(
    ("trust", "words"),
    [("lost", "Trying again"), ("stored", "stored copy"), ("stopped", "Docks keep every scan")],
)
def test_a_sentence_says_what_is_wrong(trust: str, words: str) -> None:
    """Whenever stock is not live, the line below the status says why and what happens next."""
    line = notice(board_of(trust), NOW + 1)
    assert line is not None
    assert words in plain(line)


def test_a_message_nobody_understands_is_shown_then_counted() -> None:
    """The reason is shown for a while; the count stays."""
    board = board_of("live")
    said = notice(board, NOW + 1)
    assert said is not None
    assert "not JSON" in plain(said)
    assert notice(board, NOW + 600) is None
    assert "1 not understood" in plain(headline(board, Showing(1), NOW + 600, 200))


@settings(max_examples=150, deadline=None)
@given(st.integers(20, 220), st.integers(1, 64), st.booleans(), st.booleans())
def test_columns_fit_and_keep_what_matters(
    width: int, sku_width: int, many_sites: bool, safety: bool
) -> None:
    """Any width: SKU and available are there, nothing overlaps, nothing sticks out."""
    listing = StockListing(board_of("live"))
    listing.stock.sku_width = sku_width
    listing.stock.sites |= {"ham"} if many_sites else set()
    listing.stock.has_safety = safety
    placed = listing.placed(width)
    keys = [each.key for each in placed]
    assert keys[0] == "sku"
    assert "available" in keys
    ends = [each.x + each.width for each in placed]
    assert all(end < each.x + 1 for end, each in zip(ends, placed[1:], strict=False))
    if width >= 25:
        assert ends[-1] <= width
    for key in keys:
        assert "…" not in plain(heads(placed, key, reverse=False))
    if width >= 60:
        assert {"name", "on_hand"} <= set(keys) or many_sites


@settings(max_examples=150, deadline=None)
@given(
    st.text(min_size=1, max_size=64),
    st.text(max_size=40),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(24, 160),
)
def test_a_row_is_always_as_wide_as_its_columns(
    sku: str, name: str, available: int, width: int
) -> None:
    """Any SKU, any name, any figure: the columns stay in line and no control character gets out."""
    board = board_of("live")
    news = item("B", name=name).model_copy(update={"sku": sku, "available": available})
    board.stock.apply(news, NOW, 1)
    listing = StockListing(board)
    placed = listing.placed(width)
    line = listing.line(1, placed, NOW, here=False)
    assert cells(line) == placed[-1].x + placed[-1].width + 1
    assert plain(line).isprintable()


def test_marks_tell_without_colour() -> None:
    """Rising, falling, low, sold out and not live each have a sign of their own."""
    board = board_of("live")
    listing = StockListing(board)
    for version, available, marks in ((2, 120, "120▲ "), (3, 9, "9▼!"), (4, 0, "0▼✖")):
        board.stock.apply(item("A-1", version, available), NOW, 1)
        line = plain(listing.line(0, listing.placed(80), NOW + 1, here=False))
        assert marks in line
        assert "◌" not in line
    assert "▼" not in plain(listing.line(0, listing.placed(80), NOW + 60, here=False))
    board.apply_link(up=False, reason="gone", now=NOW)
    assert "◌" in plain(listing.line(0, listing.placed(80), NOW + 1, here=False))


def test_docks_tell_what_is_wrong_first() -> None:
    """Offline and unplugged come first, each with what waits, what was unreadable or refused."""
    board = board_of("live")
    scanners = (
        ScannerState(name="hs-1", source="x", online=True, scans=9, unreadable=3, refused=2),
        ScannerState(name="hs-2", source="x", online=False, problem="no such device"),
    )
    board.apply_gateway("ber", "a-calm", gateway(capacity_left=7_000), NOW, retained=False)
    board.apply_gateway(
        "ber",
        "g2",
        gateway(*scanners, pending=312, oldest_age_s=131, capacity_left=400),
        NOW,
        retained=False,
    )
    text = "\n".join(plain(line) for line in dock_lines(board, NOW + 60, 60))
    assert text.index("OFFLINE 1m00s") < text.index("g2") < text.index("a-calm")
    for words in (
        "312 wait, ▲ room 400",
        "oldest waits 2m11s",
        "3 unread 2 refused",
        "✖ hs-2 UNPLUGGED",
        "no such device",
        "0 wait, room 7,000",
    ):
        assert words in text


def test_scanners_nobody_configured_are_offered() -> None:
    """Under their gateway, with what to do, and with what is odd about them."""
    board = board_of("live")
    found = (
        NewScanner(source="keyboard", port="usb:05e0:1200:A", product="Zebra DS2208"),
        NewScanner(source="pos", port="usb:1@1-2", product="No name", problem="its serial is 0000"),
    )
    board.apply_gateway("ber", "g1", gateway(new_scanners=found), NOW, retained=False)
    text = "\n".join(plain(line) for line in dock_lines(board, NOW, 60))
    assert "+ Zebra DS2208 (keyboard) not configured: docktally scanners\n" in text
    assert "+ No name (pos) not configured: docktally scanners; its serial is 0000" in text


def test_repeats_and_no_reads_are_shown_when_there_is_room() -> None:
    """They are no trouble, so they give way first, and only what happened is named."""
    board = board_of("live")
    quiet = ScannerState(name="a", source="x", online=True, scans=7)
    odd = ScannerState(name="b", source="x", online=True, scans=7, repeats=1_234, no_reads=5)
    board.apply_gateway("ber", "g1", gateway(quiet, odd), NOW, retained=False)
    _, of_quiet, of_odd = (plain(line) for line in dock_lines(board, NOW, 60))
    assert "repeated" not in of_quiet
    assert "1,234 repeated 5 no-read " in of_odd
    narrow = [plain(line) for line in dock_lines(board, NOW, 30)]
    assert all("repeated" not in line and len(line) == 30 for line in narrow[1:])


def test_bad_news_at_a_scanner_is_a_line_among_the_scans() -> None:
    """Refused and rejected are shown with their reason; good beeps have central's line already."""
    board = board_of("live")
    data_at = board.data_at
    for pattern in ("good", "offline", "refused", "rejected"):
        assert board.apply_signal("ber", "gate-a", signal(pattern), NOW + 9)
    lines = [plain(scan_line(told, NOW + 9)) for told in board.scans]
    assert [line.split()[1:] for line in lines] == [
        ["✖", "gate-a/s1", pattern, "scan", "the", "location", "first"]
        for pattern in ("refused", "rejected")
    ]
    assert board.scans_heard == 2
    assert board.scans_of("ber", "A-1", 5) == []
    assert board.data_at == data_at, "a dock says nothing about the age of central's data"


def test_nothing_from_outside_reaches_the_terminal_raw() -> None:
    """Control characters in barcodes, names and alerts are drawn as pictures."""
    board = board_of("live")
    hostile = f"a{CONTROL}b"
    board.apply_alert("h", alert("h").model_copy(update={"title": hostile, "detail": hostile}), NOW)
    line = activity("A-1", hostile).model_copy(update={"gateway": hostile, "outcome": "held"})
    board.apply_activity("ber", line, NOW)
    board.apply_signal(hostile, hostile, signal("refused", hostile), NOW)
    new = NewScanner(source="serial", port="x", product=hostile, problem=hostile)
    board.apply_gateway("ber", "g1", gateway(new_scanners=(new,)), NOW, retained=False)
    drawn = [
        scan_line(board.scans[-1], NOW),
        *dock_lines(board, NOW, 60),
        *alert_lines(board, NOW),
        scan_line(Scan("ber", line), NOW),
        *card(board, board.stock, 0, NOW, 60, 20),
    ]
    assert all(plain(each).isprintable() for each in drawn)
    assert printable("a\x1db\x1b[2J") == "a␝b␛[2J"


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=30), st.integers(1, 40))
def test_cells_are_exact(text: str, width: int) -> None:
    """Cutting and padding give exactly the asked width, also for wide characters."""
    text = printable(text)
    assert cells([Span(cell(text, width))]) == width
    assert cells(fit([Span(text), Span(text)], width)) <= width


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0.0s"), (0.44, "0.4s"), (14.9, "14s"), (131, "2m11s"), (11_100, "3h05m"),
        (353_000, "4d02h"), (86_400 * 812, "812d"),
    ],
)  # fmt: skip
def test_ages(seconds: float, words: str) -> None:
    """Ages are short and never negative."""
    assert figures.age(seconds) == words


@given(st.integers(-(2**63), 2**63 - 1), st.integers(6, 12))
def test_numbers_fit(value: int, width: int) -> None:
    """Any figure fits its column."""
    assert len(figures.number(value, width)) <= width


def test_sparkline_uses_the_whole_range() -> None:
    """The lowest figure is the lowest bar, the highest the highest."""
    assert figures.sparkline([0, 5, 10]) == "▁▄█"
    assert figures.sparkline([7, 7]) == "▁▁"
    assert figures.moment(at(0), NOW) != ""


@given(
    st.lists(st.text(alphabet="ab 長", max_size=30), max_size=8),
    st.integers(12, 60),
    st.integers(0, 6),
)
def test_a_folded_line_loses_no_word(texts: list[str], width: int, indent: int) -> None:
    """Broken between its pieces, no line longer than its longest piece must be."""
    line = [Span(text) for text in texts]
    lines = folded(line, width, indent)
    said = "".join(plain(each) for each in lines)
    assert said.replace(" ", "") == plain(line).replace(" ", "")
    longest = max((cells([span]) for span in line), default=0)
    assert all(cells(each) <= max(width, longest + indent) for each in lines)
    assert len(lines) == 1 or cells(line) > width
