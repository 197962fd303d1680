"""Two central processes on one PostgreSQL: one dies or hangs, the site goes on."""

import os
import random
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from ears import Ears
from firmware_sim.central_api import CentralApi
from neighbours import free_port, wait_until
from postgres import Postgres
from sites import DOCKS, SITE, Site
from wire import codec
from wire.events import CentralState

pytestmark = [pytest.mark.broker, pytest.mark.postgres]

#: What is promised: a dead or hanging process is replaced within this time.
TAKEOVER_S = 10
#: Leases of everything: the gateways' sixteen parts and the relay.
EVERYTHING = 17
CENTRALS = ("central", "central-2")


class Pair:
    """A site with two centrals; the first one leads and has gate-a, the other has gate-b."""

    def __init__(self, site: Site, ears: Ears) -> None:
        self.site, self.ears = site, ears
        self.other = site.central("central-2", free_port())
        self.was_online: list[bool] = []

    def start(self) -> None:
        """Start everything, the first central before the other."""
        self.site.start("central", *DOCKS)
        wait_until(lambda: self.holds("central") == EVERYTHING, "the first one has everything")
        self.site.start("central-2")
        wait_until(lambda: self.holds("central-2") == 8, "the other one has its half")

    def holds(self, name: str) -> int:
        """Return how many leases a process said it holds, when it last said so."""
        lines = [n for n in self.site.said(name).splitlines() if "responsible for" in n]
        return int(lines[-1].split("responsible for ")[1].split()[0]) if lines else 0

    def position_of(self, gateway: str, api: CentralApi) -> int:
        """Return the high-water mark of a gateway."""
        marks = api.get("/v1/ledger")["gateways"]
        return sum(m["applied_seq"] for m in marks if m["gateway"] == gateway)

    def signal(self, name: str, number: int) -> None:
        """Send a signal to a central."""
        os.kill(self.site.programs[name].pid, number)

    def prove(self) -> None:
        """Assert that all ends well, whichever of them was left."""
        if not self.site.programs["central"].pid or self.site.programs["central"].exit_code():
            del self.site.programs["central"]
            self.site.api = self.other
        self.site.prove()


@pytest.fixture
def pair(shared_site: Site, ears: Ears) -> Pair:
    """Give two centrals that do not run yet."""
    return Pair(shared_site, ears)


@contextmanager
def always_online(pair: Pair) -> Iterator[None]:
    """Assert that nobody hears meanwhile that central is offline."""
    states: list[CentralState] = []
    pair.ears.tell = lambda topic, payload: (
        states.append(codec.decode(CentralState, payload))
        if topic == pair.ears.topics.central()
        else None
    )
    yield
    pair.ears.tell = lambda _topic, _payload: None
    assert all(state.online for state in states), states
    assert states, "central said nothing at all"


def test_a_killed_leader_is_replaced(pair: Pair) -> None:
    """kill -9: the other one takes its gateways and its work, and central was never offline."""
    pair.start()
    pair.site.people(41, rate=10)
    pair.site.work_on(presses=20)
    with always_online(pair):
        pair.site.kill("central")
        wait_until(lambda: pair.holds("central-2") == EVERYTHING, "it is replaced", TAKEOVER_S)
        before = pair.position_of("gate-a", pair.other)
        pair.site.work_on(presses=20)
        wait_until(lambda: pair.position_of("gate-a", pair.other) > before, "gate-a goes on")
        session = pair.site.said("central-2")
        state = pair.ears.topics.central()
        wait_until(
            lambda: codec.decode(CentralState, pair.ears.newest[state]).api == pair.other.url,
            "the new leader speaks for central",
        )
        assert "Traceback" not in session
    pair.prove()


def test_a_process_that_hangs_is_replaced_and_comes_back_in_peace(pair: Pair) -> None:
    """SIGSTOP, and SIGCONT when another has its gateways: nothing is applied twice."""
    pair.start()
    pair.site.people(42, rate=10)
    pair.site.work_on(presses=20)
    with always_online(pair):
        pair.signal("central", signal.SIGSTOP)
        wait_until(lambda: pair.holds("central-2") == EVERYTHING, "it is replaced", TAKEOVER_S)
        pair.site.work_on(presses=20)
        pair.signal("central", signal.SIGCONT)
        wait_until(lambda: pair.holds("central-2") < EVERYTHING, "it gets its share again")
        pair.site.work_on(presses=20)
    pair.prove()


def test_an_orderly_stop_hands_over(pair: Pair) -> None:
    """SIGTERM for one is no outage; for the last one it is."""
    pair.start()
    with always_online(pair):
        assert pair.site.programs["central"].stop() == 0
        wait_until(lambda: pair.holds("central-2") == EVERYTHING, "the other takes over")
        wait_until(
            lambda: pair.other.url.encode() in pair.ears.newest[pair.ears.topics.central()],
            "and speaks for central",
        )
    assert pair.site.programs["central-2"].stop() == 0
    state = pair.ears.topics.central()
    wait_until(
        lambda: not codec.decode(CentralState, pair.ears.newest[state]).online, "central is offline"
    )


def test_the_last_ten_are_sold_ten_times_at_two_doors(pair: Pair) -> None:
    """Shops at both processes at once: what is there is promised once."""
    pair.start()
    pair.site.people(43, rate=20)
    sku = ""

    def in_stock() -> bool:
        nonlocal sku
        rows = pair.other.get("/v1/stock")["items"]
        sku = next((row["sku"] for row in rows if row["available"] >= 3), "")
        return bool(sku)

    wait_until(in_stock, "goods arrive")
    people = pair.site.programs.pop("people")
    people.ask_to_stop()
    people.wait()
    doors = (pair.site.api, pair.other)
    wait_until(lambda: pair.site.api.get("/v1/stock") == pair.other.get("/v1/stock"), "quiet")
    available = pair.other.get(f"/v1/stock/{sku}")["sites"][0]["available"]
    order = {"channel": "web", "site": SITE, "lines": [{"sku": sku, "quantity": 1}]}

    def buy(n: int) -> int:
        headers = {"Idempotency-Key": f"order-{n}"}
        return doors[n % 2].request("POST", "/v1/reservations", order, headers).status

    with ThreadPoolExecutor(16) as shops:
        statuses = list(shops.map(buy, range(available + 40)))
    assert sorted(statuses) == [201] * available + [409] * 40
    pair.site.verify()


def test_postgresql_is_away_for_a_while(pair: Pair, postgres: Postgres) -> None:
    """Scans go on while the ledger cannot be written; both processes go on when it is back."""
    pair.start()
    pair.site.people(44, rate=10)
    pair.site.work_on(presses=10)
    before = pair.site.position()
    postgres.stop()
    reply = pair.other.request("GET", "/v1/stock")
    assert (reply.status, reply.body["code"]) == (503, "unavailable")
    pair.site.work_on(presses=20)
    assert pair.site.programs["central-2"].stop() == 0, "it can be stopped meanwhile"
    postgres.start()
    pair.site.start("central-2")
    wait_until(lambda: pair.site.position() > before + 10, "the ledger is written again")
    pair.prove()


def storm(pair: Pair, seed: int, blows: int) -> None:
    """Kill or stop a program at a random moment, and let it go on a random moment later."""
    rng = random.Random(seed)
    for _ in range(blows):
        time.sleep(rng.uniform(0.2, 2.0))
        victim = rng.choice((*CENTRALS, *CENTRALS, "broker", *DOCKS))
        pause_s = rng.choice((rng.uniform(0, 1), rng.uniform(5, 9)))
        if victim in CENTRALS and rng.random() < 0.5:
            print(f"stop {victim} for {pause_s:.1f} s")
            pair.signal(victim, signal.SIGSTOP)
            time.sleep(pause_s)
            pair.signal(victim, signal.SIGCONT)
        else:
            print(f"kill -9 {victim} for {pause_s:.1f} s")
            pair.site.kill(victim)
            time.sleep(pause_s)
            pair.site.start(victim)


@pytest.mark.parametrize("seed", [51])
def test_killed_and_stopped_at_random_moments(pair: Pair, seed: int) -> None:
    """Whatever dies or hangs whenever, each scan is in the ledger once, in its gateway's order."""
    pair.start()
    pair.site.people(seed, rate=6, patience=1, weather="rough")
    pair.site.work_on(presses=20)
    storm(pair, seed, blows=3)
    pair.prove()


@pytest.mark.soak
@pytest.mark.parametrize("seed", [random.SystemRandom().randrange(10**6)])
def test_killed_and_stopped_for_ten_minutes(pair: Pair, seed: int) -> None:
    """The same, a hundred times."""
    pair.start()
    pair.site.people(seed, rate=6, patience=1, weather="rough")
    pair.site.work_on(presses=20)
    storm(pair, seed, blows=100)
    pair.prove()
