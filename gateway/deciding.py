"""From one frame to what to do about it: repeat, control label, separator test, goods. Pure."""

from dataclasses import replace
from datetime import date
from typing import get_args

from gateway import barcode, labels, repeats, separator_proof, station
from gateway.barcode import Barcode, Unreadable
from gateway.config import Scanner
from gateway.decision import Decision, Known, Refuse, Store, Told
from gateway.framing import Frame, Problem
from gateway.station import Defaults
from gateway.station_state import Last, Moment, State

_PROBLEMS: dict[Problem, str] = {
    "overflow": "64 KiB came without a terminator; check the scanner's suffix",
    "incomplete": "the code broke off: the scanner was unplugged or fell silent",
    "outside_envelope": "these bytes came outside STX and ETX; check the scanner's framing",
    "keys_lost": "keys went missing or mean nothing in this layout; scan again, the log says more",
    "bad_report": "the scanner sent a report that cannot be; scan again",
    "unknown_code_id": "no code letter of this brand comes first: check profile and code_ids, or "
    "let the scanner send AIM identifiers",
}
assert set(_PROBLEMS) == set(get_args(Problem))


def decide(settings: Scanner, state: State, frame: Frame, at: Moment, today: date) -> Decision:
    """Return what a frame that came `at` this moment does to a station in `state`.

    `today` decides centuries only. Every state that is returned remembers the frame.
    """
    known = repeats.judge(state, frame, at, settings.repeat_window_ms)
    if known is not None:
        return known
    decision = _decide(settings, state, frame, at, today)
    good = recorded = False
    match decision:
        case Told():
            good = not decision.refused
        case Store():
            good, recorded = decision.refused is None, decision.own
        case _:
            pass
    assert not isinstance(decision, Known)
    last = Last(repeats.digest(frame), at, good, recorded)
    return replace(decision, state=replace(decision.state, last=last))


def _decide(settings: Scanner, state: State, frame: Frame, at: Moment, today: date) -> Decision:
    defaults = Defaults.of(settings)
    if frame.problem is not None:
        cut = Unreadable(frame.data, None, frame.problem, _PROBLEMS[frame.problem])
        return station.unreadable(state, cut)
    label = labels.read(frame.data)
    if label is not None:
        return station.on_label(defaults, state, label, frame.data, at)
    result = separator_proof.read(frame.data, settings.separators)
    if result is not None:
        return _on_separator_test(state, result)
    meaning = _parse(settings, state, frame.data, today)
    if isinstance(meaning, Unreadable):
        return station.unreadable(state, meaning)
    takes_printed = state.quantity is None and not state.gs_verified
    if takes_printed and separator_proof.is_quantity_doubtful(meaning, settings.separators):
        return Refuse(state, separator_proof.UNTRUSTED)
    raws = state.waiting.raws if state.waiting else ()
    parts = [_parse(settings, state, raw, today) for raw in raws]
    waiting = [part for part in parts if isinstance(part, Barcode)]
    if len(waiting) < len(raws):  # read by other settings than those they were scanned with
        return station.dropped(state, then="this one was not booked, scan it again too")
    try:
        return station.on_goods(defaults, state, meaning, waiting, at)
    except ValueError as error:  # a field that is longer or larger than the protocol allows
        odd = Unreadable(frame.data, meaning.aim, "bad_value", str(error))
        return station.unreadable(state, odd)


def _parse(settings: Scanner, state: State, raw: bytes, today: date) -> Barcode | Unreadable:
    meaning = barcode.parse(
        raw,
        today=today,
        symbology=settings.symbology,
        region=settings.region,
        separators=settings.separators,
        aim_required=settings.aim_required,
    )
    if state.gs_verified or isinstance(meaning, Unreadable):
        return meaning
    return separator_proof.suspected(meaning, settings.separators)


def _on_separator_test(state: State, result: separator_proof.Result) -> Told:
    verified = replace(state, gs_verified=result.problem is None, counted=None)
    text = result.problem or "the separator arrives: this scanner's quantities are trusted"
    return Told(verified, text, refused=result.problem is not None)
