"""A `[[channel]]` of central's configuration: a shop, what it may tell us, what we tell it."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from central import signing
from wire.ids import NAME_LENGTH_MAX
from wire.settings import ConfigError, Section

Kind = Literal["generic", "shopify", "woocommerce"]
#: What each kind of shop needs so that we can set its quantities. An app of Shopify's Dev Dashboard
#: has key and secret, its client id and client secret; an older one has a token instead.
_TO_PUSH = {
    "shopify": ("url", "location", "key", "secret"),
    "woocommerce": ("url", "key", "secret"),
}
_INSTEAD = {"shopify": {"token": ("key", "secret")}}
_Text = Annotated[str, Field(min_length=1, max_length=500)]
_Place = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX)]


def _address(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise ValueError("write the address of the shop with https://")
    return url.rstrip("/")


class Channel(Section):
    """One shop. Its webhooks come to /v1/hooks/<name>, signed with one of `secrets`."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=NAME_LENGTH_MAX)]
    kind: Kind
    site: _Place
    secrets: tuple[_Text, ...] = ()
    secrets_file: Path | None = None
    #: What an approved order does that nothing was reserved for: reserve, or only open an alert.
    approved: Literal["reserve", "commit"] = "reserve"
    #: Whether "shipped" takes the goods out; false where docks scan what leaves.
    ships: bool = True
    returns_to: _Place | None = None
    #: SKUs that no warehouse sees: vouchers, services. * stands for anything.
    ignore: tuple[_Text, ...] = ()
    since: Annotated[AwareDatetime | None, Field(description="what happened before is ignored")] = (
        None
    )
    push: bool = True
    url: Annotated[_Text, AfterValidator(_address)] | None = None
    location: _Text | None = None
    token: _Text | None = None
    token_file: Path | None = None
    key: _Text | None = None
    secret: _Text | None = None
    secret_file: Path | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> "Channel":
        given = {
            name
            for name in ("url", "location", "token", "key", "secret")
            if getattr(self, name) or getattr(self, f"{name}_file", None)
        }
        needed = _TO_PUSH.get(self.kind, ())
        instead = _INSTEAD.get(self.kind, {})
        if wrong := sorted(given.difference(needed, instead)):
            raise ValueError(f"{self.name} is {self.kind}, which has no {wrong[0]}")
        for one, others in instead.items():
            if one in given:
                needed = tuple(name for name in needed if name not in others)
                if twice := sorted(given.intersection(others)):
                    raise ValueError(f"{self.name} has {one} and {twice[0]}; give one of them")
        missing = [name for name in needed if name not in given]
        if self.push and missing:
            raise ValueError(f"{self.name} lacks {missing[0]}; give it, or set push = false")
        if not self.secrets and self.secrets_file is None and not self.pushes:
            raise ValueError(f"{self.name} neither hears nor tells anything: give it secrets")
        for name in ("token", "secret"):
            if getattr(self, name) and getattr(self, f"{name}_file"):
                raise ValueError(f"{self.name} has {name} and {name}_file; give one of them")
        if self.kind == "generic":
            self.check_secrets()
        return self

    def check_secrets(self) -> None:
        """Raise ValueError when a secret is not one of Standard Webhooks."""
        for secret in self.secrets:
            try:
                signing.key_of(secret)
            except ValueError as error:
                raise ValueError(
                    f"{self.name}: {error}; make one: echo whsec_$(openssl rand -base64 32)"
                ) from error

    @property
    def pushes(self) -> bool:
        """True when its quantities are ours to set."""
        return self.push and self.kind in _TO_PUSH

    @property
    def since_us(self) -> int | None:
        """`since` in microseconds since 1970, as the ledger counts."""
        return None if self.since is None else _us(self.since)

    def with_files(self, folder: Path) -> "Channel":
        """Return the channel with its secrets read from their files; raise ConfigError."""
        changes: dict[str, object] = {}
        if self.secrets_file is not None:
            lines = _read(self.name, folder / self.secrets_file).splitlines()
            listed = [line.strip() for line in lines]
            found = tuple(line for line in listed if line and not line.startswith("#"))
            if not found:
                raise ConfigError(f"{folder / self.secrets_file}: there is no secret in it")
            changes["secrets"] = self.secrets + found
        for name in ("token", "secret"):
            path: Path | None = getattr(self, f"{name}_file")
            if path is not None:
                changes[name] = _read(self.name, folder / path).strip()
        complete = self.model_copy(update=changes)
        if complete.kind == "generic":
            try:
                complete.check_secrets()
            except ValueError as error:
                raise ConfigError(f"channel {error}") from error
        return complete


def _us(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)


def _read(channel: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"channel {channel}: {path} cannot be read ({error})") from error
