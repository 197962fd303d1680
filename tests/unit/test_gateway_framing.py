"""gateway.framing: bytes in any portions become the same frames, within bounds."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.framing import FRAME_BYTES_MAX, Frame, Framer

VECTORS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data/vectors/framing.jsonl").read_text().splitlines()
]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
@pytest.mark.parametrize("step", [1, 3, 10_000])
def test_vectors(vector: dict, step: int) -> None:
    """Every published stream gives its frames, however the bytes are portioned."""
    framer = Framer("stx-etx" if vector["framing"] == "ETX" else "auto")
    data = bytes.fromhex(vector["raw_hex"])
    frames = [f for at in range(0, len(data), step) for f in framer.feed(data[at : at + step])]
    if vector["expect"]["ok"]:
        assert [frame.data.hex() for frame in frames] == vector["expect"]["frames"]
        assert not framer.pending
    else:
        assert frames == []
        assert framer.silence() == [Frame(data, "incomplete")]


@given(
    st.lists(st.binary(min_size=1).filter(lambda code: not set(code) & {2, 10, 13})),
    st.sampled_from([b"\r", b"\n", b"\r\n"]),
    st.randoms(use_true_random=False),
)
def test_portions_do_not_matter(codes: list[bytes], end: bytes, rng) -> None:
    """However a stream is cut into chunks, the codes in it come out whole and in order."""
    stream = b"".join(code + end for code in codes)
    framer = Framer()
    frames: list[Frame] = []
    while stream:
        size = rng.randint(1, len(stream))
        frames += framer.feed(stream[:size])
        stream = stream[size:]
    assert [frame.data for frame in frames] == codes


@given(st.binary(), st.sampled_from(["auto", "cr", "lf", "crlf", "tab", "stx-etx", "gap"]))
def test_no_byte_is_invented(noise: bytes, terminator) -> None:
    """Whatever arrives, frames hold bytes of the stream and the rest is given up on request."""
    framer = Framer(terminator)
    frames = framer.feed(noise) + framer.cut()
    assert all(frame.data in noise for frame in frames)
    assert not framer.pending


@pytest.mark.parametrize("terminator", ["auto", "cr", "crlf", "gap"])
@pytest.mark.parametrize("step", [1_000, 70_000, 200_000])
def test_an_endless_frame_is_one_overflow(terminator, step: int) -> None:
    """However long, it is kept once, cut at the bound; the scan after its end is right."""
    framer = Framer(terminator)
    end = {"crlf": b"\r\n", "gap": b""}.get(terminator, b"\r")
    stream = b"x" * 150_000 + end
    frames = [f for at in range(0, len(stream), step) for f in framer.feed(stream[at : at + step])]
    if terminator == "gap":
        frames += framer.silence()
    assert frames == [Frame(b"x" * FRAME_BYTES_MAX, "overflow")]
    assert framer.feed(b"NEXT" + end) + framer.silence() == [Frame(b"NEXT")]


def test_bytes_outside_an_envelope_are_kept_apart() -> None:
    """With STX and ETX, noise before STX is a frame of its own and does not spoil the code."""
    framer = Framer("stx-etx")
    assert framer.feed(b"noise\x02CODE\x03\r\n\x02NEXT\x03") == [
        Frame(b"noise", "outside_envelope"),
        Frame(b"CODE"),
        Frame(b"NEXT"),
    ]


def test_a_prefix_is_removed_once() -> None:
    """The configured prefix goes, the same characters inside the code stay."""
    assert Framer("cr", b"A:").feed(b"A:A:1\rB\r") == [Frame(b"A:1"), Frame(b"B")]


def test_a_cut_code_is_never_completed() -> None:
    """What came before an unplug is given up as incomplete, also where gaps end codes."""
    for terminator in ("auto", "gap"):
        framer = Framer(terminator)
        framer.feed(b"HALF")
        assert framer.cut() == [Frame(b"HALF", "incomplete")]
        assert framer.cut() == []
