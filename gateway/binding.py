"""A name for a device that survives a replug, a reboot and another USB number. Pure.

`usb:VID:PID:SERIAL` follows the serial number to whatever port; `usb:VID:PID@1-1.4` stays with the
USB port, for the many devices whose serial number is missing or the same in all of them. `/if01`
behind either picks one interface of a device that has several of the same kind.
"""

import re
from dataclasses import dataclass

PREFIX = "usb:"
_GRAMMAR = re.compile(
    r"usb:(?P<vid>[0-9a-f]{4}):(?P<pid>[0-9a-f]{4})"
    r"(?:@(?P<usb_port>\d+-\d+(?:\.\d+)*)|:(?P<serial>.+?))"
    r"(?:/if(?P<interface>[0-9a-f]{2}))?",
    re.IGNORECASE,
)
#: What makers leave in the serial number when they give none: counting, after leading zeros.
_COUNTING = ("123456789abcdef", "1234567890")
_WORDS = frozenset({"none", "n/a", "na", "null", "unknown", "default", "serial", "serialnumber"})


@dataclass(frozen=True, slots=True)
class Binding:
    """A device by its USB ids and either its serial number or its USB port.

    `vid`, `pid` and `interface` are lower-case hexadecimal digits (4, 4 and 2); `usb_port` is the
    kernel's name of the port, like 1-1.4; what is not given is empty.
    """

    vid: str
    pid: str
    serial: str = ""
    usb_port: str = ""
    interface: str = ""

    def __str__(self) -> str:
        """Return it as the configuration has it."""
        which = f":{self.serial}" if self.serial else f"@{self.usb_port}"
        interface = f"/if{self.interface}" if self.interface else ""
        return f"{PREFIX}{self.vid}:{self.pid}{which}{interface}"


def parse(text: str) -> Binding:
    """Return the binding that `text` is; raise ValueError with an example when it is none."""
    match = _GRAMMAR.fullmatch(text)
    if match is None:
        raise ValueError(
            "a USB device is usb:VID:PID:SERIAL, like usb:05e0:1701:S1234567, or usb:VID:PID@PORT, "
            "like usb:05e0:1701@1-1.4; `docktally scanners` prints it"
        )
    part = match.groupdict(default="")
    return Binding(
        vid=part["vid"].lower(),
        pid=part["pid"].lower(),
        serial=part["serial"],
        usb_port=part["usb_port"],
        interface=part["interface"].lower(),
    )


def dependable(serial: str) -> bool:
    """Return whether a serial number can be one device's own: not empty, zeros, 0123456789ABCDEF,
    000000000001, one character repeated, or a word like "none".
    """
    core = serial.strip().lower().lstrip("0")
    if len(set(core)) < 2 or core in _WORDS or not serial.isprintable():
        return False
    return not any(counting.startswith(core) for counting in _COUNTING)
