"""Whether a run's files say whose machine they are of: host, user, paths. It is named by CPU and topology only."""

from __future__ import annotations

import getpass
import json
import re
import socket
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Set, Tuple
from xml.etree import ElementTree

from zeroipc_report import records

from .places import RECORDS, ResultsError

# What is kept, where there is such.
FILES = (RECORDS, "environment.json", "topology.xml", "benchmark.json", "resolution.json", "topology.json")
# What may be kept beside: the page, and what the machine of the run can resolve.
REPORT = "report.html"
OF_MACHINE = "../resolution.json"
# A path of two or more parts, at a beginning, behind a mark or behind an option such as -I; a name like queue/ticket/x
# is none. What the kernel calls /dev, /proc and /sys is the same everywhere and says nothing.
PATH = re.compile(r"""(?:^|[\s="':,;(<@\[]|(?:^|\s)-[A-Za-z]+)"""
                  r"""(?:/(?!(?:dev|proc|sys)/)[\w.+\-]+(?:/[\w.+\-]+)+|~/[\w.]|[A-Za-z]:\\\w)""")
COMMON = frozenset({"root", "user", "admin", "ubuntu", "debian", "runner", "test", "localhost", "unknown", "linux"})

# What may stand under a private key: a record's workers' host, and where its memory lies.
HARMLESS = {"host": ("processes", "threads"), "home": ("producer", "consumer", "interleaved", "left", None)}


def identity() -> Set[str]:
    """The names of this host and of who is asking, but for those that say nothing."""
    host = socket.gethostname()
    names = {host, host.split(".")[0], Path.home().name}
    try:
        names.add(getpass.getuser())
    except (KeyError, OSError):
        pass  # a user without a name cannot be named
    return {name for name in names if len(name) >= 3 and name.lower() not in COMMON}


def findings(folder: Path, names: Sequence[str] = (), files: Sequence[str] = FILES) -> List[str]:
    """Each text in the folder's files that names a path, this host or user, or one of `names`; and where it stands."""
    words = sorted({*identity(), *names})
    named = re.compile("|".join(rf"(?<![\w-]){re.escape(word)}(?![\w-])" for word in words), re.I) if words else None
    found = []
    for name in files:
        path = folder / name
        if path.is_file():
            for where, key, text in _texts(path):
                if _is_private(key, text) or PATH.search(text) or (named and named.search(text)):
                    found.append(f"{name}, {where}: {text[:120]!r}")
    return found


def strip(folder: Path) -> List[str]:
    """Removes what may stand in known places: private keys, and who ran Google Benchmark. Answers what it changed."""
    changed = []
    for name in FILES:
        path = folder / name
        if not path.is_file() or path.suffix not in (".json", ".jsonl"):
            continue
        documents = _documents(path)
        cleaned = [_cleaned(document) for document in documents]
        if cleaned != documents:
            if path.suffix == ".jsonl":
                text = "".join(json.dumps(one, separators=(",", ":"), ensure_ascii=False) + "\n" for one in cleaned)
            else:
                text = json.dumps(cleaned[0], indent=2, ensure_ascii=False) + "\n"
            path.write_text(text, encoding="utf-8")
            changed.append(name)
    return changed


def _is_private(key: str, value: Any) -> bool:
    return key.lower() in records.PRIVATE_KEYS and value not in HARMLESS.get(key, ())


def _cleaned(value: Any) -> Any:
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept: Dict[str, Any] = {key: _cleaned(item) for key, item in value.items() if not _is_private(key, item)}
    if "host_name" in kept:
        kept["host_name"] = "unknown"
    if isinstance(kept.get("executable"), str):
        kept["executable"] = Path(kept["executable"]).name
    return kept


def _documents(path: Path) -> List[Any]:
    text = path.read_text(encoding="utf-8")
    try:
        if path.suffix == ".jsonl":
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        return [json.loads(text)]
    except ValueError as error:
        raise ResultsError(f"{path}: not JSON ({error}); a run that was cut short is not fit to be kept. Measure "
                           "again, or remove the torn last line.") from error


class _Page(HTMLParser):
    """The texts of a page and its attributes; not its style and script, which are the same in every report, and not
    pictures that are part of it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: List[Tuple[str, str, str]] = []
        self._tag = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: List[Tuple[str, Optional[str]]]) -> None:
        self._tag = tag
        self.texts += [(self._where(), "", value) for _, value in attrs if value and not value.startswith("data:")]

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._tag not in ("style", "script") and data.strip():
            self.texts.append((self._where(), "", data.strip()))

    def handle_comment(self, data: str) -> None:
        self.texts.append((self._where(), "", data))

    def _where(self) -> str:
        return f"line {self.getpos()[0]}"


def _texts(path: Path) -> Iterator[Tuple[str, str, str]]:
    """Where a text stands, the key it stands under, and the text; of JSON, XML and HTML alike."""
    if path.suffix == ".html":
        yield from _Page(path.read_text(encoding="utf-8")).texts
        return
    if path.suffix == ".xml":
        try:
            root = ElementTree.parse(path).getroot()
        except ElementTree.ParseError as error:
            raise ResultsError(f"{path}: not XML ({error}). Remove it, or measure again.") from error
        for element in root.iter():
            for key, value in element.attrib.items():
                name = element.get("name", "")
                yield f"<{element.tag} {name}>", key if key != "value" else name, value
            if element.text and element.text.strip():
                yield f"<{element.tag}>", element.tag, element.text
        return
    for number, document in enumerate(_documents(path), start=1):
        yield from _inside(document, f"line {number}" if path.suffix == ".jsonl" else "", "")


def _inside(value: Any, where: str, key: str) -> Iterator[Tuple[str, str, str]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _inside(item, f"{where} {name}".strip(), name)
            if PATH.search(name):
                yield where, "", name
    elif isinstance(value, list):
        for item in value:
            yield from _inside(item, where, key)
    elif isinstance(value, str):
        yield where, key, value
