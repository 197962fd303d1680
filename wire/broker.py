"""Where the MQTT broker is and how to prove who we are to it."""

import argparse
import re
import ssl
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

_PLAIN_PORT, _TLS_PORT, _PORT_MAX = 1883, 8883, 65_535


class BadAddress(argparse.ArgumentTypeError, ValueError):
    """Not a broker's address. argparse shows the sentence of its own kind of error only."""


class Broker(BaseModel):
    """A broker's address. TLS is used when `tls` is set or a CA file named, and never dropped."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(default=_PLAIN_PORT, ge=1, le=_PORT_MAX)
    username: str | None = None
    password: str | None = None
    tls: bool = False
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    def tls_context(self) -> ssl.SSLContext | None:
        """Return the TLS settings, None for a plain connection; OSError when a file is missing."""
        if not (self.tls or self.ca_file):
            return None
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.cert_file:
            context.load_cert_chain(self.cert_file, self.key_file)
        return context

    def beside(self, folder: Path) -> "Broker":
        """Return the same broker with relative file names starting at `folder`."""
        names = ("ca_file", "cert_file", "key_file")
        files = {name: folder / path for name in names if (path := getattr(self, name)) is not None}
        return self.model_copy(update=files)

    def __str__(self) -> str:
        """Return host:port, without the secret."""
        return f"{self.host}:{self.port}"


def parse_broker(text: str) -> Broker:
    """Return the broker that `[mqtt[s]://][user[:password]@]host[:port]` names, or BadAddress."""
    match = re.fullmatch(
        r"(?:(?P<scheme>mqtts?)://)?(?:(?P<user>[^:@/]+)(?::(?P<password>[^@/]*))?@)?"
        r"(?P<host>[^:/@\[\]\s]+|\[[^/@\[\]\s]*:[^/@\[\]\s]*\])(?::(?P<port>\d{1,5}))?/?",
        text,
    )
    if match is None:
        raise BadAddress(f"{text!r} is not a broker address; write host, host:port or mqtts://host")
    tls = match["scheme"] == "mqtts"
    port = int(match["port"] or (_TLS_PORT if tls else _PLAIN_PORT))
    if not 1 <= port <= _PORT_MAX:
        raise BadAddress(f"{text!r}: a port is a number from 1 to {_PORT_MAX}")
    return Broker(
        host=match["host"].strip("[]"),
        port=port,
        username=match["user"],
        password=match["password"],
        tls=tls,
    )
