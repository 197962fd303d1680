"""gateway.ssi and gateway.ssi_codes: packets out of a stream, and what their code types say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import ssi, ssi_codes
from gateway.reading import Misread
from ssi_bytes import broken, packet

_DATA = st.binary(max_size=250)
_STATUS = st.sampled_from([0, 1, 2, 3])


def read(reader: ssi.Reader, stream: bytes) -> list[bytes]:
    """Return the data of the good packets of a stream."""
    return [found.data for found in reader.feed(stream) if isinstance(found, ssi.Packet)]


def test_our_commands_are_those_of_the_manual() -> None:
    """What we send has the bytes printed in the manual."""
    assert ssi.encode("START_DECODE").hex() == "04e40400ff14"
    assert ssi.decode(ssi.encode("CMD_NAK", ssi.NAK_RESEND)).data == ssi.NAK_RESEND
    assert ssi.decode(ssi.encode("BEEP", b"\x00")).source == ssi.HOST


@given(st.lists(st.tuples(_DATA, _STATUS), min_size=1, max_size=4), st.data())
def test_packets_split_anywhere_are_the_same(parts, data) -> None:
    """Serial lines cut packets where they like, and put wake-up bytes between them."""
    stream = b"\0".join(packet(content, status=status) for content, status in parts)
    at = data.draw(st.integers(0, len(stream)))
    reader = ssi.Reader()
    found = read(reader, stream[:at]) + read(reader, stream[at:])
    assert found == [content for content, _ in parts]
    assert not reader.pending


@given(st.binary(max_size=300), _DATA, _DATA)
def test_noise_makes_no_packet_up(noise: bytes, first: bytes, second: bytes) -> None:
    """Whatever comes before a packet, no other packet is read than those that were sent."""
    reader = ssi.Reader()
    found = read(reader, noise + packet(first) + noise + packet(second))
    assert set(found) <= {first, second} | set(read(ssi.Reader(), noise + bytes(600)))


@given(st.binary(max_size=300), st.binary(max_size=300), _DATA)
def test_after_silence_the_next_packet_is_read(noise: bytes, more: bytes, data: bytes) -> None:
    """Noise is forgotten when the line falls silent, and holds no more than two packets."""
    reader = ssi.Reader()
    for chunk in (noise, more, noise, more):
        list(reader.feed(chunk))
        assert len(reader._buffer) <= 2 * 257
    reader.silence()
    assert not reader.pending
    assert read(reader, packet(data)) == [data]


@given(st.binary(min_size=1, max_size=250), st.data())
def test_a_broken_packet_asks_once_and_its_repetition_is_read(content: bytes, data) -> None:
    """Any one wrong byte behind the header is one fault, and what follows is read."""
    bent = bytearray(packet(content))
    bent[data.draw(st.integers(4, len(bent) - 1))] ^= data.draw(st.integers(1, 255))
    reader = ssi.Reader()
    first, *rest = reader.feed(bytes(bent))
    assert isinstance(first, Misread)
    assert first.error_class == "bad_checksum"
    assert rest == []
    assert read(reader, packet(content, status=1)) == [content]


@given(st.binary(min_size=1, max_size=250), st.data())
def test_bytes_lost_in_a_packet_do_not_swallow_its_repetition(content: bytes, data) -> None:
    """A packet that lost bytes waits for more and gets the repetition's: that is still read."""
    whole = packet(content)
    at = data.draw(st.integers(4, len(whole) - 1))
    lost = data.draw(st.integers(1, len(whole) - at))
    reader = ssi.Reader()
    again = packet(content, status=1)
    found = [read(reader, sent) for sent in (whole[:at] + whole[at + lost :], again, again)]
    assert found in ([[], [], [content]], [[], [content], [content]])


@pytest.mark.parametrize("length", [0x05, 0x20, 0xFF])
def test_a_length_byte_that_is_noise_swallows_nothing(length: int) -> None:
    """Noise in front of a packet is seen as such as soon as the packet's own header follows."""
    assert read(ssi.Reader(), bytes((length,)) + packet(b"\x03HELLO")) == [b"\x03HELLO"]


def test_a_packet_inside_the_data_of_a_packet_is_data() -> None:
    """A symbol may hold the bytes of a packet; whole or broken, they are never taken for one."""
    inner = packet(b"\x03WRONG")
    outer = packet(b"\x1c" + inner + b"tail")
    assert read(ssi.Reader(), outer) == [b"\x1c" + inner + b"tail"]
    reader = ssi.Reader()
    assert read(reader, broken(b"\x1c" + inner + b"tail")) == []
    assert read(reader, packet(b"\x03RIGHT")) == [b"\x03RIGHT"]


def test_what_is_inside_a_broken_packet_neither_asks_again_nor_waits() -> None:
    """One fault, whatever its data look like, and the packet behind it is read at once."""
    for inside in (broken(b"\x03INNER"), b"\xff\xf3\x00\x00", packet(b"\x03INNER")):
        reader = ssi.Reader()
        fault, good = reader.feed(broken(b"\x1c" + inside + b"tail") + packet(b"\x03RIGHT"))
        assert isinstance(fault, Misread)
        assert isinstance(good, ssi.Packet)
        assert good.data == b"\x03RIGHT"


def test_what_a_host_says_is_no_packet_of_the_decoder() -> None:
    """An adapter that echoes our own commands adds nothing."""
    assert read(ssi.Reader(), ssi.encode("CMD_ACK") + packet(b"\x03A")) == [b"\x03A"]


@pytest.mark.parametrize(
    ("code_type", "data", "frame"),
    [
        (0x08, b"012345678905", b"]E00012345678905"),
        (0x08, b"0012345678905", b"]E00012345678905"),
        (0x09, b"01234565", b"]E00012345000065"),
        (0x09, b"0123456", b"]E00012345000065"),
        (0x09, b"012345000065", b"]E00012345000065"),
        (0x09, b"01234564", b"]E001234564"),
        (0x0A, b"96385074", b"]E496385074"),
        (0x4A, b"9638507412", b"]E3000009638507412"),
        (0x0B, b"5901234123457", b"]E05901234123457"),
        (0x0B, b"590123412345", b"]E0590123412345"),
        (0x4B, b"590123412345712", b"]E3590123412345712"),
        (0x88, b"01234567890512345", b"]E3001234567890512345"),
        (0x0F, b"0109506000134352", b"]C10109506000134352"),
        (0x0F, b"\x1d0109506000134352", b"]C10109506000134352"),
        (0x0F, b"]C110A", b"]C110A"),
        (0x03, b"\x1d0109506000134352", b"]C10109506000134352"),
        (0x1B, b"X", b"]d1X"),
        (0x1B, b"\x1d0109506000134352", b"]d20109506000134352"),
        (0xC1, b"0109506000134352", b"]d20109506000134352"),
        (0xC2, b"0109506000134352", b"]Q30109506000134352"),
        (0x32, b"0109506000134352", b"]e00109506000134352"),
        (0x25, b"0198898765432106", b"0198898765432106"),
        (0x51, b"???", b"???"),
        (0x77, b"???", b"???"),
        (0x03, b"]?A", b"]C0]?A"),
    ],
)
def test_a_code_type_becomes_an_identifier(code_type: int, data: bytes, frame: bytes) -> None:
    """What the engine says of the symbology reaches the reader as the AIM identifier."""
    assert ssi_codes.frame_of(code_type, data) == frame


def test_every_code_type_has_a_name() -> None:
    """Known ones are named, others show their number; none is taken for another with an add-on."""
    assert ssi_codes.name(0x48) == "UPC_A"
    assert ssi_codes.name(0xC1) == "GS1_DATA_MATRIX"
    assert ssi_codes.name(0xC8) == "unknown(0xc8)"
    assert all(ssi_codes.name(number) for number in range(256))
