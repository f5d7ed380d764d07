"""A CT in one file of many frames: every voxel in its place and in HU, or a refusal that says why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from dicom_example import write_result
from enhanced_ct import packed, write_enhanced
from hypothesis import given, settings
from hypothesis import strategies as st
from imaging_phantom import geometry_about, rotation
from pydicom.uid import JPEGLSLossless, RLELossless
from test_imaging_dicom import OBLIQUE, STRAIGHT, ct_on, refusal, write_series

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.dicom_series import list_series, series_geometry
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.reading import read_volume
from MedUSISLib.imaging.source_files import source_files
from MedUSISLib.imaging.volume import Volume

FLIPPED = geometry_about((12, -34, 56), (16, 12, 8), (1.5, 2.0, 4.0), np.diag([-1.0, 1.0, -1.0]))


@pytest.mark.parametrize("geometry", [STRAIGHT, OBLIQUE, FLIPPED], ids=["straight", "oblique", "flipped"])
@pytest.mark.parametrize("shared_place", [False, True])
def test_frames_in_any_order_are_the_volume_that_slices_are(
    tmp_path: Path, geometry: Geometry, shared_place: bool
) -> None:
    ct = ct_on(geometry)
    order = list(np.random.default_rng(3).permutation(8))
    path = write_enhanced(tmp_path / "e" / "ct.dcm", ct, order=order, shared_place=shared_place)
    volume, classic = read_volume(path), read_volume(write_series(tmp_path / "c", ct))
    assert volume.array_kji.dtype == np.int16
    assert np.array_equal(volume.array_kji, classic.array_kji)
    assert volume.geometry.same_grid(classic.geometry, 1e-9)
    assert volume.meta["modality"] == "CT" and volume.meta["frame_of_reference_uid"]
    assert "Mueller" not in str(volume.meta)
    assert np.array_equal(read_volume(path.parent).array_kji, volume.array_kji)
    assert series_geometry([path]).same_grid(volume.geometry)
    assert [(info.modality, info.slices) for info in list_series(path.parent)] == [("CT", 8)]
    assert source_files(path) == [path]


@settings(max_examples=15, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-1.5, 1.5)] * 3), spacing=st.tuples(*[st.floats(0.3, 6)] * 3), seed=st.integers(0, 99),
    flips=st.tuples(*[st.sampled_from([-1.0, 1.0])] * 2),
)  # fmt: skip
def test_every_voxel_lies_where_it_lay(
    tmp_path_factory: pytest.TempPathFactory,
    angles: tuple[float, ...],
    spacing: tuple[float, ...],
    seed: int,
    flips: tuple[float, float],
) -> None:
    """Rotations, anisotropic voxels, mirrored stacks: positions of the values are the same, whichever way k counts."""
    rng = np.random.default_rng(seed)
    axes = rotation(angles) @ np.diag([*flips, 1.0])
    grid = geometry_about(rng.uniform(-100, 100, 3), (4, 3, 5), spacing, axes)
    ct = Volume(rng.integers(-1000, 3000, grid.shape_kji).astype(np.int16), grid)
    path = write_enhanced(tmp_path_factory.mktemp("e") / "ct.dcm", ct, order=list(rng.permutation(5)))
    volume = read_volume(path)
    at = np.argwhere(np.ones(grid.shape_kji))[:, ::-1]
    ijk = volume.geometry.lps_to_index(grid.index_to_lps(at))
    assert np.abs(ijk - np.rint(ijk)).max() < 1e-3
    i, j, k = np.rint(ijk).astype(int).T
    assert np.array_equal(volume.array_kji[k, j, i], ct.array_kji[at[:, 2], at[:, 1], at[:, 0]])


def test_each_frame_has_its_own_rescale(tmp_path: Path) -> None:
    ct = ct_on()
    path = write_enhanced(tmp_path / "a.dcm", ct, rescale=lambda n: (1.0, -1000.0 - 8 * n), order=[*range(7, -1, -1)])
    volume = read_volume(path)
    assert volume.array_kji.dtype == np.int16 and np.array_equal(volume.array_kji, ct.array_kji)
    path = write_enhanced(tmp_path / "b.dcm", ct, rescale=lambda n: (0.5 + 0.125 * n, -2000.0))
    volume = read_volume(path)
    assert volume.array_kji.dtype == np.float32
    assert np.abs(volume.array_kji - ct.array_kji).max() <= (0.5 + 0.125 * 7) / 2


def jpeg_lossless(ds: Any, folder: Path) -> None:
    """As GDCM packs it; pydicom has no codec for it here."""
    image = sitk.GetImageFromArray(ds.pixel_array)
    writer = sitk.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.UseCompressionOn()
    writer.SetCompressor("JPEG")
    writer.SetFileName(str(folder / "packed.dcm"))
    writer.Execute(image)
    other = pydicom.dcmread(folder / "packed.dcm")
    assert other.file_meta.TransferSyntaxUID.is_compressed
    codes = pydicom.encaps.generate_frames(other.PixelData, number_of_frames=int(ds.NumberOfFrames))
    packed(ds, other.file_meta.TransferSyntaxUID, list(codes))


@pytest.mark.parametrize("codec", ["RLE", "JPEG-LS", "JPEG"])
@pytest.mark.parametrize("own", [False, True], ids=["shared", "own"])
def test_compressed_frames(tmp_path: Path, codec: str, own: bool) -> None:
    """The same rescale for all, once for all frames or in each of them."""
    if codec == "JPEG-LS":
        pytest.importorskip("jpeg_ls")

    def compress(ds: Any) -> None:
        if codec == "JPEG":
            jpeg_lossless(ds, tmp_path)
        else:
            ds.compress(RLELossless if codec == "RLE" else JPEGLSLossless)

    ct = ct_on(OBLIQUE)
    rescale = (lambda n: (1.0, -1024.0)) if own else None
    path = write_enhanced(
        tmp_path / "e" / "ct.dcm", ct, order=[3, 1, 2, 0, 7, 6, 5, 4], rescale=rescale, change=compress
    )
    assert np.array_equal(read_volume(path).array_kji, ct.array_kji)


def test_compressed_frames_with_a_rescale_each(tmp_path: Path) -> None:
    ct = ct_on()
    options: dict[str, Any] = {"rescale": lambda n: (1.0, -1000.0 - 8 * n), "order": [3, 1, 2, 0, 7, 6, 5, 4]}
    path = write_enhanced(tmp_path / "a.dcm", ct, change=lambda ds: ds.compress(RLELossless), **options)
    assert np.array_equal(read_volume(path).array_kji, ct.array_kji)
    (tmp_path / "b").mkdir()
    path = write_enhanced(tmp_path / "b" / "c.dcm", ct, change=lambda ds: jpeg_lossless(ds, tmp_path), **options)
    try:  # where pydicom has a codec; GDCM applies the first rescale to all
        assert np.array_equal(read_volume(path).array_kji, ct.array_kji)
    except MedUSISError as error:
        assert error.code is ErrorCode.INPUT_NOT_READABLE and "pixels cannot be decoded" in error.message


def frames_of(ds: Any) -> list[Any]:
    return list(ds.PerFrameFunctionalGroupsSequence)


def localizer_first(ds: Any) -> None:
    kind = pydicom.Dataset()
    kind.FrameType = ["ORIGINAL", "PRIMARY", "LOCALIZER", "NONE"]
    del ds.SharedFunctionalGroupsSequence[0].CTImageFrameTypeSequence
    frames_of(ds)[0].CTImageFrameTypeSequence = [kind]


def test_a_localizer_among_the_frames_is_left_out(tmp_path: Path) -> None:
    ct = ct_on()
    volume = read_volume(write_enhanced(tmp_path / "a.dcm", ct, change=localizer_first))
    assert np.array_equal(volume.array_kji, ct.array_kji[1:])


def stacks(ds: Any) -> None:
    for number, frame in enumerate(frames_of(ds)):
        frame.FrameContentSequence[0].StackID = "1" if number < 4 else "2"


def times(ds: Any) -> None:
    for number, frame in enumerate(frames_of(ds)):
        frame.FrameContentSequence[0].TemporalPositionIndex = number % 2 + 1


def without(group: str) -> Any:
    return lambda ds: delattr(frames_of(ds)[2], group)


def moved(offset: float) -> Any:
    def change(ds: Any) -> None:
        plane = frames_of(ds)[3].PlanePositionSequence[0]
        plane.ImagePositionPatient = [
            float(v) + o for v, o in zip(plane.ImagePositionPatient, (0, 0, offset), strict=True)
        ]

    return change


def scaled_twice(ds: Any) -> None:
    """Against the standard, and readers differ in which they take."""
    scale = pydicom.Dataset()
    scale.RescaleSlope, scale.RescaleIntercept = "1", "-1000"
    frames_of(ds)[4].PixelValueTransformationSequence = [scale]


def unscaled(ds: Any) -> None:
    del ds.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence


def scaled_in_part(ds: Any) -> None:
    (scale,) = ds.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence
    unscaled(ds)
    for frame in frames_of(ds)[1:]:
        frame.PixelValueTransformationSequence = [scale]


def scaled_elsewhere(ds: Any) -> None:
    del ds.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence
    ds.RescaleSlope, ds.RescaleIntercept = "1", "-1024"


def fewer(ds: Any) -> None:
    del ds.PerFrameFunctionalGroupsSequence[-1]


def shorter(ds: Any) -> None:
    ds.PixelData = ds.PixelData[:-400]


def no_groups(ds: Any) -> None:
    del ds.PerFrameFunctionalGroupsSequence


REFUSED = {
    "stacks": (stacks, ErrorCode.INPUT_NOT_READABLE, "2 stacks"),
    "times": (times, ErrorCode.INPUT_NOT_READABLE, "2 points in time"),
    "no-place": (without("PlanePositionSequence"), ErrorCode.GEOMETRY_MISMATCH, "without position"),
    "no-orientation": (without("PlaneOrientationSequence"), ErrorCode.GEOMETRY_MISMATCH, "without position"),
    "doubled": (moved(4.0), ErrorCode.GEOMETRY_MISMATCH, "place where there is one already"),
    "uneven": (moved(1.0), ErrorCode.GEOMETRY_MISMATCH, "uneven"),
    "fewer": (fewer, ErrorCode.INPUT_NOT_READABLE, "do not all say clearly"),
    "no-groups": (no_groups, ErrorCode.INPUT_NOT_READABLE, "do not all say clearly"),
    "scaled-twice": (scaled_twice, ErrorCode.INPUT_NOT_READABLE, "do not all say clearly"),
    "unscaled": (unscaled, ErrorCode.INPUT_NOT_READABLE, "do not all say clearly"),
    "scaled-in-part": (scaled_in_part, ErrorCode.INPUT_NOT_READABLE, "do not all say clearly"),
    "scaled-elsewhere": (scaled_elsewhere, ErrorCode.INPUT_NOT_READABLE, "do not all say clearly"),
    "shorter": (shorter, ErrorCode.INPUT_NOT_READABLE, "header is damaged"),
}


@pytest.mark.fault
@pytest.mark.parametrize("what", REFUSED)
def test_frames_that_are_no_stack_are_refused(tmp_path: Path, what: str) -> None:
    change, code, words = REFUSED[what]
    refusal(write_enhanced(tmp_path / "ct.dcm", ct_on(), change=change), code, words)


def test_other_classes_and_several_files_are_refused(tmp_path: Path) -> None:
    path = write_enhanced(tmp_path / "a" / "ct.dcm", ct_on(), sop_class="1.2.840.10008.5.1.4.1.1.7.3")
    refusal(path, ErrorCode.INPUT_NOT_READABLE, "multi-frame")
    for number in range(2):
        write_enhanced(
            tmp_path / "b" / f"{number}.dcm", ct_on(), change=lambda ds: setattr(ds, "SeriesInstanceUID", "1.2.3")
        )
    refusal(tmp_path / "b", ErrorCode.INPUT_NOT_READABLE, "2 multi-frame DICOM files")


def test_what_medusis_writes_as_enhanced_mr_is_read_by_medusis(tmp_path: Path) -> None:
    hd = pytest.importorskip("highdicom")
    assert hd is not None
    from MedUSISLib.dicom.export import export_dicom
    from MedUSISLib.dicom.request import ExportDicomRequest

    write_series(tmp_path / "ct", ct_on(OBLIQUE))
    ct = read_volume(tmp_path / "ct")
    maps = write_result(tmp_path / "result", ct)
    options = {"result": tmp_path / "result", "source": tmp_path / "ct", "enhanced": True}
    export_dicom(ExportDicomRequest(out=tmp_path / "out", **options))
    mr = read_volume(tmp_path / "out" / "mr.dcm", role="the MR")
    assert mr.geometry.same_grid(ct.geometry, 1e-6) and np.abs(mr.array_kji - maps["mr"]).max() <= 2.6e-5


def test_an_export_needs_a_file_for_each_slice(tmp_path: Path) -> None:
    pytest.importorskip("highdicom")
    from MedUSISLib.dicom.export import export_dicom
    from MedUSISLib.dicom.request import ExportDicomRequest

    path = write_enhanced(tmp_path / "ct" / "ct.dcm", ct_on())
    write_result(tmp_path / "result", read_volume(path))
    with pytest.raises(MedUSISError) as caught:
        export_dicom(ExportDicomRequest(result=tmp_path / "result", source=tmp_path / "ct", out=tmp_path / "out"))
    assert caught.value.code is ErrorCode.INPUT_NOT_READABLE and "many frames" in caught.value.message
    assert not (tmp_path / "out").exists()


def test_a_frame_may_say_nothing_of_the_patient_aloud(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    path = write_enhanced(tmp_path / "Mueller.dcm", ct_on(), change=shorter)
    with pytest.raises(MedUSISError) as caught:
        read_volume(path)
    assert "Mueller" not in str(caught.value) + "".join(capfd.readouterr())
