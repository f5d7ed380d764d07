"""The child process works with what Slicer brings and what the user was asked for, and with nothing else."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import pytest
from training_example import tiny_training

from MedUSISLib.jobs.events import Result
from MedUSISLib.jobs.launcher import Launcher
from MedUSISLib.jobs.specification import JobSpecification
from MedUSISLib.mrml.installed_packages import packaging_module
from MedUSISLib.mrml.requirements import NEEDED, SHIPPED_WITH_SLICER, TRAINING, NeededPackage

REPOSITORY = Path(__file__).resolve().parents[2]
SAMPLE = REPOSITORY / "Resources" / "SampleData"

BLOCK = '''
import sys

class OnlyWhatSlicerHas:
    """Finds nothing of what is blocked; it does not raise, because torch also asks whether something is there."""

    blocked = {blocked!r}

    def __init__(self, finder):
        self._finder = finder

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in self.blocked else self._finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self._finder, name)

sys.meta_path[:] = [OnlyWhatSlicerHas(finder) for finder in sys.meta_path]
'''


def allowed_distributions(needed: Sequence[NeededPackage] = NEEDED) -> set[str]:
    """Slicer's packages, the needed ones and torch, with everything that these need in their turn."""
    canonical = packaging_module("utils").canonicalize_name
    requirement = packaging_module("requirements").Requirement
    queue = [*SHIPPED_WITH_SLICER, *(package.name for package in needed), "torch", "pip", "setuptools", "medusis"]
    found: set[str] = set()
    while queue:
        name = str(canonical(queue.pop()))
        if name in found:
            continue
        found.add(name)
        if name == "medusis":
            continue
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        parsed = [requirement(need) for need in needs]
        queue += [need.name for need in parsed if need.marker is None or need.marker.evaluate({"extra": ""})]
    return found


def test_list_of_what_is_blocked_makes_sense() -> None:
    allowed = allowed_distributions()
    assert {"torch", "numpy", "pydantic-core", "kiwisolver", "sympy"} <= allowed
    assert not {"typer", "rich", "scikit-image", "lightning-fabric", "pyyaml", "pytest"} & allowed


@pytest.mark.long
@pytest.mark.parametrize(
    "kind", ["synthesize", "segment", "devices", "scan-dataset", "estimate-training", "train"]
)
def test_job_needs_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    canonical = packaging_module("utils").canonicalize_name
    training = kind in ("scan-dataset", "estimate-training", "train")
    allowed = allowed_distributions((*NEEDED, *TRAINING) if training else NEEDED)
    blocked = {
        module
        for module, owners in metadata.packages_distributions().items()
        if not {str(canonical(owner)) for owner in owners} & allowed and module not in sys.stdlib_module_names
    }
    assert {"typer", "rich", *(() if training else ("skimage", "yaml"))} <= blocked
    # usercustomize or sitecustomize of the machine, if there is one, is replaced for this child
    (tmp_path / "sitecustomize.py").write_text(BLOCK.format(blocked=sorted(blocked)))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(REPOSITORY)]))
    ct = str(SAMPLE / "head_ct.nii.gz")
    parameters: dict[str, dict[str, object]] = {
        "synthesize": {
            "ct": ct,
            "segmentation": str(SAMPLE / "head_seg.nii.gz"),
            "out": str(tmp_path / "out"),
            "labels": "head",
            "generator": "head-t1w",
            "passes": 1,
        },
        "segment": {"ct": ct, "out": str(tmp_path / "labels.nii.gz")},
        "devices": {},
        "scan-dataset": {"folders": [str(SAMPLE)], "out": str(tmp_path / "scan")},
    }
    if kind in ("estimate-training", "train"):
        parameters[kind] = tiny_training(tmp_path / "training").model_dump(mode="json")
    last = list(Launcher(JobSpecification(kind=kind, parameters=parameters[kind])).events())[-1]
    assert isinstance(last, Result), last
    if kind == "synthesize":
        assert (tmp_path / "out" / "report.html").is_file()
