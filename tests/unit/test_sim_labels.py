"""Control labels as the simulator prints them."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim import labels

_EXAMPLES = json.loads(
    (Path(__file__).parent.parent / "data" / "control_labels.json").read_text(encoding="utf-8")
)
_values = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=12)


@pytest.mark.parametrize("example", _EXAMPLES, ids=lambda example: example["text"])
def test_the_published_labels_come_out(example):
    """Every label of the shared examples is printed character by character."""
    assert labels.label(example["type"], example["value"]) == example["text"]


@given(_values, st.data())
def test_one_wrong_character_never_goes_unnoticed(value, data):
    """MOD 37,36 catches every single substitution."""
    position = data.draw(st.integers(0, len(value) - 1))
    other = data.draw(st.sampled_from("ABCXYZ0189").filter(lambda c: c != value[position]))
    changed = value[:position] + other + value[position + 1 :]
    assert labels.check_character(changed) != labels.check_character(value)


@given(_values)
def test_a_damaged_label_is_wrong_only_in_its_check_character(value):
    """Only the check character differs, and it does."""
    good = labels.label("L", value)
    assert labels.damaged(good)[:-1] == good[:-1]
    assert labels.damaged(good) != good
