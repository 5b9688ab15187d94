"""The package's type hints hold together."""

import pathlib
import subprocess
import sys

import pytest
import zeroipc

FOLDER = pathlib.Path(zeroipc.__file__).resolve().parents[1]


@pytest.mark.medium
def test_mypy(tmp_path):
    # Without mypy this fails and says "No module named mypy" (Debian: apt-get install python3-mypy): it is one of the tests'
    # packages, and a skipped test would read as a passed one.
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path), "--config-file", str(FOLDER / "pyproject.toml")]
    found = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr
