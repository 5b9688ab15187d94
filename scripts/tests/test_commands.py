"""The wrappers over zeroipc_results: which module each becomes, with which arguments, and what is built before."""

from __future__ import annotations

import subprocess

import pytest
from test_shell import Tree, tree  # noqa: F401  (a fixture)

MODULES = {"compare": "zeroipc_results.compare_command", "results": "zeroipc_results",
           "core-to-core": "zeroipc_results.core_to_core", "topology": "zeroipc_results.topology"}
# Stands for python3: can import everything, and says what it was asked to run and where it would find packages.
PYTHON = '#!/bin/sh\n[ "$1" = - ] && exit 0\nprintf "%s\\n" "$PYTHONPATH" "$@"\nexit "${STATUS-0}"\n'


def run(tree: Tree, command: str, *arguments: str, **more: str) -> subprocess.CompletedProcess:
    python = tree.tool("stand-in-python", PYTHON)
    return tree.run(f"scripts/{command}", *arguments, ZEROIPC_PYTHON=str(python), **more)


@pytest.mark.parametrize("command", MODULES)
def test_a_command_becomes_its_module_and_ends_with_its_status(tree, command):  # noqa: F811
    done = run(tree, command, "--harness", "some bench", "two words", STATUS="3")
    assert done.returncode == 3
    path, *arguments = done.stdout.splitlines()
    assert path.split(":")[0] == str(tree.root / "scripts")
    assert arguments == ["-m", MODULES[command], "--harness", "some bench", "two words"]
    assert "cmake" not in tree.calls


@pytest.mark.parametrize("command, builds", [("compare", False), ("results", False), ("core-to-core", True),
                                             ("topology", True)])
def test_the_harness_is_built_where_it_is_needed(tree, command, builds):  # noqa: F811
    assert run(tree, command).returncode == 0
    assert ("--target zeroipc-bench" in tree.calls) is builds
    assert run(tree, command, "--help").returncode == 0
    assert tree.calls.count("--target zeroipc-bench") == int(builds)


def test_a_build_that_fails_ends_it(tree):  # noqa: F811
    tree.tool("cmake", "#!/bin/sh\necho no >&2\nexit 1\n")
    done = run(tree, "topology")
    assert done.returncode == 1 and "-m" not in done.stdout
