"""Body voxels without a label get a class by their HU, so that a brain-only segmentation still gives a whole head."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from painter import Painter, synthesize_in_memory
from tiny_generator import head_phantom, tiny_bundle

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.generators.bundle import Bundle
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.synthesis.filling import FillingClasses, fill_unlabelled

HEAD = load_schema("head")
SKIN, FAT, SOFT, BONE, MARROW, AIR, CSF, CORTEX, WHITE = 1, 2, 3, 4, 5, 6, 7, 8, 9


def test_brain_only_segmentation_gives_a_whole_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bundle, "load_network", lambda self, device="cpu": Painter())
    ct, segmentation = head_phantom(Geometry((64, 64, 60)), radius_mm=28)
    truth = segmentation.array_kji.copy()
    segmentation.array_kji[~np.isin(truth, (CORTEX, WHITE))] = 0
    result = synthesize_in_memory(ct, segmentation, tiny_bundle(tmp_path / "tiny"))
    labels = result.labels.array_kji
    for index, part in ((SKIN, 0.8), (SOFT, 0.6), (BONE, 0.9), (CSF, 0.9), (CORTEX, 1.0), (WHITE, 1.0)):
        assert (labels[truth == index] == index).mean() >= part, HEAD.names[index]
    assert result.statistics["unlabelled_body_fraction"] > 0.5
    assert result.statistics["filled_body_fraction"] == pytest.approx(
        result.statistics["unlabelled_body_fraction"], abs=0.02
    )
    assert set(result.statistics["filled_by_class"]) >= {"skin", "soft_tissue", "cortical_bone", "csf"}


def test_hu_decide_the_class() -> None:
    hu = np.array([[[-900, -100, 40, 400, 1500, 240]]], np.int16)
    labels = np.zeros_like(hu, dtype=np.uint8)
    report = fill_unlabelled(labels, hu, np.ones(hu.shape, bool), HEAD, (1, 1, 1))
    assert labels.ravel().tolist() == [AIR, FAT, SOFT, BONE, BONE, SOFT]
    assert report.unlabelled_fraction == report.filled_fraction == 1.0


def test_marrow_lies_inside_bone() -> None:
    hu = np.full((3, 9, 9), 400, np.int16)
    labels = np.zeros(hu.shape, np.uint8)
    body = np.zeros(hu.shape, bool)
    body[:, 1:8, 1:8] = True
    fill_unlabelled(labels, hu, body, HEAD, (5, 5, 5))
    assert labels[1, 4, 4] == MARROW
    assert labels[1, 1, 4] == BONE
    assert labels[1, 0, 0] == 0


def test_labelled_and_outside_voxels_stay() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 16, (4, 20, 20)).astype(np.uint8)
    before = labels.copy()
    body = rng.random(labels.shape) < 0.5
    hu = rng.integers(-1000, 1500, labels.shape).astype(np.int16)
    fill_unlabelled(labels, hu, body, HEAD, (1, 1, 1))
    unchanged = (before != 0) | ~body
    np.testing.assert_array_equal(labels[unchanged], before[unchanged])
    assert (labels[~unchanged] != 0).all()


def test_fluid_far_from_the_brain_is_no_csf() -> None:
    labels = np.zeros((1, 5, 60), np.uint8)
    labels[:, :, :5] = CORTEX
    hu = np.full(labels.shape, 10, np.int16)
    fill_unlabelled(labels, hu, np.ones(labels.shape, bool), HEAD, (5, 1, 1))
    assert (labels[:, :, 5:15] == CSF).all()
    assert (labels[:, :, 16:] == SOFT).all()


def test_csf_does_not_cross_bone() -> None:
    labels = np.zeros((1, 9, 30), np.uint8)
    labels[:, :, :5] = WHITE
    hu = np.full(labels.shape, 10, np.int16)
    hu[:, :, 8] = 900
    fill_unlabelled(labels, hu, np.ones(labels.shape, bool), HEAD, (5, 1, 1))
    assert (labels[:, :, 5:8] == CSF).all()
    assert (labels[:, :, 9:] == SOFT).all()


def test_schema_without_generic_classes_fills_nothing() -> None:
    schema = load_schema("torso")
    classes = FillingClasses.of(schema)
    assert schema.names[classes.fat] == "fat"
    assert schema.names[classes.soft] == "skeletal_muscle"
    assert classes.air == 0 and classes.csf == 0
    labels = np.zeros((1, 1, 2), np.uint8)
    fill_unlabelled(labels, np.array([[[-900, -100]]], np.int16), np.ones((1, 1, 2), bool), schema, (1, 1, 1))
    assert labels.ravel().tolist() == [0, classes.fat]
