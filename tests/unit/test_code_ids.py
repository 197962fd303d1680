"""gateway.code_ids: each brand's letters become AIM identifiers, or the scan is refused."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import answers, code_ids
from gateway.config import Scanner
from gateway.framing import Frame
from gateway.reading import Misread


@pytest.mark.parametrize(
    ("profile", "sent", "frame"),
    [
        ("zebra", b"A5901234123457", b"]E05901234123457"),
        ("zebra", b"A012345678905", b"]E00012345678905"),
        ("zebra", b"A96385074", b"]E496385074"),
        ("zebra", b"A04252614", b"]E00042100005264"),
        ("zebra", b"A12345670", b"12345670"),  # right as EAN-8 and as UPC-E
        ("zebra", b"A590123412345712", b"]E3590123412345712"),
        ("zebra", b"BABC", b"]A0ABC"),
        ("zebra", b"K0109506000134352", b"]C10109506000134352"),
        ("zebra", b"P0G0109506000134352", b"]d20109506000134352"),
        ("zebra", b"P00HELLO", b"]d1HELLO"),
        ("zebra", b"P0Q0109506000134352", b"]Q30109506000134352"),
        ("zebra", b"P01HELLO", b"]Q1HELLO"),
        ("zebra", b"R0109506000134352", b"]e00109506000134352"),
        ("honeywell", b"d5901234123457", b"]E05901234123457"),
        ("honeywell", b"d590123412345712", b"]E3590123412345712"),
        ("honeywell", b"c012345678905", b"]E00012345678905"),
        ("honeywell", b"D96385074", b"]E496385074"),
        ("honeywell", b"E01234565", b"]E00012345000065"),
        ("honeywell", b"I0109506000134352", b"]C10109506000134352"),
        ("honeywell", b"jHELLO", b"]C0HELLO"),
        ("honeywell", b"w\x1d0109506000134352", b"]d20109506000134352"),
        ("honeywell", b"zHELLO", b"]z0HELLO"),
        ("datalogic", b"B5901234123457", b"]E05901234123457"),
        ("datalogic", b"A96385074", b"]E496385074"),
        ("datalogic", b"k0109506000134352", b"]C10109506000134352"),
        ("datalogic", b"THELLO", b"]C0HELLO"),
        # The letters of the set for the USA, where they mean another symbol.
        ("datalogic", b"A012345678905", b"]E4012345678905"),
        # What the scanner says itself wins.
        ("honeywell", b"]d20109506000134352", b"]d20109506000134352"),
    ],
)
def test_letters_become_identifiers(profile: str, sent: bytes, frame: bytes) -> None:
    """The same letter means something else for each brand; Zebra's may have three characters."""
    assert code_ids.with_aim(profile, sent) == frame


@pytest.mark.parametrize(
    ("profile", "sent"),
    [
        ("zebra", b"5901234123457"),
        ("zebra", b"P9Z5901234123457"),
        ("zebra", b"P0"),
        ("zebra", b""),
        ("honeywell", b"K0109506000134352"),
        ("datalogic", b"F5901234123457"),
        ("datalogic", b"#HELLO"),
    ],
)
def test_an_unknown_letter_is_refused(profile: str, sent: bytes) -> None:
    """It could be the first character of the code as well; nothing is guessed."""
    with pytest.raises(Misread) as refused:
        code_ids.with_aim(profile, sent)
    assert refused.value.error_class == "unknown_code_id"
    if sent:
        sort = answers.sorter(Scanner(name="s", port="p", profile=profile, code_ids=True))
        assert sort(Frame(sent)) == Frame(sent, "unknown_code_id")


@pytest.mark.parametrize("profile", code_ids.BRANDS)
@given(st.binary(max_size=30))
def test_no_bytes_break_it(profile: str, sent: bytes) -> None:
    """It answers with an identifier, leaves eight digits open, or refuses."""
    with contextlib.suppress(Misread):
        frame = code_ids.with_aim(profile, sent)
        assert frame.startswith(b"]") or (frame.isdigit() and len(frame) == 8)
