"""What the kernel finds in memory when it starts: busybox, the modules, and `init.sh`."""

import hashlib
from pathlib import Path

from rig import kernel
from rig.packages import Cache

_INIT = Path(__file__).with_name("init.sh")
_FOLDER, _PROGRAM, _FILE, _DEVICE = 0o040755, 0o100755, 0o100644, 0o020600


def build(cache: Cache) -> Path:
    """Return the archive, made anew when its parts changed."""
    busybox = cache.find("bin/busybox", "usr/bin/busybox").read_bytes()
    entries = [
        _entry("bin", _FOLDER),
        _entry("bin/busybox", _PROGRAM, busybox),
        _entry("dev", _FOLDER),
        _entry("dev/console", _DEVICE, device=(5, 1)),
        _entry("init", _PROGRAM, _INIT.read_bytes()),
        _entry("modules", _FOLDER),
    ]
    order = ""
    for module in kernel.modules(cache):
        name = f"modules/{module.file.name}"
        entries.append(_entry(name, _FILE, module.file.read_bytes()))
        order += f"{name} {module.parameters}\n"
    entries += [_entry("order", _FILE, order.encode()), _entry("TRAILER!!!", 0)]
    archive = b"".join(entries)
    target = cache.folder / f"initramfs-{hashlib.sha256(archive).hexdigest()[:16]}.cpio"
    if not target.exists():
        fresh = target.with_suffix(".new")
        fresh.write_bytes(archive)
        fresh.replace(target)
    return target


def _entry(name: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0)) -> bytes:
    """Return one file of a `newc` archive: 13 fields of eight hex digits, name, data, padded."""
    path = name.encode() + b"\0"
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + path
    return _padded(head) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
