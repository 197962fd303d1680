"""How many of something were how long, or how large: counts between bounds, as Prometheus does."""

from bisect import bisect_left
from itertools import accumulate

#: Seconds: from a commit to a fast disk to what a person has long given up on.
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: Things done at once; a batch of scans has at most 500.
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 500)


class Histogram:
    """Counts values up to each of `bounds`, and the sum of all; one thread adds, any may read."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def cumulated(self) -> list[tuple[str, int]]:
        """Return each bound as text, `+Inf` the last, with how many values were not above it."""
        bounds = [*map(str, self.bounds), "+Inf"]
        return list(zip(bounds, accumulate(self.counts), strict=True))
