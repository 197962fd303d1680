"""The guest itself: what a command there sees, and what is left of it."""

import os
from pathlib import Path

import pytest

from rig import packages
from rig.machine import Machine

pytestmark = pytest.mark.rig


def test_a_command_sees_the_hosts_files_and_cannot_change_them(tmp_path: Path) -> None:
    """It reads and writes them, for itself; only the shared folder and its exit code stay."""
    here, share = tmp_path / "here", tmp_path / "share"
    here.mkdir()
    share.mkdir()
    (here / "file").write_text("of the host")
    machine = Machine(packages.default(), share)
    words = f"cat file; echo changed >file; cat file; echo kept >{share}/kept; uname -n; exit 7"
    running = machine.start(["sh", "-c", words], working=here, environment=os.environ)
    assert running.wait() == 0
    assert (share / "output").read_text() == "of the hostchanged\nrig\n"
    assert machine.exit_code() == 7
    assert (here / "file").read_text() == "of the host"
    assert (share / "kept").read_text() == "kept\n"


def test_a_guest_that_dies_has_last_words(tmp_path: Path) -> None:
    """A crash is no exit code; the console says what happened."""
    machine = Machine(packages.default(), tmp_path)
    words = "echo 8 >/proc/sys/kernel/printk; echo c >/proc/sysrq-trigger"
    machine.start(["sh", "-c", words], working=tmp_path, environment=os.environ).wait()
    assert machine.exit_code() is None
    assert "sysrq triggered crash" in machine.last_words()
