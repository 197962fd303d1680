"""What is still to be done for an order: the same whatever was said first."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.channels import order_plan
from central.channels.order_plan import Promise, Step

LINES = st.dictionaries(st.sampled_from("AB"), st.integers(1, 9), min_size=1)
STEPS = st.lists(
    st.builds(
        Step,
        st.just(0),
        st.sampled_from(("approved", "cancelled", "shipped", "returned")),
        LINES,
        at_us=st.integers(1, 10**6),
    ),
    max_size=6,
    unique_by=lambda step: step.at_us,
)


def numbered(steps: tuple[Step, ...]) -> list[Step]:
    """Return steps in the order of their arrival."""
    return [replace(step, number=number) for number, step in enumerate(steps)]


@given(STEPS, st.permutations(range(6)), st.booleans())
def test_the_order_of_arrival_decides_nothing(
    steps: list[Step], order: list[int], timeless: bool
) -> None:
    """Approved or cancelled, and with which lines, is what the shop's clock says, else for good."""
    said = [replace(step, at_us=None) for step in steps] if timeless else steps
    approvals = [step for step in said if step.step == "approved"]
    if timeless and len(approvals) > 1:
        return  # which of two is the newer one only their arrival tells
    shuffled = numbered(tuple(said[n] for n in order if n < len(said)))
    first = order_plan.approval(numbered(tuple(said)))
    then = order_plan.approval(shuffled)
    assert (first and first.lines) == (then and then.lines)
    assert order_plan.is_cancelled(numbered(tuple(said))) == order_plan.is_cancelled(shuffled)
    assert order_plan.unpromised(shuffled, []) == (dict(then.lines) if then else {})


@pytest.mark.parametrize("whole", [False, True])
def test_parcels_take_out_what_was_said_and_no_more(whole: bool) -> None:
    """Three parcels in each order, or all of it at once, also when a dock was faster."""
    parcels = [Step(0, "shipped", {"A": n}, whole=whole) for n in (1, 2, 3)]
    for order in itertools.permutations(parcels):
        steps = numbered(order)
        gone = 0
        for number, step in enumerate(steps):
            left = order_plan.to_ship(step, steps, [])
            assert left is not None
            gone += left.get("A", 0)
            steps[number] = replace(step, state="done", took=left)
        assert gone == (3 if whole else 6)
    scanned = Promise(1, "done", {"A": (6, 6)})
    assert [order_plan.to_ship(p, numbered(tuple(parcels)), [scanned]) for p in parcels] == [{}] * 3


def test_a_shipment_comes_off_the_oldest_promise_first() -> None:
    """Beyond the open promises nothing; what is over has none."""
    promises = [
        Promise(3, "held", {"A": (5, 0)}),
        Promise(1, "committed", {"A": (2, 1), "B": (4, 4)}),
        Promise(2, "released", {"A": (9, 0)}),
    ]
    assert order_plan.share_out({"A": 3, "B": 1}, promises) == {1: {"A": 1}, 3: {"A": 2}}


def test_nobody_knows_what_an_unknown_order_is() -> None:
    """Shipped without lines: none until it is approved, or something was promised to it."""
    said = Step(1, "shipped", {})
    assert order_plan.to_ship(said, [said], []) is None
    assert order_plan.to_ship(said, [said], [Promise(1, "held", {"A": (2, 1)})]) == {"A": 1}
    approved = Step(2, "approved", {"A": 4})
    assert order_plan.to_ship(said, [said, approved], []) == {"A": 4}
