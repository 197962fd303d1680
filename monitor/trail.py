"""How one figure moved since the screen was opened, in bounded memory. Pure."""

from array import array
from bisect import bisect_right

#: Samples kept of one item. When full, every second one goes, so the whole time stays covered.
SAMPLES_MAX = 32


class Trail:
    """Samples of one figure over time, a step function."""

    __slots__ = ("_times", "_values")

    def __init__(self, at: float, value: int) -> None:
        self._times = array("d", [at])
        self._values = array("q", [value])

    def add(self, at: float, value: int) -> None:
        """Note that the figure is `value` from `at` (seconds, not going back) on."""
        if len(self._times) == SAMPLES_MAX:
            self._times, self._values = self._times[::2], self._values[::2]
        self._times.append(at)
        self._values.append(value)

    def drawn(self, now: float, width: int) -> list[int]:
        """Return the figure at `width` moments, evenly spread from the first sample to `now`."""
        first = self._times[0]
        step = max(0.0, now - first) / max(1, width - 1)
        times = (first + step * index for index in range(width - 1))
        values = [self._values[max(0, bisect_right(self._times, at) - 1)] for at in times]
        return [*values, self._values[-1]]

    @property
    def since(self) -> float:
        """When the first sample was taken."""
        return self._times[0]

    @property
    def range(self) -> tuple[int, int]:
        """The lowest and the highest figure kept."""
        return min(self._values), max(self._values)
