"""How one figure of many rows moved since the screen was opened, in bounded memory. Pure.

A row's samples are one array of moments and figures in turn: 100,000 rows that all move take some
30 MB, and nothing that the garbage collector has to look at.
"""

from array import array

#: Samples kept of one row. When full, every second one goes, so the whole time stays covered.
SAMPLES_MAX = 32
#: Moments are kept in tenths of a second since the screen was opened.
_TICKS_PER_S = 10
_LEAST, _MOST = -(2**31), 2**31 - 1


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
            samples = self._rows[row] = array("i", (self._tick(before[0]), _kept(before[1])))
        elif len(samples) == 2 * SAMPLES_MAX:
            times, values = samples[::4], samples[1::4]
            samples = self._rows[row] = array("i")
            for pair in zip(times, values, strict=True):
                samples.extend(pair)
        samples.extend((self._tick(at), _kept(value)))

    def drawn(self, row: int, now: float, width: int) -> list[int]:
        """Return a row's figure at `width` moments, evenly spread from the first sample to now."""
        samples = self._rows[row]
        times, values = samples[::2], samples[1::2]
        step = max(0, self._tick(now) - times[0]) / max(1, width - 1)
        drawn, at = [], 0
        for index in range(width - 1):
            while at + 1 < len(times) and times[at + 1] <= times[0] + step * index:
                at += 1
            drawn.append(values[at])
        return [*drawn, values[-1]]

    def since(self, row: int) -> float:
        """Return when a row's first sample was taken."""
        return self._opened + self._rows[row][0] / _TICKS_PER_S

    def span(self, row: int) -> tuple[int, int]:
        """Return the lowest and the highest figure kept of a row."""
        values = self._rows[row][1::2]
        return min(values), max(values)

    def _tick(self, at: float) -> int:
        return _kept(int((at - self._opened) * _TICKS_PER_S))


def _kept(value: int) -> int:
    return max(_LEAST, min(value, _MOST))
