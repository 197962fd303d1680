"""The protocol as an AsyncAPI 3.0 document, made from the models: `python -m wire.asyncapi`.

docs/asyncapi.json is its output. It is told from the side of central and whoever operates it.
"""

import json
import sys
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from wire import events
from wire.topics import DEFAULT_ROOT, DELIVERY, Channel, Topics

_Json = dict[str, Any]
#: What travels on a channel, which parameters its topic has, who says it, and who hears it.
_CHANNELS: dict[Channel, tuple[tuple[type[BaseModel], ...], tuple[str, ...], str]] = {
    "events": ((events.Batch,), ("site", "gateway"), "gateway to central"),
    "ack": ((events.Ack,), ("site", "gateway"), "central to gateway"),
    "state": ((events.GatewayState,), ("site", "gateway"), "gateway to all"),
    "commands": (
        (events.Identify, events.Replay, events.Reload, events.Feedback),
        ("site", "gateway"),
        "an operator to gateway",
    ),
    "signals": ((events.Signal,), ("site", "gateway"), "gateway to monitors"),
    "central": ((events.CentralState,), (), "central to all"),
    "availability": ((events.Availability,), ("site", "sku"), "central to all"),
    "activity": ((events.Activity,), ("site",), "central to monitors"),
    "alert": ((events.Alert,), ("id",), "central to all"),
}
_RECEIVED: frozenset[Channel] = frozenset({"events", "state", "signals"})
_SCHEMAS, _MESSAGES = "#/components/schemas/", "#/components/messages/"
_PARAMETERS = {
    "site": "Name of the site, percent-encoded",
    "gateway": "Name of the gateway, percent-encoded",
    "sku": "SKU of the item, percent-encoded",
    "id": "Id of the alert",
}


def document() -> _Json:
    """Return the AsyncAPI 3.0 document of protocol version 1, with the default topic root."""
    models = [model for sent, _, _ in _CHANNELS.values() for model in sent]
    _, definitions = models_json_schema(
        [(model, "serialization") for model in models], ref_template=_SCHEMAS + "{model}"
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Docktally wire protocol",
            "version": "1",
            "description": "MQTT 5, JSON payloads. docs/wire.md explains what holds beyond shapes.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {channel: _channel(channel) for channel in get_args(Channel)},
        "operations": {f"on_{c}" if c in _RECEIVED else c: _operation(c) for c in _CHANNELS},
        "components": {
            "messages": {model.__name__: _message(model) for model in models},
            "schemas": definitions["$defs"],
        },
    }


def _channel(channel: Channel) -> _Json:
    models, parameters, direction = _CHANNELS[channel]
    described: _Json = {
        "address": _address(channel),
        "description": f"From {direction}",
        "messages": {m.__name__: {"$ref": _MESSAGES + m.__name__} for m in models},
    }
    if parameters:
        described["parameters"] = {name: {"description": _PARAMETERS[name]} for name in parameters}
    return described


def _address(channel: Channel) -> str:
    build = getattr(Topics(DEFAULT_ROOT), channel)
    return str(build(*(f"{{{name}}}" for name in _CHANNELS[channel][1])))


def _operation(channel: Channel) -> _Json:
    delivery = DELIVERY[channel]
    return {
        "action": "receive" if channel in _RECEIVED else "send",
        "channel": {"$ref": f"#/channels/{channel}"},
        "bindings": {
            "mqtt": {"qos": delivery.qos, "retain": delivery.retain, "bindingVersion": "0.2.0"}
        },
    }


def _message(model: type[BaseModel]) -> _Json:
    return {"title": model.__name__, "payload": {"$ref": _SCHEMAS + model.__name__}}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(document(), indent=2) + "\n")
