"""Results on the disk: what the export as DICOM, the review in Slicer and the summary of a batch read of them."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from small_result import provenance, quality

from faults.byte_faults import spoil_bytes
from faults.images import GRID
from faults.kind import NAME, Kind
from faults.settings_oracle import require_finite, strict
from faults.tree_faults import spoil_json
from MedUSISLib.batch.case import BatchCase, FoundCases
from MedUSISLib.batch.figures_table import write_quality_csv
from MedUSISLib.batch.manifest import Manifest
from MedUSISLib.batch.request import BatchRequest
from MedUSISLib.batch.states import CaseState
from MedUSISLib.batch.summary import write_summary
from MedUSISLib.dicom.origin import Origin
from MedUSISLib.dicom.result_folder import read_map, read_provenance
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.writing import write_volume
from MedUSISLib.mrml.quality_nodes import quality_rows, sentences_of
from MedUSISLib.mrml.result_files import read_json
from MedUSISLib.synthesis.writing import FILES, write_json


def _make(folder: Path) -> None:
    random = np.random.default_rng(2)
    shape = GRID.shape_kji
    write_volume(Volume(random.random(shape).astype(np.float32), GRID), folder / FILES["mr"])
    write_volume(Volume(random.integers(0, 15, shape).astype(np.uint8), GRID), folder / FILES["labels"])
    write_json(quality(), folder / "quality.json")
    write_json(provenance(), folder / "provenance.json")


def _spoil(random: Random, folder: Path) -> str:
    path = random.choice(sorted(path for path in folder.rglob("*.json")) * 3 + sorted(folder.rglob("*.nii.gz")))
    content, done = (spoil_json if path.suffix == ".json" else spoil_bytes)(random, path.read_bytes())
    path.write_bytes(content)
    return f"{path.name}: {done}"


def _read(folder: Path) -> dict[str, Any]:
    said, found = read_provenance(folder), read_json(folder, "quality.json")
    origin = Origin.of(said, "head")
    texts = [origin.description("mr"), origin.derivation("mr"), *origin.software, origin.serial_number]
    return {
        "provenance": said,
        "texts": texts,
        "quality": found,
        "rows": list(quality_rows(found)),
        "sentences": sentences_of(found),
        "mr": read_map(folder, "mr"),
        "labels": read_map(folder, "labels"),
    }


def _verify(folder: Path, value: Any) -> None:
    for name in ("quality", "provenance"):
        raw = strict((folder / f"{name}.json").read_bytes())
        require_finite(value[name])
        assert {key: value[name][key] for key in raw if key not in ("generator", "inputs")} == {
            key: raw[key] for key in raw if key not in ("generator", "inputs")
        }
    for text in value["texts"]:
        assert text.isprintable() and "\\" not in text, f"{text!r} goes into DICOM"
    for name in ("mr", "labels"):
        assert value[name].geometry.same_grid(GRID), f"{name} is in another place"


def _make_batch(folder: Path) -> None:
    cases = tuple(BatchCase(f"{NAME} {n}", folder / f"{n}.nii.gz", None) for n in range(2))
    request = BatchRequest(input=folder, out=folder / "out", generator="head-t1w")
    out = folder / "out"
    out.mkdir()
    with Manifest.create(out, request, FoundCases(cases, (), "files")) as manifest:
        for row in manifest.rows():
            now = datetime(2026, 1, 2, 3, 4, 5).astimezone()
            manifest.change(row.number, state=CaseState.DONE, started=now, ended=now, seconds=2.5)
    for number in (1, 2):
        case = out / "cases" / f"case-{number:04d}"
        case.mkdir(parents=True)
        warned = {"warnings": [{"code": "INPUT_REPAIRED", "message": "a header"}]}
        write_json(quality() | warned, case / "quality.json")


def _read_batch(folder: Path) -> Any:
    out = folder / "out"
    write_quality_csv(out)
    write_summary(out)
    with Manifest.open(out, read_only=True) as manifest:
        rows = [json.loads(json.dumps(row.__dict__, default=str)) for row in manifest.rows()]
    return rows, (out / "summary.html").read_text(encoding="utf-8"), (out / "quality.csv").read_text(encoding="utf-8")


def _verify_batch(folder: Path, value: Any) -> None:
    rows, page, table = value
    assert [row["number"] for row in rows] == [1, 2]
    assert len(table.splitlines()) == 3, "not a line for each case"
    assert NAME not in page + table, "a name"
    assert "<script>" not in page.replace("<script>document", ""), "a script of somebody else"
    for word in ("nan", "inf", "-inf"):
        assert word not in table.lower().replace("\n", ",").split(","), f"{word} in the table"


def _spoil_manifest(random: Random, folder: Path) -> str:
    path = folder / "out" / "manifest.sqlite"
    content, done = spoil_bytes(random, path.read_bytes(), 400)
    path.write_bytes(content)
    return done


_CODES = ("INPUT_NOT_READABLE", "GEOMETRY_MISMATCH", "BAD_SETTING")
KINDS = (
    Kind("result folder", _make, _spoil, _read, _verify, codes=_CODES),
    Kind("results of a batch", _make_batch, _spoil, _read_batch, _verify_batch, codes=_CODES),
    Kind("manifest.sqlite", _make_batch, _spoil_manifest, _read_batch, _verify_batch, codes=_CODES),
)
