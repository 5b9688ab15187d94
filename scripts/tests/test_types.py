"""The scripts' types hold: what their annotations say is checked, not only written."""

import pathlib
import subprocess
import sys

SCRIPTS = pathlib.Path(__file__).parents[1]


def types_of(*paths: pathlib.Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "mypy", "--config-file", str(SCRIPTS / "mypy.ini"), "--cache-dir", "/dev/null"]
    return subprocess.run(command + [str(path) for path in paths], cwd=SCRIPTS, capture_output=True, text=True)


def test_types_hold() -> None:
    found = types_of(SCRIPTS / "zeroipc_report", SCRIPTS / "zeroipc_results")
    assert found.returncode == 0, found.stdout + found.stderr


def test_a_wrong_type_is_found(tmp_path: pathlib.Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("def twice(number: int) -> int:\n    return 'two'\n", encoding="utf-8")
    assert "Incompatible return value" in types_of(wrong).stdout
