"""Writing a scanner into a gateway's configuration, without touching what a person wrote there."""

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from gateway import config
from wire.settings import ConfigError


def stanza(values: Mapping[str, object]) -> str:
    """Return the [[scanner]] block with these options, ending in a newline."""
    # A JSON string is a TOML string too, once DEL is escaped.
    lines = [
        f"{key} = {json.dumps(text, ensure_ascii=False)}".replace("\x7f", "\\u007f")
        for key, text in values.items()
    ]
    return "\n".join(["[[scanner]]", *lines]) + "\n"


def append(path: Path, block: str) -> None:
    """Add a block at the end of the configuration in `path`, all of it or nothing.

    The result is loaded before it takes the file's place; ConfigError says what is wrong with it,
    OSError that the file cannot be written.
    """
    path = path.resolve()  # a link stays a link
    before = path.stat()
    text = path.read_text("utf-8")
    text = f"{text}{'' if text.endswith(chr(10)) else chr(10)}\n{block}"
    # Beside the file: its relative paths start there.
    descriptor, name = tempfile.mkstemp(".toml", f".{path.name}-", path.parent)
    fresh = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        config.load(fresh)
        fresh.chmod(before.st_mode & 0o7777)
        with contextlib.suppress(PermissionError):
            os.chown(fresh, before.st_uid, before.st_gid)
        fresh.replace(path)
    except ConfigError as error:
        raise ConfigError(f"{str(error).replace(name, str(path))}; nothing was written") from error
    finally:
        fresh.unlink(missing_ok=True)
