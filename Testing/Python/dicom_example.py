"""A DICOM CT series and a result that was made from it, small, for tests of what goes out as DICOM and comes in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage, generate_uid
from test_imaging_dicom import ct_on, write_series

from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.reading import read_volume
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.writing import write_volume
from MedUSISLib.synthesis.inputs import value_sha256
from MedUSISLib.synthesis.writing import FILES, write_json

NOTICE = "SYNTHETIC - not for diagnosis"
SECRETS = ("Mueller", "Hans", "4711", "19610203", "Doktorow", "ACC99", "Clinic", "Serial77", "Wuerzburg")
"""What only the patient's own study may hold; ``identity`` plants it."""


def identity(k: int, ds: Any) -> None:
    """For ``write_series``: a patient, a study and a scanner."""
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.PatientName, ds.PatientID = "Mueller^Hans", "4711"
    ds.PatientBirthDate, ds.PatientSex, ds.PatientAge = "19610203", "M", "065Y"
    ds.StudyDate, ds.StudyTime, ds.StudyID, ds.AccessionNumber = "20260102", "101112", "77", "ACC99"
    ds.ReferringPhysicianName, ds.StudyDescription = "Doktorow^Ü", "Kopf Wuerzburg"
    ds.PatientPosition, ds.PositionReferenceIndicator = "HFS", ""
    ds.Manufacturer, ds.ManufacturerModelName, ds.DeviceSerialNumber = "Maker", "Scanner", "Serial77"
    ds.InstitutionName, ds.StationName, ds.BodyPartExamined = "Clinic", "Clinic-CT1", "HEAD"


def write_ct(folder: Path, geometry: Geometry, change: Callable | None = None, **options: Any) -> Volume:
    """A CT series of the imaging phantom, and the volume that our reader makes of it."""

    def both(k: int, ds: Any) -> Any:
        identity(k, ds)
        return change(k, ds) if change is not None else None

    write_series(folder, ct_on(geometry), change=both, **options)
    return read_volume(folder)


def maps_on(shape_kji: tuple[int, int, int], seed: int = 1) -> dict[str, np.ndarray]:
    """Maps without any symmetry: every swap and flip shows."""
    rng = np.random.default_rng(seed)
    mr = (rng.random(shape_kji) * 1.2).astype(np.float32)
    return {
        "mr": mr,
        "uncertainty": (mr**2 * 1e-3).astype(np.float32),
        "mask_consistency": rng.integers(0, 4, shape_kji).astype(np.uint8),
        "labels": rng.integers(0, 15, shape_kji).astype(np.uint8),
    }


def write_result(
    folder: Path, ct: Volume, maps: dict[str, np.ndarray] | None = None, geometry: Geometry | None = None, **values: Any
) -> dict[str, np.ndarray]:
    """A result as ``medusis synthesize`` writes it, made from this CT; ``values`` replace parts of its provenance."""
    maps = maps_on(ct.array_kji.shape) if maps is None else maps
    folder.mkdir(parents=True)
    for name, array in maps.items():
        write_volume(Volume(array, geometry or ct.geometry), folder / FILES[name])
    provenance = {
        "notice": NOTICE,
        "generator": {"id": "head-t1w", "version": "1.0.0", "sha256": "ab" * 32, "schema": "head"},
        "seed": 3,
        "passes": 8,
        "inputs": {"ct": {"values_sha256": value_sha256(ct)}},
    }
    write_json(provenance | values, folder / "provenance.json")
    return maps


def write_rtstruct(path: Path, ct: Volume, regions: dict[str, list[np.ndarray]], **options: Any) -> Path:
    """A structure set; ``regions`` holds for each name its contours as points in LPS mm, shape (n, 3).

    Options: ``frame`` (UID; that of the CT), ``kinds`` (interpreted type by name), ``shape`` (CLOSED_PLANAR).
    """
    frame = options.get("frame", ct.meta.get("frame_of_reference_uid", generate_uid()))
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = RTStructureSetStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = RTStructureSetStorage, meta.MediaStorageSOPInstanceUID
    ds.Modality, ds.PatientName, ds.StructureSetLabel = "RTSTRUCT", "Mueller^Hans", "plan"
    ds.SeriesInstanceUID, ds.StudyInstanceUID = generate_uid(), generate_uid()
    ds.StructureSetROISequence, ds.ROIContourSequence, ds.RTROIObservationsSequence = [], [], []
    for number, (name, contours) in enumerate(regions.items(), start=1):
        roi, drawn, seen = Dataset(), Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = number, name, frame
        roi.ROIGenerationAlgorithm = ""
        drawn.ReferencedROINumber, drawn.ContourSequence = number, []
        for points in contours:
            contour = Dataset()
            contour.ContourGeometricType = options.get("shape", "CLOSED_PLANAR")
            contour.NumberOfContourPoints = len(points)
            contour.ContourData = [f"{value:.6f}" for value in np.asarray(points).ravel()]
            drawn.ContourSequence.append(contour)
        seen.ObservationNumber, seen.ReferencedROINumber, seen.ROIInterpreter = number, number, ""
        seen.RTROIInterpretedType = options.get("kinds", {}).get(name, "ORGAN")
        ds.StructureSetROISequence.append(roi)
        ds.ROIContourSequence.append(drawn)
        ds.RTROIObservationsSequence.append(seen)
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
    return path


def loop_on(geometry: Geometry, k: float, corners_ij: list[tuple[float, float]]) -> np.ndarray:
    """Corners in pixels of slice k as points in LPS mm."""
    return geometry.index_to_lps([(i, j, k) for i, j in corners_ij])


def box(i0: float, i1: float, j0: float, j1: float) -> list[tuple[float, float]]:
    """Corners of a rectangle between pixel positions."""
    return [(i0, j0), (i1, j0), (i1, j1), (i0, j1)]


def turned_volume(ct: Volume, order: list[int], flips: list[int]) -> Volume:
    """The same voxels in the same places with axes in another order (array axes k, j, i) and direction."""
    array = ct.array_kji.transpose(order)[tuple(slice(None, None, flip) for flip in flips)]
    ijk = [2 - axis for axis in order][::-1]  # old matrix axis of each new one
    flips_ijk = np.array(flips[::-1])
    grid = ct.geometry
    size = np.asarray(grid.size_ijk)[ijk]
    start = np.zeros(3)
    for new, old in enumerate(ijk):
        start[old] = size[new] - 1 if flips_ijk[new] < 0 else 0
    directions = grid.axes[:, ijk] * flips_ijk
    origin = grid.index_to_lps([start])[0]
    spacing = np.asarray(grid.spacing_mm)[ijk]
    geometry = Geometry(tuple(size), tuple(spacing), tuple(origin), tuple(directions.ravel()))
    return Volume(np.ascontiguousarray(array), geometry)


def back_again(array: np.ndarray, order: list[int], flips: list[int]) -> np.ndarray:
    """An array of ``turned_volume`` in the order that it had before."""
    return array[tuple(slice(None, None, flip) for flip in flips)].transpose(np.argsort(order))
