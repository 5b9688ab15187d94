"""Calls zeroipc-bench."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import List, Sequence

from .places import ROOT, ResultsError, is_run

DEFAULT = ROOT / "build" / "release" / "bench" / "zeroipc-bench"
INTERRUPTED = 130


def answer(harness: Path, arguments: Sequence[str]) -> str:
    """What the program prints on its standard output; ResultsError where it fails."""
    done = _run([str(harness), *arguments])
    if done.returncode:
        raise ResultsError(f"{harness.name} {' '.join(arguments)} ended with status {done.returncode}: "
                           f"{done.stderr.strip()}")
    return done.stdout


def measure(harness: Path, arguments: Sequence[str], out: Path) -> int:
    """One invocation that writes records into `out`; answers its status: 0, or 1 where a run failed. Raises
    KeyboardInterrupt where it was interrupted, ResultsError where it recorded nothing."""
    done = _run([str(harness), *arguments, "--out", str(out)])
    if done.returncode in (INTERRUPTED, -2):
        raise KeyboardInterrupt
    if not is_run(out) or done.returncode not in (0, 1):
        raise ResultsError(f"{harness.name} {' '.join(arguments)} ended with status {done.returncode} and "
                           f"{'a record' if is_run(out) else 'no record'}: {done.stderr.strip() or 'no message'}")
    return done.returncode


def _run(command: List[str]) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise ResultsError(f"{command[0]}: cannot be run ({error.strerror}). Build it: cmake --preset release && "
                           "cmake --build build/release --target zeroipc-bench; or name one: --harness.") from error
