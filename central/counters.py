"""What this process did since it started: the ledger keeps neither repeats nor how long it took."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from central.arrivals import Applied, Arrival, StreamKey
from central.histogram import SECONDS, SIZES, Histogram


@dataclass
class Counters:
    """Events by what became of them on arrival, and the commits that it took."""

    applied: int = 0
    #: Known already, and left out.
    repeated: int = 0
    #: Recorded and not posted: they wait for a person, or are refused.
    parked: int = 0
    #: Events of each message that was applied.
    batches: Histogram = field(default_factory=lambda: Histogram(SIZES))
    #: Seconds of each commit, from its begin, with all that was tried again.
    commits: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    #: Commands that shared each commit.
    groups: Histogram = field(default_factory=lambda: Histogram(SIZES))
    #: Transactions that collided with another process's and began anew.
    retries: int = 0

    def count(self, arrivals: Sequence[Arrival], done: "asyncio.Future[list[Applied]]") -> None:
        """Count the arrivals that were committed; nothing of those that failed."""
        if done.cancelled() or done.exception() is not None:
            return
        answers: dict[StreamKey, deque[Applied]] = {}
        for each in done.result():
            answers.setdefault(each.key, deque()).append(each)
        for arrival in arrivals:
            mine = answers.get(arrival.key)
            if not mine:
                continue  # another process's
            answer = mine.popleft()
            size = len(arrival.events) + len(arrival.broken)
            self.batches.add(size)
            parked = len(answer.rejected)
            self.applied += answer.fresh - parked
            self.parked += parked
            if not answer.hole:
                self.repeated += size - answer.fresh
