"""Two revisions, built side by side and run in turn, round by round."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence, Tuple

from .harness import measure
from .places import RECORDS, ResultsError

WORKTREE = "worktree"  # the tracked files as they are now, changes and all
Say = Callable[[str], None]


def git(root: Path, *arguments: str) -> str:
    """What git answers; ResultsError where it fails."""
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
    except OSError as error:
        raise ResultsError(f"git cannot be run ({error.strerror}): install it to compare revisions.") from error
    if done.returncode:
        raise ResultsError(f"git {' '.join(arguments)} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def resolve(root: Path, name: str) -> str:
    """The commit of a revision's name. `worktree` is a commit, on no branch, of the tracked files as they are."""
    if name == WORKTREE:
        return git(root, "stash", "create") or git(root, "rev-parse", "HEAD")
    try:
        return git(root, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    except ResultsError as error:
        raise ResultsError(f"'{name}' is neither a run nor a revision of {root}; 'scripts/results list' shows the "
                           "runs, 'git log' the revisions. Two variants of one run: --in RUN.") from error


def build(root: Path, commit: str, folder: Path, say: Say) -> Path:
    """Builds zeroipc-bench of a commit in `folder` and answers where it is; what was built there before is taken."""
    program = folder / "build" / "bench" / "zeroipc-bench"
    if program.is_file():
        say(f"{commit[:12]}: already built in {folder}")
        return program
    source = folder / "source"
    if not source.is_dir():
        git(root, "worktree", "add", "--detach", str(source), commit)
    jobs = str(len(os.sched_getaffinity(0)))
    say(f"{commit[:12]}: building, minutes")
    _step(["cmake", "--preset", "release", "-B", str(folder / "build"), "-DZEROIPC_BUILD_TESTS=OFF"], source, commit)
    _step(["cmake", "--build", str(folder / "build"), "--parallel", jobs, "--target", "zeroipc-bench"], source, commit)
    if not program.is_file():
        raise ResultsError(f"{commit[:12]} was built, but there is no {program}: is it older than the harness?")
    return program


def remove(root: Path, folder: Path) -> None:
    """Takes a build's worktree away again."""
    source = folder / "source"
    if source.is_dir():
        git(root, "worktree", "remove", "--force", str(source))
    shutil.rmtree(folder, ignore_errors=True)


def run_in_turn(programs: Tuple[Path, Path], arguments: Sequence[str], rounds: int, seed: int, work: Path,
                say: Say) -> Tuple[List[Path], List[Path]]:
    """Runs both programs once a round, the first first in even rounds, last in odd ones; both with one seed, so with
    one order of cells, a round. Answers the folders of each; those of whole rounds only, where it is interrupted."""
    folders: Tuple[List[Path], List[Path]] = ([], [])
    for number in range(rounds):
        flags = [*arguments, "--rounds", "1", "--seed", str(seed + number)]
        outs = [work / side / str(number) for side in ("a", "b")]
        try:
            for side in (0, 1) if number % 2 == 0 else (1, 0):
                outs[side].mkdir(parents=True)
                measure(programs[side], flags, outs[side])
        except KeyboardInterrupt:
            say(f"interrupted after {number} whole rounds")
            break
        for side in (0, 1):
            folders[side].append(outs[side])
        say(f"round {number + 1} of {rounds} done")
    return folders


def merge(folders: Sequence[Path], target: Path, suite: str) -> None:
    """Writes a run into an empty folder, of many of one round each: records are given their round and one run's name,
    all else stays."""
    run = ""
    with (target / RECORDS).open("w", encoding="utf-8") as stream:
        for number, folder in enumerate(folders):
            for line in (folder / RECORDS).read_text(encoding="utf-8").splitlines():
                record = json.loads(line)
                run = run or record["run"]
                record.update(round=number, run=run)
                stream.write(json.dumps(record, separators=(",", ":"), sort_keys=True) + "\n")
    environment: Dict[str, Any] = json.loads((folders[0] / "environment.json").read_text(encoding="utf-8"))
    environment["suite"] = {**environment.get("suite", {}), "name": suite, "rounds": len(folders)}
    (target / "environment.json").write_text(json.dumps(environment, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    if (folders[0] / "topology.xml").is_file():
        shutil.copyfile(folders[0] / "topology.xml", target / "topology.xml")


def _step(command: List[str], source: Path, commit: str) -> None:
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
        raise ResultsError(f"{commit[:12]} cannot be built: {' '.join(command)} ended with status {done.returncode}:\n"
                           f"{tail}")
