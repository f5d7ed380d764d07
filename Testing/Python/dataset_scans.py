"""A small hospital to scan, and how tests scan it and edit what was found."""

from __future__ import annotations

import json
from pathlib import Path

from dataset_example import ct, labels, mr, save
from test_imaging_dicom import write_series

from MedUSISLib.dataset.model import Dataset, load_dataset
from MedUSISLib.dataset.request import ScanRequest
from MedUSISLib.dataset.scan import scan_dataset
from MedUSISLib.progress import Progress


def write_hospital(root: Path) -> Path:
    """Good cases of four people, in four formats."""
    save(ct(1), root / "P001" / "ct.nii.gz")
    save(labels(), root / "P001" / "seg.nrrd")
    save(ct(2), root / "P002" / "head.mha")
    save(labels(shift_mm=4), root / "P002" / "what.nii.gz")
    save(mr(3), root / "P003" / "t1.nii.gz")
    write_series(root / "P004" / "export", ct(4), modality="CT")
    (root / "P004" / "readme.txt").write_text("hello")
    (root / "P004" / "other.mgz").write_bytes(b"x")
    return root


def scan(folder: Path, out: Path, progress: Progress | None = None, **settings: object) -> Dataset:
    request = ScanRequest.model_validate({"folders": (folder,), "out": out, "jobs": 1, **settings})
    scan_dataset(request, progress)
    return load_dataset(out)


def edit(out: Path, change) -> None:
    content = json.loads((out / "dataset.json").read_text())
    change(content)
    (out / "dataset.json").write_text(json.dumps(content, indent=1))


def entry(content: dict, kind: str, **wanted: object) -> dict:
    return next(e for e in content[kind] if all(str(v) in str(e[k]) for k, v in wanted.items()))
