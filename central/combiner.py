"""Many requests to reserve decided together, as if each had come in turn, with a few statements.

What shops ask for while a commit is running shares the next one. Their availability rows are locked
in key order, each request takes from them in the order of arrival, and every row is written once,
by a conditional UPDATE that must still find the goods. A hot SKU is then one row change for all.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from central import grants, lookups, reservations, statements
from central.grants import Line
from central.requests import Answer
from central.reservations import ANY_SITE, Request
from central.writer import Transaction

Key = tuple[int, int]  # item, site
ShareKey = tuple[int, int, str]  # item, site, channel


class OutOfStep(Exception):
    """A row was not as it was read under its lock: the requests are tried one by one."""


@dataclass(slots=True)
class _Share:
    """What a channel may promise, with what this commit takes of it so far."""

    buffer: int
    oversell: int
    cap: int | None
    used: int
    taken: int = 0


@dataclass(slots=True)
class _Row:
    """An availability row, with what this commit takes from it so far."""

    on_hand: int
    reserved: int
    safety: int
    ver: int
    taken: int = 0
    grants: int = 0
    #: What must have been available before, for all grants together.
    needed: int = 0

    def left(self, share: _Share | None) -> int:
        """Return what a channel with this share could have; without one, it is all."""
        available = self.on_hand - self.reserved - self.safety
        if share is None:
            return available
        available += share.oversell - share.buffer
        return available if share.cap is None else min(available, share.cap - share.used)

    def take(self, line: Line, share: _Share | None) -> dict[str, int]:
        """Take from the row; return the line's proof that the goods were there."""
        assert line.item is not None
        buffer, oversell = (share.buffer, share.oversell) if share else (0, 0)
        self.taken += line.quantity
        self.grants += 1
        self.needed = max(self.needed, self.taken + buffer - oversell)
        self.reserved += line.quantity
        self.ver += 1
        if share is not None:
            share.used += line.quantity
            share.taken += line.quantity
        return {
            "item": line.item.id, "qty": line.quantity, "done": 0, "g_on_hand": self.on_hand,
            "g_reserved": self.reserved, "g_safety": self.safety, "g_ver": self.ver,
            "g_buffer": buffer, "g_oversell": oversell, "capped": int(share is not None),
        }  # fmt: skip


class _Site(NamedTuple):
    id: int
    code: str


@dataclass(slots=True)
class _Wanted:
    """A request, where it wants what, and what was decided about it."""

    request: Request
    site: _Site
    lines: list[Line]
    proofs: list[dict[str, int]]
    answer: Answer | None = None

    def rows(self) -> list[Key]:
        """Return the availability rows that it is about."""
        return [(line.item.id, self.site.id) for line in self.lines if line.item]


def reserve_all(tx: Transaction, requests: Sequence[Request]) -> list[Answer]:
    """Return the answers, in the order of the requests."""
    answers: list[Answer] = []
    for anywhere, run in itertools.groupby(requests, key=lambda each: each.site == ANY_SITE):
        some = list(run)
        answers += [reservations.reserve(tx, each) for each in some] if anywhere else _run(tx, some)
    return answers


def _run(tx: Transaction, requests: Sequence[Request]) -> list[Answer]:
    """Decide requests that each name a site; a known key or an unknown site is for `reserve`."""
    answers: dict[int, Answer] = {}
    if len(requests) > 1:
        overdue = lookups.ask_overdue(tx.connection, tx.now_us)
        fresh = _fresh(tx, requests)
        is_any_over = bool(overdue())
        if is_any_over:
            reservations.reclaim(tx, _items(fresh.values()))
        tx.books.flush()
        _decide(tx, list(fresh.values()))
        short = [each for each in fresh.values() if not each.proofs]
        if is_any_over and short:  # their rows are locked: what others gave back would be seen
            reservations.wait_for_others(tx, _items(short))
        answers = dict(zip(fresh, _store(tx, list(fresh.values())), strict=True))
    return [
        answers[n] if n in answers else reservations.reserve(tx, request)
        for n, request in enumerate(requests)
    ]


def _items(wanted: Iterable[_Wanted]) -> list[int]:
    return sorted({item for each in wanted for item, _ in each.rows()})


def _fresh(tx: Transaction, requests: Sequence[Request]) -> dict[int, _Wanted]:
    """Return the requests whose key was never used, by their places."""
    codes = sorted({request.site for request in requests})
    asked = lookups.ask_sites(tx.connection, codes)
    keys = sorted({(request.channel, request.key) for request in requests})
    used = lookups.ask_used_keys(tx.connection, keys)
    sites = {code: _Site(number, code) for number, code in asked()}
    first: dict[tuple[str, str], int] = {}
    for n, request in enumerate(requests):
        if request.site in sites:
            first.setdefault((request.channel, request.key), n)
    for _, channel, key in used():
        first.pop((channel, key), None)
    skus = {line.sku for n in first.values() for line in requests[n].lines}
    tx.books.catalogue.find(tx.connection, [f"sku:{sku}" for sku in skus])  # all by one query
    return {
        n: _Wanted(requests[n], sites[requests[n].site], reservations.demand(tx, requests[n]), [])
        for n in sorted(first.values())
    }


def _decide(tx: Transaction, wanted: Sequence[_Wanted]) -> None:
    rows = _lock(tx, {key for each in wanted for key in each.rows()})
    shares = _shares(tx, wanted)
    for each in wanted:
        channel, site = each.request.channel, each.site.id
        short = []
        found = []
        for line in each.lines:
            item = line.item.id if line.item else 0
            row, share = rows.get((item, site)), shares.get((item, site, channel))
            left = (row or _Row(0, 0, 0, 0)).left(share) if item else 0
            if row is None or left < line.quantity:
                short.append(
                    {"sku": line.sku, "requested": line.quantity, "available": max(left, 0)}
                )
            else:
                found.append((row, line, share))
        if short:
            each.answer = reservations.refused(each.site.code, short)
        else:
            each.answer = reservations.granted(tx, each.request, each.site.code)
            each.proofs = [row.take(line, share) for row, line, share in found]
    _take(tx, rows, shares)


def _lock(tx: Transaction, keys: set[Key]) -> dict[Key, _Row]:
    rows = lookups.lock_levels(tx.connection, sorted(keys))
    return {row[:2]: _Row(*row[2:6]) for row in rows}


def _shares(tx: Transaction, wanted: Sequence[_Wanted]) -> dict[ShareKey, _Share]:
    keys = {
        (*key, each.request.channel)
        for each in wanted
        if tx.books.catalogue.has_shares(each.request.channel)
        for key in each.rows()
    }
    shares: dict[ShareKey, _Share] = {}
    for part in statements.parts(sorted(keys)):
        for r in tx.connection.execute(statements.LOCK_SHARES, {"keys": part}):
            shares[r.item, r.site, r.channel] = _Share(r.buffer, r.oversell, r.cap, r.used)
    return shares


def _take(tx: Transaction, rows: Mapping[Key, _Row], shares: Mapping[ShareKey, _Share]) -> None:
    """Write what was taken, once for each row; the conditions are what decides in the end."""
    taken = [
        {"i": item, "s": site, "q": row.taken, "n": row.grants, "m": row.needed}
        for (item, site), row in sorted(rows.items())
        if row.grants
    ]
    if taken and statements.take_available(tx.connection, taken) != len(taken):
        raise OutOfStep(f"{len(taken)} availability rows changed under their locks")
    for (item, site, channel), share in sorted(shares.items()):
        values = {"i": item, "s": site, "c": channel, "q": share.taken}
        if share.taken and not tx.connection.execute(grants.TAKE_SHARE, values).rowcount:
            raise OutOfStep(f"the share of {channel} changed under its lock")
    for row in taken:
        tx.books.changed(row["i"], row["s"], "reservation")


def _store(tx: Transaction, decided: Sequence[_Wanted]) -> list[Answer]:
    if not decided:
        return []
    answered = [(each, each.answer) for each in decided if each.answer is not None]
    rows = [reservations.row_of(tx, each.request, each.site.id, said) for each, said in answered]
    made = statements.add_reservations(tx.connection, rows)
    numbers = {(channel, key): number for number, channel, key in made}
    answers = []
    lines: list[dict[str, int]] = []
    for each, said in answered:
        number = numbers[each.request.channel, each.request.key]
        lines.extend({"res": number, **proof} for proof in each.proofs)
        granted = {"id": number} if each.proofs else {}
        reservations.decided(tx, number, each.request, said)
        answers.append(replace(said, body={**granted, **said.body}))
    if lines:
        statements.write(tx.connection, statements.ADD_LINES, lines)
    return answers
