"""gateway.config: a configuration is right, or one sentence says what to change."""

from pathlib import Path

import pytest

from gateway import config
from gateway.config import Signals
from wire.settings import ConfigError

ROOT = Path(__file__).parents[2]
HEAD = "site = 'a'\ngateway = 'b'\n"
SCANNER = HEAD + "[[scanner]]\nname='x'\n"


def load(folder: Path, text: str) -> config.Config:
    """Load a configuration from its text."""
    path = folder / "g.toml"
    path.write_text(text)
    return config.load(path)


def test_the_example_is_valid_and_complete() -> None:
    """The example loads, and mentions every option there is."""
    path = ROOT / "deploy/gateway.example.toml"
    text = path.read_text()
    config.load(path)
    models = (config.Config, config.Scanner, config.OutboxLimits, config.Signals, config.Broker)
    models += (config.BeeperSettings, config.Gpio)
    for model in models:
        for name in model.model_fields:
            assert name in text, f"{name} is not explained"


def test_the_defaults_in_the_example_are_the_defaults(tmp_path: Path) -> None:
    """Lines commented out in the example change nothing when they are taken in."""
    lines = (ROOT / "deploy/gateway.example.toml").read_text().splitlines()
    skipped = ("username", "password", "tls", "ca_file", "cert_file", "key_file", "symbology")
    skipped += ("region", "separators", "offline", "no_read")
    taken = [
        line[2:] if line.startswith("# ") and " = " in line and line[2].islower() else line
        for line in lines
    ]
    kept = [line for line in taken if not line.startswith(skipped) and "Escapes" not in line]
    kept = [line for line in kept if not line.startswith(("count or damage", "takes some"))]
    assert load(tmp_path, "\n".join(kept)).scanner == load(tmp_path, "\n".join(lines)).scanner


def test_ports_are_relative_to_the_file(tmp_path: Path) -> None:
    """A port is found wherever the gateway is started; devices and addresses stay as they are."""
    ports = ("ports/door-1", "/dev/ttyUSB0", "socket://10.0.0.9:4001", "tcp://camera:23")
    text = "".join(f"[[scanner]]\nname='{port}'\nport='{port}'\n" for port in ports)
    text += "source='tcp'\n"
    found = [scanner.port for scanner in load(tmp_path, HEAD + text).scanner]
    assert found == [str(tmp_path / "ports/door-1"), *ports[1:]]


def test_the_data_folder_is_relative_to_the_file(tmp_path: Path) -> None:
    """A gateway finds its scans wherever it is started from."""
    assert load(tmp_path, HEAD + "data = 'x'\n").data == tmp_path / "x"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (HEAD + "sit = 1\n", "unknown key 'sit'; did you mean 'site'?"),
        (HEAD + "[outbox]\nmax_byte = 1\n", "unknown key 'outbox.max_byte'; did you mean 'max_by"),
        (HEAD + "[[scanner]]\nname='x'\nport='p'\nfeedback={god='1'}", "did you mean 'good'?"),
        (HEAD + "[[scanner]]\nname='x'\nport='p'\nbaud='fast'", "scanner.0.baud: "),
        (HEAD + "[[scanner]]\nname='x'\nport='p'\nregion='XX'", "scanner.0.region: "),
        (HEAD + "[[scanner]]\nname='x'\nport='usb:05e0'", "like usb:05e0:1701@1-1.4; `docktally"),
        (HEAD + "[[scanner]]\nname='x'\nport='p'\nfeedback={good='€'}", "which is not one byte"),
        (HEAD + "[[scanner]]\nname='x'\nport='p'\n" * 2, "two scanners have the same name 'x'"),
        (SCANNER + "source='tcp'\nport='/dev/ttyUSB0'", "write tcp://HOST:PORT to connect"),
        (SCANNER + "source='tcp'\nport='tcp://camera'", "tcp-listen://0.0.0.0:PORT to let it"),
        (SCANNER + "source='tcp'\nport='tcp://camera:99999'", "PORT from 1 to 65535"),
        (SCANNER + "source='tcp'\nport='tcp://camera:23/x'", "is no address of a network scanner"),
        (SCANNER + "source='tcp'\nport='socket://camera:23'", "is no address of a network"),
        (SCANNER + "port='tcp-listen://0.0.0.0:23'", 'write source = "tcp"'),
        (SCANNER + "source='keyboard'\nport='socket://a:1'", "is no port of a keyboard scanner"),
        (SCANNER + "port='p'\nno_read=['']", "nothing that a scanner sends"),
        (SCANNER + "port='p'\nno_read=['€']", "which is not one byte"),
        (SCANNER + "port='p'\ncode_ids=true", "only those of zebra, honeywell, datalogic"),
        (SCANNER + "port='p'\ncode_ids=true\nprofile='newland'", "send AIM identifiers"),
        (HEAD + "[[scanner]]\nname='x'\nport='p'\nlabel=['gtin']", "at least two different fields"),
        (HEAD + "[[scanner]]\nname='x'\nport='p'\nlabel=['lot','count']", "add gtin or sscc"),
        ("gateway = 'b'\n", "site: Field required"),
        ("site = 'central'\ngateway = 'b'\n", "choose another name"),
        ("site = \n", "is not TOML"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    """Each mistake names the file, the key and, where it can, the cure."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert sentence in str(caught.value)
    assert str(tmp_path / "g.toml") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_names_the_example(tmp_path: Path) -> None:
    """Who has no configuration is shown where one begins."""
    with pytest.raises(ConfigError, match=r"deploy/gateway\.example\.toml"):
        config.load(tmp_path / "none.toml")


def test_offline_sounds_like_good_unless_told_otherwise() -> None:
    """A scanner without an own offline sound still says that the scan is stored."""
    assert Signals(good="\x06").bytes_for("offline") == b"\x06"
    assert Signals(good="\x06", offline="\x11").bytes_for("offline") == b"\x11"
    assert Signals().bytes_for("refused") == b""
