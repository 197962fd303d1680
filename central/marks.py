"""V12: an outbox's high-water mark is the number of its events, without holes."""

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, text

_COUNTED = text(
    "SELECT stream, COUNT(*) AS n, MAX(seq) AS last FROM event WHERE id > :events GROUP BY stream"
)
_STREAMS = text("SELECT id, source, epoch, applied_seq FROM stream ORDER BY id")
_RECORDED = text(
    "SELECT stream, COUNT(*) FROM event WHERE id > :events AND id <= :upto GROUP BY stream"
)


def wrong(connection: Connection, events: int, before: Mapping[int, int]) -> Iterator[str]:
    """Yield what is wrong with each outbox, in a sentence.

    `before` says how many events each had up to the event with the number `events`.
    """
    new = {row.stream: row for row in connection.execute(_COUNTED, {"events": events})}
    for row in connection.execute(_STREAMS).all():
        had = before.get(row.id, 0)
        added = new.pop(row.id, None)
        count, last = (had, had) if added is None else (had + added.n, added.last)
        if not row.applied_seq == count == last:
            yield (
                f"gateway {row.source} epoch {row.epoch}: its high-water mark is "
                f"{row.applied_seq}, but {count} events are recorded, the last is {last}"
            )
    for stream, added in sorted(new.items()):
        yield f"{added.n} events, the last is {added.last}, are of outbox {stream}: there is none"


def recorded(
    connection: Connection, events: int, upto: int, before: Mapping[int, int]
) -> dict[int, int]:
    """Return how many events each outbox had up to event `upto`, by what it had at `events`."""
    counts = dict(before)
    for stream, count in connection.execute(_RECORDED, {"events": events, "upto": upto}):
        counts[stream] = counts.get(stream, 0) + count
    return counts
