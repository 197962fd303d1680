"""What a person is told, at the scanner, through a program, on MQTT: always the same, and true."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.labels import Label, text_of
from gateway_rig import GOOD, OFFLINE, REFUSED, REJECTED, Central, Process
from neighbours import Mosquitto, wait_until
from wire.events import Feedback, Identify

pytestmark = pytest.mark.broker
RECEIVE = text_of(Label("command", "RECEIVE")).encode()
UNDO, MISREAD = b"%DT-C-UNDO-C", b"%DT-C-PUTAWAY-A"


@pytest.fixture
def gateway(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Process]:
    """Give a running gateway whose signals are also written into `heard`, by a program."""
    hook = tmp_path / "hook"
    hook.write_text(f'#!/bin/sh\necho "$1 $2 $3" >> {tmp_path}/heard\n')
    hook.chmod(0o755)
    process = Process(tmp_path, mosquitto.port)
    process.beeper = f'command = ["{hook}", "{{pattern}}", "{{scanner}}", "{{text}}"]'
    process.write_config()
    process.start()
    yield process
    process.kill()


def heard(gateway: Process) -> list[str]:
    """Return what the program was told."""
    path = gateway.folder / "heard"
    return path.read_text().splitlines() if path.exists() else []


def told(central: Central) -> list[tuple[str, str, str]]:
    """Return what MQTT was told."""
    return [(signal.pattern, signal.scanner, signal.text) for signal in central.signals]


def test_four_states_are_told_apart_everywhere(central: Central, gateway: Process) -> None:
    """Good, offline, refused and rejected: for goods, for labels, and for what takes them back."""
    gateway.wait_online()
    central.reject[b"STRANGE"] = "unknown_barcode"
    assert gateway.left.scan(b"ONE") == GOOD
    assert gateway.left.scan(RECEIVE) == GOOD
    assert gateway.left.scan(MISREAD) == REFUSED
    assert gateway.left.scan(UNDO) == GOOD
    gateway.left.send(b"STRANGE\r")
    assert [gateway.left.beep(), gateway.left.beep()] == [GOOD, REJECTED]
    wait_until(lambda: len(heard(gateway)) == 6, "the program was told of each")
    wait_until(lambda: len(central.signals) == 6, "MQTT was told of each")
    assert [line.split()[0] for line in heard(gateway)] == [
        "good", "good", "refused", "good", "good", "rejected",
    ]  # fmt: skip
    assert [" ".join(signal) for signal in told(central)] == heard(gateway)
    assert told(central)[0] == ("good", "left", "seq 1: receive")
    assert told(central)[5] == ("rejected", "left", "seq 3: unknown_barcode: no")
    central.announce(online=False)
    wait_until(lambda: "central is offline" in gateway.log(), "it is heard")
    assert gateway.right.scan(b"TWO") == OFFLINE
    assert gateway.right.scan(RECEIVE) == GOOD  # obeyed: central has no part in it
    wait_until(lambda: len(heard(gateway)) == 8, "the program was told")
    assert heard(gateway)[6].startswith("offline right seq 4")


def test_commands_are_signals_too(central: Central, gateway: Process) -> None:
    """What somebody lets a scanner say is seen by everybody."""
    gateway.wait_online()
    central.command(Identify(scanner="right"))
    central.command(Feedback(scanner="left", pattern="rejected", text="count again"))
    wait_until(lambda: len(central.signals) == 2, "both are told")
    assert told(central) == [("good", "right", "identify"), ("rejected", "left", "count again")]
    assert [gateway.right.beep(), gateway.left.beep()] == [GOOD, REJECTED]


def test_old_signals_are_not_told_later(
    mosquitto: Mosquitto, central: Central, gateway: Process
) -> None:
    """Without a broker signals are forgotten; the scans are not."""
    gateway.wait_online()
    mosquitto.stop()
    codes = [b"CODE-%d" % number for number in range(5)]
    assert {gateway.left.scan(code) for code in codes} <= {GOOD, OFFLINE}
    mosquitto.start()
    wait_until(lambda: central.raws() == codes, "the scans arrive")
    assert gateway.left.scan(MISREAD) == REFUSED
    wait_until(lambda: central.signals, "a new signal is told")
    assert [pattern for pattern, _, _ in told(central)] == ["refused"]


def test_a_central_that_books_nothing_is_not_called_online(
    central: Central, gateway: Process
) -> None:
    """It says that it is there, but acknowledges nothing: then good would be too much said."""
    gateway.wait_online()
    central.deaf = True
    assert gateway.left.scan(b"FIRST") == GOOD
    wait_until(lambda: "acknowledges nothing" in gateway.log(), "it is noticed")
    assert gateway.left.scan(b"SECOND") == OFFLINE
    central.deaf = False
    wait_until(lambda: len(central.events) == 2, "both are booked")
    wait_until(lambda: gateway.left.scan(b"X") == GOOD, "it is online again")
