"""From a scan with a meaning to the bytes that the outbox keeps and the broker gets."""

import random
from datetime import datetime
from uuid import UUID

from gateway import station_state, unit
from gateway.decision import DockScan
from gateway.outbox_file import Record, Write
from gateway.station_state import State
from wire import codec, ids
from wire.errors import Malformed
from wire.events import Clock, Event

#: A batch of one event still needs room for the batch's own fields.
EVENT_BYTES_MAX = codec.BATCH_BYTES_MAX - 1024


def write_of(
    scan: DockScan, state: State, scanner: str, now: datetime, clock: Clock, rng: random.Random
) -> Write:
    """Return what the outbox calls with the scan's seq.

    Raises ValueError when the scan does not fit the protocol, Malformed when it is too large to be
    ever sent; nothing that could block the events behind it reaches the outbox.
    """
    event = Event(
        seq=1,
        id=_new_id(now, rng),
        kind=scan.kind,
        event_time=now,
        clock=clock,
        scanner=scanner,
        operator=scan.operator,
        document=scan.document,
        location=scan.location,
        to_location=scan.to_location,
        quantity=scan.quantity,
        identifiers=scan.identifiers,
        symbology=scan.symbology,
        raw=scan.raw,
        joined=scan.joined,
        warnings=scan.warnings,
        reason=scan.reason,
        undo_of=scan.undo_of,
        repeat_of=scan.repeat_of,
    )
    size = len(codec.encode(event))
    if size > EVENT_BYTES_MAX:
        raise Malformed(f"an event of {size} bytes; the limit is {EVENT_BYTES_MAX}")

    counts = (scan.unit, unit.step_of(scan, state.session)) if scan.unit is not None else None

    def write(seq: int) -> Record:
        return Record(
            codec.encode(event.model_copy(update={"seq": seq})),
            scanner,
            station_state.encode(state.after(seq, undoable=scan.undoable)),
            counts,
            scan.undo_of,
        )

    return write


def _new_id(now: datetime, rng: random.Random) -> UUID:
    return ids.new_id(int(now.timestamp() * 1_000), rng)
