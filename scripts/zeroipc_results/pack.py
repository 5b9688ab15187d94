"""A run with all that its figures come from, as one archive: the same run gives the same bytes."""

from __future__ import annotations

import gzip
import hashlib
import importlib
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any, Dict, List, Mapping, Tuple

from zeroipc_report import resolution

from . import privacy
from .places import RECORDS, ROOT, ResultsError, label
from .revisions import git
from .table import read, section

SCHEMA = "zeroipc-pack/1"
LIBRARIES = ("numpy", "scipy", "pandas", "matplotlib", "jinja2")
REDRAW = """#!/bin/sh
# Redraws every figure, and the report, of the records in run/: into run/figures and run/report.html.
# Needs a python3 with numpy, scipy, pandas, matplotlib, jinja2 and rich; PYTHON names one. manifest.json has the
# versions that were used, and the SHA-256 of each figure.
cd "$(dirname "$0")" || exit 1
PYTHONPATH=scripts PYTHONDONTWRITEBYTECODE=1 exec "${PYTHON:-python3}" -m zeroipc_report run --quiet
"""


def write(folder: Path, target: Path) -> Dict[str, Any]:
    """Packs a run and answers its manifest. The figures are drawn from what is packed, to note what they are."""
    known = read(folder)
    sources = {name: name for name in privacy.FILES}
    machine = known.environment.get("machine", "unknown")
    # What a report says of its machine it may find beside the run; a pack has it in the run.
    own, beside = (resolution.of_machine(folder / name, machine) for name in (resolution.FILE, privacy.OF_MACHINE))
    if beside and not own:
        sources[resolution.FILE] = privacy.OF_MACHINE
    found = privacy.findings(folder, files=list(sources.values()))
    if found:
        raise ResultsError(f"{label(folder)} says whose machine it is of: {found[0]}. 'scripts/results keep' tells "
                           "all.")
    if not target.name.endswith(".tar.gz"):
        raise ResultsError(f"{target}: a pack is a .tar.gz; give such a name.")
    name = label(folder).replace("/", "--")
    with tempfile.TemporaryDirectory(prefix="zeroipc-pack-") as temporary:
        stage = Path(temporary) / name
        (stage / "run").mkdir(parents=True)
        for file, source in sources.items():
            if (folder / source).is_file():
                shutil.copyfile(folder / source, stage / "run" / file)
        shutil.copytree(ROOT / "scripts" / "zeroipc_report", stage / "scripts" / "zeroipc_report",
                        ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        (stage / "redraw").write_text(REDRAW, encoding="utf-8")
        suite = _suite(known.environment, stage)
        packed = sorted(path for path in stage.rglob("*") if path.is_file())
        manifest = _manifest(known.environment, suite, {_inside(path, stage): _sha256(path) for path in packed},
                             redraw(stage))
        (stage / "manifest.json").write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        _archive(stage, [*packed, stage / "manifest.json"], target)
    return manifest


def redraw(stage: Path) -> Dict[str, str]:
    """Runs an unpacked pack's own command; answers each SVG figure's SHA-256."""
    done = subprocess.run(["sh", str(stage / "redraw")], capture_output=True, text=True, check=False,
                          env={**os.environ, "PYTHON": sys.executable})
    if done.returncode:
        raise ResultsError(f"the figures cannot be redrawn (status {done.returncode}): {done.stderr.strip()}")
    return {path.name: _sha256(path) for path in sorted((stage / "run" / "figures").glob("*.svg"))}


def verify(archive: Path, into: Path) -> Tuple[List[str], int]:
    """Unpacks, redraws, and compares. Answers what differs, in sentences, and how many figures there are."""
    stage = _unpack(archive, into)
    try:
        manifest = json.loads((stage / "manifest.json").read_text(encoding="utf-8"))
        files, figures = manifest["files"], manifest["figures"]
    except (OSError, ValueError, KeyError) as error:
        raise ResultsError(f"{archive}: is no pack of scripts/results: its manifest.json cannot be read ({error})."
                           ) from error
    differing = [f"{name} is not what was packed" for name, known in sorted(files.items())
                 if not (stage / name).is_file() or _sha256(stage / name) != known]
    if differing:
        return differing, len(figures)  # what is not as it was packed is not run
    drawn = redraw(stage)
    differing += [f"figure {name} differs from the one packed" for name in sorted({*figures, *drawn})
                  if figures.get(name) != drawn.get(name)]
    if differing:
        differing += [f"{name} was {known}, here it is {here}" for name, known in sorted(manifest["libraries"].items())
                      if known != (here := _versions()[name])]
    return differing, len(figures)


def _suite(environment: Mapping[str, Any], stage: Path) -> str:
    """Puts the suite's file of that revision into the pack; answers where it is from."""
    name, revision = section(environment, "suite").get("name", ""), section(environment, "build").get("revision", "")
    path = ROOT / "bench" / "suites" / f"{name}.toml"
    if not path.is_file():
        return f"'{name}' has no file: the cells stand in environment.json, under fingerprint"
    try:
        text = git(ROOT, "show", f"{revision.rstrip('+')}:bench/suites/{name}.toml") + "\n"
        origin = f"suite.toml, of revision {revision.rstrip('+')}"
    except ResultsError:
        text = path.read_text(encoding="utf-8")
        origin = f"suite.toml, of the revision that packed: git does not know {revision or 'the one that measured'}"
    (stage / "suite.toml").write_text(text, encoding="utf-8")
    return origin


def _manifest(environment: Mapping[str, Any], suite: str, files: Dict[str, str],
              figures: Dict[str, str]) -> Dict[str, Any]:
    return {
        "schema": SCHEMA, "machine": environment.get("machine", "unknown"),
        "build": environment.get("build", "unknown"),
        "seed": section(environment, "suite").get("seed", "unknown"), "suite": suite, "records": f"run/{RECORDS}",
        "redraw": "sh redraw", "libraries": _versions(), "files": files, "figures": figures,
    }


def _versions() -> Dict[str, str]:
    found = {name: str(importlib.import_module(name).__version__) for name in LIBRARIES}
    return {**found, "python": platform.python_version()}


def _archive(stage: Path, files: List[Path], target: Path) -> None:
    """No times, no owners, one order: nothing in the archive says when or by whom it was made."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(files):
            entry = tarfile.TarInfo(f"{stage.name}/{_inside(path, stage)}")
            entry.size, entry.mode = path.stat().st_size, 0o755 if path.name == "redraw" else 0o644
            with path.open("rb") as stream:
                archive.addfile(entry, stream)
    try:
        target.write_bytes(gzip.compress(buffer.getvalue(), compresslevel=9, mtime=0))
    except OSError as error:
        raise ResultsError(f"{target}: cannot be written ({error.strerror}).") from error


def _unpack(archive: Path, into: Path) -> Path:
    try:
        with tarfile.open(archive, mode="r:gz") as packed:
            members = packed.getmembers()
            tops = {PurePosixPath(one.name).parts[0] for one in members if PurePosixPath(one.name).parts}
            safe = all(one.isfile() and ".." not in PurePosixPath(one.name).parts and not one.name.startswith("/")
                       for one in members)
            if not safe or len(tops) != 1:
                raise ResultsError(f"{archive}: is no pack of scripts/results: it holds links, or paths that lead "
                                   "outside.")
            for one in members:
                stream = packed.extractfile(one)
                path = into / one.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(stream.read() if stream else b"")
    except (OSError, tarfile.TarError, EOFError) as error:
        raise ResultsError(f"{archive}: cannot be unpacked ({error}).") from error
    return into / tops.pop()


def _inside(path: Path, stage: Path) -> str:
    return path.relative_to(stage).as_posix()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
