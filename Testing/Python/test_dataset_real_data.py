"""Recognition, grouping and pairing on real scans, against the table that came with them."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from MedUSISLib.dataset.model import load_dataset
from MedUSISLib.dataset.request import ScanRequest
from MedUSISLib.dataset.scan import scan_dataset

CHOSEN = ("ct_body/*", "lesions/*p19*", "lesions/pyrad*", "mr_body/ts*", "mr_body/*0000*", "ct_headneck/pt_6[05]_*",
          "labels_head/*_0[12].*", "mr_head_t1/openms_long_p12*", "mr_head_t1/[mpns]*", "ct_head/dicom*")  # fmt: skip


@pytest.fixture(scope="module")
def chosen(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, dict[str, str]], Path]:
    """Links to a good third of the scans, all kinds of them; and the rows of their table."""
    folder = tmp_path_factory.mktemp("real") / "data"
    with open(shared_data / "README.tsv", encoding="utf-8") as table:
        rows = {row["file"]: row for row in csv.DictReader(table, delimiter="\t")}
    picked = sorted({path.relative_to(shared_data).as_posix() for glob in CHOSEN for path in shared_data.glob(glob)})
    for name in picked:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        os.symlink(shared_data / name, folder / name)
    return {name: rows[name] for name in picked}, folder


@pytest.fixture(scope="module")
def dataset(chosen: tuple[dict[str, dict[str, str]], Path]):
    folder = chosen[1]
    scan_dataset(ScanRequest(folders=(folder,), out=folder.parent / "scan", jobs=1))
    return load_dataset(folder.parent / "scan")


def name_of(dataset, file) -> str:
    return file.path.removeprefix(dataset.roots[0] + "/")


def test_every_real_volume_is_recognised(dataset, chosen) -> None:
    expected = {}
    for name, row in chosen[0].items():
        expected[name] = {"CT": "ct", "LABEL": "labels"}.get(row["modality"], "mr")
    assert {name_of(dataset, file): file.role for file in dataset.files} == expected
    assert len(expected) > 25


def test_real_labels_find_their_images(dataset) -> None:
    pairs = {
        tuple(Path(dataset.file(f).path).name.split(".")[0] for f in (case.ct or case.mr, case.labels))
        for case in dataset.cases
        if case.labels and (case.ct or case.mr)
    }
    assert pairs == {
        ("ts_abd30_ct", "ts_abd30_seg"),
        ("ts_abdpelvis_ct", "ts_abdpelvis_seg"),
        ("pt_60_ct", "pt_60_seg"),
        ("pt_65_ct", "pt_65_seg"),
        ("ts_abd_mr", "ts_abd_mr_seg"),
        ("mne_ecog_t1", "mne_ecog_aseg"),
    }


def test_real_people_are_grouped_as_the_table_says(dataset, chosen) -> None:
    for file in dataset.files:
        for other in dataset.files:
            a, b = (chosen[0][name_of(dataset, f)]["subject"] for f in (file, other))
            if not any("patients" in s or "subjects" in s or s == "ts_ex1" for s in (a, b)):
                assert (file.person == other.person) == (a == b), (a, b)


def test_real_scans_raise_no_false_alarm(dataset) -> None:
    errors = {p.code for p in dataset.problems if p.severity == "error"}
    assert errors == {"UNMAPPED_LABELS"}  # TotalSegmentator's tissue and MR maps, whose values are ambiguous
    warnings = {p.code for p in dataset.problems if p.severity == "warning"}
    assert warnings == {"SINGLE_LABEL", "ANISOTROPIC", "LABELS_IN_AIR", "MIXED_SEQUENCES"}
