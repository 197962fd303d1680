"""deploy/nightly, as cron runs it."""

import os
import subprocess
import sys
from pathlib import Path

from ledgers import new_database
from neighbours import ROOT


def nightly(folder: Path, config: Path) -> subprocess.CompletedProcess[str]:
    """Run the script with our own docktally."""
    command = folder.parent / "docktally"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m docktally "$@"\n')
    command.chmod(0o755)
    environment = {**os.environ, "DOCKTALLY": str(command)}
    script = [str(ROOT / "deploy" / "nightly"), str(folder), str(config)]
    return subprocess.run(
        script, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def test_it_keeps_seven_proven_copies(tmp_path: Path) -> None:
    """It says nothing when all is well, and removes the oldest copy."""
    new_database(tmp_path)
    (tmp_path / "central.toml").write_text('database = "central.db"\n')
    copies = tmp_path / "copies"
    copies.mkdir()
    for day in range(1, 9):
        (copies / f"central-2020010{day}-031500.db").touch()
    done = nightly(copies, tmp_path / "central.toml")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    kept = sorted(file.name for file in copies.iterdir())
    assert len(kept) == 7
    assert kept[0] == "central-20200103-031500.db"


def test_it_says_when_there_is_no_copy(tmp_path: Path) -> None:
    """Cron mails what it prints; older copies stay."""
    (tmp_path / "central.toml").write_text('database = "nowhere.db"\n')
    copies = tmp_path / "copies"
    copies.mkdir()
    done = nightly(copies, tmp_path / "central.toml")
    assert done.returncode == 1
    assert "there is no database" in done.stdout
    assert "do not delete older copies" in done.stdout
