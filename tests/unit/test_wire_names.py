"""Ids, topics and broker addresses: what is built can be taken apart, nonsense is refused."""

import random
import uuid
from collections.abc import Callable
from typing import Any, get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wire import broker, ids, topics
from wire.broker import parse_broker
from wire.errors import Malformed
from wire.topics import Address, Topics

NAMES = st.text(min_size=1, max_size=ids.NAME_LENGTH_MAX)
NASTY = (
    "/",
    "+",
    "#",
    "$SYS",
    "%",
    "%2F",
    "a/b+c#d$e%f\x00g",
    "\x1f\x7f\x85\ufdd0\ufffe\U0010ffff",
    "😀",
)
ROOTS = ("docktally/v1", "one", "a/b/c/d")


def nasty(test: Callable[..., None]) -> Callable[..., None]:
    """Try all nasty names for each name of the test, always."""
    for name in NASTY:
        test = example(name, name)(test)
    return test


# --- ids ---


@given(now_ms=st.integers(0, 2**48 - 1), seed=st.integers())
def test_an_id_is_a_uuid_of_version_7(now_ms: int, seed: int) -> None:
    """RFC 9562, 5.7: 48 bits of milliseconds, version, variant; the rest is chance."""
    made = ids.new_id(now_ms, random.Random(seed))
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert made.int >> 80 == now_ms


@given(st.lists(st.integers(0, 2**48 - 1), min_size=2, max_size=9, unique=True))
def test_ids_sort_by_time(moments: list[int]) -> None:
    """Bytes and text sort as the moments do."""
    rng = random.Random(1)
    made = {moment: ids.new_id(moment, rng) for moment in moments}
    order = sorted(moments)
    assert sorted(moments, key=lambda moment: made[moment].bytes) == order
    assert sorted(moments, key=lambda moment: str(made[moment])) == order


def test_ids_of_one_moment_differ() -> None:
    """74 random bits keep scanners apart, and each of them is used."""
    rng = random.Random(2)
    made = [ids.new_id(1_700_000_000_000, rng).int for _ in range(5_000)]
    assert len(set(made)) == 5_000
    ever_set, always_set = 0, -1
    for value in made:
        ever_set, always_set = ever_set | value, always_set & value
    assert (ever_set & ~always_set).bit_count() == 74


# --- names and topics ---


@nasty
@given(NAMES, NAMES)
def test_a_name_is_one_level_and_comes_back(name: str, other: str) -> None:
    """No name can forge a level, a wildcard or another name."""
    level = ids.segment(name)
    assert not set(level) & set("/+#$\x00")
    assert ids.name_of(level) == name
    assert (ids.segment(other) == level) == (other == name)
    level.encode()


def test_nothing_that_a_broker_hangs_up_on_stays_in_a_topic() -> None:
    """Control and non-characters (MQTT 5, 1.5.4) are escaped, all others stay readable."""
    odd = [*range(0x20), *range(0x7F, 0xA0), *range(0xFDD0, 0xFDF0)]
    odd += [plane + last for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF)]
    assert all(ids.segment(chr(code)).startswith("%") for code in odd)
    for plain in ("A-01_2", "Ä ö", "漢字", "a.b~c:d=e&f?g"):
        assert ids.segment(plain) == plain


@pytest.mark.parametrize("name", ["", "x" * 65, "\ud800", "a\udfffb"])
def test_what_is_no_name_is_refused_both_ways(name: str) -> None:
    """Limits hold for what we send and for what others send."""
    for use in (ids.segment, ids.name_of, lambda name: Topics().activity(name)):
        with pytest.raises(Malformed):
            use(name)


def test_limits_count_characters_before_encoding() -> None:
    """64 characters that all need escaping still are one name."""
    assert ids.name_of(ids.segment("/" * 64)) == "/" * 64
    with pytest.raises(Malformed, match="1 to 64"):
        ids.name_of("%2F" * 65)


def test_bad_percent_encoding_is_malformed() -> None:
    """Bytes that are no UTF-8 are no name."""
    with pytest.raises(Malformed, match="percent-encoded UTF-8"):
        ids.name_of("%ff")


@nasty
@given(NAMES, NAMES)
@pytest.mark.parametrize("root", ROOTS)
def test_every_topic_is_taken_apart_as_it_was_built(root: str, site: str, name: str) -> None:
    """For all names but the reserved ones."""
    if site in topics.RESERVED_SITES or name in topics.RESERVED_GATEWAYS:
        site, name = "site", "name"
    built = Topics(root)
    assert built.parse(built.central()) == Address("central")
    assert built.parse(built.alert(name)) == Address("alert", "", name)
    assert built.parse(built.activity(site)) == Address("activity", site)
    assert built.parse(built.availability(site, name)) == Address("availability", site, name)
    for channel in ("events", "ack", "state", "commands"):
        topic = getattr(built, channel)(site, name)
        assert built.parse(topic) == Address(channel, site, name)


def test_a_sku_may_be_called_as_a_channel() -> None:
    """Availability of a SKU named "events" is not taken for a gateway's events."""
    for sku in ("events", "ack", "state", "commands", "activity", "availability"):
        topic = Topics().availability("site", sku)
        assert Topics().parse(topic) == Address("availability", "site", sku)


@given(st.text())
@example("docktally/v1/central/state/more")
@example("docktally/v1/")
@example("docktally/v1//gate/events")
@example("docktally/v1x/site/gate/events")
@example("docktally/v1/site/gate/nonsense")
@example("docktally/v1/" + "s" * 65 + "/gate/events")
def test_a_foreign_topic_is_malformed(topic: str) -> None:
    """Nothing else is ours."""
    with pytest.raises(Malformed):
        Topics().parse(topic)


def matches(topic_filter: str, topic: str) -> bool:
    """Return whether an MQTT filter with + matches (MQTT 5, 4.7.1)."""
    wanted, levels = topic_filter.split("/"), topic.split("/")
    return len(wanted) == len(levels) and all(
        want in ("+", level) for want, level in zip(wanted, levels, strict=True)
    )


@nasty
@given(NAMES, NAMES)
def test_a_filter_takes_its_site_and_no_other(site: str, name: str) -> None:
    """Whoever follows one site hears that site only; whoever follows all hears it too."""
    built = Topics()
    for channel in get_args(topics.Channel):
        topic = _topic(built, channel, site, name)
        assert matches(built.every(channel), topic)
        assert matches(built.every(channel, site), topic)
        other = _topic(built, channel, site + "x" if len(site) < 64 else "x", name)
        assert matches(built.every(channel, site), other) == (channel in ("central", "alert"))


def _topic(built: Topics, channel: str, site: str, name: str) -> str:
    match channel:
        case "central":
            return built.central()
        case "alert":
            return built.alert(name)
        case "activity":
            return built.activity(site)
        case _:
            return str(getattr(built, channel)(site, name))


def test_each_channel_says_how_it_travels() -> None:
    """What must arrive is QoS 1; what a latecomer needs is retained."""
    assert set(topics.DELIVERY) == set(get_args(topics.Channel))
    retained = {channel for channel, how in topics.DELIVERY.items() if how.retain}
    assert retained == {"ack", "state", "central", "availability", "alert"}
    lossy = [channel for channel, how in topics.DELIVERY.items() if how.qos == 0]
    assert lossy == ["signals", "activity"]


# --- broker addresses ---


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost", {"host": "localhost"}),
        ("10.0.0.5:1884", {"host": "10.0.0.5", "port": 1884}),
        ("mqtt://broker.example:1", {"host": "broker.example", "port": 1}),
        ("mqtts://broker.example", {"host": "broker.example", "port": 8883, "tls": True}),
        ("mqtts://broker.example:443/", {"host": "broker.example", "port": 443, "tls": True}),
        ("[::1]", {"host": "::1"}),
        ("[fe80::1%eth0]:1884", {"host": "fe80::1%eth0", "port": 1884}),
        ("mqtts://[2001:db8::7]", {"host": "2001:db8::7", "port": 8883, "tls": True}),
        ("anna@dock", {"host": "dock", "username": "anna"}),
        ("anna:@dock", {"host": "dock", "username": "anna", "password": ""}),
        ("a:b:c%d@dock:9", {"host": "dock", "port": 9, "username": "a", "password": "b:c%d"}),
    ],
)  # fmt: skip
def test_an_address_is_understood(text: str, expected: dict[str, Any]) -> None:
    """Host, port, TLS and credentials, each where it is given."""
    assert parse_broker(text).model_dump(exclude_defaults=True) == expected


@pytest.mark.parametrize(
    "text",
    ["", " ", "a b", " h", "h\n", "::1", "[]", "[zz]", "[::1", "h:", "h:0", "h:65536", "h:99999999",
     "h:-1", "h:x", "http://h", "mqtt://", "h/x", "a@b@c", "@h", ":p@h"],
)  # fmt: skip
def test_nonsense_is_no_address(text: str) -> None:
    """The sentence repeats what was typed and says what to type."""
    with pytest.raises(ValueError, match=r"; write host|a port is a number") as caught:
        parse_broker(text)
    assert repr(text) in str(caught.value)
    assert isinstance(caught.value, broker.BadAddress)


def test_a_password_is_in_no_message() -> None:
    """What is logged about a broker is where it is."""
    assert str(parse_broker("mqtts://anna:secret@dock")) == "dock:8883"


def test_tls_is_used_when_asked_for_and_never_dropped(tmp_path: Any) -> None:
    """A CA file is reason enough; one that is missing is an error, not a plain connection."""
    assert parse_broker("h").tls_context() is None
    assert parse_broker("mqtts://h").tls_context() is not None
    with pytest.raises(OSError, match="No such file"):
        broker.Broker(ca_file=tmp_path / "missing.pem").tls_context()
