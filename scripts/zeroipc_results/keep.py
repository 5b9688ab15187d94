"""Makes a private run a tracked one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import List, Sequence, Tuple

from zeroipc_report import resolution

from . import privacy
from .places import ROOT, ResultsError, label
from .revisions import git
from .table import raw_records, read

# What is added only where it is asked for: the option, and how such a file is made.
OFFERED = {privacy.REPORT: ("--report", "scripts/report makes it"),
           privacy.OF_MACHINE: ("--resolution", "scripts/selftest makes it")}
SCHEMAS = {"records.jsonl": "record", "environment.json": "environment", "resolution.json": "resolution"}


@dataclass(frozen=True)
class Kept:
    """What was added."""

    files: List[Tuple[str, int]]  # names and bytes
    stripped: List[str]  # files that something was removed from
    validated: bool  # against the JSON schemas; False where python3-jsonschema is not installed
    offered: List[str]  # of OFFERED what is there, too, and was not asked for


def keep(folder: Path, allowed: Sequence[str] = (), dry_run: bool = False, more: Sequence[str] = ()) -> Kept:
    """Strips and checks a run folder and adds its files to git, with `more` of OFFERED. Refuses one that is torn, that does
    not obey the schemas, or that says whose it is; a text that is `allowed` is not held against it. A dry run checks a
    folder as it is, and changes nothing."""
    known = read(folder)
    machine = known.environment.get("machine")
    if not machine:
        raise ResultsError(f"{folder}: has no environment.json that names a machine; it is not fit to be kept.")
    if folder.resolve().parent.name != machine:
        raise ResultsError(f"{folder}: is of {machine}, so move it into a folder of that name: results/{machine}/.")
    stripped = [] if dry_run else privacy.strip(folder)
    for name in more:
        if not (folder / name).is_file():
            raise ResultsError(f"{folder / name}: there is none; {OFFERED[name][1]}.")
    if privacy.OF_MACHINE in more and not resolution.of_machine(folder / privacy.OF_MACHINE, machine):
        raise ResultsError(f"{folder / privacy.OF_MACHINE}: is not of {machine}; {OFFERED[privacy.OF_MACHINE][1]}.")
    wanted = [*privacy.FILES, *more]
    found = [one for one in privacy.findings(folder, files=wanted) if not any(text in one for text in allowed)]
    if found:
        raise ResultsError(f"{label(folder)} says whose machine it is of, so it is not kept:\n"
                           + "".join(f"  {one}\n" for one in found)
                           + "Mend the file, or allow a text that is harmless: --allow TEXT.")
    validated = _validate(folder, len(known.frame), wanted)
    files = [name for name in wanted if (folder / name).is_file()]
    if not dry_run:
        # They are ignored until they are kept, hence --force; what is tracked stays so.
        git(folder, "add", "--force", "--", *files)
    offered = [name for name in OFFERED if name not in more and (folder / name).is_file()]
    return Kept([(name, (folder / name).stat().st_size) for name in files], stripped, validated, offered)


def tracked(results: Path) -> List[str]:
    """The labels of the runs that git knows; none outside of a repository."""
    try:
        names = git(results, "ls-files", "--", "*/*/records.jsonl")
    except ResultsError:
        return []
    return ["/".join(Path(name).parts[-3:-1]) for name in names.splitlines()]


def _validate(folder: Path, records: int, names: Sequence[str]) -> bool:
    try:
        import jsonschema  # needed by nothing else, so not by every user
    except ImportError:
        return False
    for path in (folder / name for name in names):
        schema = SCHEMAS.get(path.name)
        if schema is None or not path.is_file():
            continue
        text = (ROOT / "results" / "schema" / f"{schema}.schema.json").read_text(encoding="utf-8")
        validator = jsonschema.Draft202012Validator(json.loads(text))
        documents = (raw_records(folder, records) if path.suffix == ".jsonl"
                     else [json.loads(path.read_text(encoding="utf-8"))])
        for number, document in enumerate(documents, start=1):
            for error in validator.iter_errors(document):
                where = "/".join(map(str, error.absolute_path)) or "top level"
                raise ResultsError(f"{path}, document {number}, {where}: {error.message}. Measure again with a harness "
                                   "and scripts of the same revision.")
    return True
