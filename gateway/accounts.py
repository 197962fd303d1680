"""Who may open a device file: the user of this shell, and the user of the service."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SERVICE_USER = "docktally"
_UNIT = "docktally-gateway.service"
_UNIT_FOLDERS = ("etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")


@dataclass(frozen=True, slots=True)
class Account:
    """A user with all groups that a program of this user has."""

    name: str
    uid: int
    gids: frozenset[int]

    def may_open(self, found: os.stat_result) -> bool:
        """Return whether it may read and write a file with this owner, group and mode."""
        if self.uid == 0:
            return True
        if self.uid == found.st_uid:
            needed = stat.S_IRUSR | stat.S_IWUSR
        elif found.st_gid in self.gids:
            needed = stat.S_IRGRP | stat.S_IWGRP
        else:
            needed = stat.S_IROTH | stat.S_IWOTH
        return found.st_mode & needed == needed


def current(root: Path) -> Account:
    """Return who runs this program."""
    uid = os.geteuid()
    name = next((row[0] for row in _rows(root, "passwd") if row[2] == str(uid)), f"user {uid}")
    return Account(name, uid, frozenset((os.getegid(), *os.getgroups())))


def service(root: Path) -> Account | None:
    """Return the user of the service with the groups that its unit adds; None without the user."""
    row = next((row for row in _rows(root, "passwd") if row[0] == SERVICE_USER), None)
    if row is None:
        return None
    added = _unit_groups(root)
    gids = {
        int(group[2])
        for group in _rows(root, "group")
        if group[0] in added or SERVICE_USER in group[3].split(",")
    }
    return Account(SERVICE_USER, int(row[2]), frozenset(gids | {int(row[3])}))


def group_name(root: Path, gid: int) -> str:
    """Return a group's name, its number when it has none."""
    return next((row[0] for row in _rows(root, "group") if row[2] == str(gid)), str(gid))


def _unit_groups(root: Path) -> set[str]:
    for folder in _UNIT_FOLDERS:
        try:
            lines = (root / folder / _UNIT).read_text("utf-8").splitlines()
        except OSError:
            continue
        return {
            group
            for line in lines
            if line.startswith("SupplementaryGroups=")
            for group in line.partition("=")[2].split()
        }
    return set()


def _rows(root: Path, name: str) -> Iterator[list[str]]:
    """Return the lines of /etc/passwd or /etc/group, at least four fields each."""
    try:
        lines = (root / "etc" / name).read_text("utf-8", "replace").splitlines()
    except OSError:
        return
    for line in lines:
        row = line.split(":")
        if len(row) >= 4 and row[2].isdigit():
            yield row
