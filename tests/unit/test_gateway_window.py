"""gateway.window: go-back-N against a lossy line, a restored central, and silence."""

import random
from uuid import UUID

from gateway.window import ACK_TIMEOUT_S, WINDOW_EVENTS, Window
from wire.events import Ack

EPOCH, CENTRAL, OTHER = UUID(int=1), UUID(int=2), UUID(int=3)


def ack(applied: int, central: UUID = CENTRAL) -> Ack:
    """Return central's word."""
    return Ack(epoch=EPOCH, applied_seq=applied, expect_seq=applied + 1, central_session=central)


def started(acked: int = 0) -> Window:
    """Return a window of a fresh connection."""
    window = Window()
    window.start(EPOCH, acked, 0.0)
    return window


def test_acknowledgements_move_it_and_only_they() -> None:
    """Room shrinks with what is sent and grows with what central has."""
    window = started()
    window.on_sent(WINDOW_EVENTS, 0.0)
    assert window.room == 0
    window.on_ack(ack(10), 0.1)
    assert (window.room, window.sent) == (10, WINDOW_EVENTS)


def test_central_repeating_itself_means_a_hole() -> None:
    """The same answer again sends it back once; the echo of one hole does not do so again."""
    window = started()
    window.on_sent(50, 5.0)
    window.on_ack(ack(20), 5.0)
    window.on_ack(ack(20), 5.1)
    assert window.sent == 20
    window.on_sent(50, 5.1)
    window.on_ack(ack(20), 5.2)
    assert window.sent == 50


def test_a_new_or_restored_central_gets_everything_it_lacks() -> None:
    """Another session, or a lower applied_seq, sends it back to where central stands."""
    window = started()
    window.on_sent(50, 0.0)
    window.on_ack(ack(40), 0.1)
    window.on_ack(ack(45, OTHER), 0.2)
    assert (window.acked, window.sent) == (45, 45)
    window.on_sent(50, 0.2)
    window.on_ack(ack(7, OTHER), 0.3)
    assert (window.acked, window.sent) == (7, 7)


def test_silence_sends_again_ever_more_rarely() -> None:
    """No progress rewinds after the timeout, then after twice as long; progress resets that."""
    window = started()
    window.on_sent(5, 0.0)
    assert not window.rewind_if_stuck(ACK_TIMEOUT_S - 0.1)
    assert window.rewind_if_stuck(ACK_TIMEOUT_S)
    assert window.deadline_s is None
    window.on_sent(5, 10.0)
    assert window.deadline_s == 10.0 + 2 * ACK_TIMEOUT_S
    window.on_ack(ack(1), 11.0)
    assert window.deadline_s == 11.0 + ACK_TIMEOUT_S


def test_everything_arrives_over_a_bad_line() -> None:
    """With batches, acknowledgements and central's memory failing at random, all is applied."""
    for seed in range(30):
        rng = random.Random(seed)
        window, applied, central, now = started(), 0, CENTRAL, 0.0
        for _ in range(20_000):
            now += 0.05
            window.rewind_if_stuck(now)
            if window.sent < 500 and window.room:
                first = window.sent + 1
                last = min(500, window.sent + rng.randint(1, 40), window.sent + window.room)
                window.on_sent(last, now)
                if rng.random() < 0.7 and first <= applied + 1:
                    applied = max(applied, last)
            if rng.random() < 0.01:
                applied, central = rng.randint(0, applied), UUID(int=rng.getrandbits(64))
            if rng.random() < 0.5:
                window.on_ack(ack(applied, central), now)
            assert window.acked <= 500
            if window.acked == 500:
                break
        assert applied == 500, seed
