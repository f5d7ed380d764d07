"""What the window says before a synthesis: what is missing, what is doubtful, and what to do."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scene_nodes import (
    add_segmentation,
    add_shared_layer,
    add_volume,
    bending_transform,
    put_under,
    rotation,
    scale,
    shift,
)

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.mrml import readiness
from MedUSISLib.mrml.readiness import Finding, sample_strides

HEAD = load_schema("head")


def head_like(shape: tuple[int, int, int] = (40, 48, 44)) -> np.ndarray:
    """Air, fat, soft tissue and bone in shells."""
    axes = [np.linspace(-1, 1, n) for n in shape]
    radius = np.sqrt(axes[0][:, None, None] ** 2 + axes[1][:, None] ** 2 + axes[2] ** 2)
    values = np.full(shape, -1000, np.int16)
    for limit, hu in ((0.9, -90), (0.85, 40), (0.7, 900), (0.6, 35)):
        values[radius < limit] = hu
    return values


def good_nodes() -> tuple[Any, Any, dict[str, str]]:
    array = head_like()
    node = add_segmentation({"a": array > -300, "b": array > 500})
    return add_volume(array), node, {"a": "soft_tissue", "b": "cortical_bone"}


def check_inputs(*arguments: Any) -> list[Finding]:
    """Without the note that the balls of these tests are no whole heads, which has tests of its own."""
    return [finding for finding in readiness.check_inputs(*arguments) if finding.code != "CLASSES_ABSENT"]


def codes(findings: list[Finding]) -> list[str]:
    return [finding.code for finding in findings]


def test_a_good_pair_has_nothing_against_it(mrml_scene: Any) -> None:
    ct, node, classes = good_nodes()
    assert check_inputs(ct, node, classes, HEAD) == []
    put_under(ct, rotation((1, 2, 3), 30), shift(100, 0, 0))
    put_under(node, shift(100, 0, 0) @ rotation((1, 2, 3), 30))
    assert check_inputs(ct, node, classes) == []


def test_classes_that_nobody_segmented_are_named_without_blocking(mrml_scene: Any) -> None:
    ct, node, classes = good_nodes()
    (finding,) = readiness.check_inputs(ct, node, classes, HEAD)
    assert (finding.code, finding.blocking) == ("CLASSES_ABSENT", False)
    assert "Cerebral cortex" in finding.message and "Cortical bone" not in finding.message
    assert "not the head" in finding.hint
    assert readiness.check_inputs(ct, node, classes) == []  # nobody knows the generator's classes yet


def test_nothing_chosen(mrml_scene: Any) -> None:
    findings = check_inputs(None, None, {}, HEAD)
    assert codes(findings) == ["CT_MISSING", "SEGMENTATION_MISSING"]
    assert all(finding.blocking and finding.message and finding.hint for finding in findings)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: np.clip((a + 1000) / 8, 0, 255).astype(np.uint8), "its values run from 0 to 237"),
        (lambda a: a * 0 + 7, "the same value everywhere"),
        (lambda a: a.astype(np.float32) * np.nan, "holds no numbers"),
        (lambda a: (a + 1024).astype(np.int16), "not Hounsfield units"),
    ],
)
def test_what_is_no_ct_is_said_in_a_sentence(mrml_scene: Any, change: Any, words: str) -> None:
    _, node, classes = good_nodes()
    findings = check_inputs(add_volume(change(head_like())), node, classes, HEAD)
    blocking = [finding for finding in findings if finding.blocking]
    assert codes(blocking) == ["NOT_A_CT"]
    assert blocking[0].message.startswith("This volume does not look like a CT: it ")
    assert words in blocking[0].message and blocking[0].message.endswith(".")


def test_a_float_ct_with_some_holes_passes(mrml_scene: Any) -> None:
    ct, node, classes = good_nodes()
    values = head_like().astype(np.float64)
    values[0] = np.nan
    values[1] = -np.inf
    assert check_inputs(add_volume(values), node, classes, HEAD) == []


def test_volumes_that_cannot_be_used(mrml_scene: Any) -> None:
    import slicer

    _, node, classes = good_nodes()
    colour = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode")
    slicer.util.updateVolumeFromArray(colour, np.zeros((3, 4, 5, 3), np.uint8))
    assert codes(check_inputs(colour, node, classes)) == ["CT_UNUSABLE"]
    bare = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    assert codes(check_inputs(bare, node, classes)) == ["CT_UNUSABLE"]


def test_empty_segmentations(mrml_scene: Any) -> None:
    ct, _, _ = good_nodes()
    assert codes(check_inputs(ct, add_segmentation({}), {})) == ["SEGMENTATION_EMPTY"]
    hollow = add_segmentation({"a": np.zeros((2, 2, 2))})
    assert codes(check_inputs(ct, hollow, {"a": "skin"})) == ["SEGMENTATION_EMPTY"]
    zeros = add_volume(np.zeros((4, 4, 4), np.uint8), label_map=True)
    assert codes(check_inputs(ct, zeros, {})) == ["SEGMENTATION_EMPTY"]


def test_segments_without_a_class_are_named(mrml_scene: Any) -> None:
    ct, node, _ = good_nodes()
    (finding,) = check_inputs(ct, node, {"a": "", "b": "nonsense"}, HEAD)
    assert finding.code == "CLASSES_MISSING" and finding.blocking
    assert finding.message == "2 segments have no class: a, b."
    (finding,) = check_inputs(ct, node, {"a": "skin"}, HEAD)
    assert finding.message == "1 segment has no class: b."
    (finding,) = check_inputs(ct, node, {"a": "background", "b": "background"}, HEAD)
    assert finding.code == "ALL_BACKGROUND"
    labels = add_volume((head_like() > 0).astype(np.int16) * 3, label_map=True)
    (finding,) = check_inputs(ct, labels, {}, HEAD)
    assert finding.message == "1 segment has no class: label 3."
    (finding,) = check_inputs(ct, labels, {"3": "skin", "9": ""}, HEAD)
    assert finding.message == "1 segment has no class: label 9."


def test_a_segmentation_elsewhere_blocks(mrml_scene: Any) -> None:
    ct, node, classes = good_nodes()
    put_under(node, shift(300, 0, 0))
    (finding,) = check_inputs(ct, node, classes, HEAD)
    assert (finding.code, finding.message) == ("NO_OVERLAP", "The segmentation does not overlap the CT.")


def test_a_tiny_segment_between_the_sampled_voxels_does_not_block(mrml_scene: Any) -> None:
    array = np.repeat(head_like(), 4, axis=0)
    tiny = np.zeros(array.shape)
    tiny[81, 23, 21] = 1
    findings = check_inputs(add_volume(array), add_segmentation({"a": tiny}), {"a": "vessels"}, HEAD)
    assert codes(findings) == ["SEGMENTATION_PARTIAL"]
    assert not findings[0].blocking


def test_part_of_the_ct_and_another_grid_are_mentioned(mrml_scene: Any) -> None:
    ct, _, _ = good_nodes()
    part = head_like() > -300
    part[12:] = False
    findings = check_inputs(ct, add_segmentation({"a": part}, shift(0.3, 0, 0)), {"a": "soft_tissue"}, HEAD)
    assert codes(findings) == ["SEGMENTATION_PARTIAL", "SEGMENTATION_RESAMPLED"]
    assert not any(finding.blocking for finding in findings)
    assert "%" in findings[0].message and findings[0].hint and findings[1].hint


def test_a_segment_that_others_hide_is_mentioned(mrml_scene: Any) -> None:
    array = head_like()
    body, brain = array > -300, array == 35
    ct = add_volume(array)
    covered = add_segmentation({"brain": brain, "body": body})
    (finding,) = check_inputs(ct, covered, {"brain": "brain", "body": "soft_tissue"}, HEAD)
    assert (finding.code, finding.blocking) == ("SEGMENT_HIDDEN", False)
    assert finding.message == "Other segments hide nearly all of: brain."
    good_order = add_segmentation({"body": body, "brain": brain})
    assert check_inputs(ct, good_order, {"brain": "brain", "body": "soft_tissue"}, HEAD) == []
    # what belongs together hides nothing, whatever the order: a class and its parts, or twice the same class
    assert check_inputs(ct, covered, {"brain": "cortex", "body": "brain"}, HEAD) == []
    assert check_inputs(ct, good_order, {"body": "brain", "brain": "cortex"}, HEAD) == []
    assert check_inputs(ct, covered, {"brain": "skin", "body": "skin"}, HEAD) == []
    assert check_inputs(ct, covered, {"brain": "brain", "body": "background"}, HEAD)[0].code != "SEGMENT_HIDDEN"


def test_transforms_that_cannot_be_kept_are_mentioned(mrml_scene: Any) -> None:
    ct, node, classes = good_nodes()
    shear = np.eye(4)
    shear[0, 2] = 0.2
    for each in (ct, node):
        put_under(each, shear)
    assert codes(check_inputs(ct, node, classes)) == ["TRANSFORM_SHEARS"]
    bent = bending_transform().GetID()
    for each in (ct, node):
        each.SetAndObserveTransformNodeID(bent)
    assert codes(check_inputs(ct, node, classes)) == ["TRANSFORM_NONLINEAR"]
    put_under(ct, scale(0, 1, 1))
    assert "GEOMETRY_MISMATCH" in codes(check_inputs(ct, node, classes))
    put_under(node, scale(0, 1, 1))
    good, _, _ = good_nodes()
    assert codes(check_inputs(good, node, classes)) == ["SEGMENTATION_UNUSABLE"]


def test_sample_strides_leave_few_voxels_along_every_axis() -> None:
    assert sample_strides((512, 512, 5)) == (3, 2, 1)
    assert sample_strides((10, 10, 10)) == (1, 1, 1)
    i, j, k = sample_strides((512, 512, 400))
    assert 512 // i * (512 // j) * (400 // k) <= 250_000


def test_checking_a_large_case_is_quick(mrml_scene: Any) -> None:
    array = np.repeat(np.repeat(head_like((100, 64, 64)), 4, axis=1), 4, axis=2)  # 100 slices of 256 x 256
    labels = (array > -300).astype(np.uint8) + (array > 500)
    ct, node = add_volume(array), add_segmentation({})
    add_shared_layer(node, labels, {1: "a", 2: "b"})
    classes = {"a": "soft_tissue", "b": "cortical_bone"}
    assert check_inputs(ct, node, classes, HEAD) == []
    began = time.process_time()
    check_inputs(ct, node, classes, HEAD)
    assert time.process_time() - began < 0.5


def test_memory_that_does_not_suffice_is_said_in_gigabytes(mrml_scene: Any) -> None:
    from MedUSISLib.generators.manifest import read_manifest
    from MedUSISLib.mrml.readiness import check_memory
    from MedUSISLib.mrml.settings import SynthesisSettings
    from MedUSISLib.resources import resource_path

    manifest = read_manifest(resource_path("Generators", "head-t1w"))
    ct = add_volume(np.zeros((100, 64, 64), np.int16), scale(4, 4, 2))
    assert check_memory(ct, SynthesisSettings(), manifest, 16 * 10**9) == []
    assert check_memory(None, SynthesisSettings(), manifest, 1) == []
    assert check_memory(ct, SynthesisSettings(), None, 1) == []
    assert check_memory(ct, SynthesisSettings(), manifest, None) == []
    (tight,) = check_memory(ct, SynthesisSettings(), manifest, int(1.2e9))
    assert tight.code == "MEMORY" and not tight.blocking
    assert tight.message == "This synthesis needs about 1.2 GB of memory; 1.2 GB are free."
    (far_off,) = check_memory(ct, SynthesisSettings(mode="three-view", batch_size=8), manifest, 10**8)
    assert far_off.blocking
    assert far_off.hint.startswith("Close other programs, choose the mode 'slice', take a smaller batch size, or crop")


def test_checking_needs_nothing_that_slicer_does_not_ship() -> None:
    """The window checks its inputs before the packages of MedUSIS are installed."""
    script = (
        "import sys\n"
        "for name in ('pydantic', 'psutil', 'yaml', 'skimage', 'nibabel', 'monai', 'torch', 'matplotlib'):\n"
        "    sys.modules[name] = None\n"
        "from mrml_scene import start_scene\n"
        "start_scene()\n"
        f"{_GOOD_NODES}\n"
        "from MedUSISLib.mrml.readiness import check_inputs\n"
        "import MedUSISLib.mrml.preparation, MedUSISLib.mrml.segment_classes\n"
        "print([finding.code for finding in check_inputs(*good_nodes(), None)])\n"
    )
    here = Path(__file__).parent
    paths = os.pathsep.join([str(here.parents[1]), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=here,
        env={**os.environ, "PYTHONPATH": paths},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == "[]"


# scene_nodes imports no test library; this file imports pytest and the schemas
_GOOD_NODES = """
import numpy as np
from scene_nodes import add_segmentation, add_volume
def good_nodes():
    radius = np.abs(np.linspace(-1, 1, 40))[:, None, None] + np.zeros((40, 30, 30))
    values = np.select([radius < 0.6, radius < 0.7, radius < 0.85], [35, 900, -90], -1000).astype(np.int16)
    return add_volume(values), add_segmentation({"a": values > -300}), {"a": "soft_tissue"}
"""
