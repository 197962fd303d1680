"""Yesterday's backup is put back: the gateways' journals bring what it lacks."""

import json
from collections import defaultdict
from pathlib import Path

import pytest

from ears import Ears
from neighbours import wait_until
from sites import Site, run

pytestmark = pytest.mark.broker


def restore_drill(site: Site, ears: Ears, copy: Path) -> None:
    """Back up at work, go on, lose the ledger, put the copy back: the ledger is the truth again."""
    versions: dict[str, list[int]] = defaultdict(list)

    def note(topic: str, payload: bytes) -> None:
        if "/availability/" in topic:
            versions[topic].append(json.loads(payload)["version"])

    ears.tell = note
    database = ("--database", site.url or str(site.database))
    site.start()
    site.people(61, rate=10)
    site.work_on(presses=30)
    backup = run("docktally", "backup", str(copy), *database)
    assert backup.returncode == 0, backup.stderr
    site.work_on(presses=40)
    refused = run("docktally", "restore", str(copy), *database, "--force")
    assert refused.returncode == 1
    assert "stop" in refused.stderr
    position = site.position()
    site.programs["central"].stop()
    site.work_on(presses=10)
    restored = run("docktally", "restore", str(copy), *database, "--force")
    assert restored.returncode == 0, restored.stderr
    before = {topic: max(seen) for topic, seen in versions.items()}
    site.start("central")
    wait_until(lambda: site.position() > position, "the journals bring the rest")
    site.prove()
    after = {topic: seen[-1] for topic, seen in versions.items()}
    assert all(after[topic] > version for topic, version in before.items()), "taken for old"
    assert all(seen == sorted(seen) for seen in versions.values())


def test_yesterdays_file_comes_back(site: Site, ears: Ears, tmp_path: Path) -> None:
    """A ledger in a file."""
    restore_drill(site, ears, tmp_path / "copy.db")


@pytest.mark.postgres
def test_yesterdays_postgresql_comes_back(shared_site: Site, ears: Ears, tmp_path: Path) -> None:
    """A ledger on PostgreSQL."""
    restore_drill(shared_site, ears, tmp_path / "copy.db")
