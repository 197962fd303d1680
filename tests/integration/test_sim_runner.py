"""Simulated people on real pseudo terminals, answered by a plain serial program."""

import asyncio
import random
import signal
import subprocess
import sys
import threading
from contextlib import suppress

import pytest
import serial

from firmware_sim import check, faults, journal, labels, oracle, runner, scenarios, shift, truth
from firmware_sim.pty_serial import PtyScanner
from firmware_sim.scenarios import Step
from firmware_sim.truth import Meaning
from neighbours import ROOT, wait_until
from sim_ledger import CATALOGUE, Ledger, LedgerApi

_GOOD, _OFFLINE, _REFUSED, _REJECTED = b"\x06", b"\x11", b"\x15", b"\x12"
_STATION = scenarios.Station("s1", "DOCK-1")


class Answering:
    """Reads frames from a port in a thread and answers each as the script says, then good."""

    def __init__(self, path, script=()):
        self.frames = []
        self._script = list(script)
        self._ended = False
        self._port = serial.Serial(str(path), timeout=0.05)
        self._thread = threading.Thread(target=self._read_until_unplugged)
        self._thread.start()

    def _read_until_unplugged(self):
        with suppress(serial.SerialException, OSError):
            self._run()

    def _run(self):
        line = b""
        while not self._ended:
            line += self._port.read(1)
            if line.endswith(b"\r"):
                self.frames.append(line[:-1])
                self._port.write(self._script.pop(0) if self._script else _GOOD)
                line = b""

    def close(self):
        self._ended = True
        self._thread.join()
        self._port.close()


def _goods(raw, **more):
    meaning = Meaning(
        outcome="goods", kind="receive", sku="VLV-0000", eaches=1, target="DOCK-1", **more
    )
    return Step(raw, meaning, gap=0.0)


def _label(text, outcome="label"):
    kind = "undo" if outcome == "undo" else None
    return Step(text, Meaning(outcome=outcome, kind=kind, text=text.decode()), gap=0.0)


async def _work(tmp_path, steps, script=()):
    """Play steps; return the frames that arrived and the journal."""
    path = tmp_path / "truth.jsonl"
    async with PtyScanner("s1", tmp_path / "s1") as device:
        with journal.Journal(path) as book:
            person = runner.Operator(
                _STATION, device, book, runner.Numbers(), runner.Pace(100.0, patience_s=0.8),
                random.Random(1), asyncio.Event(),
            )  # fmt: skip
            gateway = Answering(device.link, script)
            try:
                await asyncio.wait_for(person.work(iter(steps)), 60)
            finally:
                gateway.close()
    return gateway.frames, shift.read(path)


def _pressed(entries):
    beeps = truth.beeps(entries)
    return [
        (e.sent, beeps[e.n].beep if e.n in beeps else None)
        for e in entries
        if isinstance(e, truth.Press)
    ]


@pytest.fixture(autouse=True)
def _brisk(monkeypatch):
    """People who lose patience within a test's time."""
    monkeypatch.setattr(runner, "REFUSED_PAUSE_S", 0.1)
    monkeypatch.setattr(runner, "QUIET_S", 1.0)
    monkeypatch.setattr(runner, "SAME_LABEL_GAP_S", 0.05)


async def test_every_press_is_in_the_journal_with_its_beep(tmp_path):
    """Stored, and stored offline, are both the end of a scan."""
    frames, entries = await _work(tmp_path, [_goods(b"A"), _goods(b"B")], [_GOOD, _OFFLINE])
    assert frames == [b"A", b"B"]
    assert _pressed(entries) == [(b"A", "good"), (b"B", "offline")]


async def test_without_a_beep_a_person_scans_again(tmp_path):
    """Both presses are in the journal; the beep belongs to the one that can have caused it."""
    frames, entries = await _work(tmp_path, [_goods(b"A"), _goods(b"B")], [b"", _GOOD])
    assert frames == [b"A", b"A", b"B"]
    first, again, other = [e for e in entries if isinstance(e, truth.Press)]
    assert again.again_of == first.n
    assert other.again_of is None
    expected = oracle.expectations(entries)["s1"]
    assert sorted(e.must for e in expected) == [False, True, True]
    assert expected[2].must


async def test_a_late_beep_is_not_taken_for_the_next_scan(tmp_path):
    """Two beeps after two presses of one box: the next box still gets its own beep."""
    frames, entries = await _work(
        tmp_path, [_goods(b"A"), _goods(b"B")], [b"", _GOOD + _GOOD, _REFUSED, _GOOD]
    )
    assert frames == [b"A", b"A", b"B", b"B"]
    assert _pressed(entries) == [(b"A", "good"), (b"A", "good"), (b"B", "refused"), (b"B", "good")]


async def test_a_refused_box_is_scanned_later_and_then_put_aside(tmp_path):
    """NOT stored: try again a few times, then go on with the next box."""
    frames, entries = await _work(
        tmp_path, [_goods(b"A"), _goods(b"B")], [_REFUSED] * runner.REFUSALS_MAX
    )
    assert frames == [b"A"] * runner.REFUSALS_MAX + [b"B"]
    assert any(isinstance(e, truth.Note) and "put aside" in e.text for e in entries)


async def test_a_damaged_label_is_refused_once_and_left(tmp_path):
    """Nobody scans a torn label for ever."""
    frames, _ = await _work(tmp_path, [_label(b"T", "bad_label"), _goods(b"B")], [_REFUSED])
    assert frames == [b"T", b"B"]


async def test_a_quantity_is_scanned_again_with_its_box(tmp_path):
    """The first try may have used it up without a beep."""
    step = Step(b"A", _goods(b"A").meaning, 0.0, first=(_label(b"Q12"),))
    frames, _ = await _work(tmp_path, [step], [_GOOD, b"", _GOOD])
    assert frames == [b"Q12", b"A", b"Q12", b"A"]


async def test_undo_is_never_repeated(tmp_path):
    """An UNDO that was stored without a beep would take back one scan more."""
    frames, entries = await _work(tmp_path, [_label(b"U", "undo"), _goods(b"B")], [b""])
    assert frames == [b"U", b"B"]
    assert _pressed(entries) == [(b"U", None), (b"B", "good")]


async def test_a_rejection_is_nobodys_answer(tmp_path):
    """Central's late verdict sounds different and settles no scan."""
    _, entries = await _work(tmp_path, [_goods(b"A"), _goods(b"B")], [_REJECTED + _GOOD])
    assert _pressed(entries) == [(b"A", "good"), (b"B", "good")]
    assert any(isinstance(e, truth.Note) and "rejected" in e.text for e in entries)


def _shift(tmp_path, *more):
    (tmp_path / "cat").mkdir(exist_ok=True)
    (tmp_path / "cat" / "catalogue.json").write_text(CATALOGUE.model_dump_json())
    return subprocess.Popen(
        [
            sys.executable, "-m", "firmware_sim", "shift", "--links", str(tmp_path / "ports"),
            "--names", "s1,s2", "--truth", str(tmp_path / "truth.jsonl"), "--catalog",
            str(tmp_path / "cat"), "--rate", "50", *more,
        ],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def _answer_all(tmp_path, left_behind=()):
    """Answer both scanners, once the links are not those that a killed shift left behind.

    Those lead to terminals that the system has given to others by now: to tests beside this one.
    """
    ports = [tmp_path / "ports" / name for name in ("s1", "s2")]
    wait_until(
        lambda: all(port.exists() and _link(port) not in left_behind for port in ports),
        "both ports appear",
    )
    return [Answering(port) for port in ports]


def _link(port):
    """Return what tells a link from the one that replaces it."""
    return port.lstat().st_mtime_ns


def _busy(gateways):
    wait_until(lambda: sum(len(each.frames) for each in gateways) > 40, "people scan")


def test_a_shift_ends_after_the_scan_in_hand_and_goes_on_later(tmp_path):
    """SIGTERM: every press is answered, the journal is complete; a second run appends to it."""
    for runs in (1, 2):
        process = _shift(tmp_path)
        gateways = _answer_all(tmp_path)
        _busy(gateways)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        for gateway in gateways:
            gateway.close()
        assert process.returncode == 0, err
        assert '"silent": 0' in out
        entries = shift.read(tmp_path / "truth.jsonl")
        assert sum(isinstance(e, truth.Stop) for e in entries) == runs
        numbers = [e.n for e in entries if isinstance(e, truth.Press)]
        assert numbers == sorted(set(numbers))
    assert not (tmp_path / "ports" / "s1").is_symlink()


def test_a_killed_shift_leaves_a_journal_that_tells_the_truth(tmp_path):
    """After kill -9 every complete line counts, and the next run goes on behind it."""
    process = _shift(tmp_path)
    gateways = _answer_all(tmp_path)
    _busy(gateways)
    process.kill()
    process.communicate()
    for gateway in gateways:
        gateway.close()
    path = tmp_path / "truth.jsonl"
    with path.open("a") as torn:
        torn.write('{"line":"pre')
    before = truth.last_press(shift.read(path))
    assert before > 30
    left_behind = [_link(port) for port in (tmp_path / "ports").iterdir()]
    assert len(left_behind) == 2
    process = _shift(tmp_path, "--seconds", "1")
    gateways = _answer_all(tmp_path, left_behind)
    assert process.wait(timeout=30) == 0
    process.communicate()
    for gateway in gateways:
        gateway.close()
    assert truth.last_press(shift.read(path)) > before


async def test_rough_weather_tears_frames_but_not_the_truth(tmp_path):
    """Split and bounced frames: what an honest reader keeps is what the oracle expects."""
    path = tmp_path / "truth.jsonl"
    stop = asyncio.Event()
    weather = faults.Weather(split=0.4, bounce=0.1)
    async with PtyScanner("s1", tmp_path / "s1") as device:
        with journal.Journal(path) as book:
            rng = random.Random(3)
            person = runner.Operator(
                _STATION, device, book, runner.Numbers(), runner.Pace(200.0, 2.0), rng, stop,
                weather,
            )  # fmt: skip
            gateway = _Debouncing(device.link)
            steps = scenarios.play("shift", CATALOGUE, _STATION, rng)
            try:
                work = asyncio.create_task(person.work(steps))
                while len(gateway.frames) < 150 and not work.done():
                    await asyncio.sleep(0.01)
                stop.set()
                await asyncio.wait_for(work, 30)
            finally:
                gateway.close()
    entries = shift.read(path)
    presses = [e for e in entries if isinstance(e, truth.Press)]
    assert any(p.bounced for p in presses)
    assert gateway.frames == [p.sent for p in presses]
    ledger = Ledger.of(entries)
    assert check.check(entries, None, LedgerApi(ledger)).problems == []


class _Debouncing(Answering):
    """Drops the second of two equal frames of one trigger press, like a gateway."""

    def _run(self):
        data = b""
        while not self._ended:
            data += self._port.read(1)
            data += self._port.read(self._port.in_waiting)
            while b"\r" in data:
                frame, _, data = data.partition(b"\r")
                if data.startswith(frame + b"\r"):
                    data = data[len(frame) + 1 :]
                self.frames.append(frame)
                self._port.write(_REFUSED if _is_damaged(frame) else _GOOD)


def _is_damaged(frame):
    text = frame.removeprefix(b"]C0").decode("latin-1")
    if not text.startswith("%DT-"):
        return False
    kind, value = text.split("-", 2)[1], text.split("-", 2)[2].rpartition("-")[0]
    return labels.label(kind, value) != text
