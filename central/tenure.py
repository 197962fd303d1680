"""What this process is responsible for now: gateways by their leases, and the relay."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Engine

from central import database, leases
from wire.errors import Unavailable

log = logging.getLogger(__name__)

Change = Callable[[frozenset[str], frozenset[str]], None]


@dataclass
class Tenure:
    """Leases held in the database; without an `engine` we are alone and everything is ours.

    A lease counts until the moment by which another process may have taken it, whether or not we
    got to hear of that: a process that hung finds itself responsible for nothing when it wakes up.
    """

    me: str
    engine: Engine | None
    #: Called with what is new and what is lost.
    on_change: Change = lambda _new, _lost: None
    #: Set while the relay is ours, and while it is not.
    leading: asyncio.Event = field(default_factory=asyncio.Event)
    following: asyncio.Event = field(default_factory=asyncio.Event)
    _held: frozenset[str] = frozenset()
    _until_s: float = 0.0

    def __post_init__(self) -> None:
        (self.leading if self.engine is None else self.following).set()

    def owns(self, site: str, gateway: str) -> bool:
        """Return whether we apply and answer this gateway's events."""
        return self._holds(leases.of_gateway(site, gateway))

    @property
    def leads(self) -> bool:
        """True while we do what one process does for all."""
        return self._holds(leases.RELAY)

    def _holds(self, name: str) -> bool:
        return self.engine is None or (name in self._held and _now_s() < self._until_s)

    async def run(self) -> None:
        """Renew the leases, until cancelled."""
        while self.engine is not None:
            started_s = _now_s()
            if started_s > self._until_s:
                self._hold(frozenset())
            try:
                held = await asyncio.to_thread(self._tend, self.engine)
            except Unavailable as error:
                log.error("the leases cannot be renewed: %s", error)
            else:
                self._until_s = started_s + leases.LEASE_S
                self._hold(held)
            await asyncio.sleep(leases.RENEW_S)

    def _tend(self, engine: Engine) -> frozenset[str]:
        with database.asking(engine) as connection:
            return frozenset(leases.tend(connection, self.me))

    def _hold(self, held: frozenset[str]) -> None:
        new, lost = held - self._held, self._held - held
        self._held = held
        if not new and not lost:
            return
        log.info("responsible for %d of %d: +%s -%s", len(held), leases.PARTITIONS + 1,
                 ",".join(sorted(new)) or "none", ",".join(sorted(lost)) or "none")  # fmt: skip
        gained, given = (self.leading, self.following)
        if leases.RELAY not in held:
            gained, given = given, gained
        gained.set()
        given.clear()
        self.on_change(new, lost)

    async def are_others(self) -> bool:
        """Return whether other processes live, which will go on without us; if in doubt, yes."""
        engine = self.engine
        if engine is None:
            return False
        try:
            return await asyncio.to_thread(_count, engine) > 1
        except Unavailable:
            return True

    async def leave(self) -> None:
        """Give everything back; another process has it within a second."""
        if self.engine is not None:
            with contextlib.suppress(Unavailable):  # then it has it when our time is over
                await asyncio.to_thread(self._leave, self.engine)

    def _leave(self, engine: Engine) -> None:
        with database.asking(engine) as connection:
            leases.leave(connection, self.me)


def _count(engine: Engine) -> int:
    with database.asking(engine) as connection:
        return leases.alive(connection)


def _now_s() -> float:
    """Return seconds that go on while the process is stopped or the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
