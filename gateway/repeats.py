"""The same frame again: a bouncing trigger, or a scanner that heard no answer. Pure.

The window counts from the frame that was stored, not from its last repeat: a chain of bounces must
not swallow the next box, which somebody scanned on purpose.
"""

from hashlib import blake2b

from gateway import symbology
from gateway.decision import DockScan, Known
from gateway.framing import Frame
from gateway.reading import Misread
from gateway.station_state import Last, Moment, State

#: What one SSI packet holds, roughly: only a symbol that needs more of them has a last one.
_PACKET_BYTES = 240
_AIM_LENGTH = 3
#: A scanner sends again after its own timeout of seconds, a few times; later it is another scan.
SENT_AGAIN_MS = 10_000


def digest(frame: Frame) -> str:
    """Return what tells this frame from others; a broken one never equals a whole one."""
    return blake2b(f"{frame.problem}:".encode() + frame.data, digest_size=16).hexdigest()


def whole(frame: Frame, stored: bytes) -> Frame:
    """Return the stored scan when a broken frame that was sent again is it, or the end of it.

    Of a scan in several packets only the last is sent again, and by itself it is no scan.
    """
    same = frame.data in (stored, stored[_AIM_LENGTH:])
    if same or (len(stored) > _PACKET_BYTES and stored.endswith(frame.data)):
        return Frame(stored, again=True)
    return frame


def judge(state: State, frame: Frame, at: Moment, window_ms: int) -> Known | None:
    """Return how to take a repeat of the frame before; None for anything else."""
    last = state.last
    if last is None or last.digest != digest(frame):
        return None
    if frame.problem is not None and not frame.again:
        return None  # two codes may break in the same way; each is owed its bad beep
    age_ms = at.ms_since(last.at)
    if frame.again:
        # What was refused without being kept has its chance again.
        if age_ms > SENT_AGAIN_MS or not (last.good or last.recorded):
            return None
        reason = "sent again by the scanner"
        return Known(reason, _event(state, frame, last, reason), last.good)
    if age_ms >= window_ms:
        return None
    reason = f"same bytes again after {max(0, round(age_ms))} ms"
    return Known(reason, _event(state, frame, last, reason))


def _event(state: State, frame: Frame, last: Last, reason: str) -> DockScan | None:
    if not last.recorded:
        return None
    return DockScan(
        kind="repeat",
        raw=frame.data,
        symbology=aim_of(frame.data),
        operator=state.operator,
        document=state.document,
        quantity=0,
        repeat_of=last.seq,
        reason=reason,
    )


def aim_of(raw: bytes) -> str | None:
    """Return the symbology identifier that a frame starts with."""
    try:
        aim, _ = symbology.split(raw)
    except Misread:
        return None
    return aim.code if aim else None
