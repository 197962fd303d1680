"""What the tests of one program against its real neighbours share."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from central import api, verify
from central.writer import number
from gateway_rig import Central
from ledgers import Site
from neighbours import Mosquitto


@pytest.fixture
async def http(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of the real application, below /v1; in the end the ledger is proven."""
    app = api.build(site.writer, site.reader, api.Settings("1"))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://central/v1") as client:
        yield client
    while await site.writer.submit(number):
        pass
    assert verify.run(site.reader) == []


@pytest.fixture
def central(mosquitto: Mosquitto) -> Iterator[Central]:
    """Give a central that acknowledges what it applies."""
    with_ears = Central(mosquitto.port)
    yield with_ears
    with_ears.close()
