"""gateway.binding, sysfs and devices: which device a name means, on machines laid out in /sys."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import binding, devices, sysfs
from gateway.binding import Binding
from gateway.config import Scanner
from machines import KEYBOARD_DESCRIPTOR, Machine
from neighbours import ROOT


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Give a machine with nothing plugged in."""
    return Machine(tmp_path / "m")


def bound(machine: Machine) -> dict[str, str]:
    """Return path (below the machine's root) to suggested binding of all devices."""
    present = sysfs.devices(machine.root)
    below = len(str(machine.root))
    return {device.path[below:]: devices.binding_of(device, present) for device in present}


HEX = st.from_regex(r"[0-9a-f]{4}", fullmatch=True)


@given(
    HEX,
    HEX,
    st.one_of(
        st.tuples(st.just(""), st.from_regex(r"[1-9]-[1-9](\.[1-9]){0,3}", fullmatch=True)),
        st.tuples(st.text(min_size=1).filter(str.isprintable), st.just("")),
    ),
    st.from_regex(r"([0-9a-f]{2})?", fullmatch=True),
)
def test_a_binding_reads_back(vid: str, pid: str, which: tuple[str, str], interface: str) -> None:
    """What is printed means the same when it is read, whatever is in the serial number."""
    made = Binding(vid, pid, *which, interface)
    again = binding.parse(str(made))
    if interface or not re.search(r"/if[0-9a-f]{2}$", which[0], re.IGNORECASE):
        assert again == made


@given(st.text().filter(lambda text: not re.match(r"[0-9a-fA-F]{4}:[0-9a-fA-F]{4}$", text)))
def test_whatever_is_no_binding_says_what_is_one(text: str) -> None:
    """Anything else is refused with an example."""
    with pytest.raises(ValueError, match=r"like usb:05e0:1701@1-1\.4"):
        binding.parse(f"usb:{text}:no")


def test_letters_in_ids_may_be_large() -> None:
    """Two spellings of one device are one binding; the serial number's letters count."""
    assert binding.parse("usb:0C2E:0B6A:Ab/IF0A") == Binding("0c2e", "0b6a", "Ab", "", "0a")


@pytest.mark.parametrize(
    "serial",
    [
        *("", "0", "0000", "0001", "000000000001", "0123456789ABCDEF", "123456789", "1234567890"),
        *("0123456789abcdef", "FFFFFFFF", "1111111111", "none", "Default", "a\x01b", "  "),
    ],
)
def test_placeholders_name_no_device(serial: str) -> None:
    """What a maker leaves in the field is no identity."""
    assert not binding.dependable(serial)


@pytest.mark.parametrize("serial", ["S1234567", "FT-SCAN-77", "A50285BI", "21187010553", "00123X"])
def test_real_serial_numbers_do(serial: str) -> None:
    """What only one device has is an identity."""
    assert binding.dependable(serial)


def test_serial_ports_keyboards_and_pos_devices_are_seen(machine: Machine) -> None:
    """Each kind is found with its ids, strings, port and interface; other devices are not."""
    bridge = machine.usb("1-1.4", "0403:6001", "FT-SCAN-77", "USB Serial", "FTDI")
    machine.serial("ttyUSB0", bridge)
    wedge = machine.usb("1-2", "05e0:1200", "WEDGE-7", "Symbol Bar Code Scanner", "Symbol")
    machine.keyboard("event3", machine.interface(wedge), "Symbol Bar Code Scanner")
    machine.keyboard("event4", machine.interface(wedge, "01"), "Consumer Control", keys=(113, 114))
    pos = machine.usb("1-3", "0c2e:0b81", None, "Voyager 1400g", "Honeywell")
    machine.hidraw("hidraw0", machine.interface(pos), "0c2e:0b81")
    machine.hidraw("hidraw1", machine.interface(wedge), descriptor=KEYBOARD_DESCRIPTOR)
    (machine.root / "sys/class/tty/ttyS0").mkdir()
    assert bound(machine) == {
        "/dev/ttyUSB0": "usb:0403:6001:FT-SCAN-77",
        "/dev/input/event3": "usb:05e0:1200:WEDGE-7",
        "/dev/hidraw0": "usb:0c2e:0b81@1-3",
    }
    serial, keyboard, voyager = sysfs.devices(machine.root)
    assert (serial.usb_port, serial.interface, serial.unit) == ("1-1.4", "00", bridge)
    assert (keyboard.label, voyager.label) == ("Symbol Bar Code Scanner", "Honeywell Voyager 1400g")


def test_a_machine_without_usb_has_no_devices(tmp_path: Path) -> None:
    """No /sys at all is no error."""
    assert sysfs.devices(tmp_path) == []
    assert sysfs.names(tmp_path) == frozenset()


def test_bluetooth_scanners_go_by_their_address(machine: Machine) -> None:
    """The USB device above a Bluetooth keyboard is the radio, not the scanner."""
    radio = machine.usb("1-7", "8087:0026", "R", "Radio", "Intel")
    below = machine.interface(radio, driver="btusb") / "bluetooth/hci0/hci0:256"
    machine.keyboard("event9", below, "CS60 Scanner", "0005", "05e0:2100", "d0:12:aa:bb:cc:01")
    assert bound(machine) == {"/dev/input/event9": "usb:05e0:2100:d0:12:aa:bb:cc:01"}
    port = "usb:05e0:2100:d0:12:aa:bb:cc:01"
    assert devices.path_of("keyboard", port, machine.root).endswith("/dev/input/event9")


def test_devices_of_the_kernel_alone_have_no_usb_port(machine: Machine) -> None:
    """uhid has no USB device above it: its own ids and uniq count."""
    below = machine.root / "sys/devices/virtual/misc/uhid"
    machine.hidraw("hidraw0", below, "05e0:1300", "POS-SN-0042")
    machine.keyboard("event0", below, "nameless", ids="05e0:1200")
    dev = machine.root / "dev"
    assert bound(machine) == {
        "/dev/hidraw0": "usb:05e0:1300:POS-SN-0042",
        "/dev/input/event0": str(dev / "input/event0"),
    }


def test_a_device_is_found_under_its_new_name(machine: Machine) -> None:
    """Unplugged and back as ttyUSB1, at another USB port: the binding means the device."""
    port = "usb:0403:6001:FT-SCAN-77"
    bridge = machine.usb("1-1", "0403:6001", "FT-SCAN-77")
    machine.serial("ttyUSB0", bridge)
    assert devices.path_of("serial", port, machine.root).endswith("/dev/ttyUSB0")
    machine.unplug(bridge)
    with pytest.raises(FileNotFoundError, match="not plugged in"):
        devices.path_of("serial", port, machine.root)
    machine.serial("ttyUSB1", machine.usb("1-2.3", "0403:6001", "FT-SCAN-77"))
    assert devices.path_of("serial", port, machine.root).endswith("/dev/ttyUSB1")


def test_a_path_stays_a_path(machine: Machine) -> None:
    """Only usb: is looked up."""
    assert devices.path_of("serial", "/dev/serial/by-id/x", machine.root) == "/dev/serial/by-id/x"


def test_two_identical_scanners_never_merge(machine: Machine) -> None:
    """One serial number on two devices opens neither, says what to write, and that works."""
    for port, name in (("1-1.2", "ttyUSB0"), ("1-1.3", "ttyUSB1")):
        machine.serial(name, machine.usb(port, "1a86:7523", "SAME-7"))
    with pytest.raises(OSError, match="bind by USB port instead") as caught:
        devices.path_of("serial", "usb:1a86:7523:SAME-7", machine.root)
    left, right = re.findall(r"usb:1a86:7523@\S+", str(caught.value))
    assert devices.path_of("serial", left, machine.root).endswith("ttyUSB0")
    assert devices.path_of("serial", right, machine.root).endswith("ttyUSB1")
    assert set(bound(machine).values()) == {left, right}


def test_interfaces_of_one_device_are_told_apart(machine: Machine) -> None:
    """A device with two serial ports is bound with /ifNN, and without it the choice is named."""
    two = machine.usb("1-4", "05e0:1701", "S7")
    machine.serial("ttyACM0", two, "00")
    machine.serial("ttyACM1", two, "02")
    with pytest.raises(OSError, match=r"usb:05e0:1701:S7/if00 or usb:05e0:1701:S7/if02"):
        devices.path_of("serial", "usb:05e0:1701:S7", machine.root)
    assert bound(machine) == {
        "/dev/ttyACM0": "usb:05e0:1701:S7/if00",
        "/dev/ttyACM1": "usb:05e0:1701:S7/if02",
    }
    for path, port in bound(machine).items():
        assert devices.path_of("serial", port, machine.root).endswith(path)


def test_what_nobody_configured_is_offered(machine: Machine) -> None:
    """Serial ports, POS devices and scanners that type; not a person's keyboard, not what a
    scanner's configuration names by binding, by path or by a link, nor that scanner's other side.
    """
    ids = iter(range(9))
    for name in ("ttyACM0", "ttyACM1", "ttyACM2", "ttyACM3"):
        machine.serial(name, machine.usb(f"1-{next(ids) + 1}", serial=f"S-{name}"))
    both = machine.usb("1-5", "1eab:0010", "N-1", "EM20", "Newland")
    machine.hidraw("hidraw0", machine.interface(both), "1eab:0010")
    machine.keyboard("event5", machine.interface(both, "01"), "EM20", ids="1eab:0010")
    person = machine.usb("1-6", "046d:c31c", "K-1", "Keyboard K120", "Logitech")
    machine.keyboard("event6", machine.interface(person), "Logitech Keyboard K120")
    cheap = machine.usb("1-8", "ffff:0035", "X", "USB BarCode Reader", "CHINA")
    machine.keyboard("event7", machine.interface(cheap), "USB BarCode Reader")
    link = machine.root / "dev/by-id"
    link.symlink_to("ttyACM1")
    configured = [
        Scanner(name="a", port="usb:05e0:1701:S-ttyACM0"),
        Scanner(name="b", port=str(link)),
        Scanner(name="c", port=str(machine.root / "dev/ttyACM2")),
        Scanner(name="d", source="pos", port="usb:1eab:0010:N-1"),
        Scanner(name="e", source="tcp", port="tcp://10.0.0.9:9004"),
    ]
    offered = devices.new_scanners(sysfs.devices(machine.root), configured)
    assert [(new.source, new.port) for new in offered] == [
        ("serial", "usb:05e0:1701:S-ttyACM3"),
        ("keyboard", "usb:ffff:0035@1-8"),
    ]
    assert offered[1].product == "CHINA USB BarCode Reader"
    assert "no serial" not in (offered[1].problem or "")
    assert "placeholder" in (offered[1].problem or "")


def test_what_is_offered_is_bounded(machine: Machine) -> None:
    """A hub full of devices does not make the state a big message."""
    for number in range(40):
        machine.serial(f"ttyUSB{number}", machine.usb(f"1-{number}", serial=f"S-{number}"))
    offered = devices.new_scanners(sysfs.devices(machine.root), [])
    assert [new.port[-3:] for new in offered] == [f"S-{n}"[-3:] for n in range(devices.NEW_MAX)]


def test_a_device_cannot_steer_the_terminal(machine: Machine) -> None:
    """Control characters in USB strings are shown as question marks."""
    machine.serial("ttyACM0", machine.usb("1-1", serial="a\x1b[2J", product="x\x1b]0;y\x07"))
    (device,) = sysfs.devices(machine.root)
    assert (device.serial, device.label) == ("a?[2J", "Zebra x?]0;y?")


def test_the_udev_rules_know_the_same_makers() -> None:
    """What is offered as a scanner is also what udev lets the gateway open."""
    rules = (ROOT / "deploy/60-docktally.rules").read_text()
    lists = re.findall(r'(?:idVendor|id/vendor)\}=="([0-9a-f|]{5,})"', rules)
    lists += ["|".join(re.findall(r"000\[35\]:([0-9A-F]{4}):", rules)).lower()]
    assert len(lists) == 5
    assert {frozenset(makers.split("|")) for makers in lists} == {devices.SCANNER_VENDORS}
