"""Which driver and which dialect a scanner's configuration asks for."""

import importlib
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


def open_port(settings: Scanner) -> Port:
    """Return the driver of a scanner, not yet running; Unavailable says what is not installed."""
    module, name = _DRIVERS[settings.source]
    try:
        driver = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise Unavailable(
            f"a {settings.source} scanner needs the Python package {error.name!r}: "
            "pip install 'docktally[gateway]', with a C compiler where it has no wheel"
        ) from error
    port: Port = driver(settings, partial(devices.path_of, settings.source, settings.port))
    return port
