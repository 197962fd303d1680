"""The options that central's commands share, and how their errors reach a person."""

import argparse
import functools
import sys
from collections.abc import Callable
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from central import backup, catalogue, checkpoint, config, database
from wire.settings import ConfigError

_DEFAULT = Path("central.toml")
_EXPECTED = (
    ConfigError,
    catalogue.CatalogueError,
    backup.BackupError,
    checkpoint.CheckpointError,
    database.SchemaTooNew,
    database.SchemaTooOld,
    database.NoSuchDatabase,
    database.InUse,
    SQLAlchemyError,
    OSError,
)

Command = Callable[[list[str]], int]


def common_options(parser: argparse.ArgumentParser) -> None:
    """Add --config and --database."""
    parser.add_argument("--config", type=Path, help="configuration file (default: central.toml)")
    parser.add_argument(
        "--database", help="SQLite file or postgresql:// URL, instead of the configured one"
    )


def settings(arguments: argparse.Namespace) -> config.Config:
    """Return the configuration that the options name; without a file, the defaults."""
    path: Path | None = arguments.config
    if path is None and not _DEFAULT.exists():
        chosen = config.Config()
    else:
        chosen = config.load(path or _DEFAULT)
    if arguments.database:
        chosen = chosen.model_copy(update={"database": arguments.database})
    return chosen


def reporting(name: str, *, code: int = 1) -> Callable[[Command], Command]:
    """Make a command say its expected errors in one line and return `code`."""

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def run(argv: list[str]) -> int:
            try:
                return command(argv)
            except _EXPECTED as error:
                print(f"{name}: {error}", file=sys.stderr)
                return code

        return run

    return decorate
