"""gateway.signal_feed and gateway.tones: few signals, bad ones first, each with its own sound."""

import io
import itertools
import wave
from array import array
from datetime import UTC, datetime
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from gateway import tones
from gateway.signal_feed import SIGNALS_PER_S, SignalFeed
from wire.events import Pattern, Signal

PATTERNS: tuple[Pattern, ...] = get_args(Pattern)


def signal(pattern: Pattern, text: str = "") -> Signal:
    """Return a signal of a scanner."""
    return Signal(at=datetime(2026, 1, 1, tzinfo=UTC), scanner="a", pattern=pattern, text=text)


@given(st.lists(st.tuples(st.sampled_from(PATTERNS), st.floats(0, 0.5))), st.integers(1, 50))
def test_what_leaves_is_bounded_and_in_order(
    steps: list[tuple[Pattern, float]], every: int
) -> None:
    """However many signals there are: at most the burst and the rate, never the past again."""
    feed, now_s, sent = SignalFeed(), 1_000.0, []
    for number, (pattern, pause_s) in enumerate(steps):
        now_s += pause_s
        feed.add(signal(pattern, str(number)), now_s)
        if number % every == 0:
            batch = feed.take()
            assert len(batch) <= 64
            sent += [int(each.text) for each in batch]
    assert sent == sorted(set(sent))
    assert len(sent) <= 100 + (now_s - 1_000) * SIGNALS_PER_S + 1


def test_good_news_makes_way_for_bad_news() -> None:
    """A test bench at full speed does not keep a refused scan from being seen."""
    feed = SignalFeed()
    for number in range(1_000):
        feed.add(signal("good"), number * 0.005)
        feed.take()
    assert not feed.add(signal("offline"), 5.0)
    assert all(feed.add(signal("refused"), 5.0) for _ in range(40))
    assert feed.add(signal("good"), 60.0)


def test_what_waits_for_a_busy_line_is_bounded() -> None:
    """The newest stay, the oldest go."""
    feed = SignalFeed()
    for number in range(100):
        feed.add(signal("refused", str(number)), 0.0)
    assert [each.text for each in feed.take()] == [str(number) for number in range(36, 100)]
    assert feed.take() == []


def samples(pattern: Pattern) -> array:
    """Return the sound of a pattern, checking that it is a WAV file any player takes."""
    with wave.open(io.BytesIO(tones.wav(pattern))) as sound:
        assert (sound.getnchannels(), sound.getsampwidth()) == (1, 2)
        assert sound.getframerate() == tones.SAMPLES_PER_S
        return array("h", sound.readframes(sound.getnframes()))


def test_each_pattern_has_its_own_short_sound() -> None:
    """None is longer than a second, all differ, and what is good is higher than what is not."""
    sounds = {pattern: samples(pattern) for pattern in PATTERNS}
    assert len({sound.tobytes() for sound in sounds.values()}) == len(PATTERNS)
    assert all(len(sound) < tones.SAMPLES_PER_S for sound in sounds.values())
    assert len(sounds["good"]) < len(sounds["offline"]) < len(sounds["refused"])

    def pitch(sound: array) -> float:
        crossings = sum((a < 0) != (b < 0) for a, b in itertools.pairwise(sound))
        return crossings / len(sound)

    assert pitch(sounds["good"]) > 2 * pitch(sounds["rejected"]) > 2 * pitch(sounds["refused"])
    assert all(max(sound) > 20_000 and abs(sound[0]) < 100 for sound in sounds.values())
