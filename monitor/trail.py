"""How one figure of many rows moved since the screen was opened, in bounded memory. Pure.

All samples are one array. At its first change a row gets as much room there as it will ever take:
memory grows until every row has moved once, and no more. That is 20 MB for 100,000 rows, nothing
that the garbage collector has to look at.
"""

from array import array

#: Samples kept of one row. When full, every second one goes, so the whole time stays covered.
SAMPLES_MAX = 24
#: Moments are kept in tenths of a second since the screen was opened.
_TICKS_PER_S = 10
_LEAST, _MOST = -(2**31), 2**31 - 1
#: Of one row: how many samples there are, then moments and figures in turn, then room for more.
_ROOM = array("i", [0]) * (1 + 2 * SAMPLES_MAX)
_NOWHERE = -1


class Trails:
    """Samples of figures over time, a step function for each row. `opened` is where time begins."""

    def __init__(self, opened: float) -> None:
        self._opened = opened
        self._samples = array("i")
        self._begins = array("q")  # where the samples of each row begin

    def __contains__(self, row: int) -> bool:
        return row < len(self._begins) and self._begins[row] != _NOWHERE

    def add(self, row: int, at: float, value: int, before: tuple[float, int]) -> None:
        """Note that a row's figure is `value` from `at` on, which does not go back.

        `before` is since when it was what: that is where a new trail begins.
        """
        samples = self._samples
        if row not in self:
            self._make_room(row)
            begin = self._begins[row]
            samples[begin : begin + 3] = array("i", (1, self._tick(before[0]), _kept(before[1])))
        begin = self._begins[row]
        count = samples[begin]
        if count == SAMPLES_MAX:
            times, values = self._of(row)
            count //= 2
            end = begin + 1 + 2 * count
            samples[begin + 1 : end : 2], samples[begin + 2 : end + 1 : 2] = times[::2], values[::2]
        samples[begin + 1 + 2 * count] = self._tick(at)
        samples[begin + 2 + 2 * count] = _kept(value)
        samples[begin] = count + 1

    def drawn(self, row: int, now: float, width: int) -> list[int]:
        """Return a row's figure at `width` moments, evenly spread from the first sample to now."""
        times, values = self._of(row)
        step = max(0, self._tick(now) - times[0]) / max(1, width - 1)
        drawn, at = [], 0
        for index in range(width - 1):
            while at + 1 < len(times) and times[at + 1] <= times[0] + step * index:
                at += 1
            drawn.append(values[at])
        return [*drawn, values[-1]]

    def since(self, row: int) -> float:
        """Return when a row's first sample was taken."""
        return self._opened + self._samples[self._begins[row] + 1] / _TICKS_PER_S

    def span(self, row: int) -> tuple[int, int]:
        """Return the lowest and the highest figure kept of a row."""
        _, values = self._of(row)
        return min(values), max(values)

    def _make_room(self, row: int) -> None:
        missing = row + 1 - len(self._begins)
        if missing > 0:
            self._begins.extend(array("q", [_NOWHERE]) * missing)
        self._begins[row] = len(self._samples)
        self._samples.extend(_ROOM)

    def _of(self, row: int) -> tuple["array[int]", "array[int]"]:
        begin = self._begins[row]
        end = begin + 1 + 2 * self._samples[begin]
        return self._samples[begin + 1 : end : 2], self._samples[begin + 2 : end : 2]

    def _tick(self, at: float) -> int:
        return _kept(int((at - self._opened) * _TICKS_PER_S))


def _kept(value: int) -> int:
    return max(_LEAST, min(value, _MOST))
