"""Configuration of central: a TOML file, every key checked, every mistake one sentence."""

import difflib
import ipaddress
import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from wire import topics
from wire.broker import Broker

#: Scans can be sold as soon as they are put where a picker can reach them.
DEFAULT_SELLABLE = ("bin", "dock")


class ConfigError(Exception):
    """A configuration that cannot be used; the message names the file, the key and the cure."""


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Api(_Section):
    """The HTTP door. Without a token it stays on this machine."""

    host: str = "127.0.0.1"
    port: int = Field(default=8420, ge=0, le=65_535)
    token: str | None = None

    @model_validator(mode="after")
    def _closed_to_strangers(self) -> "Api":
        if self.token is None and not _is_loopback(self.host):
            raise ValueError(
                f"api.host {self.host} can be reached from other machines: set api.token too"
            )
        return self


class Config(_Section):
    """What `docktally central` needs to know. Relative paths start at the file's own folder."""

    database: str = "central.db"
    topic_root: str = topics.DEFAULT_ROOT
    broker: Broker = Broker()
    api: Api = Api()
    sellable: tuple[str, ...] = DEFAULT_SELLABLE


def load(path: Path) -> Config:
    """Return the configuration in `path`; raise ConfigError with what to change."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"{path} does not exist; deploy/central.example.toml is one to start from"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        raise ConfigError(f"{path}: {_explain(error)}") from error
    if "://" not in config.database:
        database = (path.parent / config.database).resolve()
        config = config.model_copy(update={"database": str(database)})
    return config


def _explain(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] != "extra_forbidden":
        return f"{key + ': ' if key else ''}{first['msg'].removeprefix('Value error, ')}"
    sections: dict[str, type[BaseModel]] = {"broker": Broker, "api": Api}
    known = sections.get(str(first["loc"][0]), Config).model_fields
    close = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known)}"
    return f"unknown key {key!r}; {hint}"
