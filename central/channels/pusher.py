"""Keeps a shop's quantities equal to what we can promise: the newest value, as fast as it takes.

What the shop confirmed is kept per item with the version of our own row, so nothing is missed over
a restart, and `docktally verify` can say how far the shop lags behind.
"""

import asyncio
import contextlib
import itertools
import logging
import random
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Engine

from central import database
from central.alerts import Announcement, Concern
from central.channels import push_list
from central.channels.order_events import Unusable
from central.channels.push_list import Due
from central.channels.shops import Busy, Result, Shop
from central.guarded_http import Forbidden
from central.writer import Transaction, Writer
from wire.errors import Unavailable

log = logging.getLogger(__name__)

#: What is to be tried again is looked for this often, if nothing else is to be done.
_LOOK_S = 1.0
#: A shop that fails is asked again after 1, 2, 4 ... seconds, at the longest after a minute: what
#: it sells meanwhile may be gone.
_PAUSE_MAX_S = 60.0
_FAILURES_COUNTED = 10
#: A person is told when a shop has been failing for this long.
TOLD_AFTER_S = 60.0
#: Somebody may have closed the alert meanwhile.
_TOLD_AGAIN_S = 600.0
#: Everything is compared with what the shop confirmed at the start, and then this often.
_SWEEP_S = 3_600.0


class Lag(NamedTuple):
    """How far a shop is behind: items that wait to be set there, and seconds since the oldest."""

    items: int
    oldest_s: float


@dataclass
class Pusher:
    """One shop: `channel` is its name here, `site` where its goods lie."""

    channel: str
    site: str
    shop: Shop
    writer: Writer
    reader: Engine
    rng: random.Random = field(default_factory=random.Random)
    told_after_s: float = TOLD_AFTER_S
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    #: SKUs that changed and were not pushed since, no more than there are items; and since when, by
    #: the monotonic clock.
    _changed: dict[str, float] = field(default_factory=dict)
    #: Those of the call under way; they are looked at again unless it goes well.
    _flying: dict[str, float] = field(default_factory=dict)
    #: Where the sweep stands, and when the next one begins.
    _after: int | None = 0
    _sweep_at_s: float = 0.0
    _failures: int = 0
    _failing_since_s: float | None = None
    _told_at_s: float | None = None
    #: After a start an alert of our predecessor may be open.
    _may_settle: bool = True

    def __post_init__(self) -> None:
        self._list = push_list.List(self.channel, self.site, self.shop.most)

    def offer(self, rows: Iterable[Announcement]) -> None:
        """Take changes that were committed; those of other sites, and alerts, are not for us."""
        mine = {row.key[1] for row in rows if row.channel == "availability" and self._is_ours(row)}
        now_s = time.monotonic()
        for sku in mine:
            self._changed.setdefault(sku, now_s)
        if mine:
            self._news.set()

    def lag(self) -> Lag:
        """Return how far the shop is behind. What it refuses, or does not have, does not count."""
        waiting = self._changed | self._flying
        return Lag(len(waiting), time.monotonic() - min(waiting.values()) if waiting else 0.0)

    def _is_ours(self, row: Announcement) -> bool:
        return row.key[0] == self.site

    async def run(self) -> None:
        """Push until cancelled."""
        while True:
            self._news.clear()
            try:
                if await self._push():
                    continue
            except Unavailable as error:  # our own database: it is not the shop's fault
                log.warning("channel %s: %s", self.channel, error)
            except Busy as busy:
                await self._wait(str(busy), busy.wait_s)
                continue
            except (OSError, Unusable, Forbidden) as error:
                pause_s = min(_PAUSE_MAX_S, 2.0**self._failures) * (1 + self.rng.random() / 10)
                self._failures = min(self._failures + 1, _FAILURES_COUNTED)
                log.warning("channel %s: %s; again in %.0f s", self.channel, error, pause_s)
                await self._wait(str(error) or type(error).__name__, pause_s)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await self._news.wait()

    async def _wait(self, why: str, pause_s: float) -> None:
        """Leave the shop alone for a while; have a person know when that goes on for long."""
        now_s = time.monotonic()
        self._failing_since_s = self._failing_since_s or now_s
        since_s = self._failing_since_s if self._told_at_s is None else self._told_at_s
        after_s = self.told_after_s if self._told_at_s is None else _TOLD_AGAIN_S
        if now_s + pause_s - since_s >= after_s:
            await self._tell(why)
        await asyncio.sleep(pause_s)

    async def _push(self) -> bool:
        """Push what the shop lacks, as much as one call takes; return whether there may be more."""
        due, more = await asyncio.to_thread(self._look)
        if not due:
            self._flying = {}
            return more
        results = await self.shop.push([each.wanted for each in due.values()])
        await self.writer.submit(lambda tx: self._note(tx, due, results))
        self._flying = {}
        self._failures, self._failing_since_s = 0, None
        if self._told_at_s is not None or self._may_settle:
            await self._tell(None)
        return True

    def _look(self) -> tuple[dict[str, Due], bool]:
        """Return what to push by SKU, and whether there is more."""
        most = self.shop.most
        self._changed.update(self._flying)
        first = list(itertools.islice(self._changed, most))
        self._flying = {sku: self._changed.pop(sku) for sku in first}
        now_us = time.time_ns() // 1_000
        found: dict[str, Due] = {}
        with database.asking(self.reader) as connection:
            if self._flying:
                self._add(found, self._list.changed(connection, self._flying, now_us))
            if len(found) < most:
                self._add(found, self._list.again(connection, now_us))
            self._begin_sweep()
            if len(found) < most and self._after is not None:
                rows, self._after = self._list.sweep(connection, self._after, now_us)
                self._add(found, rows)
        kept = dict(list(found.items())[:most])
        now_s = time.monotonic()
        for sku in found.keys() - kept.keys():
            self._changed.setdefault(sku, now_s)
        for sku in kept:
            self._flying.setdefault(sku, now_s)
        return kept, bool(self._changed) or self._after is not None

    def _begin_sweep(self) -> None:
        now_s = time.monotonic()
        if self._after is None and now_s >= self._sweep_at_s:
            self._after = 0
        if self._after == 0:
            self._sweep_at_s = now_s + _SWEEP_S

    def _add(self, found: dict[str, Due], rows: Iterable[Due]) -> None:
        for row in rows:
            found.setdefault(row.wanted.sku, row)

    def _note(self, tx: Transaction, due: Mapping[str, Due], results: Sequence[Result]) -> None:
        self._list.keep(tx, due, results)
        for result in results:
            if result.refused:
                tx.books.raise_alert(self._item_concern(result))

    def _item_concern(self, result: Result) -> Concern:
        return Concern(
            "delivery_failing",
            push_list.item_ref(self.channel, result.sku),
            "warning",
            f"{self.channel} does not take the stock of {result.sku}: {result.note}",
            "It goes on selling what it knew of it. Put the product right in the shop; it is tried "
            "again every half hour.",
            self.site,
        )

    async def _tell(self, error: str | None) -> None:
        """Have a person know that the shop fails, or that it does no more."""
        ref = f"channel:{self.channel}"

        def tell(tx: Transaction) -> None:
            if error is None:
                tx.books.settle(push_list.FAILING, ref)
            elif not tx.books.watch.is_open(push_list.FAILING, ref):
                concern = Concern(
                    "delivery_failing",
                    ref,
                    "critical",
                    f"{self.channel} does not take our stock: {error}",
                    "It goes on selling what it knew. Repair the connection; the newest values "
                    "follow by themselves.",
                    self.site,
                )
                tx.books.raise_alert(concern)

        with contextlib.suppress(Unavailable):
            await self.writer.submit(tell)
            self._told_at_s = None if error is None else time.monotonic()
            self._may_settle = False
