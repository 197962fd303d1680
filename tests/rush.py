"""Many at once: threads that write one ledger, each as a central process of its own.

Each has its own connection and memory, and runs its commands in transactions of its own; so on
PostgreSQL they really overlap, and on SQLite they queue for the one writer's lock. No caller's lock
stands between them: what keeps them right is in the SQL.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from central import combiner, database, reservations, shipping
from central.arrivals import Applied, Arrival
from central.requests import Answer
from central.reservations import Request, Wanted
from central.writer import Transaction, Writer, _Waiting
from ledgers import SELLABLE

#: Threads at once: more than the cores, fewer than PostgreSQL's connections. SQLite lets one write,
#: and whoever waits asks again and again: many of them would starve one.
CLERKS = {True: 12, False: 4}
_DEADLINE_S = 60


class Clerk:
    """One of them. The Writer's own code for one transaction and its repetition is used."""

    def __init__(self, name: str) -> None:
        self.engine = database.open_writer(name)
        self.writer = Writer(self.engine, SELLABLE)
        with self.engine.connect():
            pass  # connected before the others wait for it

    def do(self, command: Callable[[Transaction], Any]) -> Any:
        """Run a command in a transaction of its own; return its result."""
        self.writer._forget()  # on SQLite a process is alone, and believes what it remembers
        results, _ = self.writer._transact_again([_Waiting(command, None)])  # type: ignore[arg-type]
        return results[0]

    def reserve(self, key: str, *lines: tuple[str, int], ttl_s: int = 900, **more: Any) -> Answer:
        """Reserve as the HTTP door does."""
        fields = {"channel": "web", "site": "main", "order_ref": None} | more
        wanted = tuple(Wanted(*line) for line in lines)
        request = Request(key=key, ttl_s=ttl_s, lines=wanted, **fields)
        answer: Answer = self.do(lambda tx: combiner.reserve_all(tx, [request])[0])
        return answer

    def reserve_all(self, requests: Sequence[Request]) -> list[Answer]:
        """Reserve for several who share a commit."""
        return list(self.do(lambda tx: combiner.reserve_all(tx, requests)))

    def turn(self, action: str, number: int) -> Answer:
        """Commit, release or ship a reservation."""
        command = shipping.ship if action == "ship" else getattr(reservations, action)
        answer: Answer = self.do(lambda tx: command(tx, number))
        return answer

    def expire(self) -> int:
        """Give back what is over."""
        return int(self.do(reservations.expire))

    def apply(self, arrival: Arrival) -> Applied:
        """Apply a message of a gateway."""
        applied: Applied = self.do(lambda tx: tx.ledger.apply(tx.books, [arrival])[0])
        return applied


Job = Callable[[Clerk], Any]


class Rush:
    """Clerks at one ledger."""

    def __init__(self, name: str) -> None:
        self.clerks = [Clerk(name) for _ in range(CLERKS[database.is_shared(name)])]
        self.pool = ThreadPoolExecutor(len(self.clerks))

    def at_once(self, *jobs: Job) -> list[Any]:
        """Do all jobs, one for each clerk, from the same moment on; return results.

        More jobs than clerks are done in turns.
        """
        results: list[Any] = []
        for start in range(0, len(jobs), len(self.clerks)):
            part = jobs[start : start + len(self.clerks)]
            barrier = threading.Barrier(len(part))

            def work(clerk: Clerk, job: Job, barrier: threading.Barrier = barrier) -> Any:
                barrier.wait(_DEADLINE_S)
                return job(clerk)

            done = [self.pool.submit(work, *pair) for pair in zip(self.clerks, part, strict=False)]
            results += [each.result(_DEADLINE_S) for each in done]
        return results

    def shares(self, jobs: Sequence[Job]) -> list[Any]:
        """Do all jobs, dealt out to clerks who start together and never wait; return results."""
        clerks = len(self.clerks)
        hands = [jobs[n::clerks] for n in range(min(clerks, len(jobs)))]
        return [
            result
            for part in self.at_once(
                *(lambda clerk, hand=hand: [job(clerk) for job in hand] for hand in hands)
            )
            for result in part
        ]


@contextmanager
def rushing(name: str) -> Any:
    """Give the clerks of a ledger."""
    rush = Rush(name)
    try:
        yield rush
    finally:
        rush.pool.shutdown()
        for clerk in rush.clerks:
            clerk.engine.dispose()
