"""The commands that start everything: they end well, and they leave nothing running."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import pytest

from firmware_sim import gs1
from firmware_sim.central_api import CentralApi
from firmware_sim.pty_serial import PtyScanner
from hands import BEEP_S
from neighbours import ROOT, free_port, wait_until
from sites import SITE, Warehouse, eventually

pytestmark = pytest.mark.broker
Command: TypeAlias = "subprocess.Popen[str]"
#: The demo itself waits this long for the last scans; more means that it hangs.
DEMO_S = 120.0
_GATEWAY = """\
site = "{site}"
gateway = "door"
[outbox]
disk_reserve_bytes = 0
[[scanner]]
name = "door-1"
port = "door-1"
feedback = {{ good = "\\u0006", offline = "\\u0011", refused = "\\u0015" }}
"""


@dataclass
class Family:
    """Runs `docktally` commands and knows every process that stems from them."""

    folder: Path
    mark: str = field(default_factory=lambda: f"DOCKTALLY_TEST_FAMILY={uuid.uuid4()}")
    started: list[Command] = field(default_factory=list)

    def start(self, *arguments: str) -> Command:
        """Start a command; all its descendants inherit our mark."""
        name, _, value = self.mark.partition("=")
        command = subprocess.Popen(
            [sys.executable, "-m", "docktally", *arguments],
            cwd=ROOT,
            env={**os.environ, name: value},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.started.append(command)
        return command

    def alive(self) -> dict[int, str]:
        """Return the command lines of the processes that live, by their ids."""
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if self.mark.encode() in (process / "environ").read_bytes().split(b"\0"):
                    command = (process / "cmdline").read_bytes().replace(b"\0", b" ")
                    found[int(process.name)] = command.decode()
        return found

    def end(self) -> None:
        """Kill what is left, and print what it said."""
        for pid in self.alive():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for command in self.started:
            command.communicate()
        for log in sorted(self.folder.rglob("*.log")):
            print(f"---- {log.name}\n{log.read_text(errors='replace')[-20_000:]}")


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    """Give a way to start commands, none of which outlives the test."""
    family = Family(tmp_path)
    yield family
    family.end()


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--seconds", "12"], id="calm-with-a-token"),
        pytest.param(["--outage", "--broker", "embedded", "--seconds", "22"], id="outage"),
    ],
)
def test_the_demo_passes_and_leaves_nothing(family: Family, options: list[str]) -> None:
    """The demo's ledger equals what was scanned, with and without an outage; nothing stays.

    Also where the ledger has tokens, so that central wants one of everybody.
    """
    if "--outage" not in options:
        ledger = str(family.folder / "central.db")
        made = family.start(
            "token", "create", "--name", "me", "--scope", "admin", "--database", ledger
        )
        assert "dt_" in made.communicate(timeout=DEMO_S)[0]
    demo = family.start("demo", "--headless", "--data", str(family.folder), *options)
    said, _ = demo.communicate(timeout=DEMO_S)
    assert demo.returncode == 0, said
    assert "EQUAL: the ledger says what happened" in said
    assert ("OUTAGE over" in said) == ("--outage" in options)
    assert family.alive() == {}


@pytest.fixture
async def up(family: Family, warehouse: Warehouse) -> AsyncIterator[Command]:
    """Give a running `docktally up` that has taken a scan into stock."""
    folder, api_port = family.folder, free_port()
    data = folder / "data"
    data.mkdir()
    shutil.copy(warehouse.database, data)
    (folder / "gateway.toml").write_text(_GATEWAY.format(site=SITE))
    item = warehouse.catalogue().items[0]
    api = CentralApi(f"http://127.0.0.1:{api_port}")

    def in_stock() -> bool:
        rows = api.items("/v1/stock")
        return [row["available"] for row in rows if row["sku"] == item.sku] == [1]

    async with PtyScanner("door-1", folder / "door-1") as scanner:
        up = family.start(
            "up", "--config", str(folder / "gateway.toml"), "--data", str(data),
            "--port", str(api_port), "--broker-port", str(free_port()),
        )  # fmt: skip
        log = data / "gateway.log"
        await eventually(
            lambda: log.exists() and "door-1: reading" in log.read_text(), "the gateway reads"
        )
        await scanner.connected()
        await scanner.press(gs1.trade_item(item.each) + gs1.TERMINATOR)
        async with asyncio.timeout(BEEP_S):
            assert (await scanner.hear())[1] in {"good", "offline"}
        await eventually(in_stock, "the scan is in stock")
        yield up


async def test_up_stops_cleanly(family: Family, up: Command) -> None:
    """A single-box site counts a scan; SIGTERM ends it with 0 and nothing is left running."""
    assert len(family.alive()) == 4
    up.send_signal(signal.SIGTERM)
    said, _ = up.communicate(timeout=BEEP_S)
    assert up.returncode == 0, said
    assert family.alive() == {}


async def test_up_killed_takes_its_children_along(family: Family, up: Command) -> None:
    """Even kill -9 of the launcher leaves no gateway and no central behind."""
    up.kill()
    up.communicate(timeout=BEEP_S)

    def left() -> list[str]:
        # Started as root, mosquitto becomes another user, and so forgets whose child it is.
        spared = "mosquitto" if os.geteuid() == 0 else "nothing"
        return [command for command in family.alive().values() if spared not in command]

    wait_until(lambda: left() == [], "the children end too")


async def test_up_starts_again_what_dies(family: Family, up: Command) -> None:
    """A program that dies is started again without anybody's help."""
    pid = next(pid for pid, command in family.alive().items() if "-m gateway" in command)
    os.kill(pid, signal.SIGKILL)
    wait_until(
        lambda: any(
            "-m gateway" in command and other != pid for other, command in family.alive().items()
        ),
        "the gateway runs again",
    )
    up.terminate()
    said, _ = up.communicate(timeout=BEEP_S)
    assert up.returncode == 0, said
    assert "gateway ended" in said
    assert family.alive() == {}
