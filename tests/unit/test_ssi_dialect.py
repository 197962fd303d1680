"""gateway.ssi_dialect: what is asked of a decoder, what is promised to it, and what it means."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import profiles
from gateway.config import Scanner
from gateway.dialect import Heard, NoRead, Remark, Say
from gateway.framing import Frame
from gateway.ssi_dialect import Ssi
from ssi_bytes import broken, packet

ACK, RESEND = bytes.fromhex("04d00400ff28"), bytes.fromhex("05d1040001ff25")
FIRST, AGAIN, MORE = 0, 1, 2


def scanner(**options: object) -> Ssi:
    """Return the dialect as the configuration makes it."""
    dialect = profiles.dialect_of(
        Scanner.model_validate({"name": "s", "port": "p", "profile": "zebra", **options})
    )
    assert isinstance(dialect, Ssi)
    return dialect


def heard(dialect: Ssi, *packets: bytes) -> list[Heard]:
    """Return what some packets say."""
    return [item for sent in packets for item in dialect.feed(sent)]


def test_the_greeting_wakes_and_sets_for_this_power_up_only() -> None:
    """Handshake, packets, NR and AIM ids on, parameter barcodes off; nothing permanent."""
    wake_up, settings_, identifiers = scanner().greet()
    assert wake_up == b"\0"
    assert settings_.hex() == "0dc60400" + "ff" + "9f01" + "ee01" + "5e01" + "ec00" + "fb50"
    assert identifiers.hex() == "07c60400" + "ff" + "2d01" + "fe02"


def test_a_scan_is_acknowledged_by_its_outcome_alone() -> None:
    """Nothing is sent when the packet comes; the answer follows what became of the scan."""
    dialect = scanner()
    assert heard(dialect, packet(b"\x0b5901234123457")) == [Frame(b"]E05901234123457")]
    assert dialect.answer("stored") == dialect.answer("known") == ACK
    assert dialect.answer("lost") == RESEND


def test_a_repeated_scan_says_so() -> None:
    """The retransmit bit reaches the reader, with the same frame."""
    dialect = scanner()
    frames = heard(dialect, packet(b"\x03A"), packet(b"\x03A", status=AGAIN))
    assert frames == [Frame(b"]C0A"), Frame(b"]C0A", again=True)]


def test_a_broken_packet_is_asked_for_at_once() -> None:
    """One NAK for one broken packet; the repetition is the scan."""
    dialect = scanner()
    assert heard(dialect, broken(b"\x03A")) == [Say(RESEND)]
    assert dialect.pending
    assert heard(dialect, packet(b"\x03A", status=AGAIN)) == [Frame(b"]C0A", again=True)]
    assert not dialect.pending


def test_events_are_acknowledged_and_replies_are_not() -> None:
    """No ACK for an ACK; a refused command is told with its cause."""
    dialect = scanner()
    assert heard(dialect, packet(b"\x01", opcode=0xF6)) == [Say(ACK)]
    assert heard(dialect, packet(b"", opcode=0xD0)) == []
    (denied,) = heard(dialect, packet(b"\x06", opcode=0xD1))
    assert isinstance(denied, Remark)
    assert "does not allow" in denied.text
    for opcode in (0xA4, 0xC6, 0xD4, 0xB1, 0x99):
        (remark,) = heard(dialect, packet(b"\x01\x02", opcode=opcode))
        assert isinstance(remark, Remark)


def test_a_no_read_is_counted_and_acknowledged_once() -> None:
    """NR is no barcode, whatever its code type; its repetition is only acknowledged."""
    dialect = scanner(no_read=["MISS"])
    assert heard(dialect, packet(b"\x01NR")) == [Say(ACK), NoRead()]
    assert heard(dialect, packet(b"\x01]A0NR")) == [Say(ACK), NoRead()]
    assert heard(dialect, packet(b"\x01NR")) == [Say(ACK), NoRead()]
    assert heard(dialect, packet(b"\x01NR", status=AGAIN)) == [Say(ACK)]
    assert heard(dialect, packet(b"\x03MISS")) == [Say(ACK), NoRead()]


def test_a_long_scan_is_acknowledged_packet_by_packet_until_the_last() -> None:
    """Only the last packet waits for the commit; a repeated one in between counts once."""
    dialect = scanner()
    assert heard(dialect, packet(b"\x1cfirst ", status=MORE)) == [Say(ACK)]
    assert heard(dialect, packet(b"\x1cfirst ", status=MORE | AGAIN)) == [Say(ACK)]
    assert heard(dialect, broken(b"\x1csecond")) == [Say(RESEND)]
    whole = Frame(b"]Q1first second")
    assert heard(dialect, packet(b"\x1csecond", status=AGAIN)) == [whole]
    assert heard(dialect, packet(b"\x1csecond", status=AGAIN)) == [Frame(whole.data, again=True)]


def test_the_repeated_end_of_a_long_scan_is_never_the_whole() -> None:
    """First heard on a connection, a repeated packet of a large symbol is kept as incomplete.

    A symbol that fits into one packet is what it is.
    """
    tail, small = packet(b"\x1csecond", status=AGAIN), packet(b"\x0fA", status=AGAIN)
    assert heard(scanner(), tail) == [Frame(b"second", "incomplete", again=True)]
    assert heard(scanner(), small) == [Frame(b"]C1A", again=True)]
    dialect = scanner()
    heard(dialect, packet(b"\x0fA"))
    dialect.cut()
    assert heard(dialect, tail) == [Frame(b"second", "incomplete", again=True)]
    assert heard(dialect, packet(b"\x1cA")) == [Frame(b"]Q1A")]


@pytest.mark.parametrize(
    "packets",
    [
        # The decoder gave up the first scan, and another one comes, unbroken or broken at first.
        [packet(b"\x1cfirst ", status=MORE), broken(b"\x1csecond"), packet(b"\x1cnext")],
        [
            packet(b"\x1cfirst ", status=MORE),
            *[broken(b"\x1csecond")] * 2,
            packet(b"\x1cnext", status=AGAIN),
        ],
        # A decoder that does not wait for each answer goes on behind a broken packet.
        [broken(b"\x1cfirst "), packet(b"\x1csecond")],
        # The first packet again, or the second one with the same content.
        [
            packet(b"\x1cAAAA", status=MORE),
            broken(b"\x1cAAAA", status=MORE),
            packet(b"\x1cAAAA", status=MORE | AGAIN),
            packet(b"\x1cend"),
        ],
        # Two symbols are never one.
        [packet(b"\x1cfirst ", status=MORE), packet(b"\x1bother")],
    ],
)
def test_what_may_have_a_hole_is_no_value(packets: list[bytes]) -> None:
    """After such a line the scan is refused; the next one is right."""
    dialect = scanner()
    heard(dialect, packet(b"\x1cbefore"))
    frame = heard(dialect, *packets)[-1]
    assert isinstance(frame, Frame)
    assert frame.problem == "incomplete"
    assert heard(dialect, packet(b"\x1cafter")) == [Frame(b"]Q1after")]


def test_a_small_symbol_is_whole_whatever_came_before() -> None:
    """It ends a scan that was given up, and a broken packet before it is no matter."""
    dialect = scanner()
    heard(dialect, packet(b"\x1cfirst ", status=MORE), broken(b"\x1csecond"))
    assert heard(dialect, packet(b"\x0b5901234123457")) == [Frame(b"]E05901234123457")]
    assert heard(dialect, packet(b"\x1csecond")) == [Frame(b"]Q1second")]


def test_silence_in_a_long_scan_gives_it_up() -> None:
    """Neither the repeated packet that comes too late nor the next scan is glued to the first."""
    dialect = scanner()
    heard(dialect, packet(b"\x1cfirst ", status=MORE))
    (remark,) = dialect.silence()
    assert isinstance(remark, Remark)
    assert heard(dialect, packet(b"\x1csecond", status=AGAIN)) == [
        Frame(b"second", "incomplete", again=True)
    ]
    heard(dialect, packet(b"\x1cfirst ", status=MORE))
    dialect.silence()
    assert heard(dialect, packet(b"\x1cnext")) == [Frame(b"]Q1next")]


def test_a_packet_cut_in_the_middle_is_dropped_at_silence() -> None:
    """The decoder sends it again; nothing is glued to its first half."""
    dialect = scanner()
    assert dialect.feed(packet(b"\x03HELLO")[:7]) == []
    assert dialect.pending
    (remark,) = dialect.silence()
    assert isinstance(remark, Remark)
    assert heard(dialect, packet(b"\x03HELLO", status=AGAIN)) == [Frame(b"]C0HELLO", again=True)]


def test_an_endless_scan_is_one_overflow() -> None:
    """More packets than any symbol has are acknowledged, bounded, and refused in the end."""
    dialect = scanner()
    for _ in range(400):
        assert heard(dialect, packet(b"\x1c" + bytes(250), status=MORE)) == [Say(ACK)]
    (frame,) = heard(dialect, packet(b"\x1cend"))
    assert isinstance(frame, Frame)
    assert (frame.problem, len(frame.data)) == ("overflow", 64 * 1024)
    assert heard(dialect, packet(b"\x1cnext")) == [Frame(b"]Q1next")]


def test_prefix_suffix_and_code_letters_are_removed() -> None:
    """What a scanner puts around its data is in the packet; letters are better than types."""
    dialect = scanner(prefix="<", suffix=">", code_ids=True)
    assert heard(dialect, packet(b"\x1b<P0G0109506000134352>\r\n")) == [
        Frame(b"]d20109506000134352")
    ]
    assert heard(dialect, packet(b"\x0a<A12345670>")) == [Frame(b"]E412345670")]
    assert heard(dialect, packet(b"\x03<?X>")) == [Frame(b"?X", "unknown_code_id")]


#: What may happen to a packet on its way, or to our answer to it.
_FATE = st.sampled_from(["arrives", "broken", "torn", "lost", "answer lost"])


@dataclass
class Dock:
    """A decoder, a bad line, and a reader that counts a repeated scan once.

    The decoder beeps when told to, and answers that. It gives up after three tries; when it hears
    nothing it waits longer than the gateway does for the rest of a packet.
    """

    dialect: Ssi = field(default_factory=scanner)
    counted: list[bytes] = field(default_factory=list)
    refused: int = 0
    last: bytes = b""

    def scan(self, value: bytes, fates: list[str]) -> bool:
        """Send a value in packets of four bytes; return whether the decoder heard all is well."""
        pieces = [value[at : at + 4] for at in range(0, len(value), 4)]
        for number, piece in enumerate(pieces):
            more = MORE if number + 1 < len(pieces) else 0
            if not self.deliver(b"\x1c" + piece, more, fates):
                return False
        return True

    def deliver(self, data: bytes, more: int, fates: list[str]) -> bool:
        """Send one packet up to three times; return whether it was acknowledged."""
        for status in (FIRST, AGAIN, AGAIN):
            fate = fates.pop() if fates else "arrives"
            answers = self.send(data, status | more, fate)
            if ACK in answers and fate != "answer lost":
                self.dialect.feed(packet(b"", opcode=0xD0))  # to the beep
                return True
            if not answers or fate == "answer lost":
                self.listen(self.dialect.silence())
        return False

    def send(self, data: bytes, status: int, fate: str) -> bytes:
        """Put one packet on the line; return what the gateway answers."""
        whole = packet(data, status=status)
        sent = {"lost": b"", "torn": whole[:-1], "broken": broken(data, status=status)}
        return self.listen(self.dialect.feed(sent.get(fate, whole)))

    def listen(self, items: list[Heard]) -> bytes:
        """Do what the gateway does; return what it says."""
        said = b""
        for item in items:
            if isinstance(item, Say):
                said += item.data
            elif isinstance(item, Frame):
                said += self.dialect.answer("stored")
                if item.problem:
                    self.refused += 1
                elif not (item.again and item.data == self.last):
                    self.counted.append(item.data)
                    self.last = item.data
        return said


@settings(max_examples=500)
@given(
    st.lists(
        st.tuples(st.text("AB", min_size=1, max_size=12), st.lists(_FATE, max_size=8)), max_size=6
    )
)
def test_no_line_is_so_bad_that_a_wrong_value_is_counted(scans) -> None:
    """Whatever is lost or broken: what is counted was scanned, in order, and no more than once.

    What the decoder believes to be stored was counted, or refused loudly.
    """
    dock, values = Dock(), []
    for number, (letters, fates) in enumerate(scans):
        values.append(f"{number}{letters}".encode())
        before = len(dock.counted) + dock.refused
        if dock.scan(values[-1], list(fates)):
            assert len(dock.counted) + dock.refused > before
    order = iter([b"]Q1" + value for value in values])
    assert all(value in order for value in dock.counted)


@given(st.lists(st.booleans(), max_size=6))
def test_equal_boxes_are_all_counted(boxes) -> None:
    """The same small symbol again and again, some of them broken on the line at first.

    A repetition that arrives after the decoder has heard us is another box, not the same one.
    """
    dock = Dock()
    assert dock.scan(b"BOX", [])
    for is_broken in boxes:
        assert dock.scan(b"BOX", ["broken"] if is_broken else [])
    assert len(dock.counted) == 1 + len(boxes)
