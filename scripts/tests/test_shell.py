"""The shell side, in a tree of its own: a copy of the scripts, with stand-ins for every tool that builds or installs.

Nothing here installs, compiles or measures; what is tested is what the commands do with the answers they get.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import List, Optional

import make_records
import pytest
from conftest import SCRIPTS

ALL_INSTALLED = "#!/bin/sh\nprintf 'install ok installed'\n"
NONE_INSTALLED = "#!/bin/sh\nexit 1\n"
# Stands for configuring and for building: says what it was asked, and puts the stand-in of the harness in its place.
CMAKE = """#!/bin/sh
echo "cmake $*" >>"$TREE/calls"
[ "$1" = --build ] || exit 0
mkdir -p "$TREE/build/release/bench"
cp "$TREE/harness" "$TREE/build/release/bench/zeroipc-bench"
cp "$TREE/micro" "$TREE/build/release/bench/zeroipc-micro"
"""
HARNESS = """#!/bin/bash
[[ $1 == --machine ]] && {{ echo "${{MACHINE-demo-cpu-2c-1n-00000000}}"; exit 0; }}
echo "harness $*" >>"$TREE/calls"
while [[ $1 != --out ]]; do shift; done
{then}
"""
MICRO = """#!/bin/bash
echo "micro $*" >>"$TREE/calls"
for one; do [[ $one == --benchmark_out=* ]] && out=${{one#*=}}; done
{then}
"""
MEASURE = 'cp "$TREE"/recorded/* "$2"; '
MEASURE_MICRO = f'cp "{SCRIPTS}/tests/data/micro.json" "$out"; '


class Tree:
    """The copied tree, and the commands run in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tools = root / "tools"
        shutil.copytree(SCRIPTS, root / "scripts", ignore=shutil.ignore_patterns("tests", "__pycache__"))
        (root / "bench" / "suites").mkdir(parents=True)
        for suite in ("quick", "smoke"):
            (root / "bench" / "suites" / f"{suite}.toml").touch()
        (root / "cmake").mkdir()
        (root / "cmake" / "test_costs.txt").write_text("a.slow 1 100\n---\n", encoding="utf-8")
        self.tools.mkdir()
        self.tool("dpkg-query", ALL_INSTALLED)
        self.tool("apt-get", "#!/bin/sh\necho \"apt-get $*\" >>\"$TREE/calls\"\nexit 100\n")
        self.tool("sudo", "#!/bin/sh\nexit 1\n")
        self.tool("cmake", CMAKE)
        self.tool("ctest", "#!/bin/sh\necho \"ctest $*\" >>\"$TREE/calls\"\n")
        few = [line for line in make_records.records(rounds=1) if line["mode"] == "pingpong"
               and line["variant"] in (make_records.DEFAULT, "bound/cacheline")]
        make_records.write(root / "recorded", few, make_records.environment(1))
        self.harness(MEASURE)
        self.micro(MEASURE_MICRO)

    def tool(self, name: str, text: str, folder: Optional[Path] = None) -> Path:
        path = (folder or self.tools) / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
        return path

    def brief(self) -> None:
        """A stand-in for the report, where it is not what is tested."""
        self.tool("report", '#!/bin/sh\ntouch "$1/report.html"\necho "report: $1/report.html"\n', self.root / "scripts")

    def harness(self, then: str) -> None:
        self.tool("harness", HARNESS.format(then=then), self.root)

    def micro(self, then: str) -> None:
        self.tool("micro", MICRO.format(then=then), self.root)

    def environment(self, **more: str) -> dict:
        return {**os.environ, "PATH": f"{self.tools}:{os.environ['PATH']}", "TREE": str(self.root),
                "ZEROIPC_PYTHON": sys.executable, **more}

    def run(self, *command: str, cwd: Path = Path("/"), **more: str) -> subprocess.CompletedProcess:
        return subprocess.run([str(self.root / command[0]), *command[1:]], cwd=cwd, env=self.environment(**more),
                              capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)

    def source(self, script: str, **more: str) -> subprocess.CompletedProcess:
        """Runs lines of bash after setup.sh was sourced."""
        return subprocess.run(["bash", "-euc", f'source "{self.root}/scripts/lib/setup.sh"\n{script}'], cwd="/",
                              env=self.environment(**more), capture_output=True, text=True, check=False)

    @property
    def calls(self) -> str:
        path = self.root / "calls"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    @property
    def folders(self) -> List[Path]:
        return sorted(self.root.glob("results/*/*"))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "a tree")  # a space in the path, for it will happen


# --- setup.sh -----------------------------------------------------------------------------------------------------

def test_the_picker_passes_over_a_python_that_lacks_a_module(tree):
    lacking = tree.tool("python3", f'#!/bin/sh\nexec "{sys.executable}" -S -I "$@"\n')
    has_modules = tree.source("zeroipc_python_can \"$LACKING\" matplotlib", LACKING=str(lacking))
    assert has_modules.returncode != 0
    second = tree.root / "second"
    second.mkdir()
    able = tree.tool("python3", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', second)
    path = f"{tree.tools}:{second}:{os.environ['PATH']}"
    done = tree.source("zeroipc_pick_python matplotlib numpy", PATH=path, ZEROIPC_PYTHON="")
    assert done.stdout.strip() == str(able)


def test_the_picker_prefers_the_python_that_was_named(tree):
    done = tree.source("zeroipc_pick_python matplotlib")
    assert done.stdout.strip() == sys.executable


def test_the_picker_says_when_the_python_that_was_named_will_not_do(tree):
    done = tree.source("zeroipc_pick_python json", ZEROIPC_PYTHON="/nowhere/python3")
    assert done.returncode == 0
    assert "ZEROIPC_PYTHON=/nowhere/python3 cannot import all of: json; trying others" in done.stderr


def test_the_picker_says_what_to_do_when_there_is_none(tree):
    done = tree.source("zeroipc_pick_python no_such_module_anywhere")
    assert done.returncode == 1
    assert "no_such_module_anywhere" in done.stderr
    assert "apt-get install python3" in done.stderr and "export ZEROIPC_PYTHON=" in done.stderr


def test_nothing_is_installed_where_nothing_is_missing(tree):
    assert tree.source("zeroipc_ensure tests").returncode == 0
    assert "apt-get" not in tree.calls


def test_only_what_is_missing_is_installed(tree):
    tree.tool("dpkg-query", '#!/bin/sh\ncase "$*" in *libnuma-dev*) exit 1;; esac\nprintf "install ok installed"\n')
    tree.tool("apt-get", "#!/bin/sh\necho \"apt-get $*\" >>\"$TREE/calls\"\n")
    tree.tool("sudo", '#!/bin/sh\n[ "$1" = -n ] && shift\nexec "$@"\n')
    assert tree.source("zeroipc_ensure report </dev/null").returncode == 0
    update, install = tree.calls.splitlines()
    assert update.endswith(" update")
    assert re.search(r" install --no-install-recommends libnuma-dev$", install)


def test_what_cannot_be_installed_is_one_command_to_type(tree):
    tree.tool("dpkg-query", NONE_INSTALLED)
    done = tree.source("zeroipc_ensure report </dev/null", CXX="false")
    assert done.returncode == 1
    assert "header hwloc.h" in done.stderr
    commands = [line for line in done.stderr.splitlines() if "apt-get update && " in line]
    assert len(commands) == 1
    assert "libhwloc-dev" in commands[0] and "python3-scipy" in commands[0] and "pytest" not in commands[0]


def test_parts_that_are_there_by_other_means_will_do(tree):
    tree.tool("dpkg-query", NONE_INSTALLED)
    tree.tool("any-compiler", "#!/bin/sh\ncat >/dev/null\n")
    for name in ("ninja", "pkg-config"):
        tree.tool(name, "#!/bin/sh\n")
    done = tree.source("zeroipc_ensure report </dev/null", CXX="any-compiler")
    assert done.returncode == 0, done.stderr


def test_peers_are_installed_where_they_can_be(tree):
    tree.tool("dpkg-query", '#!/bin/sh\ncase "$*" in *libtbb-dev*) exit 1;; esac\nprintf "install ok installed"\n')
    tree.tool("apt-get", "#!/bin/sh\necho \"apt-get $*\" >>\"$TREE/calls\"\n")
    tree.tool("sudo", '#!/bin/sh\n[ "$1" = -n ] && shift\nexec "$@"\n')
    assert tree.source("zeroipc_want_peers </dev/null").returncode == 0
    assert re.search(r" install --no-install-recommends libtbb-dev$", tree.calls.strip())


def test_peers_that_cannot_be_installed_are_named_and_do_not_stop_anything(tree):
    tree.tool("dpkg-query", '#!/bin/sh\ncase "$*" in *libtbb-dev*|*libck-dev*) exit 1;; esac\n'
              'printf "install ok installed"\n')
    done = tree.source("zeroipc_want_peers </dev/null")
    assert done.returncode == 0
    assert "not compared with, for want of packages: libtbb-dev libck-dev" in done.stdout
    assert not done.stderr


def test_long_tests_ask_for_emulators_and_do_without(tree):
    assert tree.run("scripts/test", "--long").returncode == 0
    assert "tests left out" not in tree.run("scripts/test", "--long").stdout
    tree.tool("dpkg-query", '#!/bin/sh\ncase "$*" in *qemu-user-static*) exit 1;; esac\nprintf "install ok installed"\n')
    done = tree.run("scripts/test", "--long")
    assert done.returncode == 0
    assert "tests left out, for want of packages: qemu-user-static" in done.stdout
    assert "qemu-user-static" not in tree.run("scripts/test").stdout


def test_peers_that_are_required_are_handed_to_cmake(tree):
    assert tree.run("scripts/test", "--require-peers", "boost,tbb").returncode == 0
    assert "-DZEROIPC_REQUIRE_PEERS=boost;tbb" in tree.calls


# --- scripts/bench ------------------------------------------------------------------------------------------------

def test_bench_measures_and_reports(tree):
    done = tree.run("scripts/bench", "--", "--rounds", "3")
    assert done.returncode == 0, done.stderr
    (folder,) = tree.folders
    assert re.fullmatch(r"\d{8}T\d{6}Z-quick", folder.name)
    assert folder.parent.name == "demo-cpu-2c-1n-00000000"
    assert (folder / "report.html").exists()
    assert f"report: {folder}/report.html" in done.stdout
    assert f"harness --suite quick --out {folder} --rounds 3" in tree.calls
    assert "--target zeroipc-bench" in tree.calls


def test_report_makes_one_of_a_run_and_says_how_it_is_used(tree):
    folder = tree.root / "recorded"
    done = tree.run("scripts/report", str(folder), "--quiet")
    assert (done.returncode, done.stdout) == (0, f"report: {folder}/report.html\n"), done.stderr
    assert {"report.html", "report.md", "report.pdf", "figures"} <= {path.name for path in folder.iterdir()}
    assert tree.run("scripts/report", "--help").stdout.startswith("usage: scripts/report RUN...")
    assert tree.run("scripts/report").returncode == 2


def test_bench_runs_twice_and_through_a_link_from_elsewhere(tree, tmp_path):
    tree.brief()
    link = tmp_path / "measure"
    link.symlink_to(tree.root / "scripts" / "bench")
    for _ in range(2):
        done = subprocess.run([str(link), "smoke"], cwd=tmp_path, env=tree.environment(), capture_output=True,
                              text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert len(tree.folders) == 2
    assert all("-smoke" in folder.name for folder in tree.folders)


def test_bench_reports_though_a_cell_failed_and_keeps_its_status(tree):
    tree.brief()
    tree.harness(MEASURE + "exit 1")
    done = tree.run("scripts/bench")
    assert done.returncode == 1
    assert "ended with status 1; reporting what was recorded" in done.stderr
    assert (tree.folders[0] / "report.html").exists()


def test_bench_without_records_leaves_no_empty_folder(tree):
    tree.harness("exit 2")
    done = tree.run("scripts/bench")
    assert done.returncode == 2
    assert "nothing was recorded" in done.stderr
    assert tree.folders == []


def test_bench_interrupted_reports_what_was_kept(tree):
    tree.brief()
    tree.harness(MEASURE + 'trap "exit 130" INT; touch "$TREE/measuring"; while :; do sleep 0.05; done')
    process = subprocess.Popen([str(tree.root / "scripts/bench")], cwd="/", env=tree.environment(), text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    try:
        while not (tree.root / "measuring").exists():
            assert process.poll() is None
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)  # as the terminal does on Ctrl-C
        out, errors = process.communicate(timeout=120)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130, errors
    assert "ended with status 130" in errors
    assert "report: " in out
    assert (tree.folders[0] / "report.html").exists()


def test_bench_with_an_unknown_suite_says_which_there_are(tree):
    done = tree.run("scripts/bench", "nosuch")
    assert done.returncode == 2
    assert "no suite is named 'nosuch'; there are: quick smoke" in done.stderr
    assert tree.calls == ""


@pytest.mark.parametrize("arguments", [("--rounds", "3"), ("quick", "smoke")])
def test_bench_refuses_what_it_does_not_know(tree, arguments):
    assert tree.run("scripts/bench", *arguments).returncode == 2


@pytest.mark.parametrize("name", ["../../elsewhere", "", "two words"])
def test_bench_makes_no_folder_of_an_odd_name(tree, name):
    done = tree.run("scripts/bench", MACHINE=name)
    assert done.returncode == 1
    assert "cannot name a folder" in done.stderr
    assert not (tree.root / "results").exists()


def test_bench_shows_the_log_of_a_build_that_fails(tree):
    tree.tool("cmake", "#!/bin/sh\n[ \"$1\" = --build ] || exit 0\necho 'queue.hpp:1: error: oops'\nexit 1\n")
    done = tree.run("scripts/bench")
    assert done.returncode == 1
    assert "queue.hpp:1: error: oops" in done.stderr
    assert "building build/release failed" in done.stderr


@pytest.mark.parametrize("command", ["scripts/bench", "scripts/micro", "scripts/selftest", "scripts/test"])
def test_help(tree, command):
    done = tree.run(command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: {command}")
    assert tree.calls == ""


# --- scripts/micro ------------------------------------------------------------------------------------------------

def test_micro_measures_and_prints_the_ratios(tree):
    done = tree.run("scripts/micro", "--filter", "^queue", "--repetitions", "5", "--", "--keys=99")
    assert done.returncode == 0, done.stderr
    assert re.search(r"boost_fixed .* 0\.500 \[0\.490, 0\.510\] .* at most 0\.6 .* met", done.stdout)
    assert "--target zeroipc-micro" in tree.calls
    (call,) = [line for line in tree.calls.splitlines() if line.startswith("micro ")]
    for flag in ("--benchmark_filter=^queue", "--benchmark_repetitions=5", "--keys=99",
                 "--benchmark_enable_random_interleaving=true"):
        assert flag in call
    assert (tree.root / "build" / "release" / "micro.json").exists()


def test_micro_writes_where_it_is_told(tree, tmp_path):
    assert tree.run("scripts/micro", "--out", "here.json", cwd=tmp_path).returncode == 0
    assert (tmp_path / "here.json").exists()


def test_micro_shows_what_was_measured_though_a_benchmark_failed(tree):
    tree.micro(MEASURE_MICRO + "exit 1")
    done = tree.run("scripts/micro")
    assert done.returncode == 1
    assert "boost_fixed" in done.stdout
    assert "zeroipc-micro ended with status 1" in done.stderr


def test_micro_takes_no_old_file_for_a_result(tree):
    assert tree.run("scripts/micro").returncode == 0
    tree.micro("exit 2")
    done = tree.run("scripts/micro")
    assert done.returncode == 2
    assert "nothing was measured" in done.stderr and "boost_fixed" not in done.stdout


@pytest.mark.parametrize("arguments", [("queue",), ("--repetitions", "many"), ("--repetitions", "0"), ("--filter",),
                                       ("--out", "/nowhere/at/all.json")])
def test_micro_refuses_what_it_does_not_know(tree, arguments):
    assert tree.run("scripts/micro", *arguments).returncode == 2
    assert tree.calls == ""


# --- scripts/selftest ---------------------------------------------------------------------------------------------

def test_selftest_measures_judges_and_writes_beside_the_runs(tree):
    fake = f'"{sys.executable}" "{SCRIPTS}/tests/fake_harness.py" --suite "$2.toml" --out "$2"'
    tree.harness(f"PYTHONDONTWRITEBYTECODE=1 exec {fake}")
    done = tree.run("scripts/selftest", "--quick", "--window-ms", "10", "--percents", "100")
    assert done.returncode == 0, done.stderr
    assert "single worker from 100% (slower)" in done.stdout
    (folder,) = [path for path in tree.folders if path.is_dir()]
    assert re.fullmatch(r"\d{8}T\d{6}Z-selftest", folder.name)
    assert (folder / "resolution.json").exists() and (folder.parent / "resolution.json").exists()
    assert "--target zeroipc-bench" in tree.calls


def test_selftest_proves_the_rule_without_a_build(tree):
    (tree.root / "bench" / "docs").mkdir()
    page = tree.root / "bench" / "docs" / "resolution.md"
    page.write_text("no marks\n", encoding="utf-8")
    done = tree.run("scripts/selftest", "--rule")
    assert done.returncode == 1
    assert f"{page}: has no <!-- tables -->" in done.stderr
    assert tree.calls == ""


@pytest.mark.parametrize("arguments", [("quick",), ("--tries", "many"), ("--minutes",), ("--rounds", "-1")])
def test_selftest_refuses_what_it_does_not_know(tree, arguments):
    assert tree.run("scripts/selftest", *arguments).returncode == 2
    assert tree.calls == ""


def test_selftest_leaves_no_empty_folder_where_the_program_refuses(tree):
    assert tree.run("scripts/selftest", "--rounds", "5").returncode == 2
    assert tree.folders == []


# --- scripts/test -------------------------------------------------------------------------------------------------

def test_test_runs_fast_and_medium(tree):
    done = tree.run("scripts/test")
    assert done.returncode == 0, done.stderr
    assert f"cmake --preset release -B {tree.root}/build/release -DZEROIPC_WERROR=OFF" in tree.calls
    assert re.search(r"ctest --test-dir .*/build/release .*--no-tests=error .*-L \^\(fast\|medium\)\$", tree.calls)


def test_test_tells_ctest_what_takes_long_until_it_knows_itself(tree):
    known = tree.root / "build" / "release" / "Testing" / "Temporary" / "CTestCostData.txt"
    assert tree.run("scripts/test").returncode == 0
    assert known.read_text(encoding="utf-8") == "a.slow 1 100\n---\n"
    known.write_text("a.slow 2 90\n---\n", encoding="utf-8")
    assert tree.run("scripts/test").returncode == 0
    assert known.read_text(encoding="utf-8") == "a.slow 2 90\n---\n"


def test_test_runs_all_with_long(tree):
    assert tree.run("scripts/test", "--long").returncode == 0
    assert "ctest" in tree.calls and " -L " not in tree.calls


def test_test_runs_the_labels_asked_for(tree):
    assert tree.run("scripts/test", "--label", "slow", "--label", "stress").returncode == 0
    assert "-L ^(slow|stress)$" in tree.calls


def test_test_builds_with_another_compiler_in_a_folder_of_its_own(tree):
    tree.tool("othercc++", "#!/bin/sh\n")
    done = tree.run("scripts/test", "--preset", "asan", "--cxx", "othercc++", "--werror")
    assert done.returncode == 0, done.stderr
    assert f"-B {tree.root}/build/asan-othercc++" in tree.calls
    assert "-DZEROIPC_WERROR=ON" in tree.calls and "-DCMAKE_CXX_COMPILER=othercc++" in tree.calls


def test_test_fails_when_a_test_does(tree):
    tree.tool("ctest", "#!/bin/sh\nexit 8\n")
    assert tree.run("scripts/test").returncode == 1


@pytest.mark.parametrize("arguments", [("--preset", "fastest"), ("--preset",), ("--cxx", "no-such-compiler"),
                                       ("--long", "--label", "fast"), ("fast",)])
def test_test_refuses_what_it_does_not_know(tree, arguments):
    done = tree.run("scripts/test", *arguments)
    assert done.returncode == 2
    assert tree.calls == ""
