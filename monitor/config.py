"""Configuration of the monitor: a TOML file or nothing at all, every mistake one sentence."""

from pathlib import Path

from pydantic import Field, field_validator

from wire.broker import Broker
from wire.events import Name
from wire.settings import Section, read
from wire.topics import DEFAULT_ROOT, RESERVED_SITES, Root


class Screen(Section):
    """The [monitor] section: what is shown, and where exported files go."""

    site: Name | None = None
    low: int = Field(default=10, ge=0)
    export_folder: Path = Path()

    @field_validator("site")
    @classmethod
    def _a_site(cls, site: str | None) -> str | None:
        if site in RESERVED_SITES:
            raise ValueError(f"{site!r} cannot be the name of a site")
        return site


class Config(Section):
    """What `docktally monitor` needs to know; the defaults fit a broker on this machine."""

    topic_root: Root = DEFAULT_ROOT
    broker: Broker = Broker()
    monitor: Screen = Screen()

    @property
    def site(self) -> str | None:
        """The one site that is shown, None for all."""
        return self.monitor.site


def load(path: Path) -> Config:
    """Return the configuration in `path`; raise ConfigError with what to change."""
    config = read(Config, path, "without --config the monitor needs no file")
    return config.model_copy(update={"broker": config.broker.beside(path.parent.resolve())})
