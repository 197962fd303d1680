"""A broker, central and gateways on one machine: what `demo` and `up` both start and stop."""

import json
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docktally import brokers
from docktally.children import Child, ChildFailed, wait_for_port
from wire.broker import Broker, parse_broker

_HTTP_TIMEOUT_S = 5.0


def own_or_named(text: str) -> str | Broker:
    """Return "auto", "mosquitto" or "embedded", or the broker that the text names."""
    return text if text in {"auto", "mosquitto", "embedded"} else parse_broker(text)


def broker_option(broker: Broker) -> list[str]:
    """Return the option that sends a program to this broker."""
    login = ""
    if broker.username is not None:
        login = f"{broker.username}:{broker.password or ''}@"
    scheme = "mqtts" if broker.tls else "mqtt"
    return ["--broker", f"{scheme}://{login}{broker.host}:{broker.port}"]


@dataclass
class Site:
    """The running programs, in the order they were started."""

    folder: Path
    broker: Broker
    children: list[Child] = field(default_factory=list)
    api: str = ""
    #: What central wants of whoever calls; None where it wants nothing.
    token: str | None = None
    own_broker: Child | None = None

    def start_broker(self, kind: str) -> None:
        """Start a broker of our own on the port of `self.broker`."""
        self.own_broker = brokers.start(kind, self.folder / "broker", self.broker.port)
        self.children.insert(0, self.own_broker)

    def start_central(self, port: int, *options: str) -> None:
        """Start central and return once its HTTP door is open."""
        self.api = f"http://127.0.0.1:{port}"
        command = ["-m", "central", "--port", str(port), *broker_option(self.broker), *options]
        wait_for_port(self.start("central", command), port)

    def start(self, name: str, arguments: list[str]) -> Child:
        """Start one of our programs with Python arguments; its log is named after it."""
        child = Child(name, [sys.executable, *arguments])
        child.start(self.folder / f"{name}.log")
        self.children.append(child)
        return child

    def stop(self) -> list[str]:
        """Stop everything, last started first; return what did not end well."""
        bad = []
        for child in reversed(self.children):
            code = child.stop()
            if code not in {0, -15}:
                bad.append(f"{child.name} ended with code {code}: {child.last_words()}")
        self.children.clear()
        return bad

    def get(self, path: str) -> Any:
        """Return central's answer to a GET; ChildFailed when it gives none."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        request = urllib.request.Request(self.api + path, headers=headers)  # noqa: S310  our own address
        try:
            with urllib.request.urlopen(request, timeout=_HTTP_TIMEOUT_S) as answer:  # noqa: S310
                return json.load(answer)
        except (urllib.error.URLError, TimeoutError, ValueError) as error:
            raise ChildFailed(f"central does not answer {path}: {error}") from error
