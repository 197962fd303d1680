"""What central announces, against a real ledger."""

import asyncio

from central.outbound import Outbound
from ledgers import Site
from wire.broker import Broker
from wire.events import Identifiers
from wire.link import Link
from wire.topics import Topics


async def test_open_alerts_survive_a_restart_of_central(site: Site) -> None:
    """A central that begins clears the retained alerts that are closed, not the open ones."""
    await site.do(identifiers=Identifiers(text="NOBODY-KNOWS-THIS"))
    link = Link(Broker(), "away", lambda _: None)
    async with asyncio.TaskGroup() as tasks:
        outbound = Outbound(link, Topics(), site.reader, tasks)
        ((open_alert,),) = ([a.key[0]] for a in outbound._alerts())
        outbound.heard_alert(open_alert)
        assert outbound._offered == set()
        outbound.heard_alert("unknown_barcode-closed")
        assert outbound._offered == {("alert", ("unknown_barcode-closed",))}
