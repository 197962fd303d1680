"""How many things happen a second, over the last few seconds. Pure."""

#: Long enough to be calm, short enough to show a stop at once.
WINDOW_S = 5


class Rate:
    """Counts per whole second, kept for `WINDOW_S` seconds."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}

    def count(self, now: float) -> None:
        """Note one thing at `now`."""
        second = int(now)
        if second not in self._counts:
            self._counts = {
                at: count for at, count in self._counts.items() if at >= second - WINDOW_S
            }
        self._counts[second] = self._counts.get(second, 0) + 1

    def per_second(self, now: float) -> float:
        """Return the mean over the last full seconds."""
        current = int(now)
        return sum(self._counts.get(current - back, 0) for back in range(1, WINDOW_S + 1)) / (
            WINDOW_S
        )
