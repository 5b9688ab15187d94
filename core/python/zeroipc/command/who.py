"""Who has a segment open, and which handle slots have a living owner: the kernel's locks say so, /proc names the processes.

Asking for a lock takes none. Of other users' processes only the locks are seen, not the numbers.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Dict, List, Set, Tuple

from .._attachment import is_locked
from .._format import ATTACHED_BYTE
from .segment import FOLDER, View

_LOCK = re.compile(r"^lock:.*\bOFDLCK\b.*\s(\d+)\s(\d+|EOF)$")

Identity = Tuple[int, int]  # device and inode


@dataclass
class Process:
    """A process that is attached to a segment."""

    pid: int
    command: str
    locked: Set[int] = field(default_factory=set)  #: first bytes of its locks


def _locked_bytes(pid: str, fd: str) -> Set[int]:
    try:
        with open(f"/proc/{pid}/fdinfo/{fd}") as lines:
            matches = [_LOCK.match(line.rstrip("\n")) for line in lines]
    except OSError:
        return set()
    return {int(match.group(1)) for match in matches if match}


def _command(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/comm", errors="backslashreplace") as file:
            return file.read().rstrip("\n")
    except OSError:
        return ""


def processes() -> Dict[Identity, List[Process]]:
    """All processes that are attached to some segment, as far as this user may see them."""
    found: Dict[Identity, Dict[int, Process]] = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            fds = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue
        for fd in fds:
            try:
                if not os.readlink(f"/proc/{pid}/fd/{fd}").startswith(FOLDER + "/"):
                    continue
                info = os.stat(f"/proc/{pid}/fd/{fd}")
            except OSError:
                continue
            locked = _locked_bytes(pid, fd)
            if ATTACHED_BYTE in locked:
                one = found.setdefault((info.st_dev, info.st_ino), {})
                one.setdefault(int(pid), Process(int(pid), _command(pid))).locked.update(locked)
    return {identity: sorted(ones.values(), key=lambda p: p.pid) for identity, ones in found.items()}


@dataclass(frozen=True)
class Attached:
    """Whether anybody is attached, and who of them can be seen."""

    anybody: bool
    visible: List[Process]

    def text(self) -> str:
        names = [f"{one.pid} ({one.command})" for one in self.visible]
        return ", ".join(names) or ("a process that this user may not see" if self.anybody else "-")


def attached(view: View, all_processes: Dict[Identity, List[Process]]) -> Attached:
    return Attached(is_locked(view.fd, ATTACHED_BYTE), all_processes.get(view.identity, []))


def owners(view: View, byte: int, who: Attached) -> Tuple[bool, List[int]]:
    """Whether the handle slot with this lock has a living owner, and its process as far as it can be seen."""
    return is_locked(view.fd, byte), [one.pid for one in who.visible if byte in one.locked]
