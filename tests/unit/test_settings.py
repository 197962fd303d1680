"""Configuration files: what every program does with a mistake in one."""

from pathlib import Path

import pytest

from central import config as central
from gateway import config as gateway
from monitor import config as monitor
from wire.settings import ConfigError

GATEWAY = 'site = "main"\ngateway = "dock-1"\n'
PROGRAMS = [(central.load, ""), (gateway.load, GATEWAY), (monitor.load, "")]


@pytest.mark.parametrize(("load", "needed"), PROGRAMS)
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("topic_rot = 'x'", "did you mean 'topic_root'"),
        ("[broker]\nhots = 'x'", "did you mean 'host'"),
        ("[broker]\nport = 99999", "broker.port"),
        ("topic_root = 'a/#'", "topic_root"),
        ("topic_root = '/a'", "topic_root"),
        ("topic_root = 'a'\ntopic_root = 'b'", "is not TOML"),
        ("[[[", "is not TOML"),
    ],
)
def test_a_mistake_is_one_sentence(
    tmp_path: Path, load: object, needed: str, text: str, says: str
) -> None:
    """It names the file and the key, and what was probably meant."""
    path = tmp_path / "program.toml"
    path.write_text(needed + text)
    with pytest.raises(ConfigError) as caught:
        load(path)  # type: ignore[operator]
    assert str(path) in str(caught.value)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value).replace("Invalid statement", "")


@pytest.mark.parametrize(("load", "needed"), PROGRAMS)
def test_relative_files_start_at_the_configuration(
    tmp_path: Path, load: object, needed: str
) -> None:
    """Whoever starts the program from another folder gets the same TLS files."""
    path = tmp_path / "program.toml"
    path.write_text(needed + '[broker]\nca_file = "ca.pem"\ncert_file = "/etc/x.pem"\n')
    broker = load(path).broker  # type: ignore[operator]
    assert (broker.ca_file, broker.cert_file) == (tmp_path / "ca.pem", Path("/etc/x.pem"))


@pytest.mark.parametrize(("load", "needed"), PROGRAMS)
def test_a_missing_file_says_what_to_do(tmp_path: Path, load: object, needed: str) -> None:
    """Nobody is left with "No such file"."""
    assert needed is not None
    with pytest.raises(ConfigError, match=r"deploy/|needs no file"):
        load(tmp_path / "nowhere.toml")  # type: ignore[operator]


def test_an_open_door_needs_a_token(tmp_path: Path) -> None:
    """Central's HTTP is reachable from other machines only with a token."""
    path = tmp_path / "central.toml"
    path.write_text('[api]\nhost = "0.0.0.0"\n')
    with pytest.raises(ConfigError, match=r"api\.token"):
        central.load(path)
    path.write_text('[api]\nhost = "0.0.0.0"\ntoken = "secret"\n')
    assert central.load(path).api.token == "secret"
    assert central.load(path).database == str(tmp_path / "central.db")
