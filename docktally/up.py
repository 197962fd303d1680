"""`docktally up`: a single-box site by one command: broker, central and the gateway of its dock."""

import argparse
import contextlib
import signal
import sys
import threading
from pathlib import Path

from docktally.children import Child, ChildFailed
from docktally.site import Site, broker_option, own_or_named
from wire.broker import Broker

DEFAULT_PORT = 1883
_API_PORT = 8420
_TICK_S = 0.5
#: A program that ended is started again at most this often in a row; then we say so and stop.
RESTARTS_MAX = 5
_CALM_TICKS = 120


def main(argv: list[str]) -> int:
    """Run the site until it is stopped; return the exit code."""
    options = _parser().parse_args(argv)
    for path in (options.config, options.central):
        if path is not None and not path.exists():
            print(f"docktally up: {path} does not exist; deploy/ has examples", file=sys.stderr)
            return 1
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        options.data.mkdir(parents=True, exist_ok=True)
        bad = _run(options, stop)
    except (ChildFailed, OSError) as error:
        print(f"docktally up: {error}", file=sys.stderr)
        return 1
    for line in bad:
        print(line, file=sys.stderr)
    return 1 if bad else 0


def _run(options: argparse.Namespace, stop: threading.Event) -> list[str]:
    named = isinstance(options.broker, Broker)
    broker = options.broker if named else Broker(port=options.broker_port)
    site = Site(options.data, broker)
    with contextlib.ExitStack() as stack:
        stack.callback(site.stop)
        if not named:
            site.start_broker(options.broker)
        central = ["--database", str(options.data / "central.db")]
        if options.central:
            central += ["--config", str(options.central)]
        site.start_central(options.port, *central)
        gateway = ["-m", "gateway", "--config", str(options.config), *broker_option(broker)]
        site.start("gateway", gateway)
        print(f"Running. Stock: {site.api}/v1/stock   Logs: {options.data}")
        print(f"Watch it: docktally monitor {' '.join(broker_option(broker))}   Stop: Ctrl+C")
        _keep_up(site, stop)
        return site.stop()


def _keep_up(site: Site, stop: threading.Event) -> None:
    """Start again what ends by itself: every program here is made to be killed at any moment."""
    restarts = calm = 0
    while not stop.wait(_TICK_S):
        calm += 1
        for child in site.children:
            if child.exit_code() is None:
                continue
            restarts = 0 if calm > _CALM_TICKS else restarts + 1
            calm = 0
            if restarts > RESTARTS_MAX:
                child.check()
            _restart(child)


def _restart(child: Child) -> None:
    print(f"{child.name} ended ({child.last_words()}); starting it again", file=sys.stderr)
    child.start(child.log)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "docktally up",
        description="Run a single-box site: a broker, central, and a gateway with the scanners of "
        "its configuration file. Ledger and logs are kept in the data folder. Runs until stopped.",
    )
    parser.add_argument(
        "--config", type=Path, default=Path("gateway.toml"), help="the gateway's configuration"
    )
    parser.add_argument(
        "--central", type=Path, help="central's configuration (default: none needed)"
    )
    parser.add_argument("--data", type=Path, default=Path("docktally-data"), help="the data folder")
    parser.add_argument(
        "--broker",
        type=own_or_named,
        default="auto",
        help="embedded, mosquitto, or host:port of your own; default: mosquitto where installed",
    )
    parser.add_argument(
        "--broker-port", type=int, default=DEFAULT_PORT, help="port of the broker started here"
    )
    parser.add_argument("--port", type=int, default=_API_PORT, help="central's HTTP port")
    return parser
