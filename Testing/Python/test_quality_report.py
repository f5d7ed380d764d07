"""quality.json: which number goes where, what is flagged, and that a failing measure does not cost the result."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from report_example import HEAD, egg_labels, example_result

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.progress import Progress
from MedUSISLib.synthesis.quality import quality_report, slice_axis_of
from MedUSISLib.synthesis.quality_guide import BODY_DICE, MEASURES, SEAMS, STRIPES, Level, measures_of, stripe_limit
from MedUSISLib.synthesis.resegmentation import bundled_segmentator


def _same_labels(volume: Volume) -> Volume:
    return volume.with_array(egg_labels(volume.array_kji.shape))


def _keys(quality: dict) -> set[str]:
    return {flag["key"] for flag in quality["flags"]}


def test_a_faithful_result_has_nothing_to_worry_about_and_is_plain_json() -> None:
    quality = quality_report(example_result(), _same_labels)
    assert quality["verdict"] == "ok", quality["flags"]
    assert quality["body"]["dice"] > 0.95 and quality["body"]["hd95_mm"] <= 5
    assert quality["resegmentation"]["mean_dice"] == 1
    assert quality["intensity"]["comparison"]["mean_error"] < 0.01
    assert quality["review"] is False
    assert json.loads(json.dumps(quality, allow_nan=False)) == quality


def test_every_measure_of_the_guide_finds_its_number() -> None:
    quality = quality_report(example_result(), _same_labels)
    assert [m.title for m in MEASURES if m.value(quality) is None] == []


def test_seams_are_flagged_and_have_no_row_where_there_are_no_windows() -> None:
    quality = quality_report(example_result(statistics={"seam_index": 2.0}), _same_labels)
    assert _keys(quality) == {"seam_index"} and quality["verdict"] == "look"
    quality = quality_report(example_result(statistics={}), _same_labels)
    assert quality["seam_index"] is None and quality["verdict"] == "ok"
    assert SEAMS not in measures_of(quality) and len(measures_of(quality)) == len(MEASURES) - 1


def test_a_missing_part_of_the_head_is_worrying() -> None:
    result = example_result()
    result.mask_consistency.array_kji[:, :24][result.mask_consistency.array_kji[:, :24] == 1] = 2
    quality = quality_report(result, _same_labels)
    assert quality["verdict"] == "worry"
    assert {"body.dice", "body.hd95_mm", "mask_consistency.missing_fraction"} <= _keys(quality)
    assert quality["mask_consistency"]["missing_fraction"] == pytest.approx(0.5, abs=0.02)


def test_a_swap_of_two_tissues_is_flagged() -> None:
    result = example_result()
    mr, labels = result.mr.array_kji, result.labels.array_kji
    mr[labels == HEAD.index_of("fat")] = 0.1
    mr[labels == HEAD.index_of("cortical_bone")] = 0.9
    quality = quality_report(result, _same_labels)
    assert "intensity.comparison.correlation" in _keys(quality) and quality["verdict"] == "worry"


def test_slices_of_different_brightness_are_flagged_along_the_generators_axis() -> None:
    result = example_result()
    jumps = 1 + 0.2 * np.random.default_rng(0).normal(size=(32, 1, 1)).astype(np.float32)
    result.mr.array_kji[...] *= jumps
    quality = quality_report(result, _same_labels)
    assert "stripes.flicker" in _keys(quality)
    assert quality["stripes"]["array_axis"] == "k"


def test_uncertainty_above_the_bundles_bound_asks_for_review() -> None:
    quality = quality_report(example_result(threshold=1e-5), _same_labels)
    assert quality["review"] is True and quality["verdict"] == "worry"
    assert quality["uncertainty"]["threshold"] == 1e-5


def test_without_a_bound_there_is_no_verdict_on_uncertainty() -> None:
    quality = quality_report(example_result(threshold=None), _same_labels)
    assert quality["review"] is None and quality["verdict"] == "ok"
    assert "uncertainty.global" in _keys(quality)


@pytest.mark.parametrize("changes", [{"passes": 1}, {"dropout": 0.0}])
def test_one_pass_or_no_dropout_means_no_uncertainty(changes: dict) -> None:
    quality = quality_report(example_result(**changes), _same_labels)
    assert quality["uncertainty"]["global"] is None and quality["review"] is None
    assert "uncertainty.global" in _keys(quality)


def test_the_engines_own_numbers_win() -> None:
    result = example_result(statistics={"global_uncertainty": 0.5, "unlabelled_body_fraction": 0.25})
    quality = quality_report(result, _same_labels)
    assert quality["uncertainty"]["global"] == 0.5 and quality["review"] is True
    assert quality["unlabelled_body_fraction"] == 0.25 and "unlabelled_body_fraction" in _keys(quality)


def test_a_failing_segmentator_is_reported_and_a_cancelled_one_cancels() -> None:
    def broken(volume: Volume) -> Volume:
        raise RuntimeError("out of luck in /data/Meier")

    quality = quality_report(example_result(), broken)
    assert quality["resegmentation"]["available"] is False
    assert "Meier" not in json.dumps(quality["resegmentation"]) and "RuntimeError" in json.dumps(quality)

    def cancelled(volume: Volume) -> Volume:
        raise MedUSISError(ErrorCode.CANCELLED, "cancelled")

    with pytest.raises(MedUSISError, match="CANCELLED"):
        quality_report(example_result(), cancelled)


def test_another_schema_than_head_has_no_bundled_segmentator() -> None:
    schema = HEAD.model_copy(update={"id": "torso"})
    segmentator, reason = bundled_segmentator(replace(example_result(), schema=schema))
    assert segmentator is None and "torso" in reason


def test_an_undivided_brain_is_compared_undivided() -> None:
    result = example_result()
    labels = result.labels.array_kji
    labels[np.isin(labels, [HEAD.index_of("cortex"), HEAD.index_of("white_matter")])] = HEAD.index_of("brain")
    names = {row["name"]: row["dice"] for row in quality_report(result, _same_labels)["resegmentation"]["classes"]}
    assert names["brain"] == 1 and "cortex" not in names


def test_a_single_slice_has_numbers_too() -> None:
    geometry = Geometry((40, 48, 1), (4.0, 4.0, 5.0))
    quality = quality_report(example_result(geometry), _same_labels)
    assert quality["stripes"]["index"] is None and quality["stripes"]["flicker"] is None
    assert quality["body"]["dice"] > 0.9


def test_an_empty_mr_is_worrying() -> None:
    result = example_result()
    result.mr.array_kji[...] = 0
    result.mask_consistency.array_kji[result.mask_consistency.array_kji != 0] = 2
    quality = quality_report(result, _same_labels)
    assert quality["verdict"] == "worry" and quality["body"]["hd95_mm"] is None
    assert any("constant" in flag["message"] for flag in quality["flags"])


def test_a_value_that_is_not_a_number_becomes_null() -> None:
    result = example_result()
    result.mr.array_kji[0, 0, 0] = np.nan
    json.dumps(quality_report(result, _same_labels), allow_nan=False)


def test_the_slice_axis_follows_the_patient_and_not_the_array() -> None:
    sagittal = Geometry((4, 5, 6), direction=(0, 0, 1.0, 1.0, 0, 0, 0, -1.0, 0))
    assert [slice_axis_of(sagittal, view) for view in ("axial", "coronal", "sagittal")] == [1, 2, 0]
    assert [slice_axis_of(Geometry((4, 5, 6)), view) for view in ("axial", "coronal", "sagittal")] == [0, 1, 2]


def test_levels_follow_the_limits() -> None:
    assert [BODY_DICE.level(v) for v in (0.99, 0.93, 0.5, None)] == [
        Level.OK, Level.LOOK, Level.WORRY, Level.UNKNOWN,
    ]  # fmt: skip
    assert STRIPES.level(1.6) == Level.LOOK and STRIPES.level(1.6, stripe_limit(STRIPES, 5)) == Level.OK


def test_the_bundled_segmentator_uses_the_requested_device_and_hears_cancelling(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from MedUSISLib.generators import bundle
    from MedUSISLib.segmentation import segment

    heard: dict = {}

    def fake(volume: Volume, kind: str, device: str, progress: Progress) -> Volume:
        heard.update(kind=kind, device=device)
        progress.stage("a stage of the segmentator")
        progress.step(1, 2)
        progress.checkpoint()
        return _same_labels(volume)

    class Listener(Progress):
        def stage(self, name: str) -> None:
            raise AssertionError("the segmentator must not open stages of its own")

        def step(self, done: int, total: int) -> None:
            heard["step"] = (done, total)

        def checkpoint(self) -> None:
            raise MedUSISError(ErrorCode.CANCELLED, "cancelled")

    monkeypatch.setattr(bundle, "load_bundle", lambda *_, **__: None)
    monkeypatch.setattr(segment, "segment_volume", fake)
    result = example_result()
    result.request = result.request.model_copy(update={"device": "cpu"})
    assert quality_report(result)["resegmentation"]["mean_dice"] == 1
    with pytest.raises(MedUSISError, match="CANCELLED"):
        quality_report(result, progress=Listener())
    assert heard == {"kind": "mr", "device": "cpu", "step": (1, 2)}


def test_the_worst_slice_is_named_along_the_generators_axis_and_is_not_a_sliver() -> None:
    result = example_result(Geometry((24, 40, 48), direction=(0, 0, 1.0, 1.0, 0, 0, 0, -1.0, 0)))
    code = result.mask_consistency.array_kji
    code[:, 20][code[:, 20] == 1] = 2
    code[:, 0, 5] = 3
    part = quality_report(result, _same_labels)["mask_consistency"]
    assert part["slices_along"] == "j" and part["worst_slice"] == {"index": 20, "dice": 0}
    assert part["largest_missing_slice"] == 20


def test_a_local_gap_is_flagged_though_the_overlap_is_good() -> None:
    result = example_result()
    code = result.mask_consistency.array_kji
    code[16, 20:25, 16:21] = 2  # 25 pixels of 16 mm2
    quality = quality_report(result, _same_labels)
    assert quality["mask_consistency"]["dice"] > 0.99
    assert quality["mask_consistency"]["largest_missing_mm2"] == 400
    assert "mask_consistency.largest_missing_mm2" in _keys(quality) and quality["verdict"] == "look"
