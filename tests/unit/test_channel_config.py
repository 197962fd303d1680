"""[[channel]] in central.toml: every mistake is one sentence that says what to do."""

from pathlib import Path

import pytest

from central import config, signing
from neighbours import ROOT
from wire.settings import ConfigError

SECRET = signing.secret_of(bytes(32))
PUSHING = 'url = "https://x.example"\ntoken = "t"\nlocation = "gid://shopify/Location/1"\n'


def load(folder: Path, *channels: str) -> config.Config:
    """Return the configuration with these channels; each names what is not usual."""
    path = folder / "central.toml"
    path.write_text("".join(f'[[channel]]\nsite = "main"\n{text}\n' for text in channels))
    return config.load(path)


def test_three_kinds_of_channels(tmp_path: Path) -> None:
    """Each with what it needs; secrets also come from files beside the configuration."""
    (tmp_path / "hooks").write_text("# the old one goes in May\nold\n\n  new  \n")
    (tmp_path / "key").write_text("cs_1\n")
    (tmp_path / "token").write_text("shpat_1\n")
    own, shopify, woo = load(
        tmp_path,
        f'name = "own"\nkind = "generic"\nsecrets = ["{SECRET}"]',
        'name = "shop-de"\nkind = "shopify"\nsecrets_file = "hooks"\nurl = "https://x.example/"\n'
        'token_file = "token"\nlocation = "gid://shopify/Location/1"',
        'name = "woo"\nkind = "woocommerce"\nsecrets = ["a"]\nsecrets_file = "hooks"\n'
        'url = "https://y.example"\nkey = "ck_1"\nsecret_file = "key"',
    ).channel
    assert (own.pushes, own.secrets, own.approved, own.ships) == (False, (SECRET,), "reserve", True)
    assert (shopify.pushes, shopify.secrets, shopify.token) == (True, ("old", "new"), "shpat_1")
    assert shopify.url == "https://x.example"
    assert (woo.pushes, woo.secrets, woo.secret) == (True, ("a", "old", "new"), "cs_1")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('name = "A shop"\nkind = "generic"', "channel.0.name: String should match pattern"),
        ('name = "a"\nkind = "ebay"', "channel.0.kind: Input should be 'generic', 'shopify' or"),
        ('name = "a"\nkind = "generic"', "a neither hears nor tells anything: give it secrets"),
        ('name = "a"\nkind = "generic"\nsecrets = ["x"]', "openssl rand"),
        ('name = "a"\nkind = "shopify"\nsecrets = ["x"]', "a lacks url; give it, or set push = fa"),
        ('name = "a"\nkind = "woocommerce"\nurl = "https://x"\nkey = "k"', "a lacks secret; give"),
        (f'name = "a"\nkind = "shopify"\nkey = "k"\n{PUSHING}', "a has token and key; give one of"),
        (
            'name = "a"\nkind = "shopify"\nurl = "https://x"\nlocation = "l"\nkey = "k"',
            "a lacks secret; give it",
        ),
        ('name = "a"\nkind = "generic"\nurl = "https://x"', "a is generic, which has no url"),
        ('name = "a"\nkind = "shopify"\nurl = "x.example"', "write the address of the shop with"),
        (
            f'name = "a"\nkind = "shopify"\ntoken_file = "f"\n{PUSHING}',
            "a has token and token_file",
        ),
        ('name = "a"\nkind = "shopify"\nsecrets_file = "no"\npush = false', "no cannot be read"),
        (
            'name = "a"\nkind = "shopify"\nsecrets_file = "empty"\npush = false',
            "there is no secret",
        ),
        ('name = "a"\nkind = "generic"\nsecrets_file = "bad"', "a secret is whsec_ followed by"),
        (f'name = "a"\nkind = "shopify"\nreturn_to = "Q"\n{PUSHING}', "did you mean 'returns_to'?"),
        (f'name = "a"\nkind = "shopify"\nsince = "May"\n{PUSHING}', "channel.0.since: "),
    ],
)
def test_mistakes_are_said(tmp_path: Path, text: str, sentence: str) -> None:
    """With the file, the key or the channel, and the cure."""
    (tmp_path / "empty").write_text("# nothing yet\n")
    (tmp_path / "bad").write_text("s3cret\n")
    with pytest.raises(ConfigError) as error:
        load(tmp_path, text)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_a_name_is_given_once(tmp_path: Path) -> None:
    """Two channels with one name would take each other's orders."""
    one = f'name = "a"\nkind = "generic"\nsecrets = ["{SECRET}"]'
    with pytest.raises(ConfigError, match="two channels have the name 'a'"):
        load(tmp_path, one, one)


def test_the_example_shows_every_option() -> None:
    """What it says about channels is what central reads."""
    text = (ROOT / "deploy" / "central.example.toml").read_text()
    options = set(config.Channel.model_fields)
    assert not {name for name in options if f"# {name} = " not in text}
