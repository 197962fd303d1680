"""When a webhook that failed is tried again. Pure: chance is an argument."""

#: Seconds before each attempt (Standard Webhooks); all together three days.
SCHEDULE_S = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
#: A delay is stretched by up to this share, so that what failed together is not tried together.
_JITTER = 0.1
#: Nobody may ask us to wait longer than the longest step of our own schedule.
_RETRY_AFTER_MAX_S = 86_400


def delay_s(failures: int, jitter: float, retry_after_s: float | None = None) -> float | None:
    """Return how long to wait after so many failed attempts; None when it is time to give up.

    `jitter` is a random number in 0 to 1. `retry_after_s` is what the receiver asked for; it can
    only make the wait longer.
    """
    if failures >= len(SCHEDULE_S):
        return None
    wait_s = SCHEDULE_S[failures] * (1 + jitter * _JITTER)
    return max(wait_s, min(retry_after_s or 0.0, _RETRY_AFTER_MAX_S))
