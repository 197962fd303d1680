"""The simulator's own sending half of the protocol."""

import uuid
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.sending import WINDOW_EVENTS, Sender
from wire import codec
from wire.events import Ack, Batch, Clock, Event

_NOW = datetime(2026, 11, 2, tzinfo=UTC)


def _sender(events: int) -> Sender:
    sender = Sender("g1", uuid.uuid4(), uuid.uuid4())
    for seq in range(1, events + 1):
        clock = Clock(boot_id="b", monotonic_us=seq, synced=True)
        sender.append(
            Event(
                seq=seq, id=uuid.uuid4(), kind="receive", event_time=_NOW, clock=clock,
                scanner="s1", raw=b"x",
            ),
            now_s=0.0,
        )  # fmt: skip
    return sender


def _ack(sender: Sender, applied: int) -> Ack:
    return Ack(
        epoch=sender.epoch, applied_seq=applied, expect_seq=applied + 1,
        central_session=uuid.uuid4(),
    )  # fmt: skip


def _batches(sender: Sender) -> list[Batch]:
    batches = []
    while (data := sender.next_batch()) is not None:
        batches.append(codec.decode(Batch, data))
    return batches


def test_batches_are_contiguous_and_stop_at_the_window():
    """What is on its way is bounded, in order and without holes."""
    sender = _sender(WINDOW_EVENTS + 50)
    seqs = [event.seq for batch in _batches(sender) for event in batch.events]
    assert seqs == list(range(1, WINDOW_EVENTS + 1))
    sender.on_ack(_ack(sender, 50), now_s=1.0)
    assert [e.seq for b in _batches(sender) for e in b.events][-1] == WINDOW_EVENTS + 50


def test_the_same_ack_twice_sends_the_rest_again():
    """Central repeats itself when something did not arrive: go back and send all after it."""
    sender = _sender(10)
    _batches(sender)
    sender.on_ack(_ack(sender, 4), now_s=1.0)
    assert sender.next_batch() is None
    sender.on_ack(_ack(sender, 4), now_s=1.0)
    assert [e.seq for b in _batches(sender) for e in b.events] == [5, 6, 7, 8, 9, 10]
    assert sender.rewinds == 1


def test_an_ack_of_another_epoch_is_not_ours():
    """A retained ack of an earlier outbox frees nothing."""
    sender = _sender(3)
    _batches(sender)
    other = _ack(sender, 3).model_copy(update={"epoch": uuid.uuid4()})
    assert sender.on_ack(other, now_s=1.0) == []
    assert sender.pending == 3


def test_silence_is_noticed_only_when_something_is_on_its_way():
    """An idle outbox never stalls."""
    sender = _sender(1)
    assert not sender.stalled(100.0, 5.0)
    _batches(sender)
    assert sender.stalled(100.0, 5.0)
    sender.on_ack(_ack(sender, 1), now_s=100.0)
    assert not sender.stalled(200.0, 5.0)


@given(st.lists(st.sampled_from(["deliver", "lose", "ack", "rewind"]), max_size=60))
def test_whatever_is_lost_everything_arrives_in_order(script):
    """Central's count only ever grows by what it saw next, and in the end it has everything."""
    sender, applied = _sender(250), 0

    def central_takes(data: bytes) -> int:
        batch = codec.decode(Batch, data)
        return max(applied, batch.events[-1].seq) if batch.first_seq <= applied + 1 else applied

    for move in script:
        if move in {"deliver", "lose"} and (data := sender.next_batch()) and move == "deliver":
            applied = central_takes(data)
        elif move == "ack":
            sender.on_ack(_ack(sender, applied), now_s=1.0)
        elif move == "rewind":
            sender.rewind(1.0)
    for _ in range(10):
        sender.rewind(1.0)
        while data := sender.next_batch():
            applied = central_takes(data)
        sender.on_ack(_ack(sender, applied), now_s=2.0)
    assert applied == 250
    assert sender.pending == 0
