"""Keeps a shop's quantities equal to what we can promise: the newest value, as fast as it takes.

What the shop confirmed is kept per item with the version of our own row, so nothing is missed over
a restart, and `docktally verify` can say how far the shop lags behind.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, and_, bindparam, or_, select

from central import database, retry, schema, shop_schema
from central.alerts import Concern
from central.channels.order_events import Unusable
from central.channels.shops import Busy, Result, Shop, Wanted
from central.guarded_http import Forbidden
from central.writer import Transaction, Writer
from wire.errors import Unavailable

log = logging.getLogger(__name__)

#: What the shop does not have, or did not take, is tried again after this.
_AGAIN_US = 600 * 1_000_000
#: Somebody bought there a moment ago, and the order is on its way to us.
_STALE_US = 1_000_000
_LOOK_S = 1.0
#: Failures in a row after which a person is told.
_FAILURES_TOLD = 3


@dataclass
class Pusher:
    """One shop: `channel` is its name here, `site` where its goods lie."""

    channel: str
    site: str
    shop: Shop
    writer: Writer
    reader: Engine
    rng: random.Random = field(default_factory=random.Random)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        """Something changed."""
        self._news.set()

    async def run(self) -> None:
        """Push until cancelled."""
        failures = 0
        while True:
            self._news.clear()
            wait_s = _LOOK_S
            try:
                if await self._push():
                    wait_s = 0.0
                if failures:
                    failures = 0
                    await self._tell(None)
            except Busy as busy:
                wait_s = busy.wait_s
                await asyncio.sleep(wait_s)
            except (OSError, Unusable, Forbidden, Unavailable) as error:
                failures = min(failures + 1, len(retry.SCHEDULE_S) - 1)
                wait_s = retry.delay_s(failures, self.rng.random()) or retry.SCHEDULE_S[-1]
                log.warning("channel %s: %s; again in %.0f s", self.channel, error, wait_s)
                if failures == _FAILURES_TOLD:
                    await self._tell(str(error))
                await asyncio.sleep(wait_s)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._news.wait()

    async def _push(self) -> bool:
        """Push what the shop lacks; return whether there may be more."""
        rows = await asyncio.to_thread(self._due)
        if not rows:
            return False
        wanted = [
            Wanted(row.sku, _quantity(row), row.remote_id or None, row.parent, row.known)
            for row in rows
        ]
        results = await self.shop.push(wanted)
        by_sku = {row.sku: row for row in rows}
        await self.writer.submit(lambda tx: self._keep(tx, by_sku, results))
        return len(rows) == self.shop.most and any(result.done for result in results)

    def _due(self) -> Sequence[Any]:
        now_us = time.time_ns() // 1_000
        with database.asking(self.reader) as connection:
            values = {
                "channel": self.channel, "site": self.site, "now": now_us, "most": self.shop.most,
            }  # fmt: skip
            return connection.execute(_DUE, values).all()

    def _keep(self, tx: Transaction, rows: Mapping[str, Any], results: Sequence[Result]) -> None:
        kept = [
            {
                "channel": self.channel,
                "item": rows[result.sku].item,
                "site": rows[result.sku].site,
                "remote_id": result.remote_id or "",
                "parent": result.parent,
                "known": result.known,
                "ver": rows[result.sku].ver if result.done else rows[result.sku].confirmed or 0,
                "next_us": 0 if result.done else tx.now_us + _wait_us(result),
                "note": result.note,
            }
            for result in sorted(results, key=lambda result: int(rows[result.sku].item))
        ]
        if kept:
            tx.connection.execute(_keep_statement(tx.connection.dialect.name), kept)

    async def _tell(self, error: str | None) -> None:
        ref = f"channel:{self.channel}"

        def tell(tx: Transaction) -> None:
            if error is None:
                tx.books.settle("delivery_failing", ref)
            else:
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


def _quantity(row: Any) -> int:
    return max(0, int(row.on_hand - row.reserved - row.safety))


def _wait_us(result: Result) -> int:
    return _STALE_US if result.remote_id else _AGAIN_US


_avail, _listing = schema.avail, shop_schema.listing
#: :channel, :site, :now, :most -> rows whose newest version the shop has not confirmed.
_DUE = (
    select(
        _avail, schema.item.c.sku, _listing.c.remote_id, _listing.c.parent, _listing.c.known,
        _listing.c.ver.label("confirmed"),
    )
    .join(schema.item, schema.item.c.id == _avail.c.item)
    .join(schema.site, schema.site.c.id == _avail.c.site)
    .outerjoin(
        _listing,
        and_(
            _listing.c.channel == bindparam("channel"),
            _listing.c.item == _avail.c.item,
            _listing.c.site == _avail.c.site,
        ),
    )
    .where(
        schema.site.c.code == bindparam("site"),
        or_(_listing.c.ver.is_(None), _listing.c.ver < _avail.c.ver),
        or_(_listing.c.next_us.is_(None), _listing.c.next_us <= bindparam("now")),
    )
    .order_by(_avail.c.item)
    .limit(bindparam("most"))
)  # fmt: skip


def _keep_statement(dialect: str) -> Any:
    return database.upsert(
        dialect,
        _listing,
        ("channel", "item", "site"),
        lambda new: {
            name: new[name] for name in ("remote_id", "parent", "known", "ver", "next_us", "note")
        },
    )
