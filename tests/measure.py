"""Processes under measurement, and what they cost."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def process(
    *command: str, log: Path, ready: bytes | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends."""
    with log.open("wb") as errors:
        running = subprocess.Popen(
            [sys.executable, *command], stdout=subprocess.PIPE, stderr=errors
        )
    try:
        if ready is not None:
            assert running.stdout is not None
            assert running.stdout.readline().strip() == ready
        yield running
    finally:
        running.kill()
        running.communicate()


def show(name: str, delays: list[float]) -> tuple[float, float]:
    """Print and return p50 and p99 in ms."""
    cuts = statistics.quantiles(delays, n=100)
    print(f"{name:<10} p50 {cuts[49]:6.2f} ms   p99 {cuts[98]:6.2f} ms   max {max(delays):6.2f} ms")
    return cuts[49], cuts[98]


def compare(rates: Sequence[tuple[float, float]], what: str) -> str:
    """Return a line about (floor, ours) of each round, per second."""
    floor, ours = (statistics.median(column) for column in zip(*rates, strict=True))
    ratios = sorted(ours / floor for floor, ours in rates)
    return (
        f"{ours:>7,.0f} {what}/s, {statistics.median(ratios):.2f} of the floor's {floor:,.0f}; "
        f"rounds {ratios[0]:.2f} to {ratios[-1]:.2f}"
    )


def cpu_s(pid: int) -> float:
    """Return the processor seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rests(pid: int) -> bool:
    """Look for a second whether a process has hardly anything to do."""
    before = cpu_s(pid)
    time.sleep(1)
    return cpu_s(pid) - before < 0.1


def waited_s(pid: int) -> float:
    """Return how long the first thread of a process was ready but had no processor, so far.

    On a machine that others use at the same time, that is their share of a delay.
    """
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


def rss_mb(pid: int) -> float:
    """Return the memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return (
        int(next(row.split()[1] for row in status.splitlines() if row.startswith("VmRSS"))) / 1024
    )


def usage(name: str, pid: int) -> str:
    """Return the memory and processor time of a process."""
    return f"{name}: {rss_mb(pid):.0f} MB RSS, {cpu_s(pid):.1f} s CPU"
