"""Announces what the ledger committed: retained availability and alerts, newest value only.

What is announced is committed first, and everything is announced again after each connect: a
wiped broker, a crash or a lost connection costs repeats, never a missing value. Readers drop old
versions.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Engine, select, tuple_

from central import alerts, database, names, schema, statements
from central.alerts import Announcement
from wire.errors import Unavailable
from wire.link import INFLIGHT_MAX, Link
from wire.topics import DELIVERY, Topics

log = logging.getLogger(__name__)

#: Rows read at once when everything is announced again.
_PAGE_ROWS = 1_000

#: What MQTT carries as retained messages; the rest is for webhooks and the change feed.
RETAINED = frozenset({"availability", "alert"})

Key = tuple[str, tuple[str, ...]]  # channel, and what identifies the message in it


@dataclass
class Outbound:
    """Sends announcements. `offer` never blocks; what waits is bounded by the number of SKUs."""

    link: Link
    topics: Topics
    reader: Engine
    tasks: asyncio.TaskGroup
    _waiting: dict[Key, bytes] = field(default_factory=dict)
    _offered: set[Key] = field(default_factory=set)
    _open_alerts: set[str] = field(init=False)
    _drained: asyncio.Event = field(default_factory=asyncio.Event)
    _sending: set["asyncio.Task[None]"] = field(default_factory=set)

    def __post_init__(self) -> None:
        # Known before the broker is heard: else its retained alerts would pass for closed ones.
        self._open_alerts = {announcement.key[0] for announcement in self._alerts()}

    def offer(self, announcements: Sequence[Announcement]) -> None:
        """Take committed announcements; a newer value replaces one that still waits."""
        for each in announcements:
            if each.channel not in RETAINED:
                continue
            self._waiting[each.channel, each.key] = each.body
            self._offered.add((each.channel, each.key))
            if each.channel == "alert":
                (self._open_alerts.add if each.body else self._open_alerts.discard)(each.key[0])
        self._drained.clear()
        self._pump()

    def _pump(self) -> None:
        """Send what waits, as much at once as the connection takes."""
        while self._waiting and len(self._sending) < INFLIGHT_MAX:
            key = next(iter(self._waiting))
            task = self.tasks.create_task(self._send(key, self._waiting.pop(key)))
            self._sending.add(task)
            task.add_done_callback(self._sent)
        if not self._waiting:
            self._drained.set()

    def _sent(self, task: "asyncio.Task[None]") -> None:
        self._sending.discard(task)
        if not task.cancelled():
            self._pump()

    async def announce_all(self) -> None:
        """Offer the current value of everything, for a broker that may know nothing."""
        self._offered.clear()
        for announcement in await asyncio.to_thread(self._alerts):
            self._offer_older(announcement)
        after = (0, 0)
        while True:
            self._offered.clear()
            page, after = await asyncio.to_thread(self._page, after)
            for announcement in page:
                self._offer_older(announcement)
            if len(page) < _PAGE_ROWS:
                return
            await self._drained.wait()  # the broker may be slower than the database

    def _offer_older(self, announcement: Announcement) -> None:
        """Offer a value read before now, unless a newer one was offered while it was being read."""
        if (announcement.channel, announcement.key) not in self._offered:
            self.offer([announcement])

    def heard_alert(self, alert_id: str) -> None:
        """Clear a retained alert that was closed while the broker could not be told."""
        if alert_id not in self._open_alerts:
            self.offer([Announcement("alert", (alert_id,), b"")])

    async def _send(self, key: Key, body: bytes) -> None:
        channel, names = key
        is_alert = channel == "alert"
        topic = self.topics.alert(*names) if is_alert else self.topics.availability(*names)
        delivery = DELIVERY["alert" if is_alert else "availability"]
        # What is lost with the connection is announced again after the next connect.
        with contextlib.suppress(Unavailable):
            await self.link.publish(topic, body, qos=delivery.qos, retain=delivery.retain)

    def _alerts(self) -> list[Announcement]:
        with database.asking(self.reader) as connection:
            rows = connection.execute(
                select(schema.alert).where(schema.alert.c.closed_us.is_(None))
            )
            return [alerts.announcement(row) for row in rows]

    def _page(self, after: tuple[int, int]) -> tuple[list[Announcement], tuple[int, int]]:
        """Return announcements of the rows after a (site, item), and the last one's."""
        avail = schema.avail
        with database.asking(self.reader) as connection:
            rows = connection.execute(
                statements.AVAILABLE.where(tuple_(avail.c.site, avail.c.item) > after)
                .order_by(avail.c.site, avail.c.item)
                .limit(_PAGE_ROWS)
            ).all()
        as_of = names.moment(time.time_ns() // 1_000)
        page = []
        for row in rows:
            label = names.label(row.code, row.sku, row.name, row.active)
            values = (row.on_hand, row.reserved, row.safety, row.ver)
            body = names.message(label, *values, as_of, "snapshot")
            page.append(Announcement("availability", label.key, body))
        return page, (rows[-1].site, rows[-1].item) if rows else after
