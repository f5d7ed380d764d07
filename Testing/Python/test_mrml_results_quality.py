"""What a reader is told about a result: the table, the sentences, the colours and windows."""

from __future__ import annotations

import json

import numpy as np
import pytest
from small_result import AXIAL, UNCERTAIN_KJI, add_ct, arrays, body_kji, quality, write_result

from MedUSISLib.mrml.quality_nodes import COLUMNS, quality_rows, quality_sentences, verdict
from MedUSISLib.mrml.result_nodes import SynthesisNodes, nodes_of
from MedUSISLib.mrml.results import load_results
from MedUSISLib.mrml.windows import body_sample, percentile_window


@pytest.fixture
def nodes(mrml_scene, tmp_path):
    return load_results(write_result(tmp_path, AXIAL), add_ct(mrml_scene))


def _rows(table):
    content = table.GetTable()
    return {
        content.GetValue(row, 0).ToString(): [
            content.GetValue(row, column).ToString() for column in range(1, content.GetNumberOfColumns())
        ]
        for row in range(content.GetNumberOfRows())
    }


def test_the_table_reads_like_a_report(nodes):
    content = nodes.quality.GetTable()
    assert tuple(content.GetColumnName(index) for index in range(content.GetNumberOfColumns())) == COLUMNS
    rows = _rows(nodes.quality)
    assert rows["Body outline, distance"][:4] == ["12.0", "mm", "at most 5.0", "worrying"]
    assert rows["Body outline, overlap"][:4] == ["0.970", "", "at least 0.950", "in order"]
    assert rows["Tissue missing"][:3] == ["1.0", "%", "at most 3.0"]
    assert rows["Tissue too much"][3] == "not measured"
    assert "validation bound" in rows["Global uncertainty"][4]
    assert nodes.quality.GetLocked()


def test_each_class_has_its_row(nodes):
    rows = _rows(nodes.quality)
    assert rows["Found again: Muscle and other soft tissue"][:4] == ["0.80", "", "at least 0.50", "in order"]
    assert rows["Found again: Cerebral white matter"][3] == "not measured"


def test_a_limit_of_the_generator_replaces_the_general_one():
    report = quality()
    report["mask_consistency"]["threshold"] = 0.99
    rows = {row[0]: row for row in quality_rows(report)}
    assert rows["Mask consistency"][3:5] == ("at least 0.990", "have a look")


def test_a_report_with_nothing_measured_makes_a_table_too():
    assert {row[4] for row in quality_rows({})} == {"not measured"}


def test_sentences_begin_with_what_worries(nodes):
    assert [level for level, _ in quality_sentences(nodes)] == ["worry", "look"]
    assert verdict(nodes) == ("worry", "Do not rely on this image before you have checked the points below.")


def test_a_good_result_says_so_and_still_warns(nodes):
    report = quality() | {"flags": [], "verdict": "ok"}
    nodes.quality_data.SetText(json.dumps(report))
    assert quality_sentences(nodes) == [("ok", "Nothing remarkable was found.")]
    assert "not make the image fit for diagnosis" in verdict(nodes)[1]


@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_without_its_data_the_quality_is_unknown(nodes, damage):
    if damage == "gone":
        nodes.mr.GetScene().RemoveNode(nodes.quality_data)
        nodes = nodes_of(nodes.mr)
    else:
        nodes.quality_data.SetText("[")
    assert [level for level, _ in quality_sentences(nodes)] == ["unknown"]
    assert verdict(nodes)[0] == "unknown"


def test_no_nodes_no_quality():
    assert verdict(SynthesisNodes(mr=None))[0] == "unknown"


def test_windows_come_from_the_body(nodes):
    maps, body = arrays(), body_kji()
    display = nodes.mr.GetDisplayNode()
    expected = np.percentile(maps["mr"][body], [1, 99])
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == pytest.approx(tuple(expected), rel=0.05)
    assert display.GetColorNodeID() == "vtkMRMLColorTableNodeGrey"
    display = nodes.uncertainty.GetDisplayNode()
    assert display.GetWindowLevelMax() < 0.8 * maps["uncertainty"].max()
    assert maps["uncertainty"][UNCERTAIN_KJI] == maps["uncertainty"].max()


def test_the_uncertainty_has_its_own_colors_and_a_legend(nodes):
    import slicer

    display = nodes.uncertainty.GetDisplayNode()
    assert display.GetColorNode().GetName() == "MedUSIS uncertainty"
    legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(nodes.uncertainty)
    assert legend.GetTitleText() == "Variance over passes"
    assert display.GetApplyThreshold() and display.GetLowerThreshold() > 0


def test_uncertainty_colors_grow_lighter_evenly():
    import vtk

    from MedUSISLib.mrml.colors import uncertainty_rgb

    rgb = uncertainty_rgb()
    assert rgb.shape == (256, 3) and rgb.min() >= 0 and rgb.max() <= 1
    lab = np.zeros((256, 3))
    for index in range(256):
        vtk.vtkMath.RGBToLab(rgb[index], lab[index])
    steps = np.diff(lab[:, 0])
    assert steps.min() > 0
    assert steps.max() < 2 * np.median(steps)


def test_windows_of_odd_arrays_are_never_empty():
    assert percentile_window(np.zeros(0), (2, 99)) == (0.0, 1.0)
    assert percentile_window(np.full(9, 3.0), (2, 99)) == (3.0, 6.0)
    values = body_sample(np.array([[[1.0, np.nan, 3.0]]]), np.zeros((1, 1, 3)))
    assert values.tolist() == [1.0, 3.0]


def test_a_large_volume_is_sampled():
    volume = np.arange(300**3, dtype=np.float32).reshape(300, 300, 300)
    assert body_sample(volume, np.ones_like(volume, dtype=np.uint8)).size <= 2_000_000
    flat = np.zeros((1, 3000, 3000), np.float32)
    assert body_sample(flat, np.ones_like(flat, dtype=np.uint8)).size > 500_000
