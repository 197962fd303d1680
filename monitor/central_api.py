"""Central's HTTP API as the monitor calls it: every answer a value, every failure a sentence.

Beside what central always had, it calls

    GET  /v1/reservations?state=open&after=&limit=   the newest first; open is held or committed
    GET  /v1/events?sku=&newest=true&limit=          what was recorded of an item, newest first
    POST /v1/alerts/{id}/acknowledge   {by}
    POST /v1/barcodes                  {code, sku, each_per} -> {applied, waiting}
    POST /v1/adjustments               {site, sku, location, lot?, quantity, reason, note?}

and says so when a central is too old to know one of them.
"""

import ipaddress
import json
import uuid
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from pydantic import ValidationError

from monitor.answers import (
    Done,
    Events,
    Items,
    ItemStock,
    Mapped,
    Problem,
    Reservations,
    StockPage,
)
from monitor.config import Central
from monitor.http_call import Server, call
from wire.errors import Unavailable
from wire.events import Part

PAGE_ROWS = 1_000
EVENTS_SHOWN = 50
FOUND_SHOWN = 20
_Answer = TypeVar("_Answer", bound=Part)


class CentralApi:
    """Asks central. `announced` is what central says on the broker about where it answers.

    With `closed` nobody is asked: that sentence is the answer to everything.
    """

    def __init__(
        self, config: Central, announced: Callable[[], str | None], closed: str = ""
    ) -> None:
        self._config = config
        self._closed = closed
        self._announced = announced
        self._tls = config.tls_context()

    @property
    def server(self) -> Server | Problem:
        """Where to ask.

        The token goes to the address of the configuration, or to an address on this machine. What
        is announced on the broker could be anybody's, so it is asked without.
        """
        config = self._config
        if self._closed:
            return Problem(self._closed)
        if config.url is not None:
            return Server(config.url, config.token, self._tls)
        announced = self._announced()
        if announced is None:
            return Problem("Central has not said yet where its HTTP API answers.")
        if _is_here(announced):
            return Server(announced, config.token, self._tls)
        return Server(announced, None, self._tls)

    async def stock(self, site: str | None, after: str) -> StockPage | Problem:
        """Return a page of the stock."""
        wanted = {"limit": str(PAGE_ROWS), "after": after} | ({"site": site} if site else {})
        return await self._get(StockPage, f"/v1/stock?{urlencode(wanted)}", "give the stock")

    async def places(self, sku: str) -> ItemStock | Problem:
        """Return where an item lies, by location and lot."""
        return await self._get(ItemStock, f"/v1/stock/{_quoted(sku)}", "say where an item lies")

    async def events(self, sku: str) -> Events | Problem:
        """Return what was recorded of an item, the newest first."""
        wanted = urlencode({"sku": sku, "newest": "true", "limit": EVENTS_SHOWN})
        what = "give the history of one item"
        answer = await self._get(Events, f"/v1/events?{wanted}", what)
        if isinstance(answer, Events) and any(
            each.entries and sku not in {entry.sku for entry in each.entries}
            for each in answer.items
        ):
            return _too_old(what)  # it gave everything, because it does not know what `sku` means
        return answer

    async def reservations(self, after: str) -> Reservations | Problem:
        """Return a page of the open reservations, the newest first."""
        wanted = urlencode({"state": "open", "after": after, "limit": PAGE_ROWS})
        return await self._get(Reservations, f"/v1/reservations?{wanted}", "list reservations")

    async def find_items(self, search: str) -> Items | Problem:
        """Return items with all these words in SKU or name."""
        wanted = urlencode({"search": search, "limit": FOUND_SHOWN})
        return await self._get(Items, f"/v1/items?{wanted}", "search items")

    async def acknowledge(self, alert_id: str, by: str) -> Done | Problem:
        """Say that a person takes care of an alert."""
        path = f"/v1/alerts/{_quoted(alert_id)}/acknowledge"
        return await self._post(Done, path, {"by": by}, "acknowledge alerts")

    async def close(self, alert_id: str) -> Done | Problem:
        """Say that an alert was dealt with."""
        return await self._post(Done, f"/v1/alerts/{_quoted(alert_id)}/close", {}, "close alerts")

    async def map_barcode(
        self, code: str, sku: str, each_per: int, key: str | None = None
    ) -> Mapped | Problem:
        """Say what a barcode stands for; the scans that wait for it are booked."""
        body = {"code": code, "sku": sku, "each_per": each_per}
        return await self._post(Mapped, "/v1/barcodes", body, "take barcodes", key)

    async def adjust(self, wanted: dict[str, Any], key: str | None = None) -> Done | Problem:
        """Correct a stock by hand."""
        return await self._post(Done, "/v1/adjustments", wanted, "take adjustments", key)

    async def _get(self, model: type[_Answer], path: str, what: str) -> _Answer | Problem:
        return await self._ask(model, what, "GET", path, None, None)

    async def _post(
        self, model: type[_Answer], path: str, body: dict[str, Any], what: str,
        key: str | None = None,
    ) -> _Answer | Problem:  # fmt: skip
        sent = json.dumps(body).encode()
        return await self._ask(model, what, "POST", path, sent, key or str(uuid.uuid4()))

    async def _ask(
        self, model: type[_Answer], what: str, method: str, path: str,
        body: bytes | None, key: str | None,
    ) -> _Answer | Problem:  # fmt: skip
        server = self.server
        if isinstance(server, Problem):
            return server
        try:
            status, answer = await call(server, method, path, body, key)
        except Unavailable as error:
            return Problem(self._away(server, str(error)))
        if status >= 400:
            return self._refused(server, status, answer, what)
        try:
            return model.model_validate_json(answer or b"{}")
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            return Problem(f"Central's answer was not understood: {where}: {first['msg']}")

    def _away(self, server: Server, reason: str) -> str:
        sentence = f"Central's HTTP API at {server.url} cannot be reached: {reason}."
        if self._config.url is None:
            sentence += " If it answers elsewhere, set url in [central] of the monitor's file."
        return sentence

    def _refused(self, server: Server, status: int, answer: bytes, what: str) -> Problem:
        try:
            detail = str(json.loads(answer)["detail"])
        except (ValueError, KeyError, TypeError):
            detail = f"HTTP {status}"
        match status:
            case 401 if server.token is None and self._config.token is not None:
                return Problem(
                    "The token was not sent, because the address came from the broker:"
                    " set url in [central] beside the token."
                )
            case 401:
                return Problem(
                    f"Central wants a valid token ({detail}). Set token in [central] or"
                    " DOCKTALLY_TOKEN; `docktally token create` makes one."
                )
            case 403:
                return Problem(f"This token may not {what}: {detail}.")
            case 405 | 501:
                return _too_old(what)
            case 404 if detail == "Not Found":
                return _too_old(what)
            case _:
                return Problem(f"Central says no: {detail}.")


def _too_old(what: str) -> Problem:
    return Problem(f"This central is too old to {what}; update it.")


def _quoted(name: str) -> str:
    return quote(name, safe="")


def _is_here(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
