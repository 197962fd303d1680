"""How one figure of many rows moved since the screen was opened, in bounded memory. Pure.

A row's samples are one array that is as large from its first change on as it will ever be: memory
grows until every row has moved once, and no more. 100,000 rows that all move take some 30 MB, and
nothing that the garbage collector has to look at.
"""

from array import array

#: Samples kept of one row. When full, every second one goes, so the whole time stays covered.
SAMPLES_MAX = 24
#: Moments are kept in tenths of a second since the screen was opened.
_TICKS_PER_S = 10
_LEAST, _MOST = -(2**31), 2**31 - 1
#: How many samples there are, then moments and figures in turn, then room for more.
_EMPTY = array("i", [0]) * (1 + 2 * SAMPLES_MAX)


class Trails:
    """Samples of figures over time, a step function for each row. `opened` is where time begins."""

    def __init__(self, opened: float) -> None:
        self._opened = opened
        self._rows: dict[int, array[int]] = {}

    def __contains__(self, row: object) -> bool:
        return row in self._rows

    def add(self, row: int, at: float, value: int, before: tuple[float, int]) -> None:
        """Note that a row's figure is `value` from `at` on, which does not go back.

        `before` is since when it was what: that is where a new trail begins.
        """
        samples = self._rows.get(row)
        if samples is None:
            samples = self._rows[row] = _EMPTY[:]
            samples[:3] = array("i", (1, self._tick(before[0]), _kept(before[1])))
        count = samples[0]
        if count == SAMPLES_MAX:
            times, values = samples[1::4], samples[2::4]
            count = len(times)
            samples[1 : 2 * count : 2], samples[2 : 2 * count + 1 : 2] = times, values
        samples[1 + 2 * count] = self._tick(at)
        samples[2 + 2 * count] = _kept(value)
        samples[0] = count + 1

    def drawn(self, row: int, now: float, width: int) -> list[int]:
        """Return a row's figure at `width` moments, evenly spread from the first sample to now."""
        times, values = self._samples(row)
        step = max(0, self._tick(now) - times[0]) / max(1, width - 1)
        drawn, at = [], 0
        for index in range(width - 1):
            while at + 1 < len(times) and times[at + 1] <= times[0] + step * index:
                at += 1
            drawn.append(values[at])
        return [*drawn, values[-1]]

    def since(self, row: int) -> float:
        """Return when a row's first sample was taken."""
        return self._opened + self._rows[row][1] / _TICKS_PER_S

    def span(self, row: int) -> tuple[int, int]:
        """Return the lowest and the highest figure kept of a row."""
        _, values = self._samples(row)
        return min(values), max(values)

    def _samples(self, row: int) -> tuple["array[int]", "array[int]"]:
        samples = self._rows[row]
        end = 1 + 2 * samples[0]
        return samples[1:end:2], samples[2:end:2]

    def _tick(self, at: float) -> int:
        return _kept(int((at - self._opened) * _TICKS_PER_S))


def _kept(value: int) -> int:
    return max(_LEAST, min(value, _MOST))
