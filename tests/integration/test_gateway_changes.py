"""A gateway that people change: its name, its broker, its topics, its disk put back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway_rig import GOOD, OFFLINE, REFUSED, Central, Process
from neighbours import Mosquitto, wait_until
from wire.topics import Topics

pytestmark = pytest.mark.broker


@pytest.fixture
def gateway(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Process]:
    """Give a gateway with two scanners, not started."""
    process = Process(tmp_path, mosquitto.port)
    yield process
    process.kill()


def test_another_broker_and_other_topics_get_what_waits(
    mosquitto: Mosquitto, gateway: Process, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Scans that wait belong to the gateway, not to the broker or the topics of the day."""
    mosquitto.stop()
    gateway.start()
    codes = [b"CODE-%03d" % number for number in range(20)]
    assert {gateway.left.scan(code) for code in codes} == {OFFLINE}
    gateway.stop()
    other = Mosquitto(tmp_path_factory.mktemp("other"), mosquitto.program)
    for folder in (other.folder, other.folder.parent):
        folder.chmod(0o755)
    other.start()
    central = Central(other.port, topics=Topics("elsewhere/v1"))
    gateway.port, gateway.head = other.port, "topic_root = 'elsewhere/v1'"
    gateway.write_config()
    gateway.start()
    try:
        wait_until(lambda: central.raws() == codes, "they arrive there, once, in order")
    finally:
        central.close()
        other.kill()


def test_a_new_name_never_takes_the_scans_of_the_old_one(
    central: Central, mosquitto: Mosquitto, gateway: Process
) -> None:
    """While scans wait under the old name, the new one refuses and says what to do."""
    mosquitto.stop()
    gateway.start()
    assert gateway.left.scan(b"OLD") == OFFLINE
    gateway.stop()
    mosquitto.start()
    gateway.name = "renamed"
    gateway.write_config()
    gateway.start()
    assert gateway.left.scan(b"REFUSED") == REFUSED
    wait_until(lambda: "of the gateway hall/dock" in (problem(central) or ""), "the state says so")
    assert central.raws() == []
    gateway.stop()
    gateway.name = "dock"
    gateway.write_config()
    gateway.start()
    wait_until(lambda: central.raws() == [b"OLD"], "under its old name it is booked")
    wait_until(lambda: central.state and central.state.outbox.pending == 0, "none waits")
    gateway.stop()
    gateway.name = "renamed"
    gateway.write_config()
    gateway.start()
    assert gateway.left.scan(b"NEW") in (GOOD, OFFLINE)
    wait_until(lambda: central.raws() == [b"OLD", b"NEW"], "the new name begins anew")
    assert problem(central) is None


@pytest.mark.parametrize("wiped", [False, True], ids=["", "broker wiped"])
@pytest.mark.parametrize("offline", [1, 5])
def test_a_disk_put_back_to_an_older_copy_loses_nothing_new(
    central: Central, mosquitto: Mosquitto, gateway: Process, offline: int, *, wiped: bool
) -> None:
    """Scans go on in a new epoch, however many were made under numbers that central knows."""
    central.greets = not wiped  # then only its answer says how far it is
    gateway.start()
    gateway.wait_online()
    assert gateway.left.scan(b"ONE") == GOOD
    wait_until(lambda: central.state.outbox.pending == 0, "it is booked")
    gateway.stop()
    path = gateway.folder / "data" / "outbox.db"
    copy = path.read_bytes()
    gateway.start()
    for code in (b"TWO", b"THREE"):
        assert gateway.left.scan(code) in (GOOD, OFFLINE)
    wait_until(lambda: len(central.events) == 3, "all are booked")
    gateway.stop()
    path.write_bytes(copy)
    mosquitto.stop()
    gateway.start()
    codes = [b"NEW-%d" % number for number in range(offline)]
    assert {gateway.left.scan(code) for code in codes} == {OFFLINE}
    if wiped:
        mosquitto.wipe()
    mosquitto.start()
    known = [b"ONE", b"TWO", b"THREE"]
    wait_until(lambda: "older copy" in (problem(central) or ""), "it is noticed")
    wait_until(lambda: central.raws() == [*known, *codes], "nothing is lost")


def problem(central: Central) -> str | None:
    """Return what the newest state of the gateway complains about."""
    return central.state.outbox.problem if central.state else None
