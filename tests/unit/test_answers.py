"""gateway.profiles for line scanners: scans, answers to commands and no-reads told apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import profiles
from gateway.config import Scanner
from gateway.dialect import Dialect, Heard, NoRead, Remark, Say
from gateway.framing import Frame, Framer

NEWLAND = bytes.fromhex("0201303030304044464d4144443036393939303033333939393946313431063b03")
GM65 = bytes.fromhex("02000001003331")
#: A GM65 answer whose data are terminators.
GM65_CR = bytes.fromhex("020000030d0a03abcd")
ANSWERS = {
    "newland": [NEWLAND],
    "gm65": [GM65, GM65_CR],
    "honeywell": [b"CBRENA1\x06.", b"CBR\x05!", b"KTRENA0\x15.", b"\x06", b"\x15"],
    "datalogic": [b"\x06", b"\x15"],
}
ENDS = {
    "auto": b"\r\n",
    "cr": b"\r",
    "lf": b"\n",
    "crlf": b"\r\n",
    "tab": b"\t",
    "stx-etx": b"\x03",
    "gap": b"",
}


def dialect(**options: object) -> Dialect:
    """Return the dialect as the configuration makes it."""
    return profiles.dialect_of(Scanner.model_validate({"name": "s", "port": "p", **options}))


def scans(items: list[Heard]) -> list[bytes]:
    """Return the data of all that is a scan; there must be no trouble."""
    frames = [item for item in items if isinstance(item, Frame)]
    assert not [frame.problem for frame in frames if frame.problem]
    return [frame.data for frame in frames]


def in_pieces(stream: bytes, at: int, listener: Dialect) -> list[Heard]:
    """Return what a stream says that is cut in two, and then falls silent."""
    return listener.feed(stream[:at]) + listener.feed(stream[at:]) + listener.silence()


@pytest.mark.parametrize("terminator", ENDS)
@pytest.mark.parametrize("profile", ANSWERS)
def test_answers_are_no_barcodes(profile: str, terminator: str) -> None:
    """With every terminator, alone or glued before a barcode, cut anywhere."""
    start, end = (b"\x02" if terminator == "stx-etx" else b""), ENDS[terminator]
    for answer in ANSWERS[profile]:
        stream = answer + start + b"P>5901234123457<S" + end + answer
        for at in range(len(stream) + 1):
            if terminator == "gap":
                stream = answer + b"P>5901234123457<S"
            listener = dialect(profile=profile, terminator=terminator, prefix="P>", suffix="<S")
            items = in_pieces(stream, at, listener)
            assert scans(items) == [b"5901234123457"]
            told = [item for item in items if isinstance(item, Remark)]
            assert len(told) == (1 if terminator == "gap" else 2)
            assert not listener.pending


@pytest.mark.parametrize("profile", ["generic", *ANSWERS, "keyence", "cognex"])
@given(
    st.lists(
        st.one_of(
            st.sampled_from([b"5901234123457", b"]C101095060001343\x1d10A", b"ABC123", b"A"]),
            st.binary(min_size=1, max_size=20).map(lambda data: b"]C0" + data),
        ).filter(lambda data: not set(data) & set(b"\r\n")),
        max_size=5,
    ),
    st.sampled_from([b"\r", b"\n", b"\r\n", b"\n\r"]),
    st.data(),
)
def test_no_portion_changes_what_is_read(profile: str, codes, end: bytes, data) -> None:
    """Several scans in one read, or one cut at any byte: the same frames, whatever they hold.

    The bytes of an answer inside a barcode with identifier are the barcode's.
    """
    stream = end.join((*codes, b""))
    at = data.draw(st.integers(0, len(stream)))
    assert scans(in_pieces(stream, at, dialect(profile=profile))) == codes


@pytest.mark.parametrize("profile", ANSWERS)
@given(st.binary(max_size=700), st.binary(max_size=100))
def test_noise_is_never_held_for_good(profile: str, noise: bytes, more: bytes) -> None:
    """Whatever comes, silence ends the waiting, and the next scan is right."""
    listener = dialect(profile=profile)
    listener.feed(noise)
    assert len(listener._held) <= 600
    listener.feed(more)
    listener.silence()
    assert not listener.pending
    assert scans(listener.feed(b"5901234123457\r")) == [b"5901234123457"]


def test_an_answer_inside_a_barcode_is_the_barcodes() -> None:
    """Also where a read ends just before it."""
    listener = dialect(profile="datalogic")
    assert listener.feed(b"]C0A") == []
    assert listener.feed(b"\x06B\r") == [Frame(b"]C0A\x06B")]


def test_a_broken_answer_is_no_barcode_either() -> None:
    """A GM65 answer with a wrong checksum spoils the frame that follows, and says so."""
    listener = dialect(profile="gm65")
    (frame,) = listener.feed(GM65[:-1] + b"\x00" + b"5901234123457\r")
    assert isinstance(frame, Frame)
    assert frame.data.startswith(b"\0\0\1\0")


@pytest.mark.parametrize(
    ("profile", "line"),
    [
        ("keyence", b"ERROR"),
        ("keyence", b"OVER"),
        ("keyence", b"ERR91"),
        ("cognex", b"NO READ"),
        ("cognex", b"||0:7[1]Tk9SRUFE"),
        ("generic", b"MISS"),
        ("honeywell", b"MISS"),
        ("cognex", b"||[1]TUlTUw=="),
    ],
)
@pytest.mark.parametrize("source", ["serial", "tcp"])
def test_a_no_read_is_counted(profile: str, line: bytes, source: str) -> None:
    """Each brand's own words, and those of the configuration, at whatever cable."""
    port = {"serial": "p", "tcp": "tcp://camera:9004"}[source]
    listener = dialect(profile=profile, no_read=["MISS"], source=source, port=port)
    assert listener.feed(line + b"\r\n") == [NoRead()]
    assert listener.feed(b"A" + line + b"\r\n") == [Frame(b"A" + line)]


def test_a_no_read_of_one_brand_is_a_barcode_of_another() -> None:
    """ERROR can be what somebody printed; only a Keyence means something else."""
    assert dialect().feed(b"ERROR\r") == [Frame(b"ERROR")]
    assert dialect(profile="cognex").feed(b"ERROR\r") == [Frame(b"ERROR")]


def test_cameras_answer_commands_in_lines() -> None:
    """Keyence's OK and ER, Cognex's DMCC; what a DataMan wraps into DMCC is unwrapped."""
    keyence, cognex = dialect(profile="keyence"), dialect(profile="cognex")
    for listener, line in (
        (keyence, b"OK,LON"),
        (keyence, b"ER,LOFF,05"),
        (cognex, b"||[0]ON"),
        (cognex, b"||>TRIGGER ON"),
    ):
        (item,) = listener.feed(line + b"\r\n")
        assert isinstance(item, Remark)
    assert cognex.feed(b"||0:1[1]NTkwMTIzNDEyMzQ1Nw==\r\n") == [Frame(b"5901234123457")]
    assert cognex.feed(b"||[1]no base64!\r\n") == [Frame(b"||[1]no base64!", "bad_report")]


def test_a_scanner_that_waits_is_answered_whatever_it_sent() -> None:
    """With ACK/NAK a no-read is acknowledged at once; a scan by its outcome."""
    listener = dialect(profile="datalogic", ack_nak=True, no_read=["MISS"])
    assert listener.feed(b"MISS\r5901234123457\r") == [
        Say(b"\x06"),
        NoRead(),
        Frame(b"5901234123457"),
    ]
    assert (listener.answer("stored"), listener.answer("lost")) == (b"\x06", b"\x15")
    assert dialect().answer("stored") == b""


@pytest.mark.parametrize("terminator", [name for name in ENDS if name != "gap"])
@pytest.mark.parametrize("extra", [b"\r", b"\n", b"\r\n", b"\n\n"])
def test_line_ends_beside_the_terminator_are_no_data(terminator, extra: bytes) -> None:
    """A scanner that sends one line end too many, before or after the code, changes nothing."""
    start, end = (b"\x02" if terminator == "stx-etx" else b""), ENDS[terminator]
    framer = Framer(terminator, b"A:", b":Z")
    frames = framer.feed((extra + start + b"A:590\x1d1:Z" + end + extra) * 2)
    assert frames == [Frame(b"590\x1d1")] * 2
    assert not framer.pending
    assert framer.cut() == []


def test_prefix_and_suffix_may_stand_outside_the_envelope() -> None:
    """Some scanners put them around STX and ETX; they are no noise."""
    framer = Framer("stx-etx", b"A:", b":Z")
    assert framer.feed(b"A:\x02ONE\x03:Z\r\nA:\x02TWO\x03:Z\r\n") == [Frame(b"ONE"), Frame(b"TWO")]
    assert framer.silence() == []


def test_an_envelope_inside_a_line_is_removed() -> None:
    """STX, code, ETX and CR with terminator auto is the code alone."""
    assert Framer().feed(b"\x02590\x03\r\n") == [Frame(b"590")]
