"""`docktally sim storefront`: shoppers who order what is available, pay, or change their minds."""

import logging
import random
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from firmware_sim.central_api import CentralApi, Reply
from firmware_sim.journal import Journal
from firmware_sim.orders import Asked, Step
from wire.errors import Unavailable

log = logging.getLogger(__name__)

#: A shop holds goods while somebody types a card number.
RESERVATION_TTL_S = 900
#: How old the shop's page may be before it asks again what is available.
AVAILABILITY_AGE_S = 1.0
#: While central is away the shop asks again, ever less often.
RETRY_FIRST_S, RETRY_MAX_S = 0.2, 5.0
#: A shop that closes settles its open orders; it gives up on a central that stays away.
CLOSING_S = 30.0
_RELEASE_SHARE, _GREEDY_SHARE = 0.15, 0.1
_LINES_MAX, _EACHES_MAX = 3, 5
_SERVER_ERROR = 500


@dataclass
class Shop:
    """One channel at one site. `rate` counts the orders a second of each shopper.

    Its page lists an item while more than `listed_above` of it are available.
    """

    api: CentralApi
    site: str
    channel: str
    rate: float
    listed_above: int = 0
    stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _shelf: dict[str, int] = field(default_factory=dict)
    _shelf_at: float = -AVAILABILITY_AGE_S

    def shelf(self) -> dict[str, int]:
        """Return what the shop's page shows as available; the last known while central is away."""
        with self._lock:
            if time.monotonic() - self._shelf_at >= AVAILABILITY_AGE_S:
                try:
                    rows = list(self.api.items("/v1/stock"))
                except Unavailable as error:
                    log.warning("the page shows old numbers: %s", error)
                else:
                    self._shelf = {r["sku"]: r["available"] for r in rows if r["site"] == self.site}
                self._shelf_at = time.monotonic()
            return dict(self._shelf)


def run(shop: Shop, journal: Path, seed: int, shoppers: int, seconds: float) -> None:
    """Let shoppers order until `seconds` are over (0: until a signal), settling what is open."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: shop.stop.set())
    # The time makes references differ from those of an earlier run on the same ledger.
    run_name = f"{shop.channel}-{time.time_ns():x}"
    with Journal(journal) as book, ThreadPoolExecutor(shoppers) as pool:
        lock = threading.Lock()

        def note(asked: Asked) -> None:
            with lock:
                book.write(asked)

        busy = [
            pool.submit(Shopper(shop, random.Random(f"{seed} {n}"), f"{run_name}-{n}", note).work)
            for n in range(shoppers)
        ]
        shop.stop.wait(seconds or None)
        shop.stop.set()
        for each in busy:
            each.result()


@dataclass
class Shopper:
    """One customer after the other. Every request is in the journal before it is sent."""

    shop: Shop
    rng: random.Random
    name: str
    note: Callable[[Asked], None]
    _give_up_at: float | None = None

    def work(self) -> None:
        """Order until the shop closes."""
        number = 0
        while not self.shop.stop.wait(self.rng.expovariate(self.shop.rate)):
            lines = self._basket()
            if lines:
                number += 1
                self._order(f"{self.name}-{number}", lines)

    def _basket(self) -> dict[str, int]:
        least = self.shop.listed_above
        shelf = {sku: left for sku, left in self.shop.shelf().items() if left > least}
        skus = self.rng.sample(sorted(shelf), min(len(shelf), self.rng.randint(1, _LINES_MAX)))
        lines = {sku: self.rng.randint(1, min(_EACHES_MAX, shelf[sku])) for sku in skus}
        if skus and self.rng.random() < _GREEDY_SHARE:
            # The last one in stock is what everybody wants; of what there is plenty, too much.
            lines[skus[0]] = shelf[skus[0]] + (1 if least else 0)
        return lines

    def _order(self, ref: str, lines: dict[str, int]) -> None:
        body = {
            "channel": self.shop.channel, "site": self.shop.site, "ttl_s": RESERVATION_TTL_S,
            "order_ref": ref, "lines": [{"sku": s, "quantity": q} for s, q in lines.items()],
        }  # fmt: skip
        held = self._ask(ref, "reserve", lines, "/v1/reservations", body)
        if held is None or not _granted(held):
            return
        path = f"/v1/reservations/{held.body['id']}"
        if self.rng.random() < _RELEASE_SHARE:
            self._ask(ref, "release", lines, f"{path}/release")
            return
        paid = self._ask(ref, "commit", lines, f"{path}/commit")
        if paid is not None and _granted(paid):
            self._ask(ref, "ship", lines, f"{path}/ship")

    def _ask(
        self, ref: str, step: Step, lines: dict[str, int], path: str, body: Any = None
    ) -> Reply | None:
        """Ask until central answers; None when the shop closed before it did."""
        self._say(ref, step, lines, None)
        pause_s = RETRY_FIRST_S
        while True:
            try:
                reply = self.shop.api.request(
                    "POST", path, body, headers={"Idempotency-Key": f"{ref}-{step}"}
                )
            except Unavailable as error:
                log.warning("%s %s: %s", step, ref, error)
            else:
                if reply.status < _SERVER_ERROR:
                    self._say(ref, step, lines, reply)
                    return reply
            if self._closed_for_good():
                return None
            time.sleep(self.rng.uniform(pause_s / 2, pause_s))
            pause_s = min(RETRY_MAX_S, pause_s * 2)

    def _closed_for_good(self) -> bool:
        if not self.shop.stop.is_set():
            return False
        if self._give_up_at is None:
            self._give_up_at = time.monotonic() + CLOSING_S
        return time.monotonic() > self._give_up_at

    def _say(self, ref: str, step: Step, lines: dict[str, int], reply: Reply | None) -> None:
        self.note(
            Asked(
                at=datetime.now(UTC), order=ref, step=step, lines=lines,
                status=reply and reply.status, answer=reply and reply.body,
            )
        )  # fmt: skip


def _granted(reply: Reply) -> bool:
    return reply.status in {200, 201}
