"""gateway.profiles: what each brand's configuration makes of a scanner."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import deciding, profiles, ssi
from gateway.config import Profile, Scanner
from gateway.dialect import Dialect
from gateway.framing import Problem
from gateway.ssi_dialect import Ssi


def scanner(**options: object) -> Scanner:
    """Return a configured scanner."""
    return Scanner.model_validate({"name": "s", "port": "p", **options})


_TCP = {"source": "tcp", "port": "tcp://h:1"}


def test_zebra_speaks_ssi_where_it_has_a_line_of_its_own() -> None:
    """Serial and network; a Zebra that types like a keyboard sends no packets."""
    assert isinstance(profiles.dialect_of(scanner(profile="zebra")), Ssi)
    assert isinstance(profiles.dialect_of(scanner(profile="zebra", **_TCP)), Ssi)
    assert not isinstance(profiles.dialect_of(scanner(profile="zebra", source="keyboard")), Ssi)


def test_beeps_are_the_brands_own_unless_configured() -> None:
    """On serial lines and the network; one configured sound leaves the others."""
    for cable in ({}, _TCP):
        signals = profiles.signals_of(scanner(profile="zebra", feedback={"good": "!"}, **cable))
        assert signals.bytes_for("good") == b"!"
        assert signals.bytes_for("refused") == ssi.encode("BEEP", b"\x06")
        assert profiles.signals_of(scanner(profile="honeywell", **cable)).good == "\x1b7,"
    assert profiles.signals_of(scanner(profile="zebra", source="keyboard")).good is None
    assert profiles.signals_of(scanner()).refused is None


def test_every_problem_of_a_frame_has_a_sentence() -> None:
    """Whatever a dialect refuses, the person is told why."""
    assert set(get_args(Problem)) <= set(deciding._PROBLEMS)


@pytest.mark.parametrize("profile", get_args(Profile))
@given(st.lists(st.binary(max_size=300), max_size=5), st.booleans())
def test_no_bytes_break_a_dialect(profile: Profile, chunks: list[bytes], cables: bool) -> None:
    """Noise is sorted, bounded and forgotten; the dialect goes on."""
    dialect: Dialect = profiles.dialect_of(scanner(profile=profile, **(_TCP if cables else {})))
    for chunk in chunks:
        dialect.feed(chunk)
    dialect.silence()
    assert not dialect.pending
    for chunk in chunks:
        dialect.feed(chunk)
    dialect.cut()
    assert not dialect.pending
