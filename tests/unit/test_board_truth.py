"""What the board calls live: link, central and data age are three facts, and all of them count."""

import uuid

from monitor.board import ACTIVITY_MAX, SETTLE_S, Board
from monitor.config import Config
from monitor.dock_health import dock_lines, docks_in_trouble
from monitor.feed import Feed
from monitor.spans import plain
from stock_messages import NOW, TOPICS, activity, alert, at, central, gateway, item
from wire import codec
from wire.events import ScannerState
from wire.link import Message


def live_board() -> Board:
    """Return a board with one live item."""
    board = Board(10, NOW)
    board.apply_link(up=True, reason="connected", now=NOW)
    board.apply_central(central(), NOW, retained=True)
    board.apply_availability(item("A"), NOW, retained=True)
    return board


def test_stored_stock_is_not_live_before_central_is_heard() -> None:
    """The broker's retained copy is shown, but as a copy."""
    board = Board(10, NOW)
    assert board.trust == "lost"
    board.apply_link(up=True, reason="connected", now=NOW)
    board.apply_availability(item("A"), NOW, retained=True)
    assert board.trust == "stored"
    assert not board.row_is_live(0)
    board.apply_central(central(), NOW, retained=True)
    assert board.trust == "live"
    assert board.row_is_live(0)


def test_a_lost_link_keeps_the_rows_and_takes_away_their_life() -> None:
    """After the link comes back a row is live only once it was heard again, at any version."""
    board = live_board()
    board.apply_link(up=False, reason="connection lost", now=NOW + 5)
    assert (board.trust, len(board.stock)) == ("lost", 1)
    board.apply_link(up=True, reason="connected", now=NOW + 6)
    assert board.trust == "stored"
    board.apply_central(central(), NOW + 6, retained=True)
    assert board.trust == "live"
    assert not board.row_is_live(0)
    assert not board.apply_availability(item("A"), NOW + 6, retained=True)
    assert board.row_is_live(0)


def test_an_older_stored_copy_confirms_nothing() -> None:
    """A broker that fell back to an old save cannot make a row live again."""
    board = live_board()
    board.apply_availability(item("A", version=3), NOW, retained=False)
    board.apply_link(up=True, reason="connected", now=NOW + 6)
    board.apply_central(central(), NOW + 6, retained=True)
    board.apply_availability(item("A", version=2), NOW + 6, retained=True)
    assert (list(board.stock.version), board.row_is_live(0)) == ([3], False)


def test_the_death_of_an_old_session_does_not_stop_central() -> None:
    """A Will of a session that was replaced is not news; that of the present one is."""
    board = live_board()
    fresh = uuid.UUID(int=9)
    board.apply_central(central(session=fresh), NOW, retained=False)
    assert not board.apply_central(central(online=False), NOW, retained=False)
    assert board.trust == "live"
    assert board.apply_central(central(online=False, session=fresh), NOW, retained=False)
    assert board.trust == "stopped"


def test_an_offline_gateway_keeps_what_it_last_said() -> None:
    """A Will was written at connect: what waits at the dock is what the gateway said later."""
    board = live_board()
    board.apply_gateway("ber", "g1", gateway(pending=0), NOW, retained=False)
    board.apply_gateway("ber", "g1", gateway(pending=7), NOW + 1, retained=False)
    board.apply_gateway("ber", "g1", gateway(online=False), NOW + 2, retained=False)
    heard = board.gateways["ber", "g1"]
    assert (heard.state.online, heard.state.outbox.pending, heard.since) == (False, 7, NOW + 2)
    assert docks_in_trouble(board) == 1
    other = uuid.UUID(int=77)
    board.apply_gateway("ber", "g1", gateway(session=other), NOW + 3, retained=False)
    assert not board.apply_gateway("ber", "g1", gateway(online=False), NOW + 4, retained=False)
    assert board.gateways["ber", "g1"].state.online


def test_how_long_is_only_said_of_what_was_seen() -> None:
    """A gateway found offline may be so for days: its age is left open."""
    board = live_board()
    board.apply_gateway("ber", "found", gateway(online=False), NOW, retained=True)
    board.apply_gateway("ber", "seen", gateway(), NOW, retained=True)
    board.apply_gateway("ber", "seen", gateway(online=False), NOW + 1, retained=False)
    text = "\n".join(plain(line) for line in dock_lines(board, NOW + 61, 40))
    assert "OFFLINE 1m00s" in text
    assert "OFFLINE\n" in text + "\n"


def test_docks_in_trouble_are_counted() -> None:
    """Unplugged scanners, waiting scans and little room are trouble; a calm dock is not."""
    board = live_board()
    unplugged = ScannerState(name="s", source="/dev/ttyUSB0", online=False)
    board.apply_gateway("ber", "calm", gateway(), NOW, retained=False)
    assert docks_in_trouble(board) == 0
    board.apply_gateway("ber", "unplugged", gateway(unplugged), NOW, retained=False)
    board.apply_gateway("ber", "waiting", gateway(pending=3, oldest_age_s=90), NOW, retained=False)
    board.apply_gateway("ber", "full", gateway(capacity_left=0), NOW, retained=False)
    assert docks_in_trouble(board) == 3


def test_alerts_are_sorted_by_urgency() -> None:
    """The most severe come first, of these the youngest."""
    board = live_board()
    for alert_id, severity, opened in (
        ("old", "warning", 1),
        ("info", "info", 9),
        ("young", "warning", 5),
        ("worst", "critical", 0),
    ):
        board.apply_alert(alert_id, alert(alert_id, severity, opened), NOW)
    assert [each.name for each in board.alerts_by_urgency()] == ["worst", "young", "old", "info"]


def test_an_alert_closed_while_we_were_deaf_goes_away() -> None:
    """After a reconnect an alert that is not told again is dropped, but not before central is."""
    board = live_board()
    for alert_id in ("closed", "open"):
        board.apply_alert(alert_id, alert(alert_id), NOW)
    board.apply_link(up=False, reason="connection lost", now=NOW)
    board.apply_link(up=True, reason="connected", now=NOW + 1)
    board.apply_alert("open", alert("open"), NOW + 1)
    board.settle(NOW + 1 + 2 * SETTLE_S)
    assert set(board.alerts) == {"closed", "open"}
    board.apply_central(central(), NOW + 2, retained=True)
    board.settle(NOW + 2)
    assert set(board.alerts) == {"closed", "open"}
    board.settle(NOW + 2 + SETTLE_S)
    assert set(board.alerts) == {"open"}
    assert board.unseen_alerts == {"open"}


def test_data_age_counts_from_the_last_word_of_central() -> None:
    """A stored copy is as old as it says; a live word is new; silence makes it older."""
    board = Board(10, NOW)
    assert board.data_age(NOW) is None
    board.apply_availability(item("A", as_of=-300), NOW, retained=True)
    assert board.data_age(NOW) == 300
    board.apply_availability(item("A", version=2, as_of=-3), NOW, retained=False)
    assert board.data_age(NOW + 4) == 4
    board.apply_central(central(online=False), NOW + 9, retained=False)
    assert board.data_age(NOW + 9) == 9


def test_the_live_feed_is_bounded_and_searchable() -> None:
    """The ring keeps the latest lines; an item's lines come youngest first and of its site only."""
    board = live_board()
    for number in range(ACTIVITY_MAX + 10):
        board.apply_activity("ber", activity("A" if number % 2 else "B", str(number)), NOW)
    board.apply_activity("ham", activity("A", "elsewhere"), NOW)
    assert len(board.scans) == ACTIVITY_MAX
    found = [scan.line.text for scan in board.scans_of("ber", "A", 2)]
    assert found == [str(ACTIVITY_MAX + 9), str(ACTIVITY_MAX + 7)]
    assert at(0) == board.scans[-1].line.at


def test_a_figure_beyond_all_bounds_is_malformed() -> None:
    """What no column can hold is counted and shown, and what was known stays."""
    board = live_board()
    feed = Feed(Config(), board, clock=lambda: NOW)
    body = codec.encode(item("A", 2, 7))
    topic = TOPICS.availability("ber", "A")
    for huge in (b"9" * 30, b"-" + b"9" * 30):
        feed.hear(Message(topic, body.replace(b'"available":7', b'"available":' + huge), 1, True))
    assert (board.malformed, board.stock.available[0]) == (2, 100)
