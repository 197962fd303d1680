"""`docktally monitor`: watch stock, docks and alerts live."""

import argparse
import logging
import os
import sys
from pathlib import Path

from monitor import config, headless
from monitor.recording import Recorder, Replay
from wire.broker import parse_broker
from wire.settings import ConfigError, check

#: Set for what is drawn in a browser instead of a terminal.
_DRIVER = "TEXTUAL_DRIVER"
_SPEED_MAX = 1_000.0
_SERVE_PORT, _PORT_MAX = 8421, 65_535
#: Keeps the token of a served monitor the same over restarts.
_SERVE_TOKEN = "DOCKTALLY_SERVE_TOKEN"  # noqa: S105  a name, no secret


def main(argv: list[str]) -> int:
    """Run `docktally monitor ...`; return the exit code."""
    arguments = _parser().parse_args(argv)
    if arguments.serve is not None:
        return _serve(arguments, argv)
    if arguments.record and arguments.replay:
        return _fail("--record keeps what happens now and --replay shows what was kept: choose one")
    recorder = None
    try:
        settings = _settings(arguments)
        _log_to(arguments)
        replay = Replay(arguments.replay, arguments.speed) if arguments.replay else None
        if replay is not None:
            settings = settings.model_copy(update={"topic_root": replay.topic_root})
        elif arguments.record:
            recorder = Recorder(arguments.record, settings.topic_root)
    except FileExistsError:
        return _fail(f"{arguments.record} is there already; a recording is not overwritten")
    except (ConfigError, OSError) as error:
        return _fail(str(error))
    try:
        if arguments.headless:
            headless.run(settings, recorder, replay)
            return 0
        return _draw(settings, recorder, replay)
    finally:
        if recorder is not None:
            recorder.close()


def _serve(arguments: argparse.Namespace, argv: list[str]) -> int:
    if arguments.headless or arguments.record:
        return _fail("--serve goes with neither --headless nor --record: run those by themselves")
    try:
        _settings(arguments)  # said here rather than in a browser
        _log_to(arguments)
        from monitor.serve import MonitorServer
    except (ConfigError, OSError) as error:
        return _fail(str(error))
    except ModuleNotFoundError as error:
        return _fail(
            f"{error.name} is not installed; install it with: pip install 'docktally[serve]'"
        )
    passed_on = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    passed_on.add_argument("--serve", nargs="?")
    _, rest = passed_on.parse_known_args(argv)
    try:
        MonitorServer(rest, arguments.serve, os.environ.get(_SERVE_TOKEN)).serve()
    except OSError as error:
        return _fail(f"port {arguments.serve}: {error.strerror}; choose another: --serve PORT")
    return 0


def _draw(settings: config.Config, recorder: Recorder | None, replay: Replay | None) -> int:
    in_browser = _DRIVER in os.environ
    if not (in_browser or all(each.isatty() for each in (sys.stdin, sys.stdout, sys.stderr))):
        return _fail(
            "this is not a terminal, so there is nothing to draw on. Run it in a terminal (over"
            " ssh: ssh -t), or use --headless for one line of JSON per change"
        )
    try:
        from monitor.app import MonitorApp
    except ModuleNotFoundError as error:
        return _fail(
            f"{error.name} is not installed; install it with: pip install 'docktally[monitor]'"
        )
    app = MonitorApp(settings, recorder, replay)
    app.run()
    return app.return_code or 0


def _settings(arguments: argparse.Namespace) -> config.Config:
    settings = config.load(arguments.config) if arguments.config else config.Config()
    data = settings.model_dump(exclude_unset=True)
    screen = data.setdefault("monitor", {})
    for name in ("site", "low", "theme"):
        if getattr(arguments, name) is not None:
            screen[name] = getattr(arguments, name)
    if arguments.topic_root is not None:
        data["topic_root"] = arguments.topic_root
    if arguments.broker is not None:
        data["broker"] = arguments.broker
    if arguments.central is not None:
        data.setdefault("central", {})["url"] = arguments.central
    return config.with_token(check(config.Config, data))


def _log_to(arguments: argparse.Namespace) -> None:
    """Log to the file that was asked for; never onto the screen that is being drawn."""
    handler: logging.Handler
    if arguments.log_file is not None:
        handler = logging.FileHandler(arguments.log_file, encoding="utf-8")
    elif arguments.headless:
        handler = logging.StreamHandler(sys.stderr)
    else:
        handler = logging.NullHandler()
    logging.basicConfig(
        level=arguments.log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        handlers=[handler],
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="docktally monitor",
        description="Watch stock, docks, orders, alerts and scans live.",
        epilog="Press ? inside for the keys.",
    )
    add = parser.add_argument
    add(
        "--broker", type=_broker, metavar="HOST[:PORT]", help="MQTT broker (default 127.0.0.1:1883)"
    )
    add("--site", help="show one site only (default: all)")
    add("--low", type=int, metavar="N", help="available N or less is low (default 10)")
    add("--config", type=Path, metavar="FILE", help="TOML file with [broker] and [monitor]")
    add("--topic-root", metavar="ROOT", help="topics are below this (default docktally/v1)")
    add(
        "--central", metavar="URL", help="central's HTTP API (default: where it says on the broker)"
    )
    add("--theme", choices=config.THEMES, help="colours (default docktally)")
    add("--record", type=Path, metavar="FILE", help="keep all that is heard in a new file")
    add("--replay", type=Path, metavar="FILE", help="show a recording instead of what happens now")
    add("--speed", type=_speed, default=1.0, metavar="N", help="of a replay; 0 is without waiting")
    add(
        "--serve",
        type=_port,
        nargs="?",
        const=_SERVE_PORT,
        metavar="PORT",
        help=f"show it in browsers of this machine (default port {_SERVE_PORT})",
    )
    add("--headless", action="store_true", help="print one JSON line per change, draw nothing")
    add("--log-file", type=Path, metavar="FILE", help="log here (default: nowhere)")
    add(
        "--log-level",
        default="info",
        choices=("debug", "info", "warning", "error"),
        help="how much to log (default info)",
    )
    return parser


def _port(text: str) -> int:
    if not (text.isdigit() and 1 <= int(text) <= _PORT_MAX):
        raise argparse.ArgumentTypeError(f"a port from 1 to {_PORT_MAX}, not {text!r}")
    return int(text)


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = -1.0
    if not 0 <= speed <= _SPEED_MAX:
        raise argparse.ArgumentTypeError(f"a number from 0 to {_SPEED_MAX:g}, not {text!r}")
    return speed


def _broker(text: str) -> object:
    try:
        return parse_broker(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _fail(sentence: str) -> int:
    print(f"docktally monitor: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
