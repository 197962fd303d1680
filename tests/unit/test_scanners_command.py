"""`docktally scanners` on machines laid out in a folder: the list, and taking a scanner in."""

import json
import os
from pathlib import Path

import pytest

from gateway import adopt, config, scanners_command
from machines import Machine
from wire.settings import ConfigError

HEAD = "# ours\nsite = 'a'\ngateway = 'b'  # keep\n"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Give a machine with a scanner on ttyACM0, one that types, and a person's keyboard."""
    machine = Machine(tmp_path / "m")
    machine.serial("ttyACM0", machine.usb("1-1.4", serial="S1234567")).chmod(0o666)
    wedge = machine.usb("1-2", "05e0:1200", None, "Bar Code Scanner", "Symbol")
    machine.keyboard("event3", machine.interface(wedge), "x").chmod(0o666)
    person = machine.usb("1-3", "046d:c31c", "K77", "Keyboard K120", "Logitech")
    machine.keyboard("event4", machine.interface(person), "x").chmod(0o666)
    return machine


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a configuration without scanners."""
    path = tmp_path / "gateway.toml"
    path.write_text(HEAD)
    path.chmod(0o640)
    return path


def run(machine: Machine, *arguments: str | Path) -> int:
    """Run the command."""
    return scanners_command.main([str(each) for each in arguments], machine.root)


def test_the_list_says_what_is_where_and_whose(
    machine: Machine, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Binding, owner and trouble of each; a person's keyboard only with --all."""
    file.write_text(
        f"{HEAD}[[scanner]]\nname='door-1'\nport='usb:05e0:1701:S1234567'\n"
        "[[scanner]]\nname='gone'\nport='usb:05e0:1701:GONE'\n"
        "[[scanner]]\nname='camera'\nport='socket://10.0.0.9:9004'\n"
    )
    assert run(machine, "--config", file) == 0
    text = capsys.readouterr().out
    door, wedge = (next(li for li in text.splitlines() if w in li) for w in ("DS2208", "Symbol"))
    assert "usb:05e0:1701:S1234567" in door
    assert "configured as door-1" in door
    assert "usb:05e0:1200@1-2" in wedge
    assert wedge.endswith("new")
    assert "it has no serial number" in text
    assert "gone: serial scanner at usb:05e0:1701:GONE, not plugged in" in text
    assert "camera: serial scanner at socket://10.0.0.9:9004\n" in text
    assert "K120" not in text
    run(machine, "--config", file, "--all")
    assert "K120" in capsys.readouterr().out


def test_the_list_for_programs(
    machine: Machine, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--json has every field of every device."""
    machine.process(79, "minicom", opened=machine.root / "dev/ttyACM0")
    assert run(machine, "--json", "--config", file) == 0
    shown = json.loads(capsys.readouterr().out)
    serial, wedge = shown["devices"]
    assert serial["port"] == "usb:05e0:1701:S1234567"
    assert serial["in_use_by"] == ["minicom (process 79)"]
    assert (serial["usb_port"], serial["interface"], serial["vid"]) == ("1-1.4", "00", "05e0")
    assert (wedge["source"], wedge["configured_as"]) == ("keyboard", None)
    assert wedge["problems"][0]["fix"]


def test_an_adapter_that_brltty_took_is_not_just_missing(
    machine: Machine, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What should be a serial port and is none is said below the list."""
    machine.interface(machine.usb("1-4", "1a86:7523", "0"), driver="usbfs")
    assert run(machine, "--config", file) == 0
    assert "USB port 1-4: the USB serial adapter 1a86:7523 has no" in capsys.readouterr().out
    assert run(machine, "--json", "--config", file) == 0
    assert json.loads(capsys.readouterr().out)["adapters"][0]["about"] == "USB port 1-4"


def test_the_stanza_is_printed(
    machine: Machine, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--adopt writes nothing without --write; a path becomes a binding."""
    arguments = ("--adopt", machine.root / "dev/ttyACM0", "--name", "door-2", "--profile", "zebra")
    assert run(machine, *arguments, "--config", file) == 0
    assert capsys.readouterr().out == (
        '[[scanner]]\nname = "door-2"\nsource = "serial"\nport = "usb:05e0:1701:S1234567"\n'
        'profile = "zebra"\n'
    )
    assert file.read_text() == HEAD


def test_a_scanner_is_written_into_the_configuration(
    machine: Machine, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file keeps its text, its mode and its owner, and stays behind its link."""
    owner = (4_242, 4_243) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(file, *owner)
    link = tmp_path / "link.toml"
    link.symlink_to(file)
    arguments = ("--name", "door-2", "--kind", "ship", "--location", "DOCK-2", "--config", link)
    assert run(machine, "--adopt", "usb:05E0:1200@1-2", *arguments, "--write") == 0
    assert "systemctl reload docktally-gateway" in capsys.readouterr().out
    assert file.read_text().startswith(HEAD)
    assert link.is_symlink()
    found = file.stat()
    assert (found.st_mode & 0o777, found.st_uid, found.st_gid) == (0o640, *owner)
    (scanner,) = config.load(file).scanner
    assert (scanner.name, scanner.source, scanner.port) == (
        "door-2",
        "keyboard",
        "usb:05e0:1200@1-2",
    )
    assert (scanner.kind, scanner.location) == ("ship", "DOCK-2")
    assert run(machine, "--adopt", "usb:05e0:1200@1-2", *arguments, "--write") == 1
    assert "configured already, as 'door-2'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--adopt", "usb:05e0:1701:GONE", "--name", "x"), "is not plugged in"),
        (("--adopt", "usb:05e0", "--name", "x"), "is no port"),
        (
            ("--adopt", "usb:05e0:1701:S1234567", "--name", "x" * 65, "--write"),
            "nothing was written",
        ),
        (("--watch", "usb:046d:c31c:K77"), "looks like a person's keyboard"),
        (("--watch", "usb:05e0:1701:S1234567", "--baud", "9"), "baud: "),
    ],
)
def test_what_cannot_be_done_says_why(
    machine: Machine,
    file: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    sentence: str,
) -> None:
    """One sentence, exit code 1, and the configuration as it was, with nothing beside it."""
    assert run(machine, *arguments, "--config", file) == 1
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
    assert file.read_text() == HEAD
    assert [each.name for each in file.parent.iterdir() if "toml" in each.name] == [file.name]


def test_a_configuration_that_would_be_wrong_is_not_written(file: Path) -> None:
    """Whatever the block, the file loads afterwards or is as it was; the message names the file."""
    with pytest.raises(ConfigError, match="port: Field required; nothing") as caught:
        adopt.append(file, "[[scanner]]\nname = 'x'\nprot = 'y'\n")
    assert str(file) in str(caught.value)
    assert file.read_text() == HEAD


def test_any_text_can_be_a_name(file: Path) -> None:
    """Quotes, backslashes, control characters and emoji survive TOML."""
    name = "a\"\\\n\x7f\x1b'é😀"
    file.write_text(HEAD.rstrip("\n"))
    adopt.append(file, adopt.stanza({"name": name, "port": "/dev/null"}))
    assert config.load(file).scanner[0].name == name


def test_without_configuration_everything_is_new(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """A broken file is told, and the list is shown all the same."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gateway.toml").write_text("site = \n")
    assert run(machine) == 0
    said = capsys.readouterr()
    assert "is not TOML" in said.err
    assert "new" in said.out
