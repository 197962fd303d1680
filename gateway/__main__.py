"""`docktally gateway`: read scanners, keep every scan on disk, bring it to central."""

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from gateway import app, config, outbox_lock
from gateway.config import Config
from gateway.errands import Errands
from gateway.outbox_lock import InUse
from wire.broker import parse_broker
from wire.events import Reload
from wire.settings import ConfigError

_LEVELS = ("debug", "info", "warning", "error")


def main(argv: list[str] | None = None) -> int:
    """Run a gateway until it is told to stop; return its exit code."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(
        level=arguments.log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        stream=sys.stderr,
    )

    def load() -> Config:
        settings = config.load(arguments.config)
        if arguments.broker is not None:
            settings = settings.model_copy(update={"broker": arguments.broker})
        return settings

    try:
        with outbox_lock.locked(load().data):
            asyncio.run(_until_told(load))
    except (ConfigError, InUse) as error:
        print(f"docktally gateway: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="docktally gateway",
        description="Read barcode scanners, keep every scan on disk until central has booked it, "
        "and beep only when it is safe.",
        epilog="deploy/gateway.example.toml explains every option of the configuration.",
    )
    parser.add_argument(
        "--config",
        type=Path,
        default=Path("gateway.toml"),
        metavar="FILE",
        help="the configuration, a TOML file (default: gateway.toml)",
    )
    parser.add_argument(
        "--broker", type=parse_broker, help="MQTT broker, instead of the configured one"
    )
    parser.add_argument(
        "--log-level", choices=_LEVELS, default="info", help="how much to say (default: info)"
    )
    return parser


async def _until_told(load: Callable[[], Config]) -> None:
    loop = asyncio.get_running_loop()
    errands = Errands()
    running = asyncio.ensure_future(app.run(load, errands))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    loop.add_signal_handler(signal.SIGHUP, errands.add, Reload())
    with contextlib.suppress(asyncio.CancelledError):
        await running


if __name__ == "__main__":
    sys.exit(main())
