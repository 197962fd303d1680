"""gateway.device_checks on machines laid out in a folder: what is wrong is named, with its cure."""

import os
import tempfile
from pathlib import Path

import pytest

from gateway import accounts, device_checks, processes, sysfs
from gateway.finding import Finding
from machines import Machine

#: Nobody is this user or in this group.
UID, GID, DIALOUT = 4_242, 4_243, 4_244
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Give a machine with a scanner on ttyACM0 that everybody may open."""
    machine = Machine(tmp_path / "m")
    machine.serial("ttyACM0", machine.usb("1-1.4", serial="S1234567")).chmod(0o666)
    return machine


def found(machine: Machine) -> list[Finding]:
    """Return what is wrong with the first device."""
    present, programs = sysfs.devices(machine.root), processes.running(machine.root)
    device = present[0]
    return [
        *device_checks.of_identity(device, present),
        *device_checks.of_device(device, machine.root, programs),
        *device_checks.of_users(device, programs),
    ]


def one(machine: Machine) -> Finding:
    """Return the only thing that is wrong."""
    (finding,) = found(machine)
    return finding


def service(machine: Machine, *unit: str) -> None:
    """Make the service's user, and its unit file with these lines."""
    (machine.root / "etc/passwd").write_text(f"docktally:x:{UID}:{GID}::/:/bin/false\nbroken\n")
    (machine.root / "etc/group").write_text(
        f"docktally:x:{GID}:\ndialout:x:{DIALOUT}:someone,else\n"
    )
    (machine.root / "etc/systemd/system").mkdir(parents=True)
    (machine.root / "etc/systemd/system/docktally-gateway.service").write_text("\n".join(unit))


def test_a_good_device_has_no_findings(machine: Machine) -> None:
    """Nothing is wrong with a scanner that is bound by a real serial number and may be opened."""
    assert found(machine) == []


def test_a_placeholder_serial_number_is_told(machine: Machine) -> None:
    """The way out is the USB port."""
    machine.unplug(sysfs.devices(machine.root)[0].unit)
    machine.serial("ttyUSB0", machine.usb("1-1.4", "1a86:7523", "0")).chmod(0o666)
    finding = one(machine)
    assert finding.level == "warn"
    assert "placeholder" in finding.what
    assert "usb:1a86:7523@1-1.4" in finding.fix


@as_root
def test_the_services_user_needs_the_group(machine: Machine) -> None:
    """It may open the device by the unit's groups or its own; without, the command is named."""
    node = machine.root / "dev/ttyACM0"
    node.chmod(0o660)
    os.chown(node, 0, DIALOUT)
    service(machine, "[Service]", "User=docktally")
    finding = one(machine)
    assert (finding.level, "docktally may not open" in finding.what) == ("bad", True)
    assert "group dialout, -rw-rw----" in finding.what
    assert "usermod -aG dialout docktally" in finding.fix
    (machine.root / "etc/group").write_text(f"dialout:x:{DIALOUT}:someone,docktally\n")
    assert found(machine) == []
    (machine.root / "etc/group").write_text(f"dialout:x:{DIALOUT}:\n")
    unit = machine.root / "etc/systemd/system/docktally-gateway.service"
    unit.write_text("[Service]\nSupplementaryGroups=dialout input\n")
    assert found(machine) == []


@as_root
def test_a_device_of_root_needs_the_rules(machine: Machine) -> None:
    """A hidraw device without a rule belongs to root alone; no group helps."""
    node = machine.root / "dev/ttyACM0"
    node.chmod(0o600)
    os.chown(node, 0, 0)
    service(machine, "SupplementaryGroups=dialout")
    assert "60-docktally.rules" in one(machine).fix


@as_root
@pytest.mark.parametrize(
    ("uid", "gid", "mode", "may"),
    [
        (UID, 0, 0o600, True),
        (UID, 0, 0o066, False),
        (0, GID, 0o060, True),
        (0, GID, 0o606, False),
        (0, 0, 0o660, False),
        (0, 0, 0o666, True),
        (0, 0, 0o664, False),
    ],
)
def test_owner_group_and_others_as_the_kernel_does(
    tmp_path: Path, uid: int, gid: int, mode: int, may: bool
) -> None:
    """The first that applies decides, even when a later one would allow it."""
    file = tmp_path / "node"
    file.touch()
    file.chmod(mode)
    os.chown(file, uid, gid)
    account = accounts.Account("docktally", UID, frozenset({GID}))
    assert account.may_open(file.stat()) is may


def test_modem_manager_is_told_to_keep_off(machine: Machine) -> None:
    """It is a warning until udev knows the flag, at the port or at the USB device."""
    machine.process(77, "ModemManager")
    assert "ModemManager" in one(machine).what
    device = sysfs.devices(machine.root)[0]
    data = machine.root / "run/udev/data"
    data.mkdir(parents=True)
    for number in (device.number, "189:7"):
        (data / f"c{number}").write_text("I:1\nE:ID_MM_DEVICE_IGNORE=1\n")
        assert found(machine) == []
        (data / f"c{number}").unlink()


def test_a_login_prompt_owns_the_port(machine: Machine) -> None:
    """A getty by its arguments, or the kernel's console, stops the scanner."""
    machine.process(78, "agetty", "-8", "115200", "ttyACM0", "vt220")
    assert one(machine).level == "bad"
    assert "serial-getty@ttyACM0" in one(machine).fix
    (machine.root / "proc/78/cmdline").write_text("agetty\0tty1\0")
    assert found(machine) == []
    console = machine.root / "sys/class/tty/console"
    console.mkdir()
    (console / "active").write_text("tty0 ttyACM0\n")
    assert one(machine).level == "bad"


def test_who_has_it_open_is_named(machine: Machine) -> None:
    """A program whose open files we may see; a process that ends meanwhile is no error."""
    machine.process(79, "minicom", opened=machine.root / "dev/ttyACM0")
    (machine.root / "proc/80").mkdir()
    assert one(machine).what == "minicom (process 79) has it open"


def test_autosuspend_is_told(machine: Machine) -> None:
    """A sleeping scanner loses its first scan."""
    (sysfs.devices(machine.root)[0].unit / "power/control").write_text("auto\n")
    assert "autosuspend" in one(machine).what


def test_a_device_file_that_is_not_there(machine: Machine) -> None:
    """In a container the kernel may have a device whose file was not passed in."""
    (machine.root / "dev/ttyACM0").unlink()
    assert (one(machine).level, "--device" in one(machine).fix) == ("bad", True)


def test_brltty_takes_serial_adapters(machine: Machine) -> None:
    """An adapter without its serial port is named, and so is who took it."""
    adapter = machine.usb("1-3", "1a86:7523", "0", "USB Serial", "QinHeng")
    machine.interface(adapter, driver="usbfs")
    machine.process(81, "brltty")
    (finding,) = device_checks.of_bridges(machine.root, processes.running(machine.root))
    assert finding.level == "bad"
    assert "USB port 1-3" in finding.about
    assert "another program has taken it" in finding.what
    assert "remove brltty" in finding.fix
    machine.serial("ttyUSB0", adapter)
    assert list(device_checks.of_bridges(machine.root, [])) == []


@as_root
def test_this_user_may_lack_what_the_service_has() -> None:
    """Without a service it stops scanning; with one that may, this user just cannot see all."""
    with tempfile.TemporaryDirectory() as folder:  # where everybody may pass
        Path(folder).chmod(0o755)
        machine = Machine(Path(folder) / "m")
        node = machine.serial("ttyACM0", machine.usb("1-1"))
        node.chmod(0o660)
        os.chown(node, 0, DIALOUT)
        for with_service in (False, True):
            if with_service:
                service(machine, "SupplementaryGroups=dialout")
            os.seteuid(UID + 1)
            try:
                (finding,) = device_checks.of_access(node, machine.root)
            finally:
                os.seteuid(0)
            assert f"user {UID + 1} may not open" in finding.what
            assert finding.level == ("warn" if with_service else "bad")
            assert ("run this command as root" in finding.fix) is with_service
