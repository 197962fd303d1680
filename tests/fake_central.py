"""A small HTTP server with the routes of central that the monitor calls, and what was asked of it.

It knows nothing of a ledger: tests put the answers in.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "dt_secret"


@dataclass
class FakeCentral:
    """`answers` by method and path; a path that ends in / answers all below it."""

    answers: dict[tuple[str, str], Any] = field(default_factory=dict)
    #: (method, path, query, body, headers) of each request.
    asked: list[tuple[str, str, dict[str, list[str]], Any, dict[str, str]]] = field(
        default_factory=list
    )
    token: str | None = None
    url: str = ""

    def find(self, method: str, path: str) -> Any:
        """Return what to answer, None for a route that is not there."""
        for known in (path, path.rsplit("/", 1)[0] + "/", path.rsplit("/", 2)[0] + "/"):
            if (method, known) in self.answers:
                return self.answers[method, known]
        return None

    def bodies(self, method: str, path: str) -> list[Any]:
        """Return the bodies sent to a path, in order."""
        return [asked[3] for asked in self.asked if asked[:2] == (method, path)]


def problem(status: int, detail: str, code: str = "x") -> tuple[int, dict[str, Any]]:
    """Return a refusal as central words it."""
    return status, {"type": "about:blank", "status": status, "code": code, "detail": detail}


class _Handler(BaseHTTPRequestHandler):
    fake: FakeCentral

    def do_GET(self) -> None:
        self._answer("GET", None)

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self._answer("POST", json.loads(self.rfile.read(length) or b"null"))

    def _answer(self, method: str, body: Any) -> None:
        fake, parts = self.fake, urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        fake.asked.append((method, parts.path, parse_qs(parts.query), body, headers))
        if fake.token and headers.get("authorization") != f"Bearer {fake.token}":
            self._send(*problem(401, "send a token"))
            return
        answer = fake.find(method, parts.path)
        if callable(answer):
            answer = answer(parse_qs(parts.query), body)
        if answer is None:
            answer = problem(404, "Not Found", "not_found")
        if isinstance(answer, bytes):
            self._send(200, answer)
            return
        status, content = answer if isinstance(answer, tuple) else (200, answer)
        self._send(status, content)

    def _send(self, status: int, content: Any) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@contextmanager
def fake_central(token: str | None = None) -> Iterator[FakeCentral]:
    """Give a running one."""
    fake = FakeCentral(token=token)
    handler = type("Handler", (_Handler,), {"fake": fake})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
