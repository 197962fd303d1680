"""What `docktally verify` last said of this ledger, for whoever must be told.

Kept in `meta`: one verdict of a run that looked at everything, and one of a run that looked at what
was new. Nothing of the ledger itself is touched.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, select

from central import database, schema
from central.alerts import Concern
from central.writer import Transaction

REF = "ledger"
_KEYS = {True: "verified_everything", False: "verified_news"}
#: Findings that an alert names.
SENTENCES_MAX = 5
_SENTENCE_LENGTH_MAX = 300


@dataclass(frozen=True, slots=True)
class Verdict:
    """One run: when it ended, how long it took, and what it found. `failed` counts bad runs."""

    at_us: int
    took_ms: int
    everything: bool
    findings: int
    sentences: tuple[str, ...] = ()
    failed: int = 0


#: The last verdicts: True has that on everything, False that on what was new.
Verdicts = Mapping[bool, Verdict]


def keep(connection: Connection, verdict: Verdict) -> None:
    """Store a verdict in place of the last one of its kind."""
    before = last(connection).get(verdict.everything)
    failed = (before.failed if before else 0) + (verdict.findings > 0)
    shown = [each[:_SENTENCE_LENGTH_MAX] for each in verdict.sentences[:SENTENCES_MAX]]
    said = asdict(verdict) | {"failed": failed, "sentences": shown}
    replace = database.upsert(
        connection.dialect.name, schema.meta, ["key"], lambda new: {"value": new.value}
    )
    row = {"key": _KEYS[verdict.everything], "value": json.dumps(said)}
    connection.execute(replace, row)


def last(connection: Connection) -> Verdicts:
    """Return the last verdicts."""
    meta = schema.meta
    rows = connection.execute(select(meta).where(meta.c.key.in_(_KEYS.values())))
    found: dict[bool, Verdict] = {}
    for row in rows:
        said: dict[str, Any] = json.loads(row.value)
        verdict = Verdict(**(said | {"sentences": tuple(said["sentences"])}))
        found[verdict.everything] = verdict
    return found


def bad(connection: Connection) -> Verdict | None:
    """Return the verdict that stands against the ledger; None when there is none.

    What was found by looking at everything is not cured by a look at what is new.
    """
    known = last(connection)
    everything, news = known.get(True), known.get(False)
    if everything is not None and everything.findings:
        return everything
    if news is None or not news.findings:
        return None
    # Begun later: what is found while everything is looked at came after that look began.
    is_older = everything is not None and news.at_us < everything.at_us - everything.took_ms * 1_000
    return None if is_older else news


def judge(tx: Transaction, judged: Verdicts | None) -> Verdicts:
    """Open or close the alert when the verdicts are not those `judged` before; return them."""
    known = last(tx.connection)
    if known == judged:
        return known
    verdict = bad(tx.connection)
    if verdict is None:
        tx.books.settle("verification_failed", REF)
        return known
    title = f"the ledger is NOT proven: {verdict.findings} findings"
    detail = (
        f"{' '.join(f'{each}.' for each in verdict.sentences)} Nothing was changed. Run docktally "
        "verify, keep a backup as evidence, and find out what else wrote to the database."
    )
    tx.books.raise_alert(Concern("verification_failed", REF, "critical", title, detail))
    return known
