"""Sends webhooks: one loop for all endpoints, none of which can hold up another.

Each endpoint has so many requests in flight and no more, and messages of one key go out one after
the other. An endpoint that failed is asked with one message at a time until it answers again.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, Row, select

from central import database, deliveries, endpoints, schema, signing
from central.deliveries import Outcome
from central.guarded_http import Client, Forbidden, Reply
from central.writer import Writer
from wire.errors import Unavailable

log = logging.getLogger(__name__)

#: Requests of one endpoint at the same time: enough to keep up, too few to hurt a small shop.
IN_FLIGHT_MAX = 8
#: Endpoints whose time to try again may have come are looked at this often.
_LOOK_S = 1.0
#: Attempts noted in one commit.
_SETTLED_MAX = 500


@dataclass
class Dispatcher:
    """Sends what `deliveries` has. `wake` says which endpoints have something new."""

    writer: Writer
    reader: Engine
    client: Client
    rng: random.Random = field(default_factory=random.Random)
    _flying: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    _settled: set[tuple[int, int]] = field(default_factory=set)
    _look_at: set[int] = field(default_factory=set)
    _some: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: asyncio.TaskGroup = field(init=False)
    _outcomes: "asyncio.Queue[Outcome]" = field(
        default_factory=lambda: asyncio.Queue(_SETTLED_MAX), init=False
    )

    def wake(self, webhooks: set[int]) -> None:
        """Look at these endpoints now."""
        self._look_at |= webhooks
        self._some.set()

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            tasks.create_task(self._settle())
            look_at_all_s = 0.0
            while True:
                everything = time.monotonic() >= look_at_all_s
                if everything:
                    look_at_all_s = time.monotonic() + _LOOK_S
                wanted, self._look_at = self._look_at, set()
                self._some.clear()
                self._settled.clear()
                now_us = time.time_ns() // 1_000
                try:
                    due = await asyncio.to_thread(self._due, None if everything else wanted, now_us)
                except Unavailable as error:
                    log.warning("%s", error)
                    due = []
                for hook, rows in due:
                    self._launch(hook, rows, now_us)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(0.0, look_at_all_s - time.monotonic())):
                        await self._some.wait()

    def _due(self, wanted: set[int] | None, now_us: int) -> list[tuple[Row[Any], list[Row[Any]]]]:
        """Return endpoints that may be sent to, each with what waits for it longest."""
        table = schema.webhook
        query = select(table).where(table.c.state == "active", table.c.next_us <= now_us)
        found = []
        with database.asking(self.reader) as connection:
            for hook in connection.execute(query).all():
                if wanted is None or hook.id in wanted:
                    parameters = {"hook": hook.id, "now": now_us, "most": 2 * IN_FLIGHT_MAX}
                    rows = connection.execute(deliveries.DUE, parameters).all()
                    if rows:
                        found.append((hook, list(rows)))
        return found

    def _launch(self, hook: Row[Any], rows: list[Row[Any]], now_us: int) -> None:
        flying = self._flying[hook.id]
        most = 1 if hook.failures else IN_FLIGHT_MAX
        blocked = set(flying)  # a key whose older message is on its way, or stands before it
        for row in rows:
            if len(flying) >= most:
                return
            if (row.id, row.feed_seq) in self._settled:
                continue  # it was sent while the rows were being read
            if row.key not in blocked:
                flying.add(row.key)
                secrets = endpoints.secrets_of(hook, now_us)
                self._tasks.create_task(self._send(hook.url, secrets, row))
            blocked.add(row.key)

    async def _send(self, url: str, secrets: list[str], row: Row[Any]) -> None:
        body = row.body.encode()
        # The same for each attempt at the same content: the receiver's key against doubles.
        message_id = f"msg_{row.webhook}_{row.feed_seq}"
        headers = signing.headers(secrets, message_id, int(time.time()), body)
        reply: Reply | None = None
        error, forbidden = "", False
        try:
            reply = await self.client.post(url, headers, body)
        except Forbidden as reason:
            error, forbidden = str(reason), True
        except OSError as reason:
            error = str(reason)
        await self._outcomes.put(
            Outcome(
                row.id, row.webhook, row.key, row.feed_seq, row.attempt, reply, error, forbidden
            )
        )

    async def _settle(self) -> None:
        """Note attempts in the ledger's database, as many at once as there are."""
        while True:
            outcomes = [await self._outcomes.get()]
            while len(outcomes) < _SETTLED_MAX and not self._outcomes.empty():
                outcomes.append(self._outcomes.get_nowait())
            jitters = [self.rng.random() for _ in outcomes]
            try:
                await self.writer.submit(
                    lambda tx, some=outcomes, chances=jitters: deliveries.settle(tx, some, chances)  # type: ignore[misc]
                )
            except Unavailable as error:
                # Not noted, so they are sent again, under the same ids.
                log.warning("%d deliveries were not noted: %s", len(outcomes), error)
                await asyncio.sleep(_LOOK_S)
            for outcome in outcomes:
                self._settled.add((outcome.delivery, outcome.feed_seq))
                self._flying[outcome.webhook].discard(outcome.key)
            self.wake({outcome.webhook for outcome in outcomes})
