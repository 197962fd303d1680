"""What is special about each brand: its dialect, and the beeps that are its own. Pure.

A profile is chosen in the configuration, never guessed: cheap engines that call themselves like a
brand often speak otherwise, and a wrong guess would turn answers into barcodes.
"""

from gateway import answers, ssi
from gateway.config import Scanner, Signals, Source
from gateway.dialect import Dialect, Lines, no_answers
from gateway.framing import Framer
from gateway.hid_report import Reports
from gateway.keystrokes import Keystrokes
from gateway.ssi_dialect import Ssi

#: Sources that are a byte stream in both directions, where a brand's own protocol is spoken.
_STREAMS: tuple[Source, ...] = ("serial", "tcp")


def dialect_of(settings: Scanner) -> Dialect:
    """Return the state machine for one scanner."""
    sort = answers.sorter(settings)
    prefix, suffix = settings.prefix.encode("latin-1"), settings.suffix.encode("latin-1")
    if settings.source == "keyboard":
        return Keystrokes(
            settings.layout,
            settings.terminator,
            settings.gap_ms,
            sort,
            prefix=settings.prefix,
            suffix=settings.suffix,
        )
    if settings.source == "pos":
        return Reports(settings.profile, sort, prefix=prefix, suffix=suffix)
    if settings.profile == "zebra":
        return Ssi(sort, prefix, suffix)
    return Lines(
        Framer(settings.terminator, prefix, suffix),
        sort,
        answers.LENGTHS.get(settings.profile, no_answers),
        ack_nak=settings.ack_nak,
    )


def signals_of(settings: Scanner) -> Signals:
    """Return what to write for each beep: the configured bytes, else the brand's own."""
    own = _SIGNALS.get(settings.profile, Signals()) if settings.source in _STREAMS else Signals()
    given = settings.feedback.model_dump(exclude_none=True)
    return own.model_copy(update=given)


def _beep(code: int) -> str:
    return ssi.encode("BEEP", bytes((code,))).decode("latin-1")


#: Simple Serial Interface: 0 one short high tone, 1 two, 5 one short low tone, 6 two. Honeywell
#: Host ACK: 7 good, 5 medium tone, 8 error, b razz. Datalogic: 3 good read, 0 short high, 4 bad
#: transmission, 2 long low tone, 6/7 green and 8/9 red LED on/off.
_SIGNALS = {
    "zebra": Signals(good=_beep(0), offline=_beep(1), refused=_beep(6), rejected=_beep(5)),
    "honeywell": Signals(
        good="\x1b7,", offline="\x1b7,\x1b5,", refused="\x1b8,\x1b8,", rejected="\x1bb,"
    ),
    "datalogic": Signals(
        good="\x1b[3q\x1b[6q\x1b[5q\x1b[7q",
        offline="\x1b[3q\x1b[5q\x1b[0q",
        refused="\x1b[8q\x1b[4q\x1b[5q\x1b[4q\x1b[9q",
        rejected="\x1b[2q",
    ),
}
