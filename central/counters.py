"""What this process did with events since it started; the ledger does not keep repeats."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from central.arrivals import Applied, Arrival, StreamKey


@dataclass
class Counters:
    """Events by what became of them on arrival."""

    applied: int = 0
    #: Known already, and left out.
    repeated: int = 0
    #: Recorded and not posted: they wait for a person, or are refused.
    parked: int = 0

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
            parked = len(answer.rejected)
            self.applied += answer.fresh - parked
            self.parked += parked
            if not answer.hole:
                self.repeated += len(arrival.events) + len(arrival.broken) - answer.fresh
