"""The gateway that docs/wire.md shows really is one."""

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ledgers import CASE, EACH, new_database
from neighbours import ROOT, Mosquitto, free_port, wait_until

pytestmark = pytest.mark.broker
Get = Callable[[str], Any]


@pytest.fixture
def central(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Get]:
    """Give a function that asks a running central by HTTP."""
    port = free_port()
    command = [sys.executable, "-m", "central", "--database", new_database(tmp_path)]
    command += ["--broker", f"127.0.0.1:{mosquitto.port}", "--port", str(port)]

    def get(path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return json.load(answer)

    def answers() -> bool:
        try:
            return bool(get("/healthz"))
        except OSError:
            return False

    with (tmp_path / "central.log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log, cwd=ROOT)
        wait_until(answers, "central answers")
        yield get
        process.terminate()
        assert process.wait(30) == 0


def test_the_documented_gateway_brings_each_scan_once(
    tmp_path: Path, mosquitto: Mosquitto, central: Get
) -> None:
    """Copied from the page, it changes the stock; started again, only by what is new."""
    page = (ROOT / "docs" / "wire.md").read_text()
    example = re.search(r'```python\n("""python pocket\.py.*?)```', page, re.DOTALL)
    assert example
    program = tmp_path / "pocket.py"
    program.write_text(example[1])
    command = [sys.executable, str(program), "127.0.0.1", str(mosquitto.port), "outbox"]
    for codes, scans, on_hand in ((f"{EACH}\n{CASE}\n", 2, 13), ("", 2, 13), (EACH, 3, 14)):
        run = subprocess.run(
            command, cwd=tmp_path, input=codes, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip
        assert run.stdout == f"central has all {scans} scans\n", run.stderr
        assert central("/v1/stock/VALVE")["sites"][0]["on_hand"] == on_hand
    assert [item["status"] for item in central("/v1/events")["items"]] == ["applied"] * 3
