"""A little of everything, for tests that damage a ledger."""

from central import outbox
from ledgers import Site, ask
from wire.events import Identifiers


async def trade(site: Site) -> None:
    """Leave 4 valves in two places, one of them promised, and a scan that waits for a person."""
    await site.do(quantity=5)
    await site.do("putaway", quantity=1, to_location="A-1")
    await site.do("count", quantity=3, minute=1)
    await site.do("receive", identifiers=Identifiers(text="STRANGER"))
    await ask(site, "k", ("VALVE", 1))
    while await site.writer.submit(lambda tx: outbox.number(tx.connection)):
        pass
