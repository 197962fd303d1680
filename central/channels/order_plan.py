"""What is still to be done for an order, from all that was said of it. Pure.

The answer does not depend on the order of arrival: a cancellation may come before the order, a
shipment before its approval, everything twice. So each function looks at all steps at once, and at
what has been promised and shipped by now, whoever did that.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from central.channels.order_events import OrderStep

Lines = dict[str, int]  # eaches by SKU


@dataclass(frozen=True, slots=True)
class Step:
    """Something said of the order. `number` is the order of arrival.

    `took` is what it moved without a promise; `state` is waiting, done or dismissed by a person.
    """

    number: int
    step: OrderStep
    lines: Mapping[str, int]
    whole: bool = False
    at_us: int | None = None
    state: str = "waiting"
    took: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Promise:
    """A reservation of the order: eaches promised, and shipped of that, by SKU."""

    number: int
    state: str  # held | committed | done | released | expired
    lines: Mapping[str, tuple[int, int]]

    @property
    def is_open(self) -> bool:
        """True while something can be shipped of it."""
        return self.state in ("held", "committed")


def approval(steps: Sequence[Step]) -> Step | None:
    """Return the approval that counts, the newest; None when the order is cancelled or unknown.

    Where the shop says when things happened, an order can be approved again after it was
    cancelled. Where it does not, a cancellation is the end, whenever it arrives.
    """
    newest = _newest(steps, "approved")
    cancelled = _newest(steps, "cancelled")
    if newest is None or cancelled is None:
        return newest
    if newest.at_us is None or cancelled.at_us is None:
        return None
    is_later = (newest.at_us, newest.number) > (cancelled.at_us, cancelled.number)
    return newest if is_later else None


def is_cancelled(steps: Sequence[Step]) -> bool:
    """Return whether the order is not to be served any more."""
    return approval(steps) is None and _newest(steps, "cancelled") is not None


def is_over(steps: Sequence[Step]) -> bool:
    """Return whether the shop says, after the approval, that all of the order has been sent."""
    counts = approval(steps)
    return counts is not None and any(
        step.step == "shipped" and step.whole and step.state == "done"
        and None not in (step.at_us, counts.at_us) and (step.at_us or 0) >= (counts.at_us or 0)
        for step in steps
    )  # fmt: skip


def shipped(steps: Iterable[Step], promises: Iterable[Promise]) -> Lines:
    """Return what has left of the order, with a promise or without."""
    gone: Lines = {}
    for promise in promises:
        _add(gone, {sku: done for sku, (_, done) in promise.lines.items()})
    for step in steps:
        if step.step == "shipped":
            _add(gone, step.took or {})
    return gone


def unpromised(steps: Sequence[Step], promises: Sequence[Promise]) -> Lines:
    """Return what the order wants that is neither promised nor shipped; below zero is too much."""
    counts = approval(steps)
    wanted = dict(counts.lines) if counts else {}
    for promise in promises:
        for sku, (quantity, done) in promise.lines.items():
            kept = quantity if promise.is_open else done
            _add(wanted, {sku: -kept})
    for step in steps:
        if step.step == "shipped":
            _add(wanted, {sku: -quantity for sku, quantity in (step.took or {}).items()})
    return wanted


def has_too_much(steps: Sequence[Step], promises: Sequence[Promise]) -> bool:
    """Return whether more is promised than the order wants by now: it was made smaller."""
    counts = approval(steps)
    if counts is None or not counts.lines:
        return False
    beyond = {sku for sku, quantity in unpromised(steps, promises).items() if quantity < 0}
    return any(
        sku in beyond and quantity > done
        for promise in promises
        if promise.is_open
        for sku, (quantity, done) in promise.lines.items()
    )


def to_ship(step: Step, steps: Sequence[Step], promises: Sequence[Promise]) -> Lines | None:
    """Return what a shipment still has to take out; None when nobody knows what the order is.

    What left already counts for it, also what a dock scanned with the order's number.
    """
    if step.lines and not step.whole:
        total: Lines = {}
        for each in steps:
            is_part = each.step == "shipped" and each.lines and not each.whole
            if is_part and each.number <= step.number and each.state != "dismissed":
                _add(total, each.lines)
    elif step.lines:
        total = dict(step.lines)
    else:
        newest = _newest(steps, "approved")
        if newest is not None and newest.lines:
            total = dict(newest.lines)
        elif promises:
            total = {}
            for promise in promises:
                _add(total, {s: q if promise.is_open else d for s, (q, d) in promise.lines.items()})
        else:
            return None
    return _positive(total, shipped(steps, promises))


def to_return(step: Step, steps: Sequence[Step], promises: Sequence[Promise]) -> Lines:
    """Return what a return still has to bring back; without lines all that has left."""
    if step.lines:
        return _positive(step.lines, step.took or {})
    back: Lines = {}
    for each in steps:
        if each.step == "returned":
            _add(back, each.took or {})
    return _positive(shipped(steps, promises), back)


def share_out(wanted: Mapping[str, int], promises: Sequence[Promise]) -> dict[int, Lines]:
    """Return which promises a shipment comes off, the oldest first: eaches by SKU, by number."""
    left = dict(wanted)
    parts: dict[int, Lines] = {}
    for promise in sorted(promises, key=lambda each: each.number):
        if not promise.is_open:
            continue
        for sku, (quantity, done) in promise.lines.items():
            part = min(left.get(sku, 0), quantity - done)
            if part > 0:
                parts.setdefault(promise.number, {})[sku] = part
                left[sku] -= part
    return parts


def _newest(steps: Sequence[Step], kind: OrderStep) -> Step | None:
    found = [step for step in steps if step.step == kind]
    if kind == "cancelled" and any(step.at_us is None for step in found):
        return next(step for step in found if step.at_us is None)
    return max(found, key=lambda step: (step.at_us or 0, step.number), default=None)


def _add(lines: Lines, more: Mapping[str, int]) -> None:
    for sku, quantity in more.items():
        lines[sku] = lines.get(sku, 0) + quantity


def _positive(total: Mapping[str, int], less: Mapping[str, int]) -> Lines:
    left = {sku: quantity - less.get(sku, 0) for sku, quantity in sorted(total.items())}
    return {sku: quantity for sku, quantity in left.items() if quantity > 0}
