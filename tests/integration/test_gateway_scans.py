"""A real gateway process on real pseudo terminals: what a scan becomes, whatever the bytes."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway_rig import GOOD, REFUSED, REJECTED, Central, Process
from neighbours import ROOT, Mosquitto, free_port, wait_until
from wire.events import Identify, Reload

pytestmark = pytest.mark.broker


@pytest.fixture
def gateway(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Process]:
    """Give a running gateway with two scanners."""
    process = Process(tmp_path, mosquitto.port)
    process.start()
    yield process
    process.kill()


def test_two_scanners_at_once_never_mix(central: Central, gateway: Process) -> None:
    """Codes that two scanners send at the same time arrive whole, once, under the right name."""
    gateway.wait_online()

    def scan_many(name: str) -> None:
        scanner = getattr(gateway, name)
        for number in range(60):
            assert scanner.scan(f"{name}-{number:04d}".encode()) == GOOD

    threads = [threading.Thread(target=scan_many, args=(name,)) for name in ("left", "right")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: len(central.events) == 120, "all scans reach central")
    for name in ("left", "right"):
        mine = [event.raw.decode() for event in central.events if event.scanner == name]
        assert mine == [f"{name}-{number:04d}" for number in range(60)]
    assert [event.seq for event in central.events] == list(range(1, 121))


def test_noise_is_kept_and_the_next_scan_is_right(central: Central, gateway: Process) -> None:
    """Endless, NUL and non-UTF-8 bytes become unreadable events; the next scan is right."""
    gateway.wait_online()
    endless = b"7" * 70_000
    assert gateway.left.scan(endless) == REFUSED
    assert gateway.left.scan(b"]C1\x00\x00\x00") == REFUSED
    assert gateway.left.scan(b"]E0\xff\xfe\x80123") == REFUSED
    assert gateway.left.scan(b"]E05901234123457") == GOOD
    wait_until(lambda: len(central.events) == 4, "all four events arrive")
    *noise, scan = central.events
    assert [event.kind for event in noise] == ["unreadable"] * 3
    assert noise[0].raw == endless[: 64 * 1024]
    assert noise[1].raw == b"]C1\x00\x00\x00"
    assert (scan.kind, scan.identifiers.gtin14) == ("receive", "05901234123457")
    wait_until(lambda: scanner(central, "left").unreadable == 3, "the state counts them")


def test_an_unplug_in_mid_code_glues_nothing(central: Central, gateway: Process) -> None:
    """The half code is kept as unreadable; the scanner that comes back is read at once."""
    gateway.left.send(b"]E0590123")
    wait_until(lambda: gateway.left.beep(0.1) == b"", "the bytes are on their way")
    gateway.left.unplug()
    wait_until(lambda: not scanner(central, "left").online, "the state says that it is gone")
    gateway.left.plug()
    wait_until(lambda: scanner(central, "left").online, "the state says that it is back")
    gateway.left.beep(0.1)  # a half code that was quiet for long enough has had its bad beep
    assert gateway.left.scan(b"]E05901234123457") == GOOD
    wait_until(lambda: len(central.events) == 2, "both events arrive")
    assert [event.raw for event in central.events] == [b"]E0590123", b"]E05901234123457"]
    assert central.events[0].kind == "unreadable"


def test_a_scanner_missing_at_the_start_is_taken_up_later(
    central: Central, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """A port that does not exist is no error; when it appears, it is read."""
    process = Process(tmp_path, mosquitto.port)
    missing = process.right.link
    missing.rename(tmp_path / "elsewhere")
    running = subprocess.Popen(
        [sys.executable, "-m", "gateway", "--config", str(process.config)], cwd=ROOT
    )
    try:
        wait_until(lambda: central.state and scanner(central, "left").online, "left is read")
        assert scanner(central, "right").problem
        (tmp_path / "elsewhere").rename(missing)
        wait_until(lambda: scanner(central, "right").online, "right is read")
        assert process.right.scan(b"HELLO") == GOOD
    finally:
        running.kill()
        running.wait()


def test_the_station_survives_a_power_cut(central: Central, gateway: Process) -> None:
    """Mode, location, operator and the undo list are as before after kill -9."""
    gateway.wait_online()
    for label in (b"%DT-C-PICK-V", b"%DT-L-A-01-3-9", b"%DT-O-MIKA-U", b"%DT-Q-12-6"):
        assert gateway.left.scan(label) == GOOD
    assert gateway.left.scan(b"BOLTS") == GOOD
    gateway.kill()
    gateway.start()
    wait_until(lambda: central.state and scanner(central, "left").online, "it is back")
    gateway.wait_online()
    assert gateway.left.scan(b"NUTS") == GOOD
    assert gateway.left.scan(b"%DT-C-UNDO-C") == GOOD
    wait_until(lambda: len(central.events) >= 3, "the events arrive")
    bolts, nuts, undo = central.events[:3]
    assert (bolts.kind, bolts.location, bolts.to_location) == ("pick", "A-01-3", "DOCK-1")
    assert (bolts.quantity, nuts.quantity) == (12, 1)
    assert (nuts.kind, nuts.location, nuts.operator) == ("pick", "A-01-3", "MIKA")
    assert (undo.kind, undo.undo_of) == ("undo", nuts.seq)


def test_a_bad_label_is_refused_loudly(central: Central, gateway: Process) -> None:
    """A misread command changes nothing, stores nothing and beeps badly."""
    assert gateway.left.scan(b"%DT-C-PICK-W") == REFUSED
    assert gateway.left.scan(b"%DT-C-PUTAWAY-L") in (GOOD, b"\x11")
    assert gateway.left.scan(b"BOLTS") == REFUSED  # the location comes first
    wait_until(lambda: central.state and scanner(central, "left").refused == 2, "it is counted")
    assert central.events == []
    assert "scan the location first" in gateway.log()


def test_a_trigger_bounce_counts_once(
    central: Central, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """The same bytes within the window are one scan, its repeats are kept beside it, without a
    beep; another code between them makes it count again.
    """
    process = Process(tmp_path, mosquitto.port, scanner_extra="repeat_window_ms = 10000")
    process.start()
    try:
        process.wait_online()
        process.left.send(b"SAME\rSAME\rSAME\rOTHER\rSAME\r")
        wait_until(lambda: len(central.events) == 5, "five events arrive")
        assert central.raws() == [b"SAME", b"SAME", b"SAME", b"OTHER", b"SAME"]
        kinds = [(event.kind, event.repeat_of) for event in central.events]
        assert kinds == [("receive", None)] + [("repeat", 1)] * 2 + [("receive", None)] * 2
        assert central.events[1].reason.startswith("same bytes again after ")
        wait_until(lambda: scanner(central, "left").repeats == 2, "the state counts them")
        assert [process.left.beep() for _ in range(3)] == [GOOD] * 3
        assert process.left.beep(0.3) == b""
    finally:
        process.kill()


def test_central_rejecting_a_scan_is_heard_at_its_scanner(
    central: Central, gateway: Process
) -> None:
    """The scanner of the rejected event beeps, not the other one."""
    gateway.wait_online()
    central.reject[b"UNKNOWN"] = "unknown_item"
    assert gateway.right.scan(b"UNKNOWN") == GOOD
    assert gateway.right.beep() == REJECTED
    assert gateway.left.beep(0.3) == b""


def test_commands_identify_and_reload(central: Central, gateway: Process) -> None:
    """Identify beeps at one scanner; reload applies scanner changes and leaves the outbox alone."""
    gateway.wait_online()
    central.command(Identify(scanner="right"))
    assert gateway.right.beep() == GOOD
    assert gateway.left.scan(b"ONE") == GOOD
    gateway.scanner_extra = "location = 'DOCK-9'"
    gateway.write_config()
    central.command(Reload())
    wait_until(
        lambda: scanner(central, "left").online and scanner(central, "left").location == "DOCK-9",
        "the new location is shown",
    )
    assert gateway.left.scan(b"TWO") == GOOD
    wait_until(lambda: len(central.events) == 2, "both events arrive")
    assert [event.location for event in central.events] == ["DOCK-1", "DOCK-9"]
    assert [event.seq for event in central.events] == [1, 2]


def test_sighup_reloads_too(central: Central, gateway: Process) -> None:
    """`systemctl reload` is the command from the machine itself; a wrong file changes nothing."""
    gateway.wait_online()
    assert gateway.running is not None
    for text, said in (
        ("location = 5", "not reloaded: "),
        ("location = 'DOCK-9'", "left: stopped"),
    ):
        gateway.scanner_extra = text
        gateway.write_config()
        gateway.running.send_signal(signal.SIGHUP)
        wait_until(lambda said=said: said in gateway.log(), "it took notice")
    wait_until(lambda: scanner(central, "left").location == "DOCK-9", "the new location is shown")
    assert gateway.left.scan(b"ONE") == GOOD


def test_a_second_gateway_on_the_same_folder_is_turned_away(gateway: Process) -> None:
    """It ends at once with a sentence that says what to do; the first goes on."""
    second = subprocess.run(
        [sys.executable, "-m", "gateway", "--config", str(gateway.config)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert "another gateway is running on the data folder" in second.stderr
    assert gateway.left.scan(b"STILL") != b""


def test_what_the_gateway_reads_is_not_watched_by_another(gateway: Process) -> None:
    """`docktally scanners` says who reads it; once the gateway has ended it shows the scans."""
    command = [sys.executable, "-m", "docktally", "scanners", "--config", str(gateway.config)]
    command += ["--watch", "left", "--json", "--seconds", "60"]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "left: it is read by the running gateway" in refused.stderr
    assert gateway.left.scan(b"MINE") != b""
    gateway.kill()
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as watching:
        assert watching.stdout is not None
        assert b"ready" in watching.stdout.readline()
        gateway.left.send(b"]E05901234123457\r")
        assert b'"gtin14": "05901234123457"' in watching.stdout.readline()
        watching.terminate()
        assert watching.wait() == 0


def test_a_misspelt_key_is_named(tmp_path: Path) -> None:
    """A wrong configuration ends with one sentence: file, key, and what was meant."""
    path = tmp_path / "g.toml"
    path.write_text("site='a'\ngateway='b'\n[[scanner]]\nname='x'\nport='/dev/null'\nbuad=9600\n")
    result = subprocess.run(
        [sys.executable, "-m", "gateway", "--config", str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr.strip() == (
        f"docktally gateway: {path}: unknown key 'scanner.0.buad'; did you mean 'baud'?"
    )


def test_a_network_scanner_is_read_like_a_serial_one(
    central: Central, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """A socket:// port is opened, read, beeped at, and opened again when the far end restarts."""
    import socket

    port = free_port()
    process = Process(tmp_path, mosquitto.port)
    text = process.config.read_text()
    process.config.write_text(
        text + f"[[scanner]]\nname='net'\nport='socket://127.0.0.1:{port}'\n"
        '[scanner.feedback]\ngood="\\u0006"\noffline="\\u0006"\n'
    )
    process.start()
    try:
        for number in range(2):
            with socket.create_server(("127.0.0.1", port)) as server:
                server.settimeout(20)
                line, _ = server.accept()
                with line:
                    line.settimeout(20)
                    wait_until(lambda: scanner(central, "net").online, "the box is connected")
                    line.sendall(f"NET-{number}\r\n".encode())
                    assert line.recv(1) == GOOD
            wait_until(lambda: not scanner(central, "net").online, "the loss is noticed")
        wait_until(lambda: central.raws() == [b"NET-0", b"NET-1"], "both scans arrive")
    finally:
        process.kill()


def scanner(central: Central, name: str):
    """Return the newest state of a scanner; wait for one."""
    wait_until(lambda: central.state is not None, "a gateway state arrives")
    return next(each for each in central.state.scanners if each.name == name)
