"""Every command of `docktally` explains itself and is in the README."""

import subprocess
import sys

import pytest

from docktally.__main__ import COMMANDS
from neighbours import ROOT


def docktally(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the real command."""
    return subprocess.run(
        [sys.executable, "-m", "docktally", *arguments],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(name: str) -> None:
    """--help ends with 0 and says what the command is for, under its public name."""
    answer = docktally(name, "--help")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith(f"usage: docktally {name}")
    assert len(answer.stdout.splitlines()) > 3


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_in_the_readme(name: str) -> None:
    """A command that nobody can find is not there."""
    assert f"docktally {name}" in (ROOT / "README.md").read_text()


def test_an_unknown_command_says_so() -> None:
    """It lists what there is, and ends with 2."""
    answer = docktally("gatewya")
    assert answer.returncode == 2
    assert "no command 'gatewya'" in answer.stderr
    assert "gateway" in answer.stderr


def test_the_version_is_the_distributions() -> None:
    """--version works without any extra."""
    assert docktally("--version").stdout.strip().count(".") == 2
