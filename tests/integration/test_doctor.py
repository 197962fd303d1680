"""`docktally doctor` at a real gateway with a real broker, and at machines laid out in a folder."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import doctor
from gateway.config import OutboxLimits
from gateway.outbox_file import OutboxFile, Record
from gateway_rig import GATEWAY, GOOD, SITE, Central, Process
from machines import Machine
from neighbours import ROOT, Mosquitto, need, wait_until
from wire.events import Ack

Findings = list[dict[str, str]]


@pytest.fixture
def gateway(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Process]:
    """Give a gateway with two scanners that is not started."""
    process = Process(tmp_path, mosquitto.port)
    yield process
    process.kill()


def examine(config: Path) -> tuple[int, Findings]:
    """Run the real command; return its exit code and what it found."""
    answer = subprocess.run(
        [sys.executable, "-m", "docktally", "doctor", "--json", "--config", str(config)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert answer.stderr == ""
    shown = json.loads(answer.stdout)
    assert all(each["fix"] or each["level"] == "good" for each in shown["findings"])
    assert shown["ok"] == (answer.returncode == 0)
    return answer.returncode, shown["findings"]


def said(findings: Findings, about: str, words: str) -> str:
    """Return the level of what was said about something, in these words."""
    levels = [f["level"] for f in findings if f["about"] == about and words in f["what"]]
    assert levels, f"{words!r} is not said about {about}: {findings}"
    return levels[0]


@pytest.mark.broker
def test_the_whole_way_is_walked(central: Central, gateway: Process) -> None:
    """Scanners, disk, broker, central and back, with the gateway running and without. Nothing is
    booked, and the gateway stays connected.
    """
    gateway.start()
    gateway.wait_online()
    assert gateway.left.scan(b"]E05901234123457") == GOOD
    wait_until(lambda: len(central.events) == 1, "the scan is booked")
    code, findings = examine(gateway.config)
    assert said(findings, "left", "left to the gateway, which runs") == "good"
    assert said(findings, "left", "GS1 separator") == "warn"
    assert said(findings, "broker", "connected without TLS") == "good"
    assert said(findings, "central", "central test is online") == "good"
    assert said(findings, "round trip", "to central's ledger and back in") == "good"
    assert code == 0
    assert "connection" not in gateway.log().partition("central is online")[2]
    assert gateway.right.scan(b"]E05901234123457") == GOOD
    wait_until(lambda: len(central.events) == 2, "the gateway goes on")
    gateway.stop()
    code, findings = examine(gateway.config)
    assert said(findings, "left", "as the gateway will") == "good"
    assert said(findings, "central", "central has all 2 scans") == "good"
    assert said(findings, "round trip", "nothing was booked") == "good"
    assert code == 0
    assert len(central.events) == 2
    gateway.start()
    gateway.wait_online()
    assert gateway.left.scan(b"]E05901234123457") == GOOD


@pytest.mark.broker
def test_without_a_booked_scan_central_is_heard(central: Central, gateway: Process) -> None:
    """There is nothing to send then, and doctor does not pretend otherwise."""
    with subprocess.Popen(
        [sys.executable, "-m", "docktally", "doctor", "--config", str(gateway.config)],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        assert running.stdout is not None
        lines = iter(running.stdout.readline, "")
        assert any("is online" in line for line in lines)
        central.announce(online=True)
        assert any("proven once a scan is booked" in line for line in lines)


@pytest.mark.broker
def test_a_central_that_is_away_or_deaf(central: Central, gateway: Process) -> None:
    """Offline is a warning, for scans wait; online without an answer stops them for good."""
    gateway.start()
    gateway.wait_online()
    assert gateway.left.scan(b"ONE") == GOOD
    wait_until(lambda: len(central.events) == 1, "the scan is booked")
    gateway.stop()
    central.deaf = True
    code, findings = examine(gateway.config)
    assert said(findings, "round trip", "central did not answer") == "bad"
    assert code == 1
    central.announce(online=False)
    wait_until(lambda: examine(gateway.config)[0] == 0, "the last word is that it is offline")
    assert said(examine(gateway.config)[1], "central", "central is offline") == "warn"


@pytest.mark.broker
def test_an_account_that_may_not_publish(
    mosquitto: Mosquitto, gateway: Process, tmp_path: Path
) -> None:
    """A wrong password and a missing right are told apart, and both stop scans for good."""
    folder = mosquitto.folder
    (folder / "passwd").touch()
    hasher = need("mosquitto_passwd", "apt-get install mosquitto")
    subprocess.run([hasher, "-b", str(folder / "passwd"), GATEWAY, "right"], check=True)
    (folder / "acl").write_text(f"topic readwrite #\nuser {GATEWAY}\ntopic read #\n")
    for name in ("passwd", "acl"):
        (folder / name).chmod(0o644)
    mosquitto.stop()
    mosquitto.conf += f"\npassword_file {folder}/passwd\nacl_file {folder}/acl\n"
    mosquitto.start()
    central = Central(mosquitto.port)
    (tmp_path / "data").mkdir()
    file = OutboxFile(tmp_path / "data/outbox.db", OutboxLimits())
    file.write([Record(b"{}", "left", b'{"gs_verified": true}')])
    file.close()
    booked = Ack(epoch=file.epoch, applied_seq=1, expect_seq=2, central_session=central.session)
    central.tell(central.topics.ack(SITE, GATEWAY), booked, retain=True)
    text = gateway.config.read_text()
    for password, about, words in (
        ("wrong", "broker", "Not authorized"),
        ("right", "round trip", "the broker refuses messages on"),
    ):
        account = f"[broker]\nusername = '{GATEWAY}'\npassword = '{password}'\n"
        gateway.config.write_text(text.replace("[broker]\n", account))
        code, findings = examine(gateway.config)
        assert said(findings, about, words) == "bad"
        assert said(findings, "left", "sends the GS1 separator") == "good"
        assert code == 1
    central.close()


@pytest.mark.broker
def test_what_is_no_broker_of_ours(mosquitto: Mosquitto, gateway: Process) -> None:
    """TLS against a plain port, a missing certificate, nobody, a name that is none, silence."""
    text = gateway.config.read_text()
    silent = socket.create_server(("127.0.0.1", 0))
    for broker, level, words in (
        (f"port = {mosquitto.port}\ntls = true", "bad", "TLS failed"),
        ("tls = true\nca_file = 'none.pem'", "bad", "none.pem cannot be read"),
        ("port = 1", "warn", "nobody listens there"),
        ("host = 'no.such.host.invalid'", "warn", "is not known"),
        (f"port = {silent.getsockname()[1]}", "warn", "but not as MQTT 5"),
    ):
        gateway.config.write_text(text.replace(f"port = {mosquitto.port}", broker))
        code, findings = examine(gateway.config)
        assert said(findings, "broker", words) == level
        assert code == (level == "bad")
    silent.close()


def test_a_wrong_configuration_is_the_first_finding(tmp_path: Path) -> None:
    """Without it nothing else can be asked; one sentence says what to change."""
    path = tmp_path / "gateway.toml"
    path.write_text("site = 'a'\ngateway = 'b'\n[[scanner]]\nname = 'x'\nport = 'usb:nothing'\n")
    code, findings = examine(path)
    assert (code, len(findings)) == (1, 1)
    assert said(findings, "configuration", "like usb:05e0:1701@1-1.4") == "bad"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Give a machine with a serial scanner and two equal ones behind bridges."""
    machine = Machine(tmp_path / "m")
    null, zero, full = (Path("/dev") / name for name in ("null", "zero", "full"))
    machine.serial("ttyACM0", machine.usb("1-1", serial="S1234567"), behind=null)
    for port, name, file in (("1-1.2", "ttyUSB0", zero), ("1-1.3", "ttyUSB1", full)):
        machine.serial(name, machine.usb(port, "1a86:7523", "SAME-7"), behind=file)
    return machine


def test_bindings_that_will_not_last(
    machine: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A path that may be another device, two that are one name, one that is gone, one nobody
    configured: each with what to write instead.
    """
    config = tmp_path / "gateway.toml"
    ports = {
        "path": machine.root / "dev/ttyACM0",
        "twins": "usb:1a86:7523:SAME-7",
        "twin": "usb:1a86:7523@1-1.3",
        "gone": "usb:05e0:1701:GONE",
    }
    config.write_text(
        f"site='{SITE}'\ngateway='{GATEWAY}'\ndata='data'\n[broker]\nport=1\n"
        + "".join(f"[[scanner]]\nname='{n}'\nport='{port}'\n" for n, port in ports.items())
    )
    assert doctor.main(["--config", str(config)], machine.root) == 1
    text = capsys.readouterr().out
    for line in (
        f"WARN  path: {ports['path']} may be another device after a reboot\n"
        '        -> port = "usb:05e0:1701:S1234567"',
        "STOP  twins: more than one device answers to usb:1a86:7523:SAME-7\n"
        "        -> bind by USB port instead: usb:1a86:7523@1-1.2 or usb:1a86:7523@1-1.3",
        "STOP  gone: not plugged in: usb:05e0:1701:GONE\n        -> plug it in",
    ):
        assert line in text
    assert "twin: another device" not in text
    config.write_text(config.read_text().partition("[[scanner]]\nname='twins'")[0])
    doctor.main(["--config", str(config)], machine.root)
    assert "WARN  scanners: 2 devices look like scanners" in capsys.readouterr().out
