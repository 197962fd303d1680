"""A whole site for one test: real broker, central and two gateways, scanners in real hands.

The truth is what firmware_sim's journal says was pressed and heard. The verdict is `docktally sim
check`, which compares it with the ledger over HTTP, and `docktally verify`.
"""

import asyncio
import json
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import paho.mqtt.client as paho

from docktally.children import Child, wait_for_port
from firmware_sim import catalog, catalog_files, gs1, truth
from firmware_sim.central_api import CentralApi
from firmware_sim.journal import Journal
from firmware_sim.pty_serial import PtyScanner
from firmware_sim.runner import Numbers
from neighbours import ROOT, Mosquitto, free_port, wait_until
from wire.errors import Unavailable
from wire.events import GatewayState
from wire.topics import Topics

SITE = "hall"
#: gateway: its scanners, each with the dock it lies at.
DOCKS = {
    "gate-a": {"a-1": "DOCK-1", "a-2": "DOCK-2"},
    "gate-b": {"b-1": "DOCK-1", "b-2": "DOCK-2"},
}
#: Broker, central and gateways reconnect with pauses of up to 10 s, resend after 5 s and more.
SETTLE_S = 90
#: How long somebody waits for a beep before the test fails.
BEEP_S = 30.0
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
        files = [f"--{name}={self.folder / name}.csv" for name in ("items", "locations")]
        for command in (
            ("firmware_sim", "catalog", *goods),
            ("docktally", "catalog", "import", *files, "--database", str(self.database)),
        ):
            result = run(*command)
            assert result.returncode == 0, result.stderr
        return self

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
    programs: dict[str, Child] = field(default_factory=dict)
    api_port: int = field(default_factory=free_port)
    _starts: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def __post_init__(self) -> None:
        shutil.copy(self.warehouse.database, self.database)
        self.api = CentralApi(f"http://127.0.0.1:{self.api_port}")
        self._program(
            "central", "central", "--database", str(self.database), "--port", str(self.api_port),
            "--broker", f"127.0.0.1:{self.broker.port}",
        )  # fmt: skip
        for name in DOCKS:
            self._program(name, "gateway", "--config", str(self._configure(name)))

    @property
    def database(self) -> Path:
        """Central's database."""
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
        verify = run("docktally", "verify", "--database", str(self.database))
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


class Hand:
    """A scanner in the test's own hand: every press and every beep goes to the journal."""

    def __init__(self, site: Site, scanner: str, journal: Journal, numbers: Numbers) -> None:
        self.name, self._site, self._journal, self._numbers = scanner, site, journal, numbers
        self.gateway, self.dock = next(
            (gateway, docks[scanner]) for gateway, docks in DOCKS.items() if scanner in docks
        )
        self.device = PtyScanner(scanner, site.port(scanner))
        self._plugged_at = 0

    async def __aenter__(self) -> Self:
        await self.device.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.device.__aexit__(kind, error, trace)

    async def ready(self) -> None:
        """Return once the gateway that runs now reads the port that is plugged in now."""
        sign = f"scanner {self.name}: reading"
        await eventually(
            lambda: (
                sign in self._site.log(self.gateway)[self._plugged_at :]
                and sign in self._site.said(self.gateway)
            ),
            f"{self.gateway} reads {self.name}",
        )
        await self.device.connected()

    def unplug(self) -> None:
        """Pull the plug."""
        self.device.unplug()

    def plug(self) -> None:
        """Put it back: another terminal under the same link."""
        self._plugged_at = len(self._site.log(self.gateway))
        self.device.plug()

    def note(self, raw: bytes, meaning: truth.Meaning, *, cut: bool = False) -> int:
        """Write down that a trigger is about to be pulled; return the number of the press."""
        n = self._numbers.next()
        self._journal.write(
            truth.Press(n=n, at=_now(), scanner=self.name, raw=raw.hex(), meaning=meaning, cut=cut)
        )
        return n

    async def hear(self, n: int) -> truth.Beep:
        """Wait for the answer to press `n`."""
        while True:
            async with asyncio.timeout(BEEP_S):
                _, signal = await self.device.hear()
            if signal != "rejected":
                self._journal.write(truth.Heard(n=n, at=_now(), beep=signal, after_ms=0.0))
                return signal

    async def scan(self, raw: bytes, meaning: truth.Meaning) -> truth.Beep:
        """Scan one label and return its beep."""
        n = self.note(raw, meaning)
        await self.device.press(raw + gs1.TERMINATOR)
        return await self.hear(n)

    async def receive(self, item: catalog.Item, lot: str = "") -> truth.Beep:
        """Receive one piece of an item; return the beep."""
        return await self.scan(*self.label(item, lot))

    async def receive_until(self, beep: truth.Beep, item: catalog.Item) -> None:
        """Receive pieces, each of a lot of its own, until one of them is answered by `beep`."""
        async with asyncio.timeout(BEEP_S):
            while await self.receive(item, lot=f"N{self._numbers.next()}") != beep:
                await asyncio.sleep(0.01)

    def label(self, item: catalog.Item, lot: str = "") -> tuple[bytes, truth.Meaning]:
        """Return the reading of a label, and what scanning it means."""
        pairs = [("01", gs1.gtin14(item.each)), ("10", lot)]
        raw = gs1.elements("]C1", pairs) if lot else gs1.trade_item(item.each)
        return raw, truth.Meaning(
            outcome="goods", kind="receive", sku=item.sku, lot=lot, eaches=1, target=self.dock
        )

    async def pour(self, data: bytes) -> None:
        """Send more bytes than a terminal takes at once; which ones get lost does not matter."""
        for start in range(0, len(data), 256):
            piece = data[start : start + 256]
            async with asyncio.timeout(BEEP_S):
                while piece:
                    try:
                        await self.device.press(piece)
                        piece = b""
                    except Unavailable:
                        await asyncio.sleep(0.001)


#: Takes scanners in hand, by their names, once their gateways read them.
Grab = Callable[..., Awaitable[list[Hand]]]


class Ears:
    """Hears every message on the broker and can say anything there."""

    def __init__(self, port: int) -> None:
        self.topics = Topics()
        self.newest: dict[str, bytes] = {}
        client = self._client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5, client_id="ears"
        )
        client.on_connect = lambda *_: client.subscribe(f"{self.topics.root}/#", qos=1)
        client.on_message = self._hear
        client.reconnect_delay_set(1, 1)
        client.connect("127.0.0.1", port)
        client.loop_start()

    def _hear(self, _client: object, _userdata: object, message: paho.MQTTMessage) -> None:
        self.newest[message.topic] = message.payload

    def say(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish bytes; return when the broker has them."""
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(BEEP_S)

    def state(self, gateway: str) -> GatewayState | None:
        """Return a gateway's newest state, None while it has said nothing that makes sense."""
        payload = self.newest.get(self.topics.state(SITE, gateway), b"{}")
        try:
            return GatewayState.model_validate(json.loads(payload))
        except ValueError:
            return None

    def close(self) -> None:
        """Stop listening."""
        self._client.disconnect()
        self._client.loop_stop()


def _now() -> datetime:
    return datetime.now(UTC)
