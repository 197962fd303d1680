"""gateway.clock: what was scanned before the clock was right gets its time, nothing else does."""

import json
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clocks import HOUR_US, NOON_US, SECOND_US, Machine
from gateway import clock
from gateway.clock import DockClock
from wire import codec
from wire.events import Event

BOOT, OTHER = "11111111-aaaa", "22222222-bbbb"


def event_of(dock: DockClock, seq: int = 1) -> Event:
    """Return what a scan made now would store."""
    return Event(
        seq=seq,
        id=UUID(int=seq),
        kind="receive",
        event_time=dock.now(),
        clock=dock.stamp(),
        scanner="left",
        raw=b'"synced":false',
    )


def redated(dock: DockClock, event: Event) -> Event | None:
    """Return the event as `redate` leaves it, None when it leaves it alone."""
    data = dock.redate(codec.encode(event))
    return None if data is None else codec.decode(Event, data)


def test_a_time_source_is_news_once(machine: Machine) -> None:
    """The first synchronisation is told once, and again when it was lost in between."""
    dock = DockClock(machine.read, BOOT)
    assert not dock.look()
    machine.synced = True
    assert [dock.look() for _ in range(3)] == [True, False, False]
    machine.synced = False
    assert not dock.look()
    machine.synced = True
    assert dock.look()


def test_a_step_is_news_only_while_a_time_source_vouches_for_it(machine: Machine) -> None:
    """A person who sets the clock by hand may be wrong; a daemon that steps it is believed."""
    dock = DockClock(machine.read, BOOT)
    machine.step(HOUR_US, synced=False)
    assert not dock.look()
    machine.step(HOUR_US, synced=True)
    assert dock.look()
    machine.step(-3 * HOUR_US, synced=True)
    assert dock.look()
    machine.wait(HOUR_US)
    assert not dock.look()


@given(st.lists(st.integers(0, 40 * HOUR_US), max_size=5), st.integers(-(2**50), 2**52))
def test_what_this_boot_scanned_is_dated_to_the_microsecond(waits: list[int], step: int) -> None:
    """Whatever the clock said at the time, the event gets the moment at which it was scanned."""
    machine = Machine(wall_us=NOON_US)
    dock = DockClock(machine.read, BOOT)
    events, truth = [], []
    for wait in (0, *waits):
        machine.wait(wait)
        events.append(event_of(dock))
        truth.append(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=machine.wall_us))
        truth[-1] += timedelta(microseconds=step)
    machine.step(step, synced=True)
    assert dock.look()
    for event, moment in zip(events, truth, strict=True):
        found = redated(dock, event)
        assert found is not None
        assert found.event_time == moment
        assert found.clock.corrected
        untouched = {"event_time": event.event_time, "clock": event.clock}
        assert found.model_copy(update=untouched) == event
        assert redated(dock, found) is None


def test_what_a_time_source_vouches_for_or_nobody_can_date_is_left_alone(machine: Machine) -> None:
    """Events that were synchronised, of another boot, or broken keep what they say."""
    earlier = event_of(DockClock(machine.read, OTHER))
    dock = DockClock(machine.read, BOOT)
    machine.step(NOON_US, synced=True)
    assert dock.look()
    right = event_of(dock)
    machine.step(HOUR_US, synced=True)
    assert dock.look()
    assert redated(dock, earlier) is None
    assert redated(dock, right) is None
    assert dock.redate(f'{{"boot_id":"{BOOT}","synced":false'.encode()) is None


def test_a_later_step_puts_right_again_what_was_put_right(machine: Machine) -> None:
    """A time source that was wrong at first, and then steps, is followed."""
    dock = DockClock(machine.read, BOOT)
    event = event_of(dock)
    machine.step(NOON_US, synced=True)
    assert dock.look()
    first = redated(dock, event)
    machine.step(-HOUR_US, synced=True)
    assert dock.look()
    assert first is not None
    second = redated(dock, first)
    assert second is not None
    assert second.event_time == first.event_time - timedelta(hours=1)


def test_the_age_of_a_waiting_scan_ignores_the_wall_clock(machine: Machine) -> None:
    """A step of years makes no scan older; of an earlier boot at least our uptime is known."""
    dock = DockClock(machine.read, BOOT)
    ours = codec.encode(event_of(dock))
    foreign = codec.encode(event_of(DockClock(machine.read, OTHER)))
    machine.wait(10 * SECOND_US)
    for step in (NOON_US, -NOON_US):
        machine.step(step, synced=False)
        assert dock.age_s(ours) == 10
        assert dock.age_s(foreign) == 15
    assert dock.age_s(b"not JSON") == 15


def test_the_age_of_a_scan_of_an_earlier_boot_is_known_when_both_clocks_were_right() -> None:
    """Two synchronised clocks can be compared."""
    machine = Machine(wall_us=NOON_US, synced=True)
    before = codec.encode(event_of(DockClock(machine.read, OTHER)))
    machine.wall_us += 2 * HOUR_US
    assert DockClock(machine.read, BOOT).age_s(before) == 7_200


def test_the_state_dates_the_boot_once_that_is_known(machine: Machine) -> None:
    """Central can date what it has already: by the boot, and never by a clock that may be wrong."""
    dock = DockClock(machine.read, BOOT)
    dock.look()
    assert (dock.state().booted_at, dock.state().synced) == (None, False)
    machine.step(NOON_US, synced=True)
    dock.look()
    state = dock.state()
    assert state.boot_id == BOOT
    assert state.booted_at == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
        microseconds=machine.wall_us - machine.uptime_us
    )
    machine.wait(30_000)
    machine.wall_us += 40  # slewing shows as a few microseconds
    dock.look()
    assert dock.state() == state


def test_labels_are_not_read_by_a_clock_of_another_century(machine: Machine) -> None:
    """The year 26 on a label is 2026 for a board that believes in 1970."""
    dock = DockClock(machine.read, BOOT)
    assert dock.day_of(dock.now()) == date(2026, 1, 1)
    machine.wall_us = NOON_US
    assert dock.day_of(dock.now()) == date(2026, 11, 23)


def test_the_kernel_answers() -> None:
    """This machine's own clocks agree with each other, whether synchronised or not."""
    one, two = clock.read_kernel(), clock.read_kernel()
    assert two.uptime_us >= one.uptime_us > 0
    assert abs((two.wall_us - two.uptime_us) - (one.wall_us - one.uptime_us)) < SECOND_US
    assert one.synced in (True, False)
    stamp = DockClock().stamp()
    assert json.loads(stamp.model_dump_json())["boot_id"] == stamp.boot_id


@pytest.fixture
def machine() -> Machine:
    """Give a board that has booted in the past."""
    return Machine()
