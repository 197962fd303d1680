"""Configuration of the monitor: a TOML file or nothing at all, every mistake one sentence."""

import difflib
import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from wire.broker import Broker
from wire.events import Name
from wire.topics import DEFAULT_ROOT, RESERVED_SITES


class ConfigError(Exception):
    """A configuration that cannot be used; the message names the file, the key and the cure."""


class Screen(BaseModel):
    """The [monitor] section: what is shown, and where exported files go."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    site: Name | None = None
    low: int = Field(default=10, ge=0)
    export_folder: Path = Path()

    @field_validator("site")
    @classmethod
    def _a_site(cls, site: str | None) -> str | None:
        if site in RESERVED_SITES:
            raise ValueError(f"{site!r} cannot be the name of a site")
        return site


class Config(BaseModel):
    """What `docktally monitor` needs to know; the defaults fit a broker on this machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topic_root: str = Field(default=DEFAULT_ROOT, min_length=1)
    broker: Broker = Broker()
    monitor: Screen = Screen()

    @property
    def site(self) -> str | None:
        """The one site that is shown, None for all."""
        return self.monitor.site


def load(path: Path) -> Config:
    """Return the configuration in `path`; raise ConfigError with what to change."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read ({error.strerror}); without --config the monitor needs no file"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    return check(data, f"{path}: ")


def check(data: dict[str, object], where: str = "") -> Config:
    """Return the configuration in `data`; raise ConfigError, starting with `where`."""
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise ConfigError(where + _explain(error)) from error


def _explain(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] != "extra_forbidden":
        return f"{key}: {first['msg'].removeprefix('Value error, ')}, not {first['input']!r}"
    sections: dict[str, type[BaseModel]] = {"broker": Broker, "monitor": Screen}
    known = sections.get(str(first["loc"][0]), Config).model_fields
    close = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known)}"
    return f"unknown key {key!r}; {hint}"
