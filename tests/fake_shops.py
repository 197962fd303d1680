"""Shopify and WooCommerce as their documentation describes them, strict about it."""

import base64
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from shops import Call

Reply = tuple[int, dict[str, str], bytes]
LOCATION = "gid://shopify/Location/655441491"
TOKEN = "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"
KEY, SECRET = "ck_1234567890", "cs_0987654321"


def _reply(status: int, body: object) -> Reply:
    return status, {"content-type": "application/json"}, json.dumps(body).encode()


@dataclass
class FakeShopify:
    """The Admin GraphQL API, version 2026-04: two calls, a cost bucket, compare-and-set."""

    levels: dict[str, int] = field(default_factory=dict)
    bucket: float = 2_000.0
    restore_per_s: float = 100.0
    cost: float = 10.0
    #: SKUs that it does not let anybody set.
    refused: set[str] = field(default_factory=set)
    #: Tokens that it gave for a day to an app with the right id and secret, and their number.
    tokens: set[str] = field(default_factory=set)
    logins: int = 0
    keys: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    stale: int = 0
    throttled: int = 0
    sets: int = 0
    _at_s: float = field(default_factory=time.monotonic)

    def answer(self, call: Call) -> Reply:
        """Answer one request."""
        if call.path == "/admin/oauth/access_token" and call.method == "POST":
            return self._log_in(call)
        if call.path != "/admin/api/2026-04/graphql.json" or call.method != "POST":
            return _reply(404, {"errors": "Not Found"})
        if call.headers.get("x-shopify-access-token") not in (TOKEN, *self.tokens):
            return _reply(401, {"errors": "[API] Invalid API key or access token"})
        if not self._pay():
            self.throttled += 1
            error = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
            return _reply(200, {"errors": [error], "extensions": self._extensions()})
        asked = json.loads(call.body)
        query, variables = asked["query"], asked["variables"]
        data = self._set(query, variables) if "mutation" in query else self._find(variables)
        return _reply(200, {"data": data, "extensions": self._extensions()})

    def _log_in(self, call: Call) -> Reply:
        assert call.headers["content-type"] == "application/x-www-form-urlencoded"
        asked = dict(parse_qsl(call.body.decode()))
        if asked != {"grant_type": "client_credentials", "client_id": KEY, "client_secret": SECRET}:
            return _reply(400, {"error": "invalid_client"})
        self.logins += 1
        token = f"day-{self.logins}"
        self.tokens.add(token)
        return _reply(200, {"access_token": token, "scope": "x", "expires_in": 86_399})

    def _pay(self) -> bool:
        now_s = time.monotonic()
        self.bucket = min(2_000.0, self.bucket + (now_s - self._at_s) * self.restore_per_s)
        self._at_s = now_s
        if self.bucket < self.cost:
            return False
        self.bucket -= self.cost
        return True

    def _extensions(self) -> dict[str, Any]:
        status = {
            "maximumAvailable": 2_000.0,
            "currentlyAvailable": self.bucket,
            "restoreRate": self.restore_per_s,
        }
        return {"cost": {"requestedQueryCost": self.cost, "throttleStatus": status}}

    def _find(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        skus = re.findall(r'sku:"([^"]*)"', variables["search"])
        assert variables["location"] == LOCATION
        nodes = [
            {
                "sku": sku,
                "inventoryItem": {
                    "id": f"gid://shopify/InventoryItem/{sku}",
                    "inventoryLevel": {"quantities": [{"quantity": self.levels[sku]}]},
                },
            }
            for sku in skus
            if sku in self.levels
        ]
        return {"productVariants": {"nodes": nodes[: variables["first"]]}}

    def _set(self, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        assert "@idempotent(key: $key)" in query, "required since 2026-04"
        given, key = variables["input"], variables["key"]
        if key in self.keys:
            before, result = self.keys[key]
            assert before == given, "a key was used for another call"
            return {"inventorySetQuantities": result}
        assert given["name"] in ("available", "on_hand")
        assert given["reason"] in ("correction", "cycle_count_available", "other")
        assert len(given["quantities"]) <= 250
        errors = [
            error
            for place, each in enumerate(given["quantities"])
            for error in self._errors(place, each)
        ]
        if not errors:
            self.sets += 1
            for each in given["quantities"]:
                self.levels[_sku(each)] = each["quantity"]
        result = {"userErrors": errors}
        self.keys[key] = (given, result)
        return {"inventorySetQuantities": result}

    def _errors(self, place: int, each: Mapping[str, Any]) -> list[dict[str, Any]]:
        assert "changeFromQuantity" in each, "required since 2026-04"
        assert each["locationId"] == LOCATION
        if _sku(each) in self.refused:
            path = ["input", "quantities", str(place), "inventoryItemId"]
            message = "The specified inventory item is not stocked at the location."
            return [{"field": path, "code": "ITEM_NOT_STOCKED_AT_LOCATION", "message": message}]
        if self.levels[_sku(each)] == each["changeFromQuantity"]:
            return []
        self.stale += 1
        return [
            {
                "field": ["input", "quantities", str(place), "changeFromQuantity"],
                "code": "CHANGE_FROM_QUANTITY_STALE",
                "message": "The changeFromQuantity argument no longer matches the persisted "
                "quantity.",
            }
        ]


def _sku(quantity: Mapping[str, Any]) -> str:
    return str(quantity["inventoryItemId"]).rpartition("/")[2]


@dataclass
class FakeWoo:
    """The REST API, version 3: find a product by SKU, change products in batches."""

    products: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: Requests it still takes before it asks to wait a second.
    patience: int = 1_000
    busy: int = 0

    def add(self, number: int, sku: str, quantity: int, parent: int = 0) -> None:
        """Put a product, or a variation of a parent, on sale."""
        self.products[sku] = {
            "id": number, "sku": sku, "parent_id": parent, "stock_quantity": quantity,
            "manage_stock": False,
        }  # fmt: skip

    def answer(self, call: Call) -> Reply:
        """Answer one request."""
        account = base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
        if call.headers.get("authorization") != f"Basic {account}":
            return _reply(401, {"code": "woocommerce_rest_cannot_view"})
        if self.patience <= 0:
            self.patience, self.busy = 1_000, self.busy + 1
            return 429, {"retry-after": "1"}, b""
        self.patience -= 1
        if call.method == "GET" and call.path.startswith("/wp-json/wc/v3/products?sku="):
            sku = call.path.partition("=")[2]
            return _reply(200, [self.products[sku]] if sku in self.products else [])
        batch = re.fullmatch(r"/wp-json/wc/v3/products/(?:([0-9]+)/variations/)?batch", call.path)
        if call.method != "POST" or batch is None:
            return _reply(404, {"code": "rest_no_route"})
        changes = json.loads(call.body)["update"]
        assert len(changes) <= 100
        return _reply(200, {"update": [self._change(int(batch[1] or 0), c) for c in changes]})

    def _change(self, parent: int, change: dict[str, Any]) -> dict[str, Any]:
        for product in self.products.values():
            if product["id"] == change["id"] and product["parent_id"] == parent:
                product.update(change)
                return product
        error = {"code": "woocommerce_rest_product_invalid_id", "message": "Invalid ID."}
        return {"id": change["id"], "error": error}
