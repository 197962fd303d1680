"""Talking to a shop's API: which calls set quantities, and what the answers mean for each SKU."""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from central.channel_config import Channel
from central.channels import shopify, woocommerce
from central.channels.order_events import Unusable
from central.channels.shopify_login import Login
from central.guarded_http import Client

#: A shop that asks us to wait without saying how long.
_WAIT_S = 2.0
#: What an answer makes of our reading that is not what the shop's manual says.
_STRANGE = (KeyError, TypeError, IndexError, AttributeError, ValueError)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a shop shall sell of an item. What we know of it there: its id, its parent's, and the
    quantity that it has if nobody changed it; None is not known. `version` is of our own row.
    """

    sku: str
    quantity: int
    remote_id: str | None = None
    parent: str | None = None
    known: int | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """How it went for one item. `known` is what the shop has now, None when that is not known.

    `refused` means that the shop says no to this item, whatever else is sent with it.
    """

    sku: str
    done: bool
    remote_id: str | None = None
    parent: str | None = None
    known: int | None = None
    note: str = ""
    refused: bool = False


class Busy(Exception):
    """The shop wants us to wait."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"the shop asks us to wait {wait_s:.1f} s")
        self.wait_s = wait_s


class Denied(Unusable):
    """The shop does not take our token."""


class Shop(Protocol):
    """A shop whose quantities we set."""

    @property
    def most(self) -> int:
        """How many items one `push` takes."""
        ...

    async def push(self, wanted: Sequence[Wanted]) -> list[Result]:
        """Set quantities; raise Busy, Unusable (the shop does not understand us) or OSError."""
        ...


async def _json(
    client: Client, method: str, url: str, headers: Mapping[str, str], body: object = None
) -> Any:
    content = b"" if body is None else json.dumps(body).encode()
    reply = await client.send(method, url, headers, content)
    if reply.status in (429, 503):
        raise Busy(reply.retry_after_s or _WAIT_S)
    if reply.status >= 500:
        raise OSError(f"the shop answers {reply.status}: {reply.snippet}")
    if reply.status == 401:
        raise Denied(f"the shop does not let us in: {reply.snippet}")
    if reply.status >= 400:
        raise Unusable(f"the shop answers {reply.status}: {reply.snippet}")
    try:
        return json.loads(reply.body)
    except ValueError as error:
        raise Unusable(f"the shop's answer is no JSON: {reply.snippet}") from error


@dataclass(frozen=True, slots=True)
class ShopifyShop:
    """A location of a Shopify shop, `gid://shopify/Location/1`, reached with an access token.

    With a `login` that is asked for tokens, else `token` is one for good.
    """

    client: Client
    url: str
    token: str
    location: str
    login: Login | None = None
    most: int = shopify.LOOKUP_MAX

    async def push(self, wanted: Sequence[Wanted]) -> list[Result]:
        """Set quantities by compare-and-set; look up first what is not known."""
        try:
            return await self._push(wanted)
        except shopify.Throttled as busy:
            raise Busy(busy.wait_s) from busy
        except _STRANGE as error:
            raise Unusable(f"nobody understands Shopify's answer: {error!r}") from error

    async def _push(self, wanted: Sequence[Wanted]) -> list[Result]:
        unknown = [each.sku for each in wanted if each.remote_id is None or each.known is None]
        found: dict[str, shopify.Level] = {}
        if unknown:
            found = shopify.levels_in(await self._call(shopify.find_call(unknown, self.location)))
        levels: list[tuple[shopify.Level, int]] = []
        results: list[Result] = []
        for each in wanted:
            if each.sku in found:
                levels.append((found[each.sku], each.quantity))
            elif each.remote_id is not None and each.known is not None:
                level = shopify.Level(each.sku, each.remote_id, each.known)
                levels.append((level, each.quantity))
            else:
                results.append(Result(each.sku, done=False, note="the shop has no such SKU"))
        versions = [each.version for each in wanted]
        return results + await self._set(levels, _key(levels, versions, looked=bool(found)))

    def _no(self, level: shopify.Level, no: tuple[str, str] | None) -> Result:
        """Return what a call that set nothing means for one of its levels.

        Who was named is looked up anew, and, unless it was only changed there meanwhile, kept out
        of the next calls; the others go again as they are.
        """
        code, message = no or ("", "another item of the call was refused")
        return Result(
            level.sku,
            done=False,
            remote_id=level.remote_id,
            known=None if no else level.quantity,
            note=f"{code}: {message}" if code else message,
            refused=no is not None and code != shopify.STALE,
        )

    async def _set(self, levels: list[tuple[shopify.Level, int]], key: str) -> list[Result]:
        if not levels:
            return []
        answer = await self._call(shopify.set_call(levels, self.location, key))
        refused = shopify.refused_in(answer)
        if not refused:
            return [
                Result(level.sku, done=True, remote_id=level.remote_id, known=quantity)
                for level, quantity in levels
            ]
        if -1 in refused:
            raise Unusable(f"Shopify refuses the call: {': '.join(refused[-1])}")
        return [self._no(level, refused.get(n)) for n, (level, _) in enumerate(levels)]

    async def _call(self, call: Mapping[str, Any]) -> Any:
        url = f"{self.url}/admin/api/{shopify.API_VERSION}/graphql.json"
        if self.login is None:
            return await self._ask(url, self.token, call)
        try:
            return await self._ask(url, await self.login.token(), call)
        except Denied:  # the secret was changed, or the app installed anew
            self.login.forget()
            return await self._ask(url, await self.login.token(), call)

    async def _ask(self, url: str, token: str, call: Mapping[str, Any]) -> Any:
        return await _json(self.client, "POST", url, {"X-Shopify-Access-Token": token}, call)


def _key(
    levels: Sequence[tuple[shopify.Level, int]], versions: Sequence[int], *, looked: bool
) -> str:
    """Return the key against doubles of a call.

    Shopify answers a key that it knows as it did before, and does nothing. So only the very same
    call again, after an answer that got lost, may have the same: neither the same change of another
    day (its version is another), nor a second try after a refusal (which looks up levels first).
    """
    changes = [[level.remote_id, level.quantity, quantity] for level, quantity in levels]
    content = [changes, list(versions), secrets.token_hex(8) if looked else ""]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class WooShop:
    """A WooCommerce shop, reached with a consumer key and its secret."""

    client: Client
    url: str
    key: str
    secret: str
    most: int = woocommerce.QUANTITIES_MAX

    async def push(self, wanted: Sequence[Wanted]) -> list[Result]:
        """Set quantities, in a batch for the products and one for each parent's variations."""
        try:
            return await self._push(wanted)
        except _STRANGE as error:
            raise Unusable(f"nobody understands WooCommerce's answer: {error!r}") from error

    async def _push(self, wanted: Sequence[Wanted]) -> list[Result]:
        products: list[tuple[woocommerce.Product, int]] = []
        results: list[Result] = []
        for each in wanted:
            product = await self._product(each)
            if product is None:
                results.append(Result(each.sku, done=False, note="the shop has no such SKU"))
            else:
                products.append((product, each.quantity))
        refused: dict[int, str] = {}
        for path, body in woocommerce.set_calls(products):
            refused |= woocommerce.refused_in(await self._call("POST", path, body))
        for product, quantity in products:
            note = refused.get(product.id, "")
            results.append(
                Result(
                    product.sku,
                    done=not note,
                    remote_id=str(product.id),
                    parent=str(product.parent),
                    known=None if note else quantity,
                    note=note,
                    refused=bool(note),
                )
            )
        return results

    async def _product(self, wanted: Wanted) -> woocommerce.Product | None:
        if wanted.remote_id is not None:
            parent = int(wanted.parent or 0)
            return woocommerce.Product(wanted.sku, int(wanted.remote_id), parent, wanted.known)
        answer = await self._call("GET", woocommerce.find_path(wanted.sku))
        return woocommerce.product_in(answer, wanted.sku)

    async def _call(self, method: str, path: str, body: object = None) -> Any:
        account = base64.b64encode(f"{self.key}:{self.secret}".encode()).decode()
        headers = {"Authorization": f"Basic {account}"}
        return await _json(self.client, method, self.url + path, headers, body)


def open_shop(channel: Channel, client: Client) -> Shop:
    """Return the way to the shop of a channel that pushes."""
    url = channel.url or ""
    if channel.kind == "shopify":
        login = Login(client, url, channel.key, channel.secret or "") if channel.key else None
        return ShopifyShop(client, url, channel.token or "", channel.location or "", login)
    assert channel.kind == "woocommerce", f"{channel.kind} has no quantities to set"
    return WooShop(client, url, channel.key or "", channel.secret or "")
