"""Buyers at once against an HTTP server, each on a connection of its own that stays open.

Written on bare streams: an HTTP library would cost more of the two cores than the server it asks.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable

BUYERS = 64


async def buy(
    port: int, requests: int, sku_of: Callable[[int], str], name: str, token: str = ""
) -> "Bought":
    """Reserve one each, so many times over all buyers; return the answers and how long it took."""
    statuses: Counter[int] = Counter()

    async def buyer(first: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for n in range(first, requests, BUYERS):
            lines = [{"sku": sku_of(n), "quantity": 1}]
            body = json.dumps({"channel": "web", "site": "main", "lines": lines}).encode()
            head = (
                "POST /v1/reservations HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n"
                f"Authorization: Bearer {token}\r\nIdempotency-Key: {name}-{n}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            writer.write(head.encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            statuses[int(answer.split(b" ", 2)[1])] += 1
            length = answer.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
            await reader.readexactly(int(length))
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*map(buyer, range(BUYERS)))
    return Bought(statuses, time.perf_counter() - started)


class Bought:
    """What the buyers heard."""

    def __init__(self, statuses: Counter[int], seconds: float) -> None:
        self.granted = statuses[201]
        self.refused = statuses[409]
        self.per_s = statuses.total() / seconds
        assert self.granted + self.refused == statuses.total(), statuses
