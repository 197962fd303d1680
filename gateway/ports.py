"""Which driver and which dialect a scanner's configuration asks for."""

import importlib
from collections.abc import Callable
from functools import partial

from gateway import devices
from gateway.config import Scanner, Source
from gateway.port import Port
from wire.errors import Unavailable

#: Source: (module, class, Python package it needs). Imported when asked for: a dock without
#: keyboard scanners needs no evdev.
_DRIVERS: dict[Source, tuple[str, str]] = {
    "serial": ("gateway.serial_port", "SerialPort"),
    "keyboard": ("gateway.keyboard_port", "KeyboardPort"),
    "pos": ("gateway.pos_port", "PosPort"),
    "tcp": ("gateway.tcp_port", "TcpPort"),
}


def driver_of(source: Source) -> Callable[[Scanner, Callable[[], str]], Port]:
    """Return the driver for a kind of scanner; Unavailable says what is not installed."""
    module, name = _DRIVERS[source]
    try:
        driver: Callable[[Scanner, Callable[[], str]], Port]
        driver = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise Unavailable(
            f"a {source} scanner needs the Python package {error.name!r}: "
            "pip install 'docktally[gateway]', with a C compiler where it has no wheel"
        ) from error
    return driver


def open_port(settings: Scanner) -> Port:
    """Return the driver of a scanner, not yet running; Unavailable as `driver_of`."""
    find = partial(devices.path_of, settings.source, settings.port)
    return driver_of(settings.source)(settings, find)
