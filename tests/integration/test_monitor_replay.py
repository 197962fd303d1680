"""What a monitor heard can be heard again: all of it, in its time, and never as if it were now."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor import __main__ as command
from monitor import recording
from monitor.app import MonitorApp
from monitor.board import Board
from monitor.config import Config
from monitor.feed import Feed
from monitor.recording import Recorder, Replay
from monitor.widgets.form import Form
from neighbours import ROOT, Mosquitto, wait_until
from stock_messages import NOW, TOPICS, alert, central, item, publish
from wire import codec
from wire.link import Message
from wire.settings import ConfigError

messages = st.builds(
    Message, st.text(min_size=1, max_size=20), st.binary(max_size=60), st.just(0), st.booleans()
)


async def everything(path: Path) -> tuple[list[Message], list[tuple[bool, str]]]:
    """Return what a recording holds."""
    heard: list[Message] = []
    links: list[tuple[bool, str]] = []
    await Replay(path, 0).run(heard.append, lambda up, reason: links.append((up, reason)))
    return heard, links


@given(st.lists(messages, max_size=10), st.sampled_from(["r.jsonl", "r.jsonl.gz"]))
def test_what_was_heard_is_heard_again(sent: list[Message], name: str) -> None:
    """Any topic, any bytes, in order, compressed or not."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        recorder = Recorder(path, "root/x")
        recorder.link(True, "connected", NOW)
        for number, message in enumerate(sent):
            recorder.message(message, NOW + number)
        recorder.close()
        heard, links = asyncio.run(everything(path))
        assert [(m.topic, m.payload, m.retain) for m in heard] == [
            (m.topic, m.payload, m.retain) for m in sent
        ]
        assert links == [(True, "connected")]
        assert Replay(path, 1).topic_root == "root/x"


def recorded(folder: Path) -> Path:
    """Return a recording of ten seconds: a connect, an item that sells out, a lost connection."""
    path = folder / "shift.jsonl"
    recorder = Recorder(path, "docktally/v1")
    recorder.link(True, "broker x: connected", NOW)
    topic = TOPICS.availability("ber", "A")
    for second, message in (
        (0, Message(TOPICS.central(), codec.encode(central()), 1, True)),
        (0, Message(topic, codec.encode(item("A", 1, 50)), 1, True)),
        (1, Message(TOPICS.alert("a1"), codec.encode(alert("a1")), 1, False)),
        (5, Message(topic, codec.encode(item("A", 2, 0)), 1, False)),
    ):
        recorder.message(message, NOW + second)
    recorder.link(False, "broker x: connection lost", NOW + 10)
    recorder.close()
    return path


def test_a_recording_that_was_cut_off_plays_to_its_end(tmp_path: Path) -> None:
    """After a power cut the last line is half: what is before it is good."""
    path = recorded(tmp_path)
    path.write_text(path.read_text()[:-20])
    heard, links = asyncio.run(everything(path))
    assert (len(heard), len(links)) == (4, 1)


def test_time_goes_at_the_speed_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten times faster, standing still, going on from there."""
    clock = SimpleNamespace(monotonic=lambda: moment, time=lambda: 0.0)
    monkeypatch.setattr(recording, "time", clock)
    moment = 100.0
    replay = Replay(recorded(tmp_path), 10)
    assert replay.now() == NOW
    moment = 100.5
    assert replay.now() == NOW + 5
    replay.stand()
    moment = 200.0
    assert (replay.now(), replay.words()) == (NOW + 5, "stands still")
    replay.stand()
    moment = 200.1
    assert replay.now() == pytest.approx(NOW + 6)


def test_a_full_disk_ends_the_recording_and_nothing_else(tmp_path: Path) -> None:
    """The reason is kept for the screen; later messages are no error."""
    recorder = Recorder(tmp_path / "r.jsonl", "x")
    assert recorder._file is not None
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, recorder._file.fileno())
    os.close(full)
    recorder.message(Message("t", b"x", 0, False), NOW)
    assert "No space left" in recorder.problem
    recorder.message(Message("t", b"x", 0, False), NOW + 9)
    recorder.close()


@pytest.mark.parametrize("content", ["", "{}", '{"docktally_recording": 2}', "sku,site\n", "\x00"])
def test_what_is_no_recording_is_refused(tmp_path: Path, content: str) -> None:
    """One sentence, before the screen is touched."""
    path = tmp_path / "x"
    path.write_text(content)
    with pytest.raises(ConfigError, match="is no recording"):
        Replay(path, 1)
    with pytest.raises(ConfigError, match="cannot be read"):
        Replay(tmp_path / "nowhere", 1)


def test_a_recording_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither by mistake nor together with a replay."""
    path = str(recorded(tmp_path))
    assert command.main(["--headless", "--record", path]) == 1
    assert "is there already" in capsys.readouterr().err
    assert command.main(["--headless", "--record", "x", "--replay", path]) == 1
    assert "choose one" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command.main(["--replay", path, "--speed", "-1"])


@pytest.mark.broker
def test_record_and_replay_say_the_same(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Headless, from a real broker: the replay prints the lines that were printed live."""
    path, live = tmp_path / "shift.jsonl.gz", tmp_path / "live"
    monitor = [sys.executable, "-m", "monitor", "--headless"]
    with live.open("wb") as output, subprocess.Popen(
        [*monitor, "--broker", f"127.0.0.1:{mosquitto.port}", "--record", str(path)],
        cwd=ROOT, stdout=output,
    ) as process:  # fmt: skip
        try:
            # Connected is not yet subscribed: only what is stored would surely be heard then.
            asyncio.run(publish(mosquitto.port, [central(), item("A")]))
            wait_until(lambda: "availability" in live.read_text(), "it hears of stock")
            asyncio.run(publish(mosquitto.port, [item("A", 2, 0), b"{bad"]))
            wait_until(lambda: "malformed" in live.read_text(), "everything is heard")
        finally:
            process.send_signal(signal.SIGTERM)
    again = subprocess.run(
        [*monitor, "--replay", str(path), "--speed", "0"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert again.stdout.splitlines() == live.read_text().splitlines()
    assert {json.loads(line)["type"] for line in again.stdout.splitlines()} == {
        "link", "central", "availability", "malformed",
    }  # fmt: skip


async def test_a_replay_is_never_shown_as_now(tmp_path: Path) -> None:
    """The first line says that it is a replay and of when; nothing can be changed from it."""
    replay = Replay(recorded(tmp_path), 0)
    app = MonitorApp(Config(), replay=replay)
    async with app.run_test(size=(140, 40), notifications=True) as pilot:
        while not replay.ended:
            await pilot.pause(0.01)
        app.screen.tick()  # type: ignore[attr-defined]
        await pilot.pause()
        text = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
        assert "▶ REPLAY ended" in text
        assert "● LIVE" not in text
        assert "2026-03-02" in text
        assert "0 ✖" in text
        assert "down 0.0s" in text
        await pilot.press("plus")
        assert isinstance(app.screen, Form)
        for _ in range(100):
            await pilot.pause(0.01)
            text = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
            if "This is a replay" in text:
                return
        pytest.fail(text)


def test_a_replay_fills_a_board_as_the_feed_did(tmp_path: Path) -> None:
    """At every moment the board knows what was known then."""
    replay = Replay(recorded(tmp_path), 0)
    board = Board(10, replay.now())
    feed = Feed(Config(), board, clock=replay.now)
    asyncio.run(replay.run(feed.hear, feed.hear_link))
    assert list(board.stock.available) == [0]
    assert (board.trust, board.bell_due) == ("lost", True)
    assert board.data_at == NOW + 5
