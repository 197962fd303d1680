"""gateway.separator_proof: who loses the GS1 separator, and what is believed until it is known."""

import pytest

from dock import Bench
from gateway import separator_proof
from gateway.decision import Refuse, Told

PASSED = "]C191DOCKTALLY-GS\x1d92OK"


def told(bench: Bench, text: str) -> str:
    """Scan a test label that must be recognised; return the reason for a refusal or ""."""
    decision = bench.scan(text)
    assert isinstance(decision, Told), decision
    assert not bench.events
    return decision.text if decision.refused else ""


@pytest.mark.parametrize(
    "text", [PASSED, PASSED[3:], "\x1d" + PASSED[3:], PASSED + "\x1d", PASSED + "\x1d\x1d"]
)
def test_a_scanner_that_sends_it_is_verified_for_good(text: str) -> None:
    """With or without identifiers, with noise around it; END and a reboot change nothing."""
    bench = Bench()
    assert told(bench, text) == ""
    bench.tell("command", "END")
    bench.restart(boot="boot-2")
    assert bench.state.gs_verified


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("]C191DOCKTALLY-GS92OK", "switch on its transmission"),
        ("91DOCKTALLY-GS92OK", "switch on its transmission"),
        ("]C091DOCKTALLY-GS\x1d92OK", "switch on GS1-128"),
        ("]C191DOCKTALLY-GS#92OK", "separators = ['#']"),
        ("91DOCKTALLY-GS<GS>92OK", "separators = ['<GS>']"),
        ("]C191DOCKTALLY-GS\x1d9", "cut off"),
    ],
)
def test_what_is_wrong_is_said(text: str, says: str) -> None:
    """Refused with what to change; a scanner that had passed has not any more."""
    bench = Bench()
    assert told(bench, PASSED) == ""
    assert says in told(bench, text)
    bench.restart()
    assert not bench.state.gs_verified


def test_a_configured_stand_in_passes() -> None:
    """What the configuration says is the separator is one."""
    assert told(Bench(separators=["#"]), "]C191DOCKTALLY-GS#92OK") == ""


@pytest.mark.parametrize("text", ["]C191DOCKTALLY", "]C191OTHER\x1d92OK", "]C0DOCKTALLY-GS"])
def test_other_labels_are_no_test(text: str) -> None:
    """Company-internal numbers of others are goods like any."""
    assert separator_proof.read(text.encode(), ()) is None


@pytest.mark.parametrize(
    ("text", "quantity"),
    [
        ("]C1020590123412345737" + "24", 24),
        ("]C1020590123412345737" + "1000", 1000),
        ("]C1020590123412345710LOT\x1d37" + "24", 24),
        ("]C1020590123412345737" + "5\x1d10123", 5),
        ("]C1010590123412345730" + "12", 12),
    ],
)
def test_an_unproven_scanner_is_believed_where_nothing_can_be_lost(
    text: str, quantity: int
) -> None:
    """A separator was seen, or the count is too short to hold another element string."""
    assert Bench().item(text).quantity == quantity


@pytest.mark.parametrize(
    "text", ["]C1020590123412345737" + "510123", "]C1010590123412345730" + "12211"]
)
def test_a_count_that_may_have_swallowed_something_is_not_believed(text: str) -> None:
    """510123 pieces, or 5 pieces of lot 123? Refused until the scanner has passed the test."""
    bench = Bench()
    refusal = bench.scan(text)
    assert isinstance(refusal, Refuse)
    assert "docktally labels --gs-test" in refusal.message
    bench.tell("quantity", "5")
    assert bench.item(text).quantity == 5
    told_bench = Bench()
    told(told_bench, PASSED)
    assert told_bench.item(text).quantity == int(text.removeprefix(text[:21]))


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        ("]C10105901234123457" + "10LOT3724", True),
        ("]C10105901234123457" + "1726123110LOT", True),
        ("]C1010590123412345710LOT\x1d17261231", False),
        ("]C1010590123412345710LOT\x1d21SER", False),
        ("]C1010590123412345717261231", False),
        ("]Q1https://id.gs1.org/01/05901234123457/10/LOT", False),
        ("0105901234123457" + "10LOT|17261231", False),
        ("]E05901234123457", False),
    ],
)
def test_a_lot_at_the_end_is_marked(text: str, warned: bool) -> None:
    """It may hold what came behind a lost separator: kept, with a warning until it is proven."""
    bench = Bench()
    assert any(w.startswith("gs_unverified") for w in bench.item(text).warnings) is warned
    told_bench = Bench()
    told(told_bench, PASSED)
    assert not any(w.startswith("gs_unverified") for w in told_bench.item(text).warnings)
