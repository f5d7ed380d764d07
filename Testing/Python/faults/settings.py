"""Files of settings: jobs, manifests, label schemas, protocols, keys, datasets, trainings; JSON and YAML."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import yaml
from pydantic import BaseModel

from faults.byte_faults import spoil_bytes
from faults.kind import NAME, Kind
from faults.settings_oracle import require_finite, require_taken, strict
from faults.tree_faults import spoil_json, spoil_text
from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.dataset.model import load_dataset
from MedUSISLib.generators.manifest import read_manifest
from MedUSISLib.jobs.specification import JobSpecification
from MedUSISLib.resources import resource_path
from MedUSISLib.study.key import load_key
from MedUSISLib.study.protocol import lesion_reading, load_protocol, visual_turing
from MedUSISLib.study.versioned import to_json
from MedUSISLib.training.configuration import read_configuration

_JOBS: dict[str, dict[str, Any]] = {
    "synthesize": {
        "ct": "/data/ct.nii.gz", "segmentation": "/data/seg.nii.gz", "out": "/results/1", "generator": "head-t1w",
        "labels": "synthseg", "seed": 3, "passes": 4, "truncation": 1.5, "device": "cpu", "mode": "slice",
    },
    "segment": {"ct": "/data/ct.nii.gz", "out": "/results/seg.nii.gz", "tool": "head-seg"},
    "scan-dataset": {"folders": ["/data/a", "/data/b"], "out": "/data/scan", "label_schema": "head", "seed": 1},
    "export-dicom": {"result": "/results/1", "source": "/data/dicom", "out": "/results/dicom", "enhanced": True},
    "new-study": {"table": "/data/cases.csv", "protocol": "visual-turing", "out": "/data/study", "readers": ["R1"]},
    "install-generator": {"source": "/data/bundle.zip", "sha256": "ab" * 32, "replace": False},
}  # fmt: skip
_TRAINING = {
    "task": "generator", "name": "mine", "out": "run", "cache": "cache", "seed": 3, "batch_size": 2,
    "betas": [0.0, 0.9],
    "network": {"name": "wavelet_generator", "widths": [16, 16]},
    "data": {
        "pairing": "paired", "crop": [64, 64], "views": {"axial": 1.0},
        "images": [{"image": "a.nii.gz", "person": "p1", "labels": "a_seg.nii.gz", "weight": 2.0},
                   {"image": "b.nii.gz", "person": "p2", "split": "validation"}],
    },
    "phases": [{"name": "first", "iterations": 5, "l1": 10, "oasis": True, "segmentation": 1.0, "ema": 0.99}],
    "card": {"title": "Mine", "known_limits": ["few"]},
}  # fmt: skip


def _job(folder: Path) -> Path:
    return folder / f"{NAME}.json"


def _make_job(folder: Path, kind: str) -> None:
    _job(folder).write_text(json.dumps({"version": 1, "kind": kind, "parameters": _JOBS[kind]}), encoding="utf-8")


def _read_job(folder: Path) -> dict[str, Any]:
    specification = JobSpecification.read(_job(folder))
    request = specification.request()
    return {**specification.model_dump(mode="json"), "parameters": request.model_dump(mode="json")}


def _make_manifest(folder: Path) -> None:
    source = resource_path("Generators") / "head-t1w" / "manifest.json"
    (folder / "manifest.json").write_bytes(source.read_bytes())


def _make_schema(folder: Path) -> None:
    (folder / "mine.json").write_bytes((resource_path("Schemas") / "head.json").read_bytes())


def _make_protocol(folder: Path) -> None:
    (folder / "protocol.json").write_text(to_json(visual_turing("heads", ("R1", "R2"))), encoding="utf-8")


def _make_lesion_protocol(folder: Path) -> None:
    (folder / "protocol.json").write_text(to_json(lesion_reading("heads", ("R1", "R2"))), encoding="utf-8")


def _make_key(folder: Path) -> None:
    image = {"name": "0123456789abcdef", "case": "C001", "role": "real", "sha256": "ab" * 32}
    stage = {"arm": "real", "images": [image["name"]], "places": ["mr"]}
    trial = {"id": "fedcba9876543210", "reader": "R1", "session": 1, "position": 1, "case": "C001", "stages": [stage]}
    lesion = {"label": 1, "volume_mm3": 20.5, "centre_lps_mm": [1.0, 2.0, 3.0], "mask_value": 1}
    key = {
        "version": 1,
        "study": "heads",
        "protocol_sha256": "cd" * 32,
        "secret": "5a" * 32,
        "cases": [{"id": "C001", "row": 2, "stratum": "a", "status": True, "lesions": [lesion], "has_mask": True}],
        "images": [image],
        "trials": [trial],
    }
    (folder / "key.json").write_text(json.dumps(key, indent=1), encoding="utf-8")


def _make_dataset(folder: Path) -> None:
    files = [
        {"id": "f1", "path": "a/ct.nii.gz", "role": "ct", "person": "p1", "size_ijk": [9, 8, 7]},
        {"id": "f2", "path": "a/mr.nii.gz", "role": "mr", "person": "p1", "spacing_mm": [1.0, 1.0, 2.0]},
        {"id": "f3", "path": "a/seg.nii.gz", "role": "labels", "person": "p1", "labels": {"1": 20, "3": 5}},
    ]
    case = {"id": "c1", "person": "p1", "ct": "f1", "mr": "f2", "labels": "f3", "coverage": 0.9}
    content = {
        "format": "medusis-dataset", "version": 1, "people": [{"id": "p1", "split": "train"}], "cases": [case],
        "files": files, "shares": {"train": 0.8, "validation": 0.2, "test": 0.0}, "roots": ["a"],
        "left_out": {".png": 2},
    }  # fmt: skip
    (folder / "dataset.json").write_text(json.dumps(content, indent=1), encoding="utf-8")


def _make_training(folder: Path) -> None:
    (folder / f"{NAME}.yaml").write_text(yaml.safe_dump(_TRAINING, sort_keys=False), encoding="utf-8")


_YAML_PARTS = (
    "a: &a [*a]", "a: &a {b: *a}", "- x", "!!python/object/apply:os.system ['true']", "x: !!binary ====", "\tx: 1",
    "? [a, b]\n: c", "<<: *nobody", "seed: 0x7fffffffffffffffffff", "seed: .inf", "seed: 2001-01-01", "seed: 1:30:00",
    "name: !!float 3", "'unclosed", "[" * 3000, "{" * 3000, "%YAML 9.9", "---\nb: 2", "...\n", "seed: 1\nseed: 2",
    "null: 1", "1: 2", "true: 3", "~: 4", "a: *b", "seed: !!int 'x'", "seed: !!timestamp 'x'", "&x", "seed: 1_000",
    "<<: {seed: 5}", "x: " + "9" * 5000, "betas: [.nan, .nan]", "seed: !!set {a, b}", "batch_size: !!omap [a: 1]",
)  # fmt: skip


def _spoil_yaml(random: Random, folder: Path) -> str:
    path = next(folder.iterdir())
    how = random.random()
    if how < 0.5:  # JSON is YAML
        content, done = spoil_json(random, json.dumps(_TRAINING).encode())
    elif how < 0.7:
        lines = path.read_text(encoding="utf-8").split("\n")
        part = random.choice(_YAML_PARTS)
        lines.insert(random.randrange(len(lines)), part)
        content, done = "\n".join(lines).encode(), f"line {part[:40]}"
    elif how < 0.75:
        bomb = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
        bomb += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
        content, done = path.read_bytes() + "\n".join(bomb).encode(), "a billion of aliases"
    else:
        content, done = (spoil_text if how < 0.9 else spoil_bytes)(random, path.read_bytes())
    path.write_bytes(content)
    return done


def _spoil(random: Random, folder: Path) -> str:
    path = next(path for path in sorted(folder.iterdir()) if path.is_file())
    content, done = spoil_json(random, path.read_bytes())
    path.write_bytes(content)
    return done


def _verify(folder: Path, value: Any) -> None:
    """The model, or what it dumps to, holds what a strict reading of the file finds."""
    taken = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    require_finite(value.model_dump() if isinstance(value, BaseModel) else value)
    path = next(path for path in sorted(folder.iterdir()) if path.is_file())
    require_taken(strict(path.read_bytes()), taken)


def _verify_training(folder: Path, value: Any) -> None:
    require_finite(value.model_dump())


def _kind(name: str, make: Callable[[Path], None], read: Callable[[Path], Any], *codes: str) -> Kind:
    return Kind(name, make, _spoil, read, _verify, codes=(*codes, "INPUT_NOT_READABLE", "BAD_SETTING"))


KINDS = (
    *(_kind(f"job {name}", partial(_make_job, kind=name), _read_job) for name in _JOBS),
    _kind("manifest.json", _make_manifest, read_manifest, "GENERATOR_CORRUPT"),
    _kind("label schema", _make_schema, lambda folder: load_schema(folder / "mine.json")),
    _kind("protocol", _make_protocol, load_protocol),
    _kind("lesion protocol", _make_lesion_protocol, load_protocol),
    _kind("key.json", _make_key, load_key),
    _kind("dataset.json", _make_dataset, load_dataset),
    Kind(
        "training.yaml",
        _make_training,
        _spoil_yaml,
        lambda folder: read_configuration(next(folder.iterdir())),
        _verify_training,
        codes=("INPUT_NOT_READABLE", "BAD_SETTING"),
    ),
)
