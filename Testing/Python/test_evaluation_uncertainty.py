"""One number per volume, its distribution, and the review flag."""

from __future__ import annotations

import numpy as np
import pytest

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.evaluation import uncertainty as module
from MedUSISLib.evaluation.uncertainty import review_needed, summarise_uncertainty

HEAD = load_schema("head")


def test_the_mean_is_of_the_variance_inside_the_body_only() -> None:
    variance = np.zeros((2, 4, 4), np.float32)
    mask = np.zeros(variance.shape, bool)
    mask[:, 1:3, 1:3] = True
    variance[mask] = 0.04
    variance[0, 0, 0] = 100
    summary = summarise_uncertainty(variance, mask)
    assert summary.mean_variance == pytest.approx(0.04)
    assert summary.deviation_percentiles["p50"] == pytest.approx(0.2)
    assert summary.voxels == 8 and sum(summary.histogram_counts) == 8


def test_a_subset_of_a_large_volume_gives_nearly_the_same_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    variance = np.random.default_rng(0).gamma(2, 0.001, (20, 40, 40)).astype(np.float32)
    mask = np.ones(variance.shape, bool)
    whole = summarise_uncertainty(variance, mask)
    monkeypatch.setattr(module, "_SAMPLE", 4000)
    part = summarise_uncertainty(variance, mask)
    assert part.mean_variance == whole.mean_variance
    assert part.deviation_percentiles["p95"] == pytest.approx(whole.deviation_percentiles["p95"], rel=0.05)
    assert sum(part.histogram_counts) == pytest.approx(mask.sum(), rel=0.01)


def test_classes_are_told_apart() -> None:
    labels = np.array([[[7, 7, 9, 9]]], np.uint8)
    summary = summarise_uncertainty(np.array([[[0.1, 0.1, 0.3, 0.3]]]), labels > 0, labels, HEAD)
    assert summary.classes[7].mean == pytest.approx(0.1) and summary.classes[9].mean == pytest.approx(0.3)


def test_no_body_means_no_summary() -> None:
    assert summarise_uncertainty(np.zeros((2, 2, 2)), np.zeros((2, 2, 2), bool)) is None


def test_without_a_threshold_there_is_no_verdict() -> None:
    assert review_needed(0.5, None) is None
    assert review_needed(0.5, 0.4) is True and review_needed(0.3, 0.4) is False
