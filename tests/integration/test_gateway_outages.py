"""A real gateway process while everything around it fails: broker, central, itself, the disk."""

import contextlib
import json
import os
import random
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway_rig import GATEWAY, GOOD, OFFLINE, REFUSED, SITE, Central, Process
from neighbours import Mosquitto, wait_until
from wire.topics import Topics

pytestmark = pytest.mark.broker


@pytest.fixture
def gateway(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Process]:
    """Give a gateway with two scanners, not started."""
    process = Process(tmp_path, mosquitto.port)
    yield process
    process.kill()


def in_outbox(process: Process) -> list[tuple[int, bytes]]:
    """Return (seq, event) of every row on the disk of a stopped gateway."""
    connection = sqlite3.connect(process.folder / "data" / "outbox.db")
    try:
        return connection.execute("SELECT seq, event FROM events ORDER BY seq").fetchall()
    finally:
        connection.close()


def online(central: Central) -> bool:
    """True once the gateway says so."""
    return central.state is not None and central.state.online


def test_a_broker_away_at_the_start_costs_nothing(mosquitto: Mosquitto, gateway: Process) -> None:
    """Scans without a broker are stored and sound "offline"; later they arrive in order."""
    mosquitto.stop()
    gateway.start()
    codes = [b"CODE-%03d" % number for number in range(30)]
    assert {gateway.left.scan(code) for code in codes} == {OFFLINE}
    mosquitto.start()
    central = Central(mosquitto.port)
    wait_until(lambda: central.raws() == codes, "the backlog arrives in order")
    wait_until(lambda: online(central) and central.state.outbox.pending == 0, "none is pending")
    central.close()


def test_a_broker_killed_and_wiped_loses_nothing(
    mosquitto: Mosquitto, central: Central, gateway: Process
) -> None:
    """What the broker had acknowledged and then forgot is sent again, once central can hear it."""
    gateway.start()
    gateway.wait_online()
    codes = [b"CODE-%03d" % number for number in range(60)]
    central.deaf = True  # the broker acknowledges, central applies nothing
    for code in codes[:20]:
        assert gateway.left.scan(code) == GOOD
    mosquitto.kill()
    mosquitto.wipe()
    for code in codes[20:40]:
        assert gateway.left.scan(code) in (GOOD, OFFLINE)
    central.deaf = False
    mosquitto.start()
    for code in codes[40:]:
        assert gateway.left.scan(code) in (GOOD, OFFLINE)
    wait_until(lambda: central.raws() == codes, "every scan is applied once, in order")


def test_central_away_holds_the_drain_but_not_the_scans(
    mosquitto: Mosquitto, central: Central, gateway: Process
) -> None:
    """While central is offline nothing is sent; afterwards the backlog goes in batches."""
    gateway.start()
    gateway.wait_online()
    assert gateway.left.scan(b"FIRST") == GOOD
    wait_until(lambda: len(central.events) == 1, "it arrives")
    central.announce(online=False)
    wait_until(lambda: gateway.left.scan(os.urandom(6).hex().encode()) == OFFLINE, "it is heard")
    known = len(central.events)
    sent = len(central.batches)
    codes = [b"CODE-%03d" % number for number in range(30)]
    for code in codes:
        assert gateway.left.scan(code) == OFFLINE
    assert len(central.batches) == sent
    central.announce(online=True)
    wait_until(lambda: central.raws()[known:][-30:] == codes, "the backlog arrives")
    assert len(central.batches) - sent < 10


def test_central_restored_from_a_backup_gets_the_difference(
    central: Central, gateway: Process
) -> None:
    """A lower applied_seq makes the gateway send its journal again from there."""
    gateway.start()
    gateway.wait_online()
    codes = [b"CODE-%03d" % number for number in range(40)]
    for code in codes:
        assert gateway.left.scan(code) == GOOD
    wait_until(lambda: len(central.events) == 40, "all arrive")
    before = central.events
    central.restore(next(iter(central.applied)), 10)
    wait_until(lambda: len(central.events) == 40, "the difference is sent again")
    assert central.events == before


def test_what_the_journal_no_longer_has_is_said_loudly(
    mosquitto: Mosquitto, central: Central, tmp_path: Path
) -> None:
    """A gap that no gateway can fill is shown in the state instead of being passed over."""
    process = Process(tmp_path, mosquitto.port, "disk_reserve_bytes = 0\njournal_bytes = 2000")
    process.start()
    try:
        process.wait_online()
        for number in range(60):
            assert process.left.scan(b"CODE-%03d" % number) == GOOD
        wait_until(lambda: central.state.outbox.pending == 0, "all is acknowledged")
        central.restore(next(iter(central.applied)), 5)
        wait_until(
            lambda: "central lacks the events from seq 6" in (central.state.outbox.problem or ""),
            "the state names the gap",
        )
    finally:
        process.kill()


def test_kill_9_at_random_moments_loses_no_good_scan(central: Central, gateway: Process) -> None:
    """Whatever beeped good is in the outbox after a restart; seq has no holes; central has all."""
    rng = random.Random(7)
    good: list[bytes] = []
    number = 0
    for _ in range(6):
        gateway.start()
        deadline = time.monotonic() + rng.uniform(0.05, 0.5)
        while time.monotonic() < deadline:
            number += 1
            code = b"CODE-%04d" % number
            if gateway.left.scan(code) in (GOOD, OFFLINE):
                good.append(code)
        gateway.left.send(b"CODE-%04d\r" % (number := number + 1))  # dies with a scan under way
        time.sleep(rng.uniform(0, 0.003))
        gateway.kill()
        gateway.left.unplug()
        gateway.left.plug()
    rows = in_outbox(gateway)
    assert [seq for seq, _ in rows] == list(range(1, len(rows) + 1))
    gateway.start()
    wait_until(lambda: set(good) <= set(central.raws()), "every good scan reaches central")
    stored = central.raws()
    assert len(stored) == len(set(stored))
    assert [code for code in stored if code in set(good)] == good


def test_the_last_word_of_a_stop_and_of_a_death(central: Central, gateway: Process) -> None:
    """A clean stop publishes offline itself; after kill -9 the broker does, for that session."""
    gateway.start()
    gateway.wait_online()
    assert gateway.stop() == 0
    wait_until(lambda: not central.state.online, "the stop is published")
    gateway.start()
    wait_until(lambda: online(central), "it is back")
    session = central.state.session
    gateway.kill()
    wait_until(lambda: not central.state.online, "the Will is published")
    assert central.state.session == session


def test_a_full_outbox_refuses_audibly_and_recovers(
    mosquitto: Mosquitto, central: Central, tmp_path: Path
) -> None:
    """At its bound scans are refused with a bad beep; when central is back, all goes on."""
    process = Process(tmp_path, mosquitto.port, "max_bytes = 65536\ndisk_reserve_bytes = 0")
    process.start()
    try:
        process.wait_online()
        central.announce(online=False)
        accepted: list[bytes] = []
        for number in range(500):
            code = b"CODE-%03d" % number
            if process.left.scan(code) == REFUSED:
                break
            accepted.append(code)
        assert 50 < len(accepted) < 200
        wait_until(
            lambda: "the outbox is full" in (central.state.outbox.problem or ""), "it is shown"
        )
        assert central.state.outbox.capacity_left == 0
        assert central.state.scanners[0].refused == 1
        central.announce(online=True)
        wait_until(
            lambda: central.raws() == accepted, "nothing accepted is lost, nothing else came"
        )
        wait_until(lambda: central.state.outbox.problem is None, "the problem is gone by itself")
        assert process.left.scan(b"AFTER") == GOOD
    finally:
        process.kill()


def test_a_full_disk_refuses_audibly_and_recovers(
    mosquitto: Mosquitto, central: Central, tmp_path: Path
) -> None:
    """With no block left the scan is refused, the state still published; space heals it."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    process = Process(tmp_path, mosquitto.port)
    disk = tmp_path / "data"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this machine may not mount a small disk")
    try:
        process.start()
        process.wait_online()
        assert process.left.scan(b"BEFORE") == GOOD
        with (disk / "ballast").open("wb") as ballast, contextlib.suppress(OSError):
            for end in range(16 * 1024, 2**20, 4096):
                os.posix_fallocate(ballast.fileno(), 0, end)
        accepted = [b"BEFORE"]
        for number in range(500):
            code = b"CODE-%03d" % number
            if process.left.scan(code) == REFUSED:
                break
            accepted.append(code)
        assert len(accepted) < 500
        wait_until(lambda: central.state.outbox.problem, "the state says so")
        (disk / "ballast").unlink()
        wait_until(lambda: central.state.outbox.problem is None, "it recovers without a scan")
        assert process.left.scan(b"AFTER") == GOOD
        wait_until(lambda: central.raws() == [*accepted, b"AFTER"], "all accepted scans, no other")
        assert [event.seq for event in central.events] == list(range(1, len(accepted) + 2))
    finally:
        process.kill()
        subprocess.run(["umount", str(disk)], check=True)


def test_a_damaged_outbox_is_set_aside_and_carried_over(
    mosquitto: Mosquitto, central: Central, gateway: Process
) -> None:
    """A torn page ends nothing: readable scans go to a new epoch, the state raises the alarm."""
    mosquitto.stop()
    gateway.start()
    codes = [b"CODE-%04d" % number for number in range(300)]
    for code in codes:
        assert gateway.left.scan(code) == OFFLINE
    gateway.stop()
    path = gateway.folder / "data" / "outbox.db"
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(os.urandom(4096))
    mosquitto.start()
    gateway.start()
    assert gateway.left.scan(b"AFTER") in (GOOD, OFFLINE)
    wait_until(lambda: central.raws()[-1:] == [b"AFTER"], "scanning goes on")
    got = central.raws()[:-1]
    assert got == sorted(got)
    assert set(got) <= set(codes)
    assert len(got) > 250
    assert all(event.recorded_late for event in central.events[:-1])
    wait_until(lambda: "was damaged" in (central.state.outbox.problem or ""), "the alarm is raised")
    assert list(path.parent.glob("outbox.db.corrupt-*"))


def test_two_gateways_of_one_name_are_told_apart(
    mosquitto: Mosquitto, gateway: Process, tmp_path: Path
) -> None:
    """Gateways that push each other off the broker say what to look for, and go on scanning."""
    gateway.start()
    wait_until(lambda: "connected" in gateway.log(), "the first is connected")
    other = tmp_path / "other"
    other.mkdir()
    twin = Process(other, mosquitto.port)
    twin.start()
    try:
        wait_until(lambda: "is another gateway running" in gateway.log(), "it is suspected")
        assert gateway.left.scan(b"ONE") in (GOOD, OFFLINE)
    finally:
        twin.kill()


def test_the_wire_has_what_the_disk_has(central: Central, gateway: Process) -> None:
    """Batches carry the stored bytes of each event unchanged, on the gateway's own topic."""
    gateway.start()
    gateway.wait_online()
    assert gateway.left.scan(b"]C1010590123412345710LOT\x1d21S") == GOOD
    wait_until(lambda: len(central.events) == 1, "it arrives")
    gateway.stop()
    ((_, stored),) = in_outbox(gateway)
    event = central.events[0]
    assert json.loads(stored) == json.loads(event.model_dump_json(exclude_none=True))
    assert (event.identifiers.gtin14, event.identifiers.lot) == ("05901234123457", "LOT")
    assert Topics().events(SITE, GATEWAY).endswith("/hall/dock/events")
