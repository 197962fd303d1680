"""gateway.beeper with real programs: they are told what happened, and can hold nothing up."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway import beeper, tones
from gateway.beeper import Beeper
from gateway.config import BeeperSettings, Gpio
from neighbours import DEADLINE_S
from wire.events import Pattern, Signal


def signal(pattern: Pattern = "good", text: str = "seq 1: receive") -> Signal:
    """Return a signal of a scanner."""
    return Signal(at=datetime(2026, 1, 1, tzinfo=UTC), scanner="door 1", pattern=pattern, text=text)


def program(path: Path, script: str) -> str:
    """Write a program and return its path."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@asynccontextmanager
async def running(settings: BeeperSettings) -> AsyncIterator[Beeper]:
    """Run a beeper until the block ends."""
    made = Beeper(settings)
    task = asyncio.create_task(made.run())
    yield made
    task.cancel()
    await asyncio.wait([task])


async def until(condition: Callable[[], object]) -> None:
    """Wait for something."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


def alive(pid_file: Path) -> bool:
    """Return whether the process that wrote its number there is still running."""
    return os.path.exists(f"/proc/{pid_file.read_text().strip()}/exe")  # noqa: PTH110


async def test_a_program_is_told_in_words_and_without_a_shell(tmp_path: Path) -> None:
    """Each word is one argument, whatever the barcode said; the order is that of the signals."""
    out = tmp_path / "out"
    hook = program(tmp_path / "hook", f'printf "<%s>" "$@" >> {out}; echo >> {out}')
    nasty = f"$(touch {tmp_path}/x); `id` 'a' \"b\" {{pattern}} \x1d\0 é"
    async with running(
        BeeperSettings(command=(hook, "{pattern}", "{scanner}", "-- {text}"))
    ) as made:
        made.give(signal("good"))
        made.give(signal("refused", nasty))
        await until(lambda: out.exists() and out.read_text().count("\n") == 2)
    first, second = out.read_text().strip("\n").split("\n")
    assert first == "<good><door 1><-- seq 1: receive>"
    assert not (tmp_path / "x").exists()
    assert second == f"<refused><door 1><-- {nasty}>".replace("\0", " ")


async def test_a_program_that_hangs_is_ended_with_all_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It holds up neither us nor the next signal for longer than its time."""
    monkeypatch.setattr(beeper, "TIME_LIMIT_S", 0.3)
    child, done = tmp_path / "child", tmp_path / "done"
    hook = program(
        tmp_path / "hook",
        f'[ "$1" = good ] && touch {done} && exit\nsleep 1000 & echo $! > {child}; wait',
    )
    async with running(BeeperSettings(command=(hook, "{pattern}"))) as made:
        made.give(signal("refused"))
        made.give(signal("good"))
        await until(done.exists)
        assert not alive(child)
    assert "took more than" in caplog.text


async def test_stopping_ends_the_program(tmp_path: Path) -> None:
    """A gateway that is stopped waits for no beep."""
    child = tmp_path / "child"
    hook = program(tmp_path / "hook", f"echo $$ > {child}; exec sleep 1000")
    async with running(BeeperSettings(command=(hook,))) as made:
        made.give(signal())
        await until(lambda: child.exists() and child.read_text())
    assert not alive(child)


@pytest.mark.parametrize("broken", ["exit 3", None])
async def test_a_program_that_fails_is_one_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, broken: str | None
) -> None:
    """The same failure again is not said again; the other outlets go on."""
    out = tmp_path / "out"
    hook = program(tmp_path / "hook", broken) if broken else str(tmp_path / "missing")
    monkey = BeeperSettings(command=(hook,), gpio=Gpio(chip=tmp_path / "no-chip", good=1))
    async with running(monkey) as made:
        for _ in range(5):
            made.give(signal())
        await until(lambda: caplog.text.count("no-chip") >= 1 and caplog.text.count(hook) >= 1)
        await asyncio.sleep(0.3)
    assert not out.exists()
    assert caplog.text.count(f"beeper: {hook}:") == 1
    assert caplog.text.count("beeper: gpio:") == 1
    assert "exit code 3" in caplog.text or "No such file" in caplog.text


async def test_too_many_signals_are_dropped_good_news_first(tmp_path: Path) -> None:
    """While a slow program runs, what waits is bounded, and a refusal is not lost to good beeps."""
    out, go = tmp_path / "out", tmp_path / "go"
    hook = program(tmp_path / "hook", f"while [ ! -e {go} ]; do sleep 0.01; done; echo $1 >> {out}")
    async with running(BeeperSettings(command=(hook, "{pattern}"))) as made:
        made.give(signal("good"))
        await asyncio.sleep(0.1)
        for pattern in ("refused", *["good"] * 100, "rejected"):
            made.give(signal(pattern))
        go.touch()
        await until(lambda: out.exists() and "rejected" in out.read_text())
    said = out.read_text().split()
    assert len(said) == 9
    assert said[:2] == ["good", "refused"]
    assert said[-1] == "rejected"


async def test_a_signal_that_comes_too_late_is_not_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be taken for the beep of another scan."""
    monkeypatch.setattr(beeper, "STALE_S", 0.2)
    out = tmp_path / "out"
    hook = program(tmp_path / "hook", f"sleep 0.4; echo $1 >> {out}")
    async with running(BeeperSettings(command=(hook, "{pattern}"))) as made:
        made.give(signal("good"))
        await asyncio.sleep(0.1)
        made.give(signal("refused"))
        await until(out.exists)
        made.give(signal("rejected"))
        await until(lambda: "rejected" in out.read_text())
    assert out.read_text().split() == ["good", "rejected"]


async def test_the_speaker_plays_the_tune_through_aplay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program called aplay gets the WAV file on its standard input."""
    out = tmp_path / "out"
    program(tmp_path / "aplay", f'[ "$*" = "-q -" ] && cat > {out}.part && mv {out}.part {out}')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    async with running(BeeperSettings(speaker=True)) as made:
        made.give(signal("rejected"))
        await until(out.exists)
    assert out.read_bytes() == tones.wav("rejected")


async def test_a_speaker_without_aplay_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """At the start, once, and the gateway goes on."""
    monkeypatch.setenv("PATH", str(tmp_path))
    async with running(BeeperSettings(speaker=True)) as made:
        made.give(signal())
        await asyncio.sleep(0.05)
    assert caplog.text.count("apt-get install alsa-utils") == 1
