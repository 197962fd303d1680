"""Where a network scanner is: tcp://host:port, or tcp-listen://host:port. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

_SCHEMES = ("tcp", "tcp-listen")


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """`listen`: the scanner connects to us, at this address of ours; else we connect to it."""

    host: str
    port: int
    listen: bool

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_one(text: str) -> bool:
    """True for what is meant to be such an address, right or wrong."""
    return text.startswith(tuple(f"{scheme}://" for scheme in _SCHEMES))


def parse(text: str) -> TcpAddress:
    """Return the address; raise ValueError with what to write instead."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    extra = parts.path or parts.query or parts.fragment or parts.username
    if parts.scheme not in _SCHEMES or not host or not port or extra:
        raise ValueError(
            f"{text!r} is no address of a network scanner; write tcp://HOST:PORT to connect to it, "
            "or tcp-listen://0.0.0.0:PORT to let it connect (PORT from 1 to 65535)"
        )
    return TcpAddress(host, port, parts.scheme == "tcp-listen")
