"""How numbers, ages and times are written. Pure: `now` and the time zone come from the caller."""

from collections.abc import Sequence
from datetime import UTC, datetime

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400
_BARS = "▁▂▃▄▅▆▇█"
_SCALES = "kMGTPE"


def age(seconds: float) -> str:
    """Return an age in at most six characters: 0.4s, 14s, 2m11s, 3h05m, 4d02h, 812d."""
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = int(seconds)
    if whole < _MINUTE_S:
        return f"{whole}s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S}m{whole % _MINUTE_S:02d}s"
    if whole < _DAY_S:
        return f"{whole // _HOUR_S}h{whole % _HOUR_S // _MINUTE_S:02d}m"
    days = whole // _DAY_S
    return f"{days}d{whole % _DAY_S // _HOUR_S:02d}h" if days < 100 else f"{days}d"


def coarse_age(seconds: float) -> str:
    """Return an age without tenths of a second, for lists that repaint once a second."""
    return f"{max(0, int(seconds))}s" if seconds < 10 else age(seconds)


def list_age(seconds: float) -> str:
    """Return an age in one unit: 14s, 2m, 3h, 4d. A list of these repaints little as time goes."""
    whole = max(0, int(seconds))
    for unit, length in (("d", _DAY_S), ("h", _HOUR_S), ("m", _MINUTE_S)):
        if whole >= length:
            return f"{whole // length}{unit}"
    return f"{whole}s"


def left(seconds: float) -> str:
    """Return what is left of a time: 4:51, 2h05m, or over."""
    whole = int(seconds)
    if whole < 0:
        return "over"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S}:{whole % _MINUTE_S:02d}"
    return age(whole)


def lasting(since: float | None, now: float) -> str:
    """Return a blank and how long something lasts; nothing when nobody saw it begin."""
    return "" if since is None else f" {coarse_age(now - since)}"


def number(value: int, width: int) -> str:
    """Return a number in at most `width` (five or more) characters: 12,345 or, too wide, 12.3k."""
    text = f"{value:,}"
    if len(text) <= width:
        return text
    if len(str(value)) <= width:
        return str(value)
    scaled = float(value)
    for scale in _SCALES:
        scaled /= 1_000
        text = f"{scaled:.1f}{scale}"
        if abs(scaled) < 1_000 and len(text) <= width:
            return text
    return f"{scaled:.0f}{_SCALES[-1]}"


def clock(now: float) -> str:
    """Return HH:MM:SS in the zone of this machine."""
    return f"{datetime.fromtimestamp(now, UTC).astimezone():%H:%M:%S}"


def date_and_clock(now: float) -> str:
    """Return YYYY-MM-DD HH:MM:SS in the zone of this machine."""
    return f"{datetime.fromtimestamp(now, UTC).astimezone():%Y-%m-%d %H:%M:%S}"


def moment(at: datetime, now: float) -> str:
    """Return HH:MM of today, else month and day, in the zone of this machine."""
    local = at.astimezone()
    same_day = local.date() == datetime.fromtimestamp(now, UTC).astimezone().date()
    return f"{local:%H:%M}" if same_day else f"{local:%m-%d}"


def sparkline(values: Sequence[int]) -> str:
    """Return one bar a value, the lowest and the highest filling the range."""
    if not values:
        return ""
    low, spread = min(values), max(values) - min(values)
    if spread == 0:
        return _BARS[0] * len(values)
    top = len(_BARS) - 1
    return "".join(_BARS[(value - low) * top // spread] for value in values)
