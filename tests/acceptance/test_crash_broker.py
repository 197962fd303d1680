"""The broker may lose everything, be away, or keep next to nothing: the ledger is the truth."""

from collections.abc import Callable

import pytest

from ears import Ears
from neighbours import wait_until
from sites import DOCKS, SITE, Site

pytestmark = pytest.mark.broker
#: mosquitto as it comes, but with room for a single message to or from anybody.
ONE_AT_A_TIME = """\
listener 1883 127.0.0.1
allow_anonymous true
max_queued_messages 1
max_inflight_messages 1
"""


def wiped(site: Site) -> None:
    """Kill the broker and lose its disk."""
    site.kill("broker")
    site.broker.wipe()


def stopped(site: Site) -> None:
    """Stop the broker in an orderly way, as an upgrade does."""
    site.broker.stop()


@pytest.mark.parametrize("fail", [wiped, stopped])
def test_the_broker_goes_and_comes_back(site: Site, fail: Callable[[Site], None]) -> None:
    """Killed with its data wiped, or stopped cleanly, while scans go on: nothing is lost."""
    site.start()
    site.people(21, rate=6, weather="rough")
    for _ in range(2):
        site.work_on(presses=30)
        fail(site)
        site.work_on(presses=30)
        site.start("broker")
    site.prove()


def test_the_broker_is_away_at_the_start_of_everything(site: Site) -> None:
    """Central and gateways start without a broker; what was scanned meanwhile arrives later."""
    site.broker.stop()
    site.broker.wipe()
    site.start()
    site.people(22, rate=6)
    site.work_on(presses=60)
    assert site.position() == 0
    site.start("broker")
    wait_until(lambda: site.position() > 0, "the first scans arrive")
    site.work_on(presses=20)
    site.prove()


def test_a_broker_with_room_for_one_message(site: Site, ears: Ears) -> None:
    """A broker that drops all but one message, and is killed too, only makes it slower."""
    site.broker.kill()
    site.broker.wipe()
    site.broker.conf = ONE_AT_A_TIME
    site.start("broker")
    site.start()
    site.people(23, rate=6)
    site.work_on(presses=40)
    site.kill("broker")
    site.work_on(presses=40)
    site.start("broker")
    site.work_on(presses=20)
    site.prove()
    for gateway in DOCKS:
        wait_until(
            lambda gateway=gateway: (
                (state := ears.state(SITE, gateway)) and state.outbox.pending == 0
            ),
            f"{gateway} says that nothing waits",
        )
