"""Fixtures of the script tests: run folders to read and a report made once."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List

import hypothesis
import pytest

SCRIPTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(SCRIPTS), str(SCRIPTS / "tests")]

import make_records  # noqa: E402  (the path is set just above)
from zeroipc_report import __main__ as command  # noqa: E402

# The same examples each time, none remembered; how long one takes is the machine's affair.
hypothesis.settings.register_profile("scripts", derandomize=True, database=None, deadline=None)
hypothesis.settings.load_profile("scripts")

DEMO = SCRIPTS / "tests" / "data" / "demo"


@pytest.fixture
def write(tmp_path: Path) -> Callable[[List[Dict[str, Any]]], Path]:
    """Writes records and the invented environment into a fresh folder."""

    def write_into(lines: List[Dict[str, Any]]) -> Path:
        folder = tmp_path / "run"
        make_records.write(folder, lines, make_records.environment(10))
        return folder

    return write_into


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the committed run folder with its report made."""
    folder = tmp_path_factory.mktemp("demo") / "run"
    shutil.copytree(DEMO, folder)
    assert command.main([str(folder), "--quiet"]) == 0
    return folder
