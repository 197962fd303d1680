"""Configuration of the monitor: a TOML file or nothing at all, every mistake one sentence."""

import os
import ssl
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from monitor.stock_listing import COLUMNS
from wire.broker import Broker
from wire.events import Name
from wire.settings import TOKEN_VARIABLE, Section, read
from wire.topics import DEFAULT_ROOT, RESERVED_SITES, Root

#: What the screen can wear; the colours are in monitor.themes.
THEMES = ("docktally", "docktally-light", "docktally-safe", "docktally-mono")


class Central(Section):
    """The [central] section: where its HTTP API answers, and the token for it."""

    url: Annotated[str, Field(pattern=r"^https?://[^/?#\s]+(/[^?#\s]*)?$")] | None = None
    token: Annotated[str, Field(pattern=r"^[!-~]+$")] | None = None
    ca_file: Path | None = None

    def tls_context(self) -> ssl.SSLContext | None:
        """Return whom to trust, None for everybody this machine trusts; OSError without file."""
        return ssl.create_default_context(cafile=self.ca_file) if self.ca_file else None


class Screen(Section):
    """The [monitor] section: who watches what, how it looks, and where exported files go."""

    site: Name | None = None
    low: int = Field(default=10, ge=0)
    person: Name | None = None
    theme: str = "docktally"
    columns: tuple[str, ...] = ()
    bell: bool = True
    export_folder: Path = Path()

    @field_validator("columns")
    @classmethod
    def _known(cls, columns: tuple[str, ...]) -> tuple[str, ...]:
        known = [column.key for column in COLUMNS]
        for name in columns:
            if name not in known:
                raise ValueError(f"there is no column {name!r}; there are {', '.join(known)}")
        return columns

    @field_validator("theme")
    @classmethod
    def _a_theme(cls, theme: str) -> str:
        if theme not in THEMES:
            raise ValueError(f"there is no theme {theme!r}; there are {', '.join(THEMES)}")
        return theme

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
    central: Central = Central()
    monitor: Screen = Screen()

    @property
    def site(self) -> str | None:
        """The one site that is shown, None for all."""
        return self.monitor.site


def load(path: Path) -> Config:
    """Return the configuration in `path`; raise ConfigError with what to change."""
    config = read(Config, path, "without --config the monitor needs no file")
    folder, central = path.parent.resolve(), config.central
    if central.ca_file is not None:
        central = central.model_copy(update={"ca_file": folder / central.ca_file})
    return config.model_copy(update={"broker": config.broker.beside(folder), "central": central})


def with_token(config: Config) -> Config:
    """Return the configuration with the token of the environment, if there is one and no other."""
    token = os.environ.get(TOKEN_VARIABLE)
    if not token or config.central.token is not None:
        return config
    return config.model_copy(update={"central": config.central.model_copy(update={"token": token})})
