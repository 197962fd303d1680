"""Many requests to reserve decided together, as if each had come in turn, with a few statements.

What shops ask for while a commit is running shares the next one. Their availability rows are locked
in key order, each request takes from them in the order of arrival, and every row is written once,
by a conditional UPDATE that must still find the goods. A hot SKU is then one row change for all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import insert, select, tuple_

from central import reservations, schema, statements
from central.reservations import Answer, Request, problem
from central.writer import Transaction

Key = tuple[int, int]  # item, site


class OutOfStep(Exception):
    """A row was not as it was read under its lock: the requests are tried one by one."""


@dataclass(slots=True)
class _Row:
    """An availability row, with what this commit takes from it so far."""

    on_hand: int
    reserved: int
    safety: int
    ver: int
    taken: int = 0
    grants: int = 0

    @property
    def available(self) -> int:
        return self.on_hand - self.reserved - self.safety

    def take(self, item: int, quantity: int) -> dict[str, int]:
        """Take from the row; return the line's proof that the goods were there."""
        self.taken += quantity
        self.grants += 1
        self.reserved += quantity
        self.ver += 1
        return {
            "item": item, "qty": quantity, "done": 0, "g_on_hand": self.on_hand,
            "g_reserved": self.reserved, "g_safety": self.safety, "g_ver": self.ver,
        }  # fmt: skip


@dataclass(slots=True)
class _Decided:
    """A request with what was decided about it."""

    request: Request
    site: int
    lines: list[dict[str, int]]
    answer: Answer


def reserve_all(tx: Transaction, requests: Sequence[Request]) -> list[Answer]:
    """Return the answers, in the order of the requests."""
    fresh = _fresh(tx, requests)
    answers: dict[int, Answer] = {}
    if len(fresh) > 1:
        reservations.expire(tx)
        tx.books.flush()
        decided = _decide(tx, [requests[n] for n in fresh])
        answers = dict(zip(fresh, _store(tx, decided), strict=True))
    return [
        answers[n] if n in answers else reservations.reserve(tx, request)
        for n, request in enumerate(requests)
    ]


def _fresh(tx: Transaction, requests: Sequence[Request]) -> list[int]:
    """Return the places of the requests whose key was never used."""
    table = schema.reservation
    first: dict[tuple[str, str], int] = {}
    for n, request in enumerate(requests):
        first.setdefault((request.channel, request.key), n)
    known = tx.connection.execute(
        select(table.c.channel, table.c.key).where(
            tuple_(table.c.channel, table.c.key).in_(first.keys())
        )
    )
    for row in known:
        first.pop((row.channel, row.key), None)
    return sorted(first.values())


def _decide(tx: Transaction, requests: Sequence[Request]) -> list[_Decided]:
    catalogue = tx.books.catalogue
    wanted = [
        (request, catalogue.site(tx.connection, request.site), request.demand())
        for request in requests
    ]
    keys = {f"sku:{sku}" for _, _, demand in wanted for sku in demand}
    items = {item.sku: item.id for item in catalogue.find(tx.connection, keys).values()}
    rows = _lock(
        tx, {(items[sku], site) for _, site, demand in wanted for sku in demand if sku in items}
    )
    nothing = _Row(0, 0, 0, 0)
    decided = []
    for request, site, demand in wanted:
        found = {sku: rows.get((items.get(sku, -1), site), nothing) for sku in demand}
        short = [
            {"sku": sku, "requested": n, "available": max(found[sku].available, 0)}
            for sku, n in sorted(demand.items(), key=lambda line: items.get(line[0], 0))
            if found[sku].available < n
        ]
        if short:
            answer = problem(409, "out_of_stock", "not enough available", lines=short)
            decided.append(_Decided(request, site, [], answer))
            continue
        lines = [found[sku].take(items[sku], n) for sku, n in demand.items()]
        decided.append(_Decided(request, site, lines, request.granted(tx.now_us)))
    _take(tx, {key: row for key, row in rows.items() if row.grants})
    return decided


def _lock(tx: Transaction, keys: set[Key]) -> dict[Key, _Row]:
    rows: dict[Key, _Row] = {}
    for part in statements.parts(sorted(keys)):
        found = tx.connection.execute(statements.LOCK_AVAILABILITY, {"keys": part})
        rows.update({(r.item, r.site): _Row(r.on_hand, r.reserved, r.safety, r.ver) for r in found})
    return rows


def _take(tx: Transaction, rows: dict[Key, _Row]) -> None:
    """Write what was taken, once for each row; the condition is what decides in the end."""
    taken = [
        {"i": item, "s": site, "q": row.taken, "n": row.grants}
        for (item, site), row in sorted(rows.items())
    ]
    if taken and statements.take_available(tx.connection, taken) != len(taken):
        raise OutOfStep(f"{len(taken)} availability rows changed under their locks")
    tx.books.announce([(row["i"], row["s"]) for row in taken])


def _store(tx: Transaction, decided: Sequence[_Decided]) -> list[Answer]:
    table = schema.reservation
    rows = [each.request.row(each.site, each.answer, tx.now_us) for each in decided]
    made = tx.connection.execute(
        insert(table).returning(table.c.id, table.c.channel, table.c.key), rows
    )
    numbers = {(row.channel, row.key): row.id for row in made}
    answers = []
    lines: list[dict[str, int]] = []
    for each in decided:
        number = numbers[each.request.channel, each.request.key]
        answer = each.answer
        if each.lines:
            answer = replace(answer, body={"id": number, **answer.body})
            lines.extend({"res": number, **line} for line in each.lines)
        answers.append(answer)
    if lines:
        statements.write(tx.connection, statements.ADD_LINES, lines)
    return answers
