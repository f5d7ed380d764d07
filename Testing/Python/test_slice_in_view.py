"""The slice that somebody looks at is drawn first, in whatever grid it lies, and no voxel depends on that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_generator import head_phantom, tiny_bundle

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.generators.bundle import Bundle
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.synthesis.bookkeeping import RecordingProgress
from MedUSISLib.synthesis.engine import synthesize_case
from MedUSISLib.synthesis.inputs import prepare_case
from MedUSISLib.synthesis.plan import plan_synthesis
from MedUSISLib.synthesis.request import SynthesisRequest
from MedUSISLib.synthesis.result import SynthesisResult
from MedUSISLib.synthesis.slice_order import outward

# oblique, its k axis runs downwards, and its slices are thicker than the generator's grid wants them
GRID = Geometry((30, 32, 12), (2.0, 2.0, 5.0), (5.0, -7.0, 30.0), (0.8, 0.6, 0.0, 0.6, -0.8, 0.0, 0.0, 0.0, -1.0))


@given(
    numbers=st.sets(st.integers(0, 60)).map(sorted),
    first=st.none() | st.floats(-20, 80),
    together=st.integers(1, 5),
)
def test_slices_come_in_the_same_groups_nearest_first(numbers: list[int], first: float | None, together: int) -> None:
    order = outward(numbers, first, together)
    assert sorted(order) == numbers

    def groups(of: list[int]) -> list[tuple[int, ...]]:
        return [tuple(of[at : at + together]) for at in range(0, len(of), together)]

    assert sorted(groups(order)) == sorted(groups(numbers))
    whole = [group for group in groups(order) if len(group) == together]
    if first is not None:
        distances = [min(abs(number - first) for number in group) for group in whole]
        assert distances == sorted(distances)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    views = {"views": ("axial", "coronal", "sagittal")}
    return tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny", **views)


class Watch(RecordingProgress):
    """Keeps the names of the pictures, in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.pictures: list[int] = []

    def preview(self, path: Path) -> None:
        self.pictures.append(int(path.stem.removeprefix("slice-")))


def drawn(bundle: Bundle, **settings: object) -> tuple[SynthesisResult, list[int]]:
    torch.set_num_threads(1)
    schema, watch = load_schema("head"), Watch()
    values = {"ct": "ct", "segmentation": "seg", "out": "out", "labels": "head", "passes": 2, "device": "cpu"}
    request = SynthesisRequest.model_validate(values | settings)
    case = prepare_case(*head_phantom(GRID), schema, watch, request.labels)
    return synthesize_case(case, bundle, schema, request, watch), watch.pictures


@pytest.mark.parametrize(
    ("mode", "batch_size"), [("slice", None), ("slice", 2), ("window", None), ("three-view", None)]
)
def test_slice_in_view_comes_first_and_changes_nothing(
    bundle: Bundle, mode: str, batch_size: int | None
) -> None:
    plain, usual = drawn(bundle, mode=mode, batch_size=batch_size)
    voxel = (3.0, 4.0, 8.0)
    result, pictures = drawn(bundle, mode=mode, batch_size=batch_size, first_voxel=voxel)
    grid = plan_synthesis(bundle.manifest, mode, plain.body, Watch()).grid
    expected = grid.lps_to_index(GRID.index_to_lps([voxel]))[0][2]
    assert abs(pictures[0] - expected) <= (1.5 if batch_size else 0.5) < abs(usual[0] - expected)
    distances = [abs(number - expected) for number in pictures]
    assert distances == sorted(distances) or batch_size
    for name in ("mr", "uncertainty", "mask_consistency", "labels"):
        one, other = getattr(plain, name).array_kji, getattr(result, name).array_kji
        np.testing.assert_array_equal(one, other)
    assert "first_voxel" not in result.provenance["settings"]


@pytest.mark.parametrize("voxel", [(0.0, 0.0, -500.0), (1e9, 0.0, 0.0)])
def test_a_place_outside_of_the_ct_does_no_harm(bundle: Bundle, voxel: tuple[float, float, float]) -> None:
    plain, _ = drawn(bundle, passes=1)
    result, pictures = drawn(bundle, passes=1, first_voxel=voxel)
    np.testing.assert_array_equal(plain.mr.array_kji, result.mr.array_kji)
    assert pictures
