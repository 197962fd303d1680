"""Fixtures that every kind of test may ask for."""

from collections.abc import Iterator

import pytest
from neighbours import Mosquitto, need


@pytest.fixture
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """Give a running broker of its own."""
    broker = Mosquitto(
        # Short and world-readable on the way: mosquitto runs as another user when started as root.
        tmp_path_factory.mktemp("broker"),
        need("mosquitto", "apt-get install mosquitto"),
    )
    for folder in (broker.folder, broker.folder.parent, broker.folder.parent.parent):
        folder.chmod(0o755)
    broker.start()
    yield broker
    broker.kill()
