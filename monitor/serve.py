"""The monitor in a browser: one process for each open page, on this machine only, with a token.

textual-serve draws; the door is ours. The token comes once with the address, then as a cookie that
no other site's page can use. The page loads nothing from anywhere else.
"""

import hmac
import secrets
import shlex
import string
import sys
from importlib.resources import files

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from textual_serve.server import Server

HOST = "127.0.0.1"
#: Each open page is a process of 100 MB and more that hears everything.
SESSIONS_MAX = 8
TOKEN_BYTES = 24
_COOKIE = "docktally-monitor"
_FONT_SIZES = range(6, 41)
_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self' ws: wss:;"
    " img-src 'self' data:; frame-ancestors 'none'"
)
#: Without no-store a browser keeps a page that was left, and its connection, for half a minute.
_HEADERS = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"}


class MonitorServer(Server):
    """Serves `docktally monitor ARGUMENTS` to whoever has the token."""

    def __init__(self, arguments: list[str], port: int, token: str | None = None) -> None:
        command = shlex.join([sys.executable, "-m", "monitor", *arguments])
        super().__init__(command, host=HOST, port=port, title="Docktally")
        self.token = token or secrets.token_urlsafe(TOKEN_BYTES)
        web_files = files("monitor").joinpath("web")
        self._page = string.Template(web_files.joinpath("page.html").read_text())
        self._script = web_files.joinpath("page.js").read_text()
        self._sessions = 0

    def initialize_logging(self) -> None:
        """Leave logging as the command line set it."""

    async def on_startup(self, app: web.Application) -> None:
        """Say where it is, with the token."""
        del app
        print(  # noqa: T201  the program speaks on standard output
            f"The monitor is at http://{HOST}:{self.port}/?token={self.token} until Ctrl+C.",
            flush=True,
        )

    async def handle_index(self, request: web.Request) -> web.StreamResponse:
        """Return the page, with addresses as the browser sees them."""
        secure = request.headers.get("X-Forwarded-Proto", request.scheme) == "https"
        wanted = request.query.get("fontsize", "")
        size = wanted if wanted.isdigit() and int(wanted) in _FONT_SIZES else "16"
        page = self._page.substitute(
            websocket=f"{'wss' if secure else 'ws'}://{request.host}/ws", font_size=size
        )
        return web.Response(text=page, content_type="text/html", headers=_HEADERS)

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Run a monitor for one page, unless there are too many."""
        if self._sessions >= SESSIONS_MAX:
            raise web.HTTPServiceUnavailable(text=f"{SESSIONS_MAX} pages are open; close one.\n")
        self._sessions += 1
        try:
            return await super().handle_websocket(request)
        finally:
            self._sessions -= 1

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guard())
        app.router.add_get("/page.js", self._handle_script)
        return app

    async def _handle_script(self, request: web.Request) -> web.StreamResponse:
        del request
        return web.Response(text=self._script, content_type="text/javascript")

    def _guard(self) -> Middleware:
        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            given = request.query.get("token")
            if given is not None and self._is_token(given) and request.path == "/":
                # The address bar and the history keep the address without the token.
                answer = web.HTTPFound("/")
                answer.set_cookie(_COOKIE, self.token, httponly=True, samesite="Strict", path="/")
                raise answer
            if not self._is_token(request.cookies.get(_COOKIE, "")):
                raise web.HTTPUnauthorized(
                    text="Open the address that `docktally monitor --serve` printed: it has the"
                    " token.\n"
                )
            origin = request.headers.get("Origin")
            if origin is not None and origin.partition("://")[2] != request.host:
                raise web.HTTPForbidden(text="Another site's page may not look at this one.\n")
            return await handler(request)

        return guard

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.token.encode())
