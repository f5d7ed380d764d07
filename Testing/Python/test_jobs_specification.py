"""The job file: validated, and described by an exported schema."""

from __future__ import annotations

import json
import re
from pathlib import Path

import fake_worker
import pytest

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.kinds import KINDS
from MedUSISLib.jobs.specification import JobSpecification, json_schema
from MedUSISLib.synthesis.request import SynthesisRequest


def test_request_survives_the_job_file(tmp_path: Path) -> None:
    request = SynthesisRequest(ct=tmp_path / "ct.nii.gz", segmentation=tmp_path / "s.nii.gz", out=tmp_path, seed=4)
    file = tmp_path / "job.json"
    file.write_text(JobSpecification.of("synthesize", request).model_dump_json())
    assert JobSpecification.read(file).request() == request


@pytest.mark.parametrize(
    "content", ["", "{}", '{"kind": "dance", "parameters": {}}', '{"kind": "segment", "parameters": {}, "x": 1}']
)
def test_file_that_is_no_job_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "job.json").write_text(content)
    with pytest.raises(MedUSISError) as raised:
        JobSpecification.read(tmp_path / "job.json").request()
    assert raised.value.code is ErrorCode.BAD_SETTING


def test_missing_job_file_is_a_named_error(tmp_path: Path) -> None:
    with pytest.raises(MedUSISError, match="cannot be read"):
        JobSpecification.read(tmp_path / "job.json")


def test_every_wrong_setting_is_named_without_its_value() -> None:
    parameters = {"ct": "/data/doe.nii", "segmentation": "s", "out": "o", "passes": 0, "mode": "doe-mode", "spead": 1}
    with pytest.raises(MedUSISError) as raised:
        JobSpecification(kind="synthesize", parameters=parameters).request()
    for name in ("passes", "mode", "spead"):
        assert name in raised.value.message
    assert "doe" not in raised.value.message


def test_schema_spells_out_the_parameters_of_every_kind() -> None:
    kinds = {**fake_worker.KINDS}
    schema = json_schema(kinds)
    assert schema["properties"]["kind"]["const"] == "fake"
    assert "behaviour" in schema["$defs"]["FakeRequest"]["properties"]


def test_exported_schema_and_documentation_have_all_kinds() -> None:
    schema = json_schema()
    assert set(schema["discriminator"]["mapping"]) == set(KINDS) >= {"synthesize", "train", "scan-dataset"}
    page = Path(__file__).resolve().parents[2] / "docs" / "jobs.md"
    table = page.read_text(encoding="utf-8").partition("## Kinds")[2].partition("## ")[0]
    assert set(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)) == set(KINDS)
    assert "truncation" in schema["$defs"]["SynthesisRequest"]["properties"]
    json.dumps(schema)
