"""The rows of a damaged SQLite file, read page by page, without SQLite and without changing it.

SQLite stops at the first bad page on its way to a row. The rows themselves lie in leaf pages, each
of which can be understood alone: https://www.sqlite.org/fileformat2.html, sections 1.6, 2.1 and 4.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

Value = int | str | bytes | None
Row = tuple[int, tuple[Value, ...]]

_MAGIC = b"SQLite format 3\0"
#: Tried when neither the file nor its log says how large its pages are: all that we ever made.
_OUR_PAGE_SIZES = (2_048, 4_096)
_TABLE_LEAF = 0x0D
_FILE_HEADER_BYTES, _LEAF_HEADER_BYTES = 100, 8
_LOG_MAGIC = 0x377F0682  # the lowest bit says that checksums are big-endian
_LOG_HEADER_BYTES, _FRAME_HEADER_BYTES = 32, 24
#: No row of ours is larger; what says so is nonsense.
_ROW_BYTES_MAX = 1 << 20
#: Serial types: integers of so many bytes, reals (we have none), constants; then blobs and texts.
_INTEGER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_REAL, _ZERO, _ONE, _BLOB = 7, 8, 9, 12


def rows(path: Path) -> Iterator[Row]:
    """Yield (rowid, values) of every row that can be read, of all tables.

    Pages come in the order of their first rowid; one that is free may hold rows deleted long ago.
    Raises OSError when the disk does not give us the file.
    """
    log_path = Path(f"{path}-wal")
    log = log_path.read_bytes() if log_path.exists() else b""
    with path.open("rb") as file:
        head = file.read(_FILE_HEADER_BYTES)
        said = struct.unpack(">H", head[16:18])[0] if head.startswith(_MAGIC) else 0
        sizes = [size for size in (said, log_page_bytes(log)) if size in _OUR_PAGE_SIZES][:1]
        sizes = sizes or list(_OUR_PAGE_SIZES)
        pages = max((_Pages(file, each, log) for each in sizes), key=lambda one: len(one.leaves))
        for _, number in pages.leaves:
            yield from pages.rows(number)


def log_page_bytes(log: bytes) -> int:
    """Return the page size in the header of a write-ahead log; 0 when that is damaged or empty."""
    if len(log) < _LOG_HEADER_BYTES or struct.unpack(">I", log[:4])[0] & ~1 != _LOG_MAGIC:
        return 0
    if _checksum(log, log[:24], (0, 0)) != struct.unpack(">2I", log[24:32]):
        return 0
    return int(struct.unpack(">I", log[8:12])[0])


def is_broken(log: bytes) -> bool:
    """Return whether a write-ahead log lacks what was flushed for certain.

    SQLite takes a log up to its first bad frame, and says nothing. Each commit is flushed before
    the next begins, so a power cut may have torn the newest one and no other.
    """
    size = log_page_bytes(log)
    if not size:
        return len(log) > _LOG_HEADER_BYTES
    commits = [0, 0]
    step = _FRAME_HEADER_BYTES + size
    for count, at in enumerate(range(_LOG_HEADER_BYTES, len(log) - step + 1, step), 1):
        if log[at + 8 : at + 16] != log[16:24]:
            break  # left from an earlier round
        if log[at + 4 : at + 8] != bytes(4):
            commits.append(count)
    return _whole_frames(log)[1] < commits[-2]


def _whole_frames(log: bytes) -> tuple[dict[int, int], int]:
    """Return where the newest committed version of each page begins, and how many frames hold."""
    newest: dict[int, int] = {}
    pending: dict[int, int] = {}
    count, size = 0, log_page_bytes(log)
    step = _FRAME_HEADER_BYTES + size
    check: tuple[int, int] = struct.unpack(">2I", log[24:32]) if size else (0, 0)
    for at in range(_LOG_HEADER_BYTES, len(log) - step + 1 if size else 0, step):
        head, page = log[at : at + _FRAME_HEADER_BYTES], at + _FRAME_HEADER_BYTES
        check = _checksum(log, head[:8] + log[page : page + size], check)
        if head[8:16] != log[16:24] or check != struct.unpack(">2I", head[16:24]):
            break
        count += 1
        number, ends_a_commit = struct.unpack(">2I", head[:8])
        pending[number] = page
        if ends_a_commit:
            newest.update(pending)
            pending.clear()
    return newest, count


def _checksum(log: bytes, data: bytes, start: tuple[int, int]) -> tuple[int, int]:
    words = struct.unpack(f"{'>' if log[3] & 1 else '<'}{len(data) // 4}I", data)
    one, two = start
    for index in range(0, len(words), 2):
        one = (one + words[index] + two) & 0xFFFFFFFF
        two = (two + words[index + 1] + one) & 0xFFFFFFFF
    return one, two


class _Pages:
    """A file and its log as pages of one size. `leaves` are (first rowid, page number), sorted."""

    def __init__(self, file: BinaryIO, size: int, log: bytes) -> None:
        self._file, self._size, self._log = file, size, log
        self._newest = _whole_frames(log)[0] if log_page_bytes(log) == size else {}
        count = max(file.seek(0, 2) // size, *self._newest, 0)
        self.leaves = sorted(
            (first[0], number)
            for number in range(1, count + 1)
            if (first := next(self.rows(number), None)) is not None
        )

    def rows(self, number: int) -> Iterator[Row]:
        """Yield the rows of a page, as far as they make sense: none when it is no table's leaf."""
        page = self._page(number)
        at = _FILE_HEADER_BYTES if number == 1 else 0
        if len(page) < self._size or page[at] != _TABLE_LEAF:
            return
        (count,) = struct.unpack_from(">H", page, at + 3)
        for index in range(min(count, self._size // 4)):
            try:
                (cell,) = struct.unpack_from(">H", page, at + _LEAF_HEADER_BYTES + 2 * index)
                length, cell = _varint(page, cell)
                rowid, cell = _varint(page, cell)
                yield rowid, _values(self._payload(page, cell, length))
            except (IndexError, ValueError, struct.error):
                continue

    def _page(self, number: int) -> bytes:
        at = self._newest.get(number)
        if at is not None:
            return self._log[at : at + self._size]
        try:
            self._file.seek((number - 1) * self._size)
            return self._file.read(self._size)
        except OSError:  # a bad block
            return b""

    def _payload(self, page: bytes, at: int, length: int) -> bytes:
        """Return a row's bytes, which may go on in a chain of overflow pages."""
        if length > _ROW_BYTES_MAX:
            raise ValueError("not a row of ours")
        if length <= self._size - 35:
            return page[at : at + length]
        least = (self._size - 12) * 32 // 255 - 23
        local = least + (length - least) % (self._size - 4)
        local = local if local <= self._size - 35 else least
        data = page[at : at + local]
        (following,) = struct.unpack_from(">I", page, at + local)
        while following and len(data) < length:
            page = self._page(following)
            (following,) = struct.unpack_from(">I", page)
            data += page[4 : 4 + length - len(data)]
        return data


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the integer at `at` and where the next thing begins."""
    value = 0
    for index in range(at, at + 8):
        value = value << 7 | data[index] & 0x7F
        if data[index] < 0x80:
            return value, index + 1
    return value << 8 | data[at + 8], at + 9


def _values(payload: bytes) -> tuple[Value, ...]:
    """Return the columns of a row; raise ValueError, IndexError or struct.error for nonsense."""
    header_end, at = _varint(payload, 0)
    body = header_end
    values: list[Value] = []
    while at < header_end:
        kind, at = _varint(payload, at)
        size = (kind - _BLOB) // 2 if kind >= _BLOB else _INTEGER_BYTES.get(kind, 0)
        data = payload[body : body + size]
        if len(data) < size or kind == _REAL:
            raise ValueError("the row is cut off, or not ours")
        body += size
        if kind >= _BLOB:
            values.append(data.decode() if kind % 2 else data)
        elif size:
            values.append(int.from_bytes(data, "big", signed=True))
        else:
            values.append({_ZERO: 0, _ONE: 1}.get(kind))
    return tuple(values)
