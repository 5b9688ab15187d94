"""The committed records: what the harness may write, and what the generator writes today."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import make_records
import pytest
from conftest import DEMO, SCRIPTS

SCHEMA = SCRIPTS.parent / "results" / "schema" / "record.schema.json"


def test_records_obey_the_schema():
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    for line in (DEMO / "records.jsonl").read_text(encoding="utf-8").splitlines():
        validator.validate(json.loads(line))


@pytest.mark.parametrize("name", ["records.jsonl", "environment.json"])
def test_the_generator_writes_the_committed_bytes(tmp_path: Path, name: str):
    make_records.write(tmp_path, make_records.records(rounds=7), make_records.environment(7))
    assert (tmp_path / name).read_bytes() == (DEMO / name).read_bytes()
