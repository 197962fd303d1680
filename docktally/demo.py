"""`docktally demo`: a whole warehouse on this machine, with simulated people and scanners.

Everything but the hands is real: gateways read real serial ports (pseudo terminals), scans travel
over a real broker to a real ledger, a storefront sells from it, and at the end the ledger is
compared with the journal of what was really scanned.
"""

import argparse
import contextlib
import math
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from docktally import brokers
from docktally.children import Child, ChildFailed
from docktally.site import Site, broker_option, own_or_named
from wire.broker import Broker
from wire.settings import TOKEN_VARIABLE

SITE = "demo"
#: gateway: its scanners, each with the dock it lies at.
DOCKS = {
    "gate-a": (("dock-1", "DOCK-1"), ("dock-2", "DOCK-2")),
    "gate-b": (("dock-3", "DOCK-3"), ("dock-4", "DOCK-4")),
}
OUTAGE_S = 10.0
HEADLESS_S = 20.0
_TICK_S = 0.2
_REPORT_EVERY_S = 5.0
#: How long the last scans may take from the docks into the ledger before the comparison fails.
SETTLE_S = 60.0
_GATEWAY = """\
# Made by docktally demo.
site = "{site}"
gateway = "{name}"
data = "data"

[outbox]
disk_reserve_bytes = 1048576
"""
_SCANNER = """
[[scanner]]
name = "{name}"
port = "{port}"
location = "{dock}"
repeat_window_ms = 0  # simulated people press faster than real ones
feedback = {{ good = "\\u0006", offline = "\\u0011", refused = "\\u0015", rejected = "\\u0012" }}
"""


def main(argv: list[str]) -> int:
    """Run the demo; return 0 only when the ledger equals what was scanned."""
    options = _parser().parse_args(argv)
    if options.seconds is None and options.headless:
        options.seconds = HEADLESS_S
    if options.outage and isinstance(options.broker, Broker):
        print(
            "docktally demo: --outage cuts the demo's own broker; leave --broker out",
            file=sys.stderr,
        )
        return 2
    if not options.headless and not (sys.stdin.isatty() and sys.stdout.isatty()):
        print("docktally demo: this is no terminal to draw on; use --headless", file=sys.stderr)
        return 2
    folder = Path(options.data or tempfile.mkdtemp(prefix="docktally-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        good = _Demo(folder, options, stop).run()
    except (ChildFailed, OSError) as error:
        print(f"docktally demo: {error}\nLogs are in {folder}", file=sys.stderr)
        return 1
    if not good:
        print(f"Logs and databases are kept in {folder}")
    elif not options.data:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if good else 1


class _Demo:
    def __init__(self, folder: Path, options: argparse.Namespace, stop: threading.Event) -> None:
        self.folder = folder
        self.options = options
        self.stop = stop
        named = isinstance(options.broker, Broker)
        broker = options.broker if named else Broker(port=brokers.free_port())
        # A folder that is kept may have a ledger with tokens: then central wants one of everybody.
        token = secrets.token_urlsafe() if options.data else None
        self.site = Site(folder, broker, token=token)
        self.truth = folder / "truth.jsonl"
        self.outage = "ahead"
        self.started = 0.0
        self.sales = folder / "storefront.jsonl"

    def run(self) -> bool:
        with contextlib.ExitStack() as stack:
            stack.callback(self.site.stop)
            self._start()
            self.started = time.monotonic()
            if self.options.headless:
                self._wait()
            else:
                self._watch()
            if self.outage == "now":  # left in the middle of it
                self.started -= OUTAGE_S
                self._weather()
            for child in self.people:
                child.stop()
                self.site.children.remove(child)
            proven = self._compare()
            bad = self.site.stop()
        for line in bad:
            print(line)
        print("DEMO PASSED" if proven and not bad else "DEMO FAILED")
        return proven and not bad

    def _start(self) -> None:
        options, site = self.options, self.site
        print("Starting a warehouse: broker, central, two gateways, four scanners, a storefront.")
        goods = self.folder / "catalogue"
        seed = str(options.seed)
        self._run("sim", "catalog", "--seed", seed, "--site", SITE, "--out", str(goods))
        if not isinstance(options.broker, Broker):
            site.start_broker(options.broker)
        database = ["--database", str(self.folder / "central.db")]
        files = ["--items", str(goods / "items.csv"), "--locations", str(goods / "locations.csv")]
        self._run("catalog", "import", *files, *database)
        site.start_central(brokers.free_port(), *database, *self._door())
        names = []
        for gateway, scanners in DOCKS.items():
            path = self._write_gateway(gateway, scanners)
            site.start(
                gateway, ["-m", "gateway", "--config", str(path), *broker_option(site.broker)]
            )
            names += [f"{name}@{dock}" for name, dock in scanners]
        sim = ["-m", "firmware_sim"]
        shift = ["--links", str(self.folder / "ports"), "--names", ",".join(names)]
        shift += ["--truth", str(self.truth), "--catalog", str(goods), "--seed", seed]
        shift += ["--rate", str(options.rate), "--seconds", "0"]
        shop = ["--api", site.api, "--site", SITE, "--seed", seed, "--seconds", "0"]
        # Goods that are still on their way into the house are not for the packers.
        shop += ["--listed-above", "100", "--journal", str(self.sales)]
        self.people = [
            site.start("scanners", [*sim, "shift", *shift]),
            site.start("storefront", [*sim, "storefront", *shop]),
        ]

    def _door(self) -> list[str]:
        """Return the option that has central believe our token.

        It is in a file that only we can read and in the environment, on no command line.
        """
        if self.site.token is None:
            return []
        path = self.folder / "demo.toml"
        path.touch(mode=0o600)
        path.write_text(f'[api]\ntoken = "{self.site.token}"\n', encoding="utf-8")
        os.environ[TOKEN_VARIABLE] = self.site.token
        return ["--config", str(path)]

    def _write_gateway(self, name: str, scanners: tuple[tuple[str, str], ...]) -> Path:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        text = _GATEWAY.format(site=SITE, name=name)
        for scanner, dock in scanners:
            port = self.folder / "ports" / scanner
            text += _SCANNER.format(name=scanner, port=port, dock=dock)
        path = folder / "gateway.toml"
        path.write_text(text, encoding="utf-8")
        return path

    def _run(self, *arguments: str) -> None:
        """Run one of our commands to its end; ChildFailed when it fails."""
        child = Child(" ".join(arguments[:2]), [sys.executable, "-m", "docktally", *arguments])
        child.start(self.folder / "setup.log")
        if child.wait(60.0) != 0:
            raise ChildFailed(f"{child.name} failed: {child.last_words()}")

    def _wait(self) -> None:
        """Let them work, with a line every few seconds."""
        reported = 0.0
        while not self.stop.wait(_TICK_S):
            now = time.monotonic() - self.started
            if now >= self.options.seconds:
                return
            self._weather()
            self._check()
            if now - reported >= _REPORT_EVERY_S:
                reported = now
                position = self.site.get("/v1/ledger")["position"]
                print(f"{now:4.0f} s: {position} events in the ledger", flush=True)

    def _watch(self) -> None:
        """Put the monitor in front until its user leaves it."""
        command = [sys.executable, "-m", "monitor", *broker_option(self.site.broker)]
        command += ["--site", SITE, "--low", "20"]
        watched = subprocess.Popen(command)
        limit = self.started + (self.options.seconds or math.inf)
        while watched.poll() is None:
            self._weather()
            if self.stop.wait(_TICK_S) or time.monotonic() > limit:
                watched.terminate()
                watched.wait()
        if watched.returncode not in {0, -signal.SIGTERM}:
            raise ChildFailed(f"the monitor ended with code {watched.returncode}")
        self._check()

    def _check(self) -> None:
        for child in self.site.children:
            if child is not self.site.own_broker or self.outage != "now":
                child.check()

    def _weather(self) -> None:
        """Kill the broker without warning in the middle, and bring it back ten seconds later."""
        broker, now = self.site.own_broker, time.monotonic() - self.started
        if not self.options.outage or broker is None:
            return
        middle = max((self.options.seconds or 2 * OUTAGE_S) - OUTAGE_S, 2.0) / 2
        if self.outage == "ahead" and now >= middle:
            self.outage = "now"
            broker.kill()
            self._say(f"OUTAGE: the broker was killed; people go on scanning for {OUTAGE_S:.0f} s")
        elif self.outage == "now" and now >= middle + OUTAGE_S:
            self.outage = "over"
            broker.start(broker.log)
            self._say("OUTAGE over: the broker is back, with nothing remembered")

    def _say(self, line: str) -> None:
        if self.options.headless:  # the monitor owns the screen, and shows it by itself
            print(line, flush=True)

    def _compare(self) -> bool:
        """Compare the ledger with the truth once the last scans arrived; print the verdict."""
        print("Comparing the ledger with what was really scanned ...", flush=True)
        check = [sys.executable, "-m", "firmware_sim", "check", "--truth", str(self.truth)]
        check += ["--api", self.site.api, "--storefront", str(self.sales)]
        end = time.monotonic() + SETTLE_S
        while True:
            result = subprocess.run(check, capture_output=True, text=True, check=False)
            if result.returncode == 0 or time.monotonic() > end:
                break
            time.sleep(_TICK_S)
        print(result.stdout.strip() or result.stderr.strip())
        verify = [sys.executable, "-m", "docktally", "verify"]
        verify += ["--database", str(self.folder / "central.db")]
        proof = subprocess.run(verify, capture_output=True, text=True, check=False)
        print(proof.stdout.strip() or proof.stderr.strip())
        return result.returncode == 0 and proof.returncode == 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "docktally demo",
        description="Run a whole warehouse with simulated people: broker, central, two gateways, "
        "four scanners, a storefront, and the monitor in front (q ends it). Afterwards the ledger "
        "is compared with what was really scanned; the exit code is 0 only when they are equal.",
    )
    parser.add_argument("--headless", action="store_true", help="no screen; needs no terminal")
    parser.add_argument(
        "--seconds", type=float, help="how long (default: until you leave; headless: 20)"
    )
    parser.add_argument(
        "--outage", action="store_true", help="kill the broker for ten seconds in the middle"
    )
    parser.add_argument(
        "--broker",
        type=own_or_named,
        default="auto",
        help="embedded, mosquitto, or host:port of your own; default: mosquitto where installed",
    )
    parser.add_argument("--seed", type=int, default=7, help="another seed is another shift")
    parser.add_argument("--rate", type=float, default=3.0, help="scans a second of each scanner")
    parser.add_argument(
        "--data",
        help="keep everything in this folder (default: a temporary one); the API's token is in its "
        "demo.toml",
    )
    return parser
