"""The monitor against a real broker: what it hears, what it survives, how it ends."""

import asyncio
import json
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fake_central import fake_central
from monitor import __main__ as command
from monitor.app import MonitorApp
from monitor.config import Config
from neighbours import DEADLINE_S, ROOT, Mosquitto, free_port, wait_until
from stock_messages import central, gateway, item, publish
from stock_messages import signal as told_at_scanner
from wire import codec
from wire.broker import Broker
from wire.events import Ack, Identify, Replay, ScannerState
from wire.link import Link, Message
from wire.topics import Topics


class Headless:
    """A monitor without a screen, in a process of its own."""

    def __init__(self, port: int, output: Path) -> None:
        self._output = output
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "monitor", "--headless", "--broker", f"127.0.0.1:{port}"],
                cwd=ROOT,
                stdout=file,
                stderr=subprocess.DEVNULL,
            )

    def heard(self, kind: str) -> list[dict[str, object]]:
        """Return the complete lines of a kind so far."""
        lines = self._output.read_text().splitlines(keepends=True)
        every = [json.loads(line) for line in lines if line.endswith("\n")]
        return [line for line in every if line["type"] == kind]


@pytest.fixture
def started() -> Iterator[list[Headless]]:
    """Give a list for monitors that must not outlive the test."""
    monitors: list[Headless] = []
    yield monitors
    for monitor in monitors:
        monitor.process.kill()
        monitor.process.wait()


@pytest.mark.broker
def test_headless_tells_changes_and_comes_back(
    mosquitto: Mosquitto, tmp_path: Path, started: list[Headless]
) -> None:
    """One JSON line a change; first refused, then killed and wiped, it comes back by itself."""
    mosquitto.stop()
    monitor = Headless(mosquitto.port, tmp_path / "out")
    started.append(monitor)
    wait_until(lambda: monitor.heard("link"), "the refused connection is told")
    assert monitor.heard("link")[0]["up"] is False
    mosquitto.start()
    wait_until(lambda: monitor.heard("link")[-1]["up"], "the connection is told")
    # Connected is not yet subscribed: only what is stored would surely be heard then.
    asyncio.run(publish(mosquitto.port, [item("STORED")]))
    wait_until(lambda: monitor.heard("availability"), "it hears of stock")
    said = [central(), item("A"), item("A"), told_at_scanner("refused"), b"{not json"]
    asyncio.run(publish(mosquitto.port, said))
    wait_until(lambda: monitor.heard("malformed"), "what cannot be understood is told")
    (refused,) = monitor.heard("signal")
    assert (refused["site"], refused["gateway"], refused["scanner"]) == ("ber", "g1", "s1")
    assert (refused["pattern"], refused["text"]) == ("refused", "scan the location first")
    _, told = monitor.heard("availability")
    assert (told["sku"], told["available"], told["retained"]) == ("A", 100, False)
    assert monitor.heard("central")[0]["online"] is True
    mosquitto.kill()
    wait_until(lambda: not monitor.heard("link")[-1]["up"], "the loss is told")
    mosquitto.wipe()
    mosquitto.start()
    wait_until(lambda: monitor.heard("link")[-1]["up"], "the return is told")
    asyncio.run(publish(mosquitto.port, [item("A", 2, 7)]))
    wait_until(lambda: len(monitor.heard("availability")) == 3, "the next version is told")
    monitor.process.send_signal(signal.SIGTERM)
    assert monitor.process.wait(timeout=30) == 0


@pytest.mark.broker
def test_headless_ends_when_nobody_reads(mosquitto: Mosquitto) -> None:
    """A closed pipe ends it without a word of complaint."""
    with subprocess.Popen(
        [sys.executable, "-m", "monitor", "--headless", "--broker", f"127.0.0.1:{mosquitto.port}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        assert b'"up": true' in process.stdout.readline()
        process.stdout.close()
        asyncio.run(publish(mosquitto.port, [item("A"), item("B")]))
        assert process.wait(timeout=30) == 0
        assert b"Traceback" not in process.stderr.read()


async def until(condition: Callable[[], object], what: str) -> None:
    """Wait for a condition while the screen lives."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.02)


@pytest.mark.broker
async def test_the_screen_survives_the_brokers_death(mosquitto: Mosquitto) -> None:
    """kill -9: rows stay, none is called live; after the return only what is heard again is."""
    app = MonitorApp(Config(broker=Broker(port=mosquitto.port)))
    async with app.run_test(size=(120, 40)):
        board = app.desk.board
        await until(lambda: board.link.up, "connected")
        await publish(mosquitto.port, [central(), item("A"), item("B", 5)])
        await until(lambda: len(board.stock) == 2 and board.trust == "live", "live")
        await asyncio.to_thread(mosquitto.kill)
        await until(lambda: board.trust == "lost", "the loss is seen")
        assert len(board.stock) == 2
        assert not any(board.row_is_live(row) for row in (0, 1))
        mosquitto.wipe()
        await asyncio.to_thread(mosquitto.start)
        await until(lambda: board.link.up, "connected again")
        assert board.trust == "stored"
        await publish(mosquitto.port, [central(), item("A"), item("B", 4)])
        await until(lambda: board.row_is_live(0), "the row that was heard again is live")
        assert not board.row_is_live(1)
        assert list(board.stock.version) == [1, 5]


@pytest.mark.broker
async def test_commands_reach_the_gateway(mosquitto: Mosquitto) -> None:
    """Identify and replay arrive as a gateway reads them; the outbox is the one central named."""
    heard: asyncio.Queue[Message] = asyncio.Queue(10)
    topics = Topics()
    dock = Link(
        Broker(port=mosquitto.port), "dock-1", heard.put_nowait, [(topics.commands("ber", "d"), 1)]
    )
    listening = asyncio.create_task(dock.run())
    app = MonitorApp(Config(broker=Broker(port=mosquitto.port)))
    epoch = uuid.UUID(int=7)
    ack = Ack(epoch=epoch, applied_seq=0, expect_seq=1, central_session=epoch)
    scanner = ScannerState(name="hs", source="p", online=True)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(lambda: app.desk.board.link.up and dock.connected, "connected")
        await dock.publish(topics.state("ber", "d"), codec.encode(gateway(scanner)), retain=True)
        await dock.publish(topics.ack("ber", "d"), codec.encode(ack), retain=True)
        await until(lambda: app.desk.board.gateways, "the dock is known")
        await pilot.press("2")
        await pilot.pause(0.3)
        await pilot.press("i")
        async with asyncio.timeout(DEADLINE_S):
            assert codec.decode_command((await heard.get()).payload) == Identify(scanner="hs")
        await pilot.press("R", "enter")
        await until(lambda: ("ber", "d") in app.desk.board.acks, "central's word is heard")
        await pilot.press("enter")
        await pilot.pause(0.3)
        await pilot.press("y")
        async with asyncio.timeout(DEADLINE_S):
            asked = codec.decode_command((await heard.get()).payload)
        assert asked == Replay(epoch=epoch, from_seq=1)
        await until(lambda: not app.desk.board.acks, "central's word is no longer listened to")
        await pilot.press("enter")
        await until(lambda: app.desk.board.acks, "the details listen to it, too")
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


@pytest.mark.broker
async def test_the_first_stock_comes_from_central_where_that_answers(mosquitto: Mosquitto) -> None:
    """Central's own word is taken, and not the broker's stored copy of something older."""
    row = {"sku": "A", "site": "ber", "version": 9, "on_hand": 4, "reserved": 0, "safety": 0,
           "available": 4}  # fmt: skip
    with fake_central() as fake:
        fake.answers["GET", "/v1/stock"] = {"items": [row], "next": None}
        announcing = central().model_copy(update={"api": fake.url})
        await publish(mosquitto.port, [announcing, item("A", 3, 50), item("GONE")])
        app = MonitorApp(Config(broker=Broker(port=mosquitto.port)))
        async with app.run_test(size=(120, 40)):
            stock = app.desk.board.stock
            await until(lambda: list(stock.version) == [9], "central's stock is shown")
            await publish(mosquitto.port, [item("A", 10, 1)])
            await until(lambda: list(stock.available) == [1], "changes follow")
            assert stock.sku == ["A"]
            fake.answers.clear()
            await asyncio.to_thread(mosquitto.kill)
            await until(lambda: not app.desk.board.link.up, "the loss is seen")
            await asyncio.to_thread(mosquitto.start)
            await publish(mosquitto.port, [announcing, item("A", 10, 1), item("B")])
            await until(lambda: "B" in stock.sku, "without central the broker's copy is taken")
            await until(lambda: app.desk.board.row_is_live(0), "and the rows are live again")


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the monitor where there is no terminal."""
    return subprocess.run(
        [sys.executable, "-m", "monitor", *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_without_a_terminal_it_says_what_to_do() -> None:
    """No screen is drawn into a pipe or a log file."""
    ended = run()
    assert ended.returncode == 1
    assert "--headless" in ended.stderr
    assert "\x1b" not in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[monitor]\nsitte = 'x'\n", "did you mean 'site'"),
        ("[monitor]\nlow = -1\n", "monitor.low"),
        ("[monitor]\nsite = 'central'\n", "cannot be the name of a site"),
        ("[broker\n", "is not TOML"),
        (None, "cannot be read"),
    ],
)
def test_a_wrong_configuration_is_one_sentence(
    text: str | None, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every mistake names the file, the key and the cure."""
    path = tmp_path / "monitor.toml"
    if text is not None:
        path.write_text(text)
    assert command.main(["--config", str(path), "--headless"]) == 1
    error = capsys.readouterr().err
    assert words in error
    assert len(error.splitlines()) == 1


def test_options_win_over_the_file(tmp_path: Path) -> None:
    """What is said on the command line counts, the rest comes from the file."""
    path = tmp_path / "monitor.toml"
    path.write_text("[broker]\nhost = 'far'\n[monitor]\nlow = 3\nsite = 'ber'\n")
    port = free_port()
    arguments = command._parser().parse_args(
        ["--config", str(path), "--broker", f"near:{port}", "--low", "7"]
    )
    settings = command._settings(arguments)
    assert (str(settings.broker), settings.site, settings.monitor.low) == (f"near:{port}", "ber", 7)
