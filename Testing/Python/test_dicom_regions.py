"""DICOM SEG and RTSTRUCT as segmentation of a CT: the right voxels, the right class, or a named error."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from dicom_example import SECRETS, box, identity, loop_on, turned_volume, write_ct, write_result, write_rtstruct
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from imaging_phantom import geometry_about, rotation
from test_imaging_dicom import OBLIQUE, write_series

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.dicom_contours import even_odd
from MedUSISLib.imaging.dicom_regions import read_regions, segmentation_object
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.voxel_match import carried_over
from MedUSISLib.progress import Progress
from MedUSISLib.synthesis.dicom_labels import read_dicom_labels

hd = pytest.importorskip("highdicom")
HEAD = load_schema("head")
QUICK = [Phase.explicit, Phase.generate]  # shrinking takes minutes


class Heard(Progress):
    def __init__(self) -> None:
        self.warnings: dict[str, str] = {}

    def warning(self, code: str, message: str) -> None:
        self.warnings[code] = message


def classes(path: Path, ct: Volume, labels: str | None = None, unmapped: str | None = None) -> tuple[np.ndarray, Heard]:
    """Class indices on the CT, and the warnings."""
    found = segmentation_object(path)
    assert found is not None
    heard = Heard()
    volume, mapping, _ = read_dicom_labels(*found, ct, HEAD, labels, unmapped, heard)
    return mapping.apply(volume.array_kji, unmapped), heard


def refused(path: Path, ct: Volume, code: ErrorCode, *words: str, **options: Any) -> None:
    with pytest.raises(MedUSISError) as caught:
        classes(path, ct, **options)
    assert caught.value.code is code
    for word in words:
        assert word in str(caught.value)
    assert not any(secret in str(caught.value) for secret in SECRETS)


@pytest.fixture
def ct(tmp_path: Path) -> Volume:
    return write_ct(tmp_path / "ct", OBLIQUE)


# Polygons


@settings(max_examples=40, deadline=None, phases=QUICK)
@given(st.lists(st.lists(st.tuples(st.floats(-3, 15), st.floats(-3, 12)), min_size=3, max_size=8), max_size=4))
def test_polygons_are_filled_by_the_even_odd_rule(loops: list[list[tuple[float, float]]]) -> None:
    """Against the definition: a ray from the centre crosses an odd number of edges."""
    loops_xy = [np.round(np.asarray(loop), 2) + 0.0037 for loop in loops]  # no corner on a pixel's centre
    filled = even_odd(loops_xy, 9, 12)
    expected = np.zeros((9, 12), dtype=bool)
    for j in range(9):
        for i in range(12):
            for loop in loops_xy:
                for (x0, y0), (x1, y1) in zip(loop, np.roll(loop, -1, axis=0), strict=True):
                    if (y0 <= j) != (y1 <= j):
                        expected[j, i] ^= round(x0 + (j - y0) * (x1 - x0) / (y1 - y0), 6) <= i
    assert np.array_equal(filled, expected)


# RTSTRUCT


def test_contours_fill_their_voxels_with_holes_and_islands(tmp_path: Path, ct: Volume) -> None:
    grid = ct.geometry
    loops = [
        loop_on(grid, 2, box(1.5, 12.5, 1.5, 10.5)),
        loop_on(grid, 2, box(3.5, 9.5, 3.5, 8.5)[::-1]),  # a hole, whichever way round
        loop_on(grid, 2, box(5.5, 7.5, 5.5, 6.5)),  # an island in it
        loop_on(grid, 3, box(1.5, 4.5, 1.5, 4.5)),
        loop_on(grid, 3, box(8.5, 12.5, 1.5, 4.5)),  # two parts of one slice
    ]
    path = write_rtstruct(tmp_path / "rt" / "Mueller.dcm", ct, {"Brain": loops})
    expected = np.zeros(grid.shape_kji, dtype=bool)
    expected[2, 2:11, 2:13] = True
    expected[2, 4:9, 4:10] = False
    expected[2, 6:7, 6:8] = True
    expected[3, 2:5, 2:5] = expected[3, 2:5, 9:13] = True
    found, heard = classes(path.parent, ct)
    assert np.array_equal(found == HEAD.index_of("brain"), expected) and not heard.warnings


@settings(max_examples=10, deadline=None, phases=QUICK)
@given(data=st.data())
def test_contours_lie_where_they_were_drawn_on_any_grid(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    angles = tuple(data.draw(st.floats(-1.5, 1.5)) for _ in range(3))
    axes = rotation(angles) @ np.diag([data.draw(st.sampled_from([1, -1])) for _ in range(3)])
    spacing = tuple(data.draw(st.floats(0.4, 6.0)) for _ in range(3))
    folder = tmp_path_factory.mktemp("rt")
    grid = geometry_about((12, -34, 56), (9, 8, 4), spacing, axes)
    ct = Volume(np.zeros(grid.shape_kji, np.int16), grid)
    k, i0, j0 = (data.draw(st.integers(0, limit)) for limit in (3, 5, 4))
    path = write_rtstruct(
        folder / "rt.dcm", ct, {"Eyes": [loop_on(grid, k, box(i0 - 0.4, i0 + 2.4, j0 - 0.4, j0 + 1.4))]}
    )
    mask = read_regions(path, "RTSTRUCT", ct).regions[0].mask()
    expected = np.zeros(grid.shape_kji, dtype=bool)
    expected[k, j0 : j0 + 2, i0 : i0 + 3] = True
    assert np.array_equal(mask, expected)
    shutil.rmtree(folder)


def test_overlaps_go_to_the_finer_class_whatever_the_order_of_the_object(tmp_path: Path, ct: Volume) -> None:
    grid = ct.geometry
    brain, eyes = loop_on(grid, 2, box(1.5, 12.5, 1.5, 10.5)), loop_on(grid, 2, box(3.5, 5.5, 3.5, 5.5))
    matter = loop_on(grid, 2, box(6.5, 9.5, 3.5, 5.5))
    regions = {
        "white matter": [matter],
        "Eye_L": [eyes],
        "Brain": [brain],
        "BODY": [loop_on(grid, 2, box(-9, 99, -9, 99))],
    }
    path = write_rtstruct(tmp_path / "rt.dcm", ct, regions, kinds={"BODY": "EXTERNAL"})
    found, heard = classes(path, ct, unmapped="soft_tissue")
    assert found[2, 4, 4] != HEAD.index_of("brain") and found[2, 4, 7] == HEAD.index_of("white_matter")
    assert found[2, 8, 8] == HEAD.index_of("brain") and found[2, 0, 0] == 0
    assert "2 regions" not in heard.warnings["NOT_ANATOMY"] and "1 regions" in heard.warnings["NOT_ANATOMY"]
    assert "10 voxels" in heard.warnings["SEGMENTS_OVERLAP"]


def test_a_table_decides_by_number_and_order(tmp_path: Path, ct: Volume) -> None:
    grid = ct.geometry
    regions = {"x1": [loop_on(grid, 2, box(1.5, 6.5, 1.5, 6.5))], "x2": [loop_on(grid, 2, box(1.5, 4.5, 1.5, 4.5))]}
    path = write_rtstruct(tmp_path / "rt.dcm", ct, regions, kinds={"x2": "PTV"})
    table = tmp_path / "table.csv"
    table.write_text("value,name,class\n2,target,vessels\n1,all,brain\n")
    found, _ = classes(path, ct, labels=str(table))
    assert set(np.unique(found)) == {0, HEAD.index_of("brain")}  # the later row wins: the target lies inside
    table.write_text("value,name,class\n1,all,brain\n2,target,vessels\n")
    found, _ = classes(path, ct, labels=str(table))
    assert HEAD.index_of("vessels") in found
    refused(path, ct, ErrorCode.UNKNOWN_LABELS, "x1")


def test_wrong_frames_planes_and_empty_sets_are_refused(tmp_path: Path, ct: Volume) -> None:
    grid = ct.geometry
    here = loop_on(grid, 2, box(1.5, 6.5, 1.5, 6.5))
    path = tmp_path / "rt.dcm"
    write_rtstruct(path, ct, {"Brain": [here]}, frame="1.2.3.4")
    refused(path, ct, ErrorCode.GEOMETRY_MISMATCH, "frame of reference")
    write_rtstruct(path, ct, {"Brain": [here, loop_on(grid, 3.5, box(1, 6, 1, 6))]})
    refused(path, ct, ErrorCode.GEOMETRY_MISMATCH, "1 contours between the slices")
    upright = grid.index_to_lps([(1, 3, 1), (8, 3, 1), (8, 3, 6), (1, 3, 6)])
    write_rtstruct(path, ct, {"Brain": [upright]})
    refused(path, ct, ErrorCode.GEOMETRY_MISMATCH, "other planes")
    write_rtstruct(path, ct, {"Brain": [here]}, shape="POINT")
    refused(path, ct, ErrorCode.EMPTY_SEGMENTATION)
    write_rtstruct(path, ct, {"PTV": [here]}, kinds={"PTV": "PTV"})
    refused(path, ct, ErrorCode.EMPTY_SEGMENTATION, "no region of anatomy")


def test_what_is_left_out_is_told(tmp_path: Path, ct: Volume) -> None:
    grid = ct.geometry
    loops = [loop_on(grid, k, box(1.5, 6.5, 1.5, 6.5)) for k in (1, 3, 30)]
    path = write_rtstruct(tmp_path / "rt.dcm", ct, {"Brain": loops, "Points": []})
    no_frame = Volume(ct.array_kji, grid)
    found, heard = classes(path, no_frame)
    assert found[1].any() and not found[2].any() and found[3].any()
    assert set(heard.warnings) == {"CONTOUR_OUTSIDE", "CONTOUR_GAPS", "NO_CONTOUR", "FRAME_NOT_CHECKED"}


def test_damaged_objects_are_named(tmp_path: Path, ct: Volume) -> None:
    path = write_rtstruct(tmp_path / "rt.dcm", ct, {"Brain": [loop_on(ct.geometry, 2, box(1, 6, 1, 6))]})
    whole = path.read_bytes()
    spoilt = pydicom.dcmread(path)
    del spoilt.StructureSetROISequence
    spoilt.save_as(path)
    refused(path, ct, ErrorCode.INPUT_NOT_READABLE)
    for cut in range(400, len(whole) - 1, 97):  # every one ends in a name or is read
        path.write_bytes(whole[:cut])
        if segmentation_object(path) is not None:
            try:
                classes(path, ct)
            except MedUSISError as error:
                assert error.code is not ErrorCode.INTERNAL


# SEG


def write_seg(
    path: Path, ct_folder: Path, array: np.ndarray, names: list[str], kind: str = "BINARY", codes: Any = ()
) -> Path:
    """A SEG on the CT's slices; the array is [k, j, i] of numbers or [k, j, i, segment] of overlapping masks."""
    from MedUSISLib.dicom.source import read_source

    headers = read_source(ct_folder).headers
    described = [
        hd.seg.SegmentDescription(
            n, name, hd.sr.CodedConcept("123037004", "SCT", "Anatomical Structure"),
            hd.sr.CodedConcept(codes[n - 1] if codes else "1", "SCT", name), "MANUAL",
        )
        for n, name in enumerate(names, start=1)
    ]  # fmt: skip
    new = pydicom.uid.generate_uid
    seg = hd.seg.Segmentation(
        headers, array, kind, described, new(), 5, new(), 1, "m", "m", "1", "1",
        **({"max_fractional_value": 200} if kind == "FRACTIONAL" else {}),
    )  # fmt: skip
    seg.save_as(path)
    return path


def test_segments_are_read_in_their_place_empty_frames_left_out(tmp_path: Path, ct: Volume) -> None:
    array = np.zeros(ct.array_kji.shape, dtype=np.uint8)
    array[3, 2:5, 3:9] = 1
    array[5, 6:8, 1:4] = 2
    path = write_seg(tmp_path / "seg.dcm", tmp_path / "ct", array, ["Brain", "Left eye"], codes=["1", "81745001"])
    found, heard = classes(path, ct)
    assert np.array_equal(found == HEAD.index_of("brain"), array == 1)
    assert np.array_equal(found == HEAD.index_of("eyes"), array == 2)
    assert not heard.warnings


def test_overlapping_and_fractional_segments(tmp_path: Path, ct: Volume) -> None:
    masks = np.zeros((*ct.array_kji.shape, 2), dtype=np.uint8)
    masks[2:4, 1:9, 1:9, 1] = 1
    masks[2:3, 3:5, 3:5, 0] = 1
    path = write_seg(tmp_path / "seg.dcm", tmp_path / "ct", masks, ["White matter", "Brain"])
    found, heard = classes(path, ct)
    assert np.array_equal(found == HEAD.index_of("white_matter"), masks[..., 0] > 0)
    assert "4 voxels" in heard.warnings["SEGMENTS_OVERLAP"]
    parts = masks[..., 1].astype(np.float32) * np.where(np.indices(ct.array_kji.shape)[2] < 5, 0.8, 0.2)
    path = write_seg(tmp_path / "part.dcm", tmp_path / "ct", parts.astype(np.float32), ["Brain"], "FRACTIONAL")
    found, _ = classes(path, ct)
    assert np.array_equal(found > 0, parts > 0.5)


def test_a_seg_of_another_frame_is_refused_and_one_on_another_grid_resampled(tmp_path: Path, ct: Volume) -> None:
    array = np.zeros(ct.array_kji.shape, dtype=np.uint8)
    array[1:7, 2:10, 3:13] = 1
    path = write_seg(tmp_path / "seg.dcm", tmp_path / "ct", array, ["Brain"])
    refused(path, Volume(ct.array_kji, ct.geometry, {"frame_of_reference_uid": "1.2.3"}), ErrorCode.GEOMETRY_MISMATCH)
    finer = geometry_about(OBLIQUE.centre_lps, (32, 24, 16), (0.75, 1.0, 2.0), OBLIQUE.axes)
    found = read_regions(path, "SEG", Volume(np.zeros(finer.shape_kji, np.int16), finer))
    assert found.resampled and found.regions[0].mask().sum() == pytest.approx(8 * array.sum(), rel=0.1)


def test_what_was_written_is_read_again_as_input(tmp_path: Path, ct: Volume) -> None:
    from MedUSISLib.dicom.export import export_dicom
    from MedUSISLib.dicom.request import ExportDicomRequest

    maps = write_result(tmp_path / "result", ct)
    export_dicom(ExportDicomRequest(result=tmp_path / "result", source=tmp_path / "ct", out=tmp_path / "out"))
    found, heard = classes(tmp_path / "out" / "labels.dcm", ct)
    assert np.array_equal(found, maps["labels"]) and not heard.warnings
    refused(tmp_path / "out", ct, ErrorCode.INPUT_NOT_READABLE, "2 DICOM SEG")


def test_a_case_is_read_from_a_ct_series_and_a_structure_set(tmp_path: Path) -> None:
    from tiny_generator import head_phantom

    from MedUSISLib.synthesis.inputs import read_case
    from MedUSISLib.synthesis.request import SynthesisRequest

    volume, _ = head_phantom(geometry_about((0, 0, 0), (40, 40, 10), (5.0, 5.0, 15.0)))
    write_series(tmp_path / "ct", volume, change=identity)
    ct = Volume(volume.array_kji, volume.geometry)
    loops = [loop_on(ct.geometry, k, box(12.5, 27.5, 12.5, 27.5)) for k in range(2, 8)]
    frame = pydicom.dcmread(next((tmp_path / "ct").iterdir())).FrameOfReferenceUID
    write_rtstruct(tmp_path / "rt" / "rt.dcm", ct, {"Brain": loops}, frame=frame)
    request = SynthesisRequest(ct=tmp_path / "ct", segmentation=tmp_path / "rt", out=tmp_path / "out")
    case = read_case(request, HEAD, Heard())
    assert case.labels.array_kji[2:8, 13:28, 13:28].all() and case.mapping == "DICOM RTSTRUCT names"
    assert int((case.labels.array_kji > 0).sum()) == 6 * 15 * 15 and not case.was_resampled


# Grids


@settings(max_examples=25, deadline=None, phases=QUICK)
@given(st.permutations([0, 1, 2]), st.lists(st.sampled_from([1, -1]), min_size=3, max_size=3), st.booleans())
def test_voxels_are_carried_over_whatever_the_order_of_axes(order: list[int], flips: list[int], part: bool) -> None:
    grid = geometry_about((12, -34, 56), (6, 5, 4), (1.5, 2.0, 4.0), rotation((0.2, 0.1, -0.3)))
    array = np.arange(120, dtype=np.int16).reshape(4, 5, 6) + 1
    volume = Volume(array, grid)
    if part:
        origin = grid.index_to_lps([(1, 2, 0)])[0]
        small = type(grid)((3, 2, 4), grid.spacing_mm, tuple(origin), grid.direction)
        volume = Volume(np.ascontiguousarray(array[:, 2:4, 1:4]), small)
        array = np.where(np.isin(array, volume.array_kji), array, 0)
    assert np.array_equal(carried_over(turned_volume(volume, order, flips), grid), array)
    off = type(grid)(grid.size_ijk, grid.spacing_mm, tuple(np.add(grid.origin_lps_mm, (0.3, 0, 0))), grid.direction)
    assert carried_over(volume, off) is None
