"""Each content check of element strings, with values that pass and values that do not."""

import pytest

from gateway.gs1_checks import CHECKS
from gateway.gs1_table import table
from gateway.reading import Misread

# AI, values that may follow it, values that may not. Together they reach every named check.
_CASES: list[tuple[str, list[str], list[str]]] = [
    ("00", ["006141411234567890"], ["006141411234567891", "A06141411234567890"]),
    ("01", ["09506000134352"], ["09506000134353", "9506000134352"]),
    ("11", ["260131", "260200"], ["261301", "260132", "260230", "250229"]),
    ("4326", ["240229"], ["240200", "250229"]),
    ("4324", ["2601312359", "2601000000"], ["2601312400", "2601312360"]),
    ("7250", ["20240229", "20000229"], ["19000229", "20241301"]),
    ("7251", ["202402292359"], ["202402292400"]),
    ("7252", ["0", "1", "2", "9"], ["3"]),
    ("7258", ["1/1", "2/9"], ["2/1", "0/1", "1-2", "12/"]),
    ("8008", ["26010123", "2601012359", "260101235959"], ["26010124", "2601012360", "260101236"]),
    ("253", ["9506000134352", "9506000134352A1"], ["9506000134353"]),
    ("255", ["9506000134352123"], ["9506000134352A"]),
    ("401", ["1234", "9876AB"], ["123", "123A"]),
    ("402", ["95060001343500118"], ["95060001343500119"]),
    ("4307", ["DE", "GB"], ["XX", "de", "1A"]),
    ("4309", ["18000000003600000000"], ["18000000013600000000", "18000000003600000001"]),
    ("421", ["276ABC"], ["999ABC"]),
    ("422", ["840"], ["123", "84"]),
    ("423", ["528", "528276", "276276276276276"], ["5285", "528123", "276276276276276276"]),
    ("4300", ["A%20B", "100"], ["A%2", "%GG"]),
    ("4321", ["0", "1"], ["2"]),
    ("4330", ["001234", "001234-"], ["001234A", "00123"]),
    ("3912", ["978100"], ["123100"]),
    ("7030", ["999A", "276A"], ["000A"]),
    ("7040", ["1ABC", "1AB-"], ["1AB=", "AABC"]),
    ("7041", ["LAB", "1A"], ["ZZZ"]),
    ("7241", ["01", "10", "80", "99"], ["00", "11", "79"]),
    ("8001", ["12341234512390", "00010000100119"], ["12341234512320", "00001234512310"]),
    ("8003", ["09506000134352", "09506000134352A"], ["19506000134352", "09506000134353"]),
    ("8006", ["095060001343520102"], ["095060001343520302", "095060001343520001"]),
    ("8007", ["FR7630006000011234567890189", "BE71096123456769"], ["BE71096123456760", "XX36"]),
    ("8010", ["1234ABC/-#"], ["1234abc", "ABCD"]),
    ("8011", ["0", "1234"], ["01"]),
    ("8013", ["1987654Ad4X4bL5ttr2310c2K"], ["1987654Ad4X4bL5ttr2310cXK", "A", "33"]),
    ("8014", ["12345_ABCDEFGHIJKLMCP"], ["12345678901234567890123NTX"]),
    ("8030", ["ABC_-9", "ABCDE="], ["ABC:123", "ABCD="]),
    ("8112", ["001234561234560123456"], ["201234561234560123456", "0012345612345601234567"]),
]


@pytest.mark.parametrize(("ai", "right", "wrong"), _CASES, ids=[case[0] for case in _CASES])
def test_values_pass_or_fail_as_the_syntax_says(
    ai: str, right: list[str], wrong: list[str]
) -> None:
    """The AI's checks let the right values through and refuse the wrong ones with its title."""
    identifier = table().by_ai[ai]
    for value in right:
        identifier.check(value)
    for value in wrong:
        with pytest.raises(Misread) as refused:
            identifier.check(value)
        assert identifier.title in refused.value.message


def test_every_named_check_is_tried() -> None:
    """No check of the table is without a value above (coupons have tests of their own)."""
    tried = {
        check
        for ai, _, _ in _CASES
        for component in table().by_ai[ai].components
        for check in component.checks
    }
    left = {name for name, check in CHECKS.items() if check not in tried}
    assert left == {"couponcode"}


_COUPON = "012345665432111110123"
_OPTIONS = (
    "101101239",
    "21141230123456",
    "3261231",
    "4260101",
    "50123456",
    "611234567",
    "90000",
)


def test_coupon_is_walked_field_by_field() -> None:
    """The coupon with any of its options passes; cut inside any field, it does not."""
    identifier = table().by_ai["8110"]
    boundaries = {len(_COUPON)}
    value = _COUPON
    for option in _OPTIONS:
        identifier.check(_COUPON + option)
        if len(value + option) <= identifier.maximum:
            value += option
            boundaries.add(len(value))
    identifier.check(value)
    for cut in range(len(value)):
        if cut not in boundaries:
            with pytest.raises(Misread):
                identifier.check(value[:cut])


@pytest.mark.parametrize(
    "value",
    [
        _COUPON.replace("0123456", "7123456", 1),
        _COUPON + "19",
        _COUPON + "3261331",
        _COUPON + "32601014261231",
        _COUPON + "93000",
        _COUPON + "7",
        _COUPON[:-1] + "A",
    ],
)
def test_wrong_coupon_is_refused(value: str) -> None:
    """A length, code or date that the coupon guideline does not know is refused."""
    with pytest.raises(Misread):
        table().by_ai["8110"].check(value)


def test_table_knows_every_ai_once() -> None:
    """The table has the AIs of the dictionary and tells their length from two digits."""
    known = table()
    assert len(known.by_ai) == 541
    for ai in known.by_ai:
        found = known.at(ai + "0", 0)
        assert found is not None
        assert found.ai == ai
    assert known.at("89", 0) is None
    predefined = {ai[:2] for ai, identifier in known.by_ai.items() if identifier.predefined}
    first = ("00", "01", "02", "03", "11", "12", "13", "15", "16", "17", "20", "41")
    assert predefined == {*first, "31", "32", "33", "34", "35", "36"}
