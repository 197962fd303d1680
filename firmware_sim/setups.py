"""Which scanners a run plays, from the command line or from a gateway's own configuration."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

DEFAULT_DOCK = "DOCK-1"


class SetupError(Exception):
    """A setup that cannot be played; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Setup:
    """A scanner: its name and usual dock at the gateway, and where its port appears."""

    name: str
    link: Path
    dock: str = DEFAULT_DOCK


class _Scanner(BaseModel):
    model_config = ConfigDict(extra="ignore")

    name: str
    port: Path
    location: str = DEFAULT_DOCK


class _Scanners(BaseModel):
    model_config = ConfigDict(extra="ignore")

    scanner: tuple[_Scanner, ...]


def of_names(folder: Path, names: str) -> tuple[Setup, ...]:
    """Return the scanners of `a,b@DOCK-2,c`, with their ports in `folder`."""
    setups = []
    for name in filter(None, names.split(",")):
        scanner, _, dock = name.partition("@")
        setups.append(Setup(scanner, folder / scanner, dock or DEFAULT_DOCK))
    if not setups:
        raise SetupError("--names is empty; write at least one scanner, like --names dock-1")
    return tuple(setups)


def of_file(path: Path) -> tuple[Setup, ...]:
    """Return the scanners of a gateway's TOML file: each [[scanner]] has a name and a port."""
    try:
        parsed = _Scanners.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise SetupError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, ValidationError, UnicodeDecodeError) as error:
        raise SetupError(
            f"{path} names no scanners; it needs [[scanner]] sections with name and port ({error})"
        ) from error
    return tuple(Setup(one.name, path.parent / one.port, one.location) for one in parsed.scanner)
