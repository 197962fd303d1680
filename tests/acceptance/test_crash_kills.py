"""Everything is killed at any moment, and the ledger still says what happened."""

import random
import time

import pytest

from sites import DOCKS, Site

pytestmark = pytest.mark.broker
VICTIMS = ("broker", "central", *DOCKS)


def storm(site: Site, seed: int, kills: int) -> None:
    """Kill a program at a random moment and start it again a random moment later, many times."""
    rng = random.Random(seed)
    print(f"storm of seed {seed}")
    started = time.monotonic()
    for _ in range(kills):
        time.sleep(rng.uniform(0.2, 1.5))
        victims = rng.sample(VICTIMS, rng.choice((1, 1, 1, 2)))
        for victim in victims:
            site.kill(victim)
            print(f"{time.monotonic() - started:6.2f} s: kill -9 {victim}")
        time.sleep(rng.uniform(0.0, 1.0))
        site.start(*victims)


@pytest.mark.parametrize("seed", [11, 12])
def test_kill_9_at_random_moments(site: Site, seed: int) -> None:
    """Whatever is killed whenever, each scan is in the ledger once, in its gateway's order."""
    site.start()
    site.people(seed, rate=6, patience=1, weather="rough")
    site.work_on(presses=20)
    storm(site, seed, kills=8)
    site.prove()


@pytest.mark.soak
@pytest.mark.parametrize("seed", [random.SystemRandom().randrange(10**6)])
def test_kill_9_for_ten_minutes(site: Site, seed: int) -> None:
    """The same for hundreds of kills."""
    site.start()
    site.people(seed, rate=6, patience=1, weather="rough")
    site.work_on(presses=20)
    storm(site, seed, kills=400)
    site.prove()
