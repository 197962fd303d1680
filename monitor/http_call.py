"""One HTTP request on the event loop, given up at once when its task is cancelled.

A thread with urllib would keep the program from ending until its time is over; a client library
would be one more thing to install beside a screen.
"""

import asyncio
import contextlib
import http.client
import io
import ssl
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from wire.errors import Unavailable

TIMEOUT_S = 10.0
#: A page of a thousand items is a few hundred kilobytes.
ANSWER_BYTES_MAX = 16 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Server:
    """Where an API answers, and how to prove who we are. `url` is http or https, without query."""

    url: str
    token: str | None = None
    tls: ssl.SSLContext | None = None


async def call(
    server: Server, method: str, path: str, body: bytes | None = None, key: str | None = None
) -> tuple[int, bytes]:
    """Return status and body of the answer; `key` makes a repeated request one request.

    Raise Unavailable with the reason when there is no whole answer within TIMEOUT_S.
    """
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return _parse(await _exchange(server, method, path, body, key), method)
    except TimeoutError:
        raise Unavailable("no answer") from None
    except http.client.HTTPException as error:
        raise Unavailable(f"the answer is not HTTP: {error!r}") from error
    except ConnectionRefusedError:
        raise Unavailable("connection refused") from None
    except OSError as error:
        raise Unavailable(error.strerror or str(error)) from error


async def _exchange(
    server: Server, method: str, path: str, body: bytes | None, key: str | None
) -> bytes:
    parts = urlsplit(server.url)
    secure = parts.scheme == "https"
    tls = (server.tls or ssl.create_default_context()) if secure else None
    port = parts.port or (443 if secure else 80)
    reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=tls)
    try:
        lines = [
            f"{method} {parts.path.rstrip('/')}{path} HTTP/1.1",
            f"Host: {parts.netloc}",
            "Accept: application/json",
            "Connection: close",
        ]
        if server.token is not None:
            lines.append(f"Authorization: Bearer {server.token}")
        if key is not None:
            lines.append(f"Idempotency-Key: {key}")
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + (body or b""))
        await writer.drain()
        answer = bytearray()
        while chunk := await reader.read(_CHUNK_BYTES):
            answer += chunk
            if len(answer) > ANSWER_BYTES_MAX:
                raise Unavailable(f"the answer is larger than {ANSWER_BYTES_MAX} bytes")
        return bytes(answer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


class _Bytes:
    """What http.client takes for a socket."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def _parse(data: bytes, method: str) -> tuple[int, bytes]:
    response = http.client.HTTPResponse(cast("Any", _Bytes(data)), method=method)
    response.begin()
    return response.status, response.read()
