"""Configuration of central: a TOML file, every key checked, every mistake one sentence."""

import ipaddress
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from pydantic import Field, model_validator

from central.channel_config import Channel
from wire.broker import Broker
from wire.settings import Section, read
from wire.topics import DEFAULT_ROOT, Root

#: Scans can be sold as soon as they are put where a picker can reach them.
DEFAULT_SELLABLE = ("bin", "dock")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Api(Section):
    """The HTTP door. Without a token it stays on this machine."""

    host: str = "127.0.0.1"
    port: int = Field(default=8420, ge=0, le=65_535)
    token: str | None = None
    rate_per_s: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _closed_to_strangers(self) -> "Api":
        if self.token is None and not _is_loopback(self.host):
            raise ValueError(
                f"api.host {self.host} can be reached from other machines: set api.token too"
            )
        return self


class Webhooks(Section):
    """Who may be told over HTTP, and how patiently."""

    allow_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    timeout_s: float = Field(default=15.0, gt=0, le=60)


class Config(Section):
    """What `docktally central` needs to know. Relative paths start at the file's own folder."""

    database: str = "central.db"
    topic_root: Root = DEFAULT_ROOT
    broker: Broker = Broker()
    api: Api = Api()
    webhooks: Webhooks = Webhooks()
    sellable: tuple[str, ...] = DEFAULT_SELLABLE
    feed_days: int = Field(default=7, ge=1, le=3_650)
    channel: tuple[Channel, ...] = ()

    @model_validator(mode="after")
    def _named_once(self) -> "Config":
        names = [channel.name for channel in self.channel]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two channels have the name {twice[0]!r}; each needs its own")
        return self


def load(path: Path) -> Config:
    """Return the configuration in `path`; raise ConfigError with what to change."""
    config = read(Config, path, "deploy/central.example.toml is one to start from")
    folder = path.parent.resolve()
    changes: dict[str, object] = {
        "broker": config.broker.beside(folder),
        "channel": tuple(channel.with_files(folder) for channel in config.channel),
    }
    if "://" not in config.database:
        changes["database"] = str(folder / config.database)
    return config.model_copy(update=changes)
