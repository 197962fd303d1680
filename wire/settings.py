"""Configuration files of all programs: TOML into a model, every mistake one sentence."""

import difflib
import tomllib
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from wire.errors import WireError

#: The environment variable that holds a token of central's API: in no file, and on no command line.
TOKEN_VARIABLE = "DOCKTALLY_TOKEN"  # noqa: S105  a name, no secret
Model = TypeVar("Model", bound=BaseModel)


class ConfigError(WireError):
    """A configuration that cannot be used; the message names the file, the key and the cure."""


class Section(BaseModel):
    """A table of a configuration file. A key that it does not know is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def read(model: type[Model], path: Path, without: str) -> Model:
    """Return the configuration in `path`; raise ConfigError with what to change.

    `without` says what to do when there is no such file.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); {without}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    return check(model, data, f"{path}: ")


def check(model: type[Model], data: dict[str, Any], where: str = "") -> Model:
    """Return the configuration in `data`; raise ConfigError, its sentence starting with `where`."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConfigError(where + _explain(model, error)) from error


def _explain(model: type[BaseModel], error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] != "extra_forbidden":
        given = first["input"]
        shown = f", not {given!r}" if isinstance(given, str | int | float) else ""
        return f"{key + ': ' if key else ''}{first['msg'].removeprefix('Value error, ')}{shown}"
    known = _table_at(model, first["loc"][:-1]).model_fields
    close = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known)}"
    return f"unknown key {key!r}; {hint}"


def _table_at(model: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel]:
    for part in location:
        if isinstance(part, str):
            model = _table_of(model.model_fields[part].annotation)
    return model


def _table_of(annotation: object) -> type[BaseModel]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return _table_of(next(arg for arg in get_args(annotation) if arg is not Ellipsis))
