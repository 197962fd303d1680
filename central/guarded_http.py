"""HTTP requests to addresses that strangers chose: never into our own network by accident.

The name is resolved here, every address is looked at, and the connection goes to the address that
was looked at: a name that answers differently a moment later changes nothing. Redirects are not
followed.
"""

import asyncio
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpcore
from httpcore import AsyncNetworkBackend, AsyncNetworkStream

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
#: What of an answer is kept for people to look at.
SNIPPET_BYTES = 300
#: More of an answer is not read: the largest that a shop's API gives on what we ask.
_ANSWER_BYTES_MAX = 1024 * 1024
_CONNECTIONS_MAX = 400


class Forbidden(Exception):
    """An address that is not to be called; the message says what to allow."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, and how long it took."""

    status: int
    body: bytes
    retry_after_s: float | None
    took_ms: int

    @property
    def snippet(self) -> str:
        """The start of the body, for people."""
        return self.body[:SNIPPET_BYTES].decode("utf-8", "replace")


def check_url(url: str, allowed: Sequence[Network]) -> None:
    """Raise Forbidden when a URL can never be called, whatever its name resolves to."""
    parts = urlsplit(url)
    try:
        port_is_right = parts.port != 0
    except ValueError:
        port_is_right = False
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_right:
        raise Forbidden(f"{url} is no http(s) address")
    if parts.username is not None:
        raise Forbidden("an address must not hold a user name or password")
    if parts.scheme == "http" and not allowed:
        raise Forbidden(f"{url} is not encrypted; use https")
    try:
        address = ipaddress.ip_address(parts.hostname)
    except ValueError:
        return
    _check_address(address, allowed, encrypted=parts.scheme == "https")


def _check_address(address: _Address, allowed: Sequence[Network], *, encrypted: bool) -> None:
    address = getattr(address, "ipv4_mapped", None) or address
    if any(address in network for network in allowed):
        return
    if not address.is_global:
        raise Forbidden(
            f"{address} is inside our own network; if that is meant, add it to "
            "webhooks.allow_networks"
        )
    if not encrypted:
        raise Forbidden(f"{address} is outside our own network; use https")


class _Guard(AsyncNetworkBackend):
    """Connects only to addresses that are allowed."""

    def __init__(self, allowed: Sequence[Network], *, encrypted: bool) -> None:
        self._allowed, self._encrypted = allowed, encrypted
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> AsyncNetworkStream:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"{host} was not resolved in time") from error
        except OSError as error:
            raise httpcore.ConnectError(f"{host} cannot be resolved: {error}") from error
        for *_, where in found:
            address = ipaddress.ip_address(str(where[0]).partition("%")[0])
            _check_address(address, self._allowed, encrypted=self._encrypted)
        return await self._backend.connect_tcp(
            str(found[0][4][0]), port, timeout, local_address, socket_options
        )


class Client:
    """Sends JSON, unless headers say otherwise.

    `allowed` are networks of our own that may be called all the same.
    """

    def __init__(self, allowed: Sequence[Network], timeout_s: float) -> None:
        self._allowed = allowed
        self._timeout_s = timeout_s
        self._pools = {
            scheme: httpcore.AsyncConnectionPool(
                ssl_context=ssl.create_default_context(),
                max_connections=_CONNECTIONS_MAX,
                network_backend=_Guard(allowed, encrypted=scheme == "https"),
            )
            for scheme in ("http", "https")
        }

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Return the answer; raise Forbidden, or OSError with what went wrong."""
        return await self.send("POST", url, headers, body)

    async def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Return the answer; raise Forbidden, or OSError with what went wrong."""
        check_url(url, self._allowed)
        start = time.monotonic()
        request = list(({"content-type": "application/json"} | dict(headers)).items())
        pool = self._pools[urlsplit(url).scheme]
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                pool.stream(method, url, headers=request, content=body) as answer,
            ):
                content = await _read(answer)
        except TimeoutError as error:
            raise OSError(f"no answer within {self._timeout_s:.0f} s") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            raise OSError(str(error) or type(error).__name__) from error
        return Reply(
            answer.status,
            content,
            _retry_after_s(answer),
            round((time.monotonic() - start) * 1_000),
        )

    async def aclose(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            await pool.aclose()


async def _read(answer: httpcore.Response) -> bytes:
    body = b""
    async for part in answer.aiter_stream():
        body += part
        if len(body) > _ANSWER_BYTES_MAX:
            break
    return body


def _retry_after_s(answer: httpcore.Response) -> float | None:
    value = dict(answer.headers).get(b"retry-after", b"")
    return float(value) if value.isdigit() else None
