"""`docktally central`: the ledger, its doors, and everyone told."""

import argparse
import asyncio
import logging
import sys

from central import app
from central.settings import common_options, reporting, settings
from wire.broker import parse_broker


@reporting("docktally central")
def main(argv: list[str]) -> int:
    """Run central until it is stopped; return the exit code."""
    parser = argparse.ArgumentParser(
        "docktally central",
        description="Owns the stock: applies each scan exactly once, makes promises over HTTP, "
        "tells everyone over MQTT. Runs until stopped.",
    )
    common_options(parser)
    parser.add_argument(
        "--broker", type=parse_broker, help="MQTT broker, host:port or mqtts://host"
    )
    parser.add_argument("--port", type=int, help="HTTP port (default: 8420; 0 picks a free one)")
    parser.add_argument(
        "--log-level", default="info", choices=["debug", "info", "warning", "error"]
    )
    arguments = parser.parse_args(argv)
    logging.basicConfig(
        level=arguments.log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)
    chosen = settings(arguments)
    if arguments.broker is not None:
        chosen = chosen.model_copy(update={"broker": arguments.broker})
    if arguments.port is not None:
        door = chosen.api.model_copy(update={"port": arguments.port})
        chosen = chosen.model_copy(update={"api": door})
    with asyncio.Runner(loop_factory=app.new_loop) as runner:
        runner.run(app.run(chosen))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
