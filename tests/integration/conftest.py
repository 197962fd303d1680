"""What the tests of one program against its real neighbours share."""

from collections.abc import Iterator

import pytest

from gateway_rig import Central
from neighbours import Mosquitto


@pytest.fixture
def central(mosquitto: Mosquitto) -> Iterator[Central]:
    """Give a central that acknowledges what it applies."""
    with_ears = Central(mosquitto.port)
    yield with_ears
    with_ears.close()
