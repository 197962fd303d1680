"""Models to bytes and back. UTF-8 JSON, one object a message, absent fields left out."""

from collections.abc import Iterable
from typing import TypeVar
from uuid import UUID

from pydantic import BaseModel, TypeAdapter, ValidationError

from wire.errors import Malformed
from wire.events import Command

#: Largest payload anybody sends or reads. An oversize MQTT packet closes the connection and blocks
#: everything behind it, so it is refused here, long before a broker does.
PAYLOAD_BYTES_MAX = 256 * 1024
#: A backlog batch stays well below the packet limit and small enough to commit in one go.
BATCH_BYTES_MAX = 192 * 1024
BATCH_EVENTS_MAX = 500

Model = TypeVar("Model", bound=BaseModel)
_COMMAND: TypeAdapter[Command] = TypeAdapter(Command)


def encode(message: BaseModel) -> bytes:
    """Return the JSON of a message; raise Malformed when it is larger than a packet may be."""
    data = message.model_dump_json(exclude_none=True).encode()
    if len(data) > PAYLOAD_BYTES_MAX:
        raise Malformed(
            f"{type(message).__name__} of {len(data)} bytes; the limit is {PAYLOAD_BYTES_MAX}"
        )
    return data


def decode(model: type[Model], data: bytes) -> Model:
    """Return the message in `data`; raise Malformed with what is wrong and where."""
    _check_size(data)
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise Malformed(_explain(model.__name__, error)) from error


def decode_command(data: bytes) -> Command:
    """Return the command in `data`; raise Malformed when it is none we know."""
    _check_size(data)
    try:
        return _COMMAND.validate_json(data)
    except ValidationError as error:
        raise Malformed(_explain("Command", error)) from error


def join_batch(
    gateway: str, epoch: UUID, session: UUID, first_seq: int, events: Iterable[bytes]
) -> bytes:
    """Return a Batch made of events that are encoded already, as an outbox keeps them."""
    head = (
        f'{{"v":1,"gateway":{_quote(gateway)},"epoch":"{epoch}","session":"{session}",'
        f'"first_seq":{first_seq},"events":['
    )
    return head.encode() + b",".join(events) + b"]}"


def _quote(text: str) -> str:
    return TypeAdapter(str).dump_json(text).decode()


def _check_size(data: bytes) -> None:
    if len(data) > PAYLOAD_BYTES_MAX:
        raise Malformed(f"payload of {len(data)} bytes; the limit is {PAYLOAD_BYTES_MAX}")


def _explain(name: str, error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"not a {name}: {where + ': ' if where else ''}{first['msg']}{more}"
