"""Every message: golden files pin the bytes, hypothesis looks for what cannot be sent or read."""

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel, ValidationError

from wire import codec, events
from wire.errors import Malformed
from wire.events import (
    Ack,
    Activity,
    Alert,
    Availability,
    Batch,
    CentralState,
    Event,
    Feedback,
    GatewayState,
    Identify,
    Reload,
    Replay,
    Signal,
)

FOLDER = Path(__file__).parent.parent / "data" / "wire"
MESSAGES: dict[str, type[BaseModel]] = {
    "batch": Batch,
    "ack": Ack,
    "gateway_state": GatewayState,
    "central_state": CentralState,
    "availability": Availability,
    "activity": Activity,
    "alert": Alert,
    "identify": Identify,
    "replay": Replay,
    "reload": Reload,
    "feedback": Feedback,
    "signal": Signal,
}
COMMANDS = ("identify", "replay", "reload", "feedback")
Steps = tuple[str | int, ...]
every_message = pytest.mark.parametrize("name", MESSAGES)


def golden(name: str) -> Any:
    """Return a golden file's JSON."""
    return json.loads((FOLDER / f"{name}.json").read_text())


def decode(name: str, data: bytes) -> BaseModel:
    """Decode as a reader of that topic does."""
    return codec.decode_command(data) if name in COMMANDS else codec.decode(MESSAGES[name], data)


def text_of(value: Any) -> bytes:
    """Return JSON."""
    return json.dumps(value).encode()


def places(value: Any, so_far: Steps = ()) -> Iterator[Steps]:
    """Return the way to every value inside a JSON document."""
    yield so_far
    inside = value.items() if isinstance(value, dict) else ()
    for key, below in enumerate(value) if isinstance(value, list) else inside:
        yield from places(below, (*so_far, key))


def put(document: Any, steps: Steps, value: Any) -> Any:
    """Return a copy with another value at a place."""
    if not steps:
        return value
    changed = copy.deepcopy(document)
    at = changed
    for step in steps[:-1]:
        at = at[step]
    at[steps[-1]] = value
    return changed


def required(name: str) -> list[Steps]:
    """Return the ways to all values in a golden file that must not be missing."""
    found = []
    schema = MESSAGES[name].model_json_schema()
    for steps in places(golden(name)):
        if steps and isinstance(steps[-1], str):
            parent = _schema_at(schema, steps[:-1])
            if steps[-1] in parent.get("required", ()):
                found.append(steps)
    return found


def _schema_at(schema: dict[str, Any], steps: Steps) -> dict[str, Any]:
    at = schema
    for step in steps:
        at = at["items"] if isinstance(step, int) else at["properties"][step]
        while "$ref" in at:
            at = schema["$defs"][at["$ref"].rpartition("/")[2]]
    return at


@every_message
def test_a_golden_message_is_read_and_written_unchanged(name: str) -> None:
    """What other programs were written against stays exactly so."""
    message = decode(name, (FOLDER / f"{name}.json").read_bytes())
    assert type(message) is MESSAGES[name]
    assert json.loads(codec.encode(message)) == golden(name)


def test_there_is_a_golden_file_for_each_message_and_no_other() -> None:
    """A new message comes with its golden file."""
    payloads = {
        model for model in vars(events).values()
        if isinstance(model, type) and issubclass(model, events.Payload)
    } - {events.Payload}  # fmt: skip
    assert set(MESSAGES.values()) == payloads
    assert {file.stem for file in FOLDER.glob("*.json")} == set(MESSAGES)


def test_golden_files_show_every_field_and_kind_of_value() -> None:
    """A field that no golden file has is pinned by nothing."""
    shown: dict[type[BaseModel], set[str]] = {}
    for name in MESSAGES:
        _collect(decode(name, text_of(golden(name))), shown)
    for model, fields in shown.items():
        assert fields == set(model.model_fields), model.__name__


def _collect(message: BaseModel, shown: dict[type[BaseModel], set[str]]) -> None:
    names = message.model_dump(exclude_none=True, exclude_unset=True)
    shown.setdefault(type(message), set()).update(names)
    for value in dict(message).values():
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, BaseModel):
                _collect(part, shown)


@every_message
def test_unknown_fields_are_ignored_everywhere(name: str) -> None:
    """A newer writer may say more; an older reader understands the rest."""
    document = golden(name)
    richer = document
    for steps in places(document):
        at = document
        for step in steps:
            at = at[step]
        if isinstance(at, dict):
            richer = put(richer, (*steps, "from_the_future"), {"deep": [1, None]})
    assert richer != document
    assert decode(name, text_of(richer)) == decode(name, text_of(document))


@pytest.mark.parametrize(
    ("name", "steps"), [(name, steps) for name in MESSAGES for steps in required(name)]
)
def test_a_missing_field_is_named(name: str, steps: Steps) -> None:
    """The sentence says which field of which message is not there."""
    document = golden(name)
    at = document
    for step in steps[:-1]:
        at = at[step]
    del at[steps[-1]]
    with pytest.raises(Malformed, match=MESSAGES[name].__name__ + "|Command") as caught:
        decode(name, text_of(document))
    assert ".".join(map(str, steps)) + ": " in str(caught.value)


def test_the_test_above_looks_deep() -> None:
    """It finds required fields of events and of what is inside them."""
    assert ("events", 0, "clock", "synced") in required("batch")
    assert ("scanners", 1, "source") in required("gateway_state")


@every_message
@pytest.mark.parametrize("version", [0, 2, "one", None])
def test_another_version_is_malformed(name: str, version: object) -> None:
    """A message of another protocol version is never read as this one."""
    with pytest.raises(Malformed, match="v: "):
        decode(name, text_of(golden(name) | {"v": version}))


def test_an_unknown_command_is_malformed() -> None:
    """What is no command of ours is said so, with those we know."""
    with pytest.raises(Malformed, match=r"identify.*replay.*reload.*feedback"):
        codec.decode_command(b'{"v":1,"command":"explode"}')


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("opened", "0001-01-01T00:00:00+14:00", "between the years"),
        ("opened", "2026-11-23T08:15:02", "timezone"),
        ("title", "x" * 2_001, "2000"),
        ("site", "x" * 65, "64"),
        ("count", 0, "greater"),
        ("severity", "panic", "critical"),
    ],
)
def test_a_value_that_breaks_a_rule_is_explained(field: str, value: object, why: str) -> None:
    """The sentence says what the rule is."""
    with pytest.raises(Malformed, match=f"not a Alert: {field}: .*{why}"):
        codec.decode(Alert, text_of(golden("alert") | {field: value}))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_lacks_are_malformed(number: str) -> None:
    """What could be read but not written again would get lost on the way."""
    text = json.dumps(golden("gateway_state")).replace("8.7", number).encode()
    with pytest.raises(Malformed, match="oldest_age_s"):
        codec.decode(GatewayState, text)


def test_times_are_utc_whoever_wrote_them() -> None:
    """An offset is turned into UTC, to the microsecond."""
    alert = Alert.model_validate(
        golden("alert")
        | {"opened": datetime(2026, 11, 23, 2, 0, 0, 7, timezone(timedelta(hours=2)))}
    )
    assert json.loads(codec.encode(alert))["opened"] == "2026-11-23T00:00:00.000007Z"


def test_what_is_too_large_is_neither_sent_nor_read() -> None:
    """The limit is the same for both sides and is in the sentence."""
    big = Alert.model_validate(golden("alert")).model_copy(
        update={"kind": "k" * codec.PAYLOAD_BYTES_MAX}
    )
    with pytest.raises(Malformed, match="262144"):
        codec.encode(big)
    for read in (lambda data: codec.decode(Alert, data), codec.decode_command):
        with pytest.raises(Malformed, match="262144"):
            read(b" " * (codec.PAYLOAD_BYTES_MAX + 1))


# --- hypothesis ---

MOMENTS = st.datetimes(timezones=st.just(UTC))
NAMES = st.text(min_size=1, max_size=64)
#: What hypothesis cannot see: patterns, and annotations inside a union.
FIELDS: dict[type[BaseModel], dict[str, st.SearchStrategy[Any]]] = {
    events.Identifiers: {
        "gtin14": st.none() | st.from_regex(r"[0-9]{14}", fullmatch=True),
        "sscc": st.none() | st.from_regex(r"[0-9]{18}", fullmatch=True),
        "sku": st.none() | NAMES,
    },
    events.ClockState: {"offset_ms": st.none() | st.floats(allow_nan=False, allow_infinity=False)},
    events.OutboxState: {"oldest_age_s": st.floats(min_value=0, allow_infinity=False)},
    events.CentralState: {"lag_ms": st.floats(min_value=0, allow_infinity=False)},
}
st.register_type_strategy(AwareDatetime, MOMENTS)


def built(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Return messages of a model, every field drawn from what its rules allow."""
    chosen = dict(FIELDS.get(model, {}))
    for name, field in model.model_fields.items():
        if name not in chosen:
            chosen[name] = _value(field.annotation, field.metadata)
    return st.builds(model, **chosen)


def _value(annotation: Any, metadata: list[Any]) -> st.SearchStrategy[Any]:
    limits = {
        name: getattr(rule, name)
        for rule in metadata
        for name in ("ge", "le", "min_length", "max_length")
        if getattr(rule, name, None) is not None
    }
    parts = get_args(annotation)
    if annotation is int:
        return st.integers(limits.get("ge", -(2**70)), limits.get("le", 2**70))
    if annotation is str:
        return st.text(min_size=limits.get("min_length", 0), max_size=limits.get("max_length", 99))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return built(annotation)
    if getattr(annotation, "__origin__", None) is tuple:
        return st.lists(_value(parts[0], []), min_size=limits.get("min_length", 0), max_size=3).map(
            tuple
        )
    if hasattr(annotation, "__metadata__"):  # Annotated
        rules = [rule for part in parts[1:] for rule in getattr(part, "metadata", [part])]
        return _value(parts[0], rules)
    if type(None) in parts:
        return st.one_of([_value(part, []) for part in parts])
    return st.from_type(annotation)


for _model in (events.Clock, events.Rejected, Event, events.ScannerState):
    st.register_type_strategy(_model, built(_model))


@every_message
@given(data=st.data())
def test_every_message_comes_back_as_it_was_sent(name: str, data: st.DataObject) -> None:
    """Whatever the rules allow can be encoded, and decodes to the same message."""
    message = data.draw(built(MESSAGES[name]))
    assert decode(name, codec.encode(message)) == message


@given(event=built(Event))
def test_raw_bytes_survive(event: Event) -> None:
    """The scanner's own bytes come back bit by bit, as base64 in between."""
    assert codec.decode(Event, codec.encode(event)).raw == event.raw


@every_message
@given(noise=st.binary(max_size=200))
def test_noise_is_malformed_and_nothing_worse(name: str, noise: bytes) -> None:
    """No bytes can end the process that reads them."""
    with pytest.raises(Malformed):
        decode(name, noise)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
TRICKY = st.sampled_from(
    ["", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", 10**400, -1, 2**63, "\x00", "é="]
)


@every_message
@given(data=st.data())
def test_a_changed_value_is_read_or_malformed(name: str, data: st.DataObject) -> None:
    """Any value in any place of a good message: a message, or Malformed, or nothing else."""
    document = golden(name)
    place = data.draw(st.sampled_from(list(places(document))))
    _read_or_malformed(name, text_of(put(document, place, data.draw(JSON | TRICKY))))


@every_message
@given(data=st.data())
def test_changed_bytes_are_read_or_malformed(name: str, data: st.DataObject) -> None:
    """Damage anywhere in a good message ends nothing."""
    text = bytearray(text_of(golden(name)))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 9)))
        text[start:end] = data.draw(st.binary(max_size=9))
    _read_or_malformed(name, bytes(text))


def _read_or_malformed(name: str, data: bytes) -> None:
    try:
        message = decode(name, data)
    except Malformed:
        return
    assert decode(name, codec.encode(message)) == message


# --- batches ---


@given(batch=built(Batch))
def test_a_joined_batch_is_the_encoded_batch(batch: Batch) -> None:
    """An outbox that keeps encoded events sends the same bytes as one that keeps models."""
    joined = codec.join_batch(
        batch.gateway, batch.epoch, batch.session, batch.first_seq,
        [codec.encode(event) for event in batch.events],
    )  # fmt: skip
    assert joined == codec.encode(batch)


def test_a_full_batch_is_below_the_limit() -> None:
    """What the outbox may take for one message fits with the batch's own fields around it."""
    event = codec.encode(Batch.model_validate(golden("batch")).events[0])
    count = codec.BATCH_BYTES_MAX // (len(event) + 1)
    batch = codec.join_batch("g" * 64, UUID(int=1), UUID(int=2), 2**63 - 1, [event] * count)
    assert codec.BATCH_BYTES_MAX - 2_000 < len(batch) < codec.PAYLOAD_BYTES_MAX


def test_messages_cannot_be_changed() -> None:
    """A message that was checked stays what was checked."""
    ack = Ack.model_validate(golden("ack"))
    with pytest.raises(ValidationError, match="frozen"):
        ack.applied_seq = 9
