"""A whole site for one test: real broker, central and two gateways, scanners in real hands.

The truth is what firmware_sim's journal says was pressed and heard. The verdict is `docktally sim
check`, which compares it with the ledger over HTTP, and `docktally verify`.
"""

import asyncio
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from docktally.children import Child, wait_for_port
from firmware_sim import catalog, catalog_files
from firmware_sim.central_api import CentralApi
from neighbours import ROOT, Mosquitto, free_port, wait_until
from wire.errors import Unavailable

SITE = "hall"
#: gateway: its scanners, each with the dock it lies at.
DOCKS = {
    "gate-a": {"a-1": "DOCK-1", "a-2": "DOCK-2"},
    "gate-b": {"b-1": "DOCK-1", "b-2": "DOCK-2"},
}
#: Broker, central and gateways reconnect with pauses of up to 10 s, resend after 5 s and more.
SETTLE_S = 90
_GATEWAY = """\
site = "{site}"
gateway = "{name}"
data = "data"
[broker]
port = {port}
[outbox]
{outbox}
"""
_SCANNER = """
[[scanner]]
name = "{name}"
port = "{port}"
location = "{dock}"
feedback = {{ good = "\\u0006", offline = "\\u0011", refused = "\\u0015", rejected = "\\u0012" }}
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of our commands to its end."""
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


async def eventually(condition: Callable[[], object], what: str) -> None:
    """Wait like `wait_until` while the scanners of this loop go on working."""
    await asyncio.to_thread(wait_until, condition, what)


@dataclass(frozen=True)
class Warehouse:
    """An invented catalogue, and a database that knows it."""

    folder: Path

    @property
    def database(self) -> Path:
        """The database to copy."""
        return self.folder / "central.db"

    def build(self) -> Self:
        """Make both."""
        goods = ("--seed", "7", "--site", SITE, "--out", str(self.folder))
        result = run("firmware_sim", "catalog", *goods)
        assert result.returncode == 0, result.stderr
        self.stock(str(self.database))
        return self

    def stock(self, database: str) -> None:
        """Import the catalogue into a ledger."""
        files = [f"--{name}={self.folder / name}.csv" for name in ("items", "locations")]
        result = run("docktally", "catalog", "import", *files, "--database", database)
        assert result.returncode == 0, result.stderr

    def catalogue(self) -> catalog.Catalogue:
        """Return its items and places."""
        return catalog_files.read(self.folder)


@dataclass
class Site:
    """The programs of one site, each to be started, killed and started again by its name."""

    folder: Path
    broker: Mosquitto
    warehouse: Warehouse
    outbox: str = "disk_reserve_bytes = 0"
    #: URL of a PostgreSQL ledger, instead of a file of its own.
    url: str = ""
    programs: dict[str, Child] = field(default_factory=dict)
    api_port: int = field(default_factory=free_port)
    _starts: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def __post_init__(self) -> None:
        if not self.url:
            shutil.copy(self.warehouse.database, self.database)
        self.api = self.central("central", self.api_port)
        for name in DOCKS:
            self._program(name, "gateway", "--config", str(self._configure(name)))

    def central(self, name: str, port: int) -> CentralApi:
        """Add a central process to be started; return its HTTP door."""
        self._program(
            name, "central", "--database", self.url or str(self.database), "--port", str(port),
            "--broker", f"127.0.0.1:{self.broker.port}",
        )  # fmt: skip
        return CentralApi(f"http://127.0.0.1:{port}")

    @property
    def database(self) -> Path:
        """Central's database, when it is a file."""
        return self.folder / "central.db"

    @property
    def truth(self) -> Path:
        """The journal of what was pressed and heard."""
        return self.folder / "truth.jsonl"

    def configure(self, outbox: str) -> None:
        """Give the gateways other limits, before they are started."""
        self.outbox = outbox
        for name in DOCKS:
            self._configure(name)

    def _configure(self, name: str) -> Path:
        text = _GATEWAY.format(site=SITE, name=name, port=self.broker.port, outbox=self.outbox)
        for scanner, dock in DOCKS[name].items():
            text += _SCANNER.format(name=scanner, port=self.port(scanner), dock=dock)
        path = self.folder / name / "gateway.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    def _program(self, name: str, *arguments: str) -> None:
        self.programs[name] = Child(name, [sys.executable, "-m", *arguments])

    def port(self, scanner: str) -> Path:
        """Return where the port of a scanner appears."""
        return self.folder / "ports" / scanner

    def start(self, *names: str) -> None:
        """Start what is named, by default everything but the broker; central then answers."""
        for name in names or self.programs:
            if name == "broker":
                self.broker.start()
                continue
            self._starts[name] = len(self.log(name))
            self.programs[name].start(self.folder / f"{name}.log")
        if "central" in (names or self.programs):
            wait_for_port(self.programs["central"], self.api_port)

    def kill(self, name: str) -> None:
        """End a program as a power cut would."""
        (self.broker if name == "broker" else self.programs[name]).kill()

    def log(self, name: str) -> str:
        """Return what a program has said so far, over all its lives."""
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def said(self, name: str) -> str:
        """Return what a program has said since its last start."""
        return self.log(name)[self._starts[name] :]

    def people(self, seed: int, *, rate: float = 3.0, **options: object) -> Child:
        """Set people to work at all scanners; `stop` lets them finish the scan in hand."""
        names = [f"{name}@{dock}" for docks in DOCKS.values() for name, dock in docks.items()]
        command = [sys.executable, "-m", "firmware_sim", "shift", "--seed", str(seed)]
        command += ["--links", str(self.folder / "ports"), "--names", ",".join(names)]
        command += ["--truth", str(self.truth), "--catalog", str(self.warehouse.folder)]
        command += [f"--{name}={value}" for name, value in options.items()]
        people = self.programs["people"] = Child("people", [*command, "--rate", str(rate)])
        people.start(self.folder / "people.log")
        return people

    def monitor(self) -> None:
        """Start a monitor that writes what it sees to its log."""
        command = [sys.executable, "-m", "monitor", "--headless"]
        command += ["--broker", f"127.0.0.1:{self.broker.port}"]
        self.programs["monitor"] = Child("monitor", command)
        self.start("monitor")

    def presses(self) -> int:
        """Return how often somebody has pressed a trigger so far."""
        journal = self.truth.read_text() if self.truth.exists() else ""
        return journal.count('"line":"press"')

    def work_on(self, presses: int) -> None:
        """Return after so many more presses: work goes on, whatever is broken now."""
        goal = self.presses() + presses
        wait_until(lambda: self.presses() >= goal, f"people press {presses} times more")

    def position(self) -> int:
        """Return how many events the ledger has, 0 while central does not answer."""
        try:
            return int(self.api.get("/v1/ledger")["position"])
        except Unavailable:
            return 0

    def prove(self) -> None:
        """Assert that the ledger is the truth: each scan once, in order, every sum right."""
        if "people" in self.programs:
            people = self.programs.pop("people")
            people.ask_to_stop()
            assert people.wait(SETTLE_S) == 0, self.log("people")
        check = run(
            "firmware_sim", "check", "--truth", str(self.truth), "--api", self.api.url,
            "--wait", str(SETTLE_S),
        )  # fmt: skip
        print(check.stdout, check.stderr)
        assert check.returncode == 0, check.stdout + check.stderr
        self.verify()
        self.assert_order()
        self.assert_alive()

    def verify(self) -> None:
        """Assert that the ledger proves every sum."""
        verify = run("docktally", "verify", "--database", self.url or str(self.database))
        assert verify.returncode == 0, verify.stdout + verify.stderr

    def assert_order(self) -> None:
        """Assert that each gateway's events were applied without holes or repeats, in order."""
        applied: dict[tuple[str, str], list[int]] = defaultdict(list)
        for fact in self.api.facts():
            applied[fact.gateway, fact.epoch].append(fact.seq)
        for seqs in applied.values():
            assert seqs == list(range(1, len(seqs) + 1))
        assert len(applied) <= len(DOCKS), f"an outbox was begun anew: {sorted(applied)}"

    def assert_alive(self) -> None:
        """Assert that no program has ended by itself, and that no one reported a bug."""
        for name in self.programs:
            assert self.programs[name].exit_code() is None, f"{name} ended by itself"
            assert "Traceback" not in self.log(name), self.log(name)

    def end(self) -> None:
        """Kill everything, and print what it said: pytest shows it when the test failed."""
        for child in self.programs.values():
            child.kill()
        self.broker.kill()
        for log in [*sorted(self.folder.glob("*.log")), self.broker.folder / "mosquitto.log"]:
            print(f"---- {log.name}\n{log.read_text(errors='replace')[-20_000:]}")
