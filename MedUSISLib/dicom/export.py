"""From a result folder to derived DICOM objects in the CT's study: all of them, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from MedUSISLib.anatomy.schema import LabelSchema, available_schemas, load_schema
from MedUSISLib.dicom.deidentify import Deidentifier, clean_dates
from MedUSISLib.dicom.maps import parametric_map
from MedUSISLib.dicom.mr_frames import mr_frames
from MedUSISLib.dicom.mr_slices import mr_slices
from MedUSISLib.dicom.origin import Origin
from MedUSISLib.dicom.quantisation import Quantisation
from MedUSISLib.dicom.request import ExportDicomRequest
from MedUSISLib.dicom.result_folder import has_map, read_map, read_provenance
from MedUSISLib.dicom.segments import CONSISTENCY, segmentation, values_of_schema
from MedUSISLib.dicom.source import SourceSeries, on_series, read_source, require_source
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.dicom_values import values_taken_as_they_are
from MedUSISLib.imaging.writing import written_file_error
from MedUSISLib.output_directory import atomic_output_directory
from MedUSISLib.progress import Progress

VARIANCES = ("uncertainty", "noise_spread")


@dataclass(frozen=True)
class ExportedDicom:
    """What was written.

    Attributes
    ----------
    directory : Path
    files : int
    objects : tuple of str
        Which maps: "mr", "uncertainty", ...
    slope, error_bound : float
        Of the MR's stored numbers, in the MR's unit.
    """

    directory: Path
    files: int
    objects: tuple[str, ...]
    slope: float
    error_bound: float

    def summary(self) -> dict[str, Any]:
        """As the job's result says it."""
        return {
            "directory": str(self.directory),
            "files": self.files,
            "objects": list(self.objects),
            "slope": self.slope,
            "error_bound": self.error_bound,
        }


def export_dicom(request: ExportDicomRequest, progress: Progress | None = None) -> ExportedDicom:
    """Write a result as DICOM.

    The MR becomes a series of MR images (or one enhanced MR), the variances parametric maps, mask consistency and
    labels segmentations. Every object is in the CT's study and frame of reference and refers to the CT's slices.

    Raises
    ------
    MedUSISError
        GEOMETRY_MISMATCH or BAD_SETTING when the result was not made from this series; INPUT_NOT_READABLE, NOT_A_CT;
        BAD_SETTING for an output folder that is the source or holds other files; DISK_FULL; DEPENDENCY_MISSING.
    """
    progress = progress or Progress()
    _require_highdicom()
    _require_own_folder(request)
    with values_taken_as_they_are(), atomic_output_directory(request.out, request.overwrite) as folder:
        progress.stage("reading")
        provenance = read_provenance(request.result)
        mr = read_map(request.result, "mr")
        source = read_source(request.source, request.series_uid)
        require_source(source, mr, provenance)
        source.forget_values()
        progress.checkpoint()
        schema = _schema(provenance)
        origin = Origin.of(provenance, schema.body_region if schema is not None else "")
        if request.deidentify:
            cleaner = Deidentifier()
            source.headers = [cleaner.clean(header) for header in source.headers]
        array = on_series(mr, source)
        del mr
        quantisation = Quantisation.of(float(array.min()), float(array.max()))
        progress.stage("writing")
        writer = _Writer(folder, len(source.headers), request.deidentify, progress)
        now = datetime.now()
        if request.enhanced:
            writer.write("mr.dcm", mr_frames(array, source, origin, quantisation, now))
        else:
            for number, dataset in enumerate(mr_slices(array, source, origin, quantisation, now), start=1):
                writer.write(f"mr-{number:04d}.dcm", dataset)
        del array
        objects = ["mr"]
        for name, dataset in _other_objects(request.result, provenance, source, origin, schema, progress):
            writer.write(f"{name.replace('_', '-')}.dcm", dataset)
            objects.append(name)
    progress.metric("dicom_error_bound", quantisation.error_bound)
    return ExportedDicom(Path(request.out), writer.files, tuple(objects), quantisation.slope, quantisation.error_bound)


def _other_objects(
    folder: Path,
    provenance: dict[str, Any],
    source: SourceSeries,
    origin: Origin,
    schema: LabelSchema | None,
    progress: Progress,
) -> Iterator[tuple[str, Any]]:
    """Name and dataset of each object beside the MR, one at a time, for what the result holds."""
    for name in VARIANCES:
        if not has_map(folder, name):
            continue
        if name == "uncertainty" and provenance.get("passes") == 1:
            progress.warning("NO_UNCERTAINTY", "one pass has no variance: no uncertainty is written")
            continue
        yield name, parametric_map(name, on_series(read_map(folder, name), source), source, origin)
    coded = {"mask_consistency": CONSISTENCY, "labels": values_of_schema(schema) if schema is not None else None}
    for name, values in coded.items():
        if not has_map(folder, name):
            continue
        if values is None:
            progress.warning("UNKNOWN_SCHEMA", "the label schema of the result is not known: no labels are written")
            continue
        dataset = segmentation(name, on_series(read_map(folder, name), source), values, source, origin)
        if dataset is None:
            progress.warning("NO_SEGMENTS", f"the part '{name}' of the result is empty: it is not written")
            continue
        yield name, dataset


class _Writer:
    """Datasets to files of one folder, counted."""

    def __init__(self, folder: Path, slices: int, deidentified: bool, progress: Progress) -> None:
        self._folder, self._deidentified, self._progress = folder, deidentified, progress
        self._total = slices
        self.files = 0

    def write(self, name: str, dataset: Any) -> None:
        self._progress.checkpoint()
        if self._deidentified:
            clean_dates(dataset)
        try:
            dataset.save_as(self._folder / name, enforce_file_format=True)
        except OSError as error:
            raise written_file_error(error, self._folder / name, "a DICOM file") from None
        self.files += 1
        self._progress.step(min(self.files, self._total), self._total)


def _schema(provenance: dict[str, Any]) -> LabelSchema | None:
    """The schema of the labels, when this MedUSIS knows it."""
    name = provenance["generator"].get("schema")
    return load_schema(name) if name in available_schemas() else None


def _require_highdicom() -> None:
    try:
        import highdicom  # noqa: F401
    except ImportError as error:
        raise MedUSISError(
            ErrorCode.DEPENDENCY_MISSING,
            f"the package {error.name} is not installed",
            'pip install "medusis[dicom]"; 3D Slicer brings it along',
        ) from None


def _require_own_folder(request: ExportDicomRequest) -> None:
    """The CT's folder and the result's must not get foreign files, not even with overwrite."""
    out = request.out.expanduser().resolve()
    for other, role in ((request.source, "the CT series"), (request.result, "the result")):
        if other.exists() and (out == other.resolve() or other.resolve() in out.parents):
            raise MedUSISError(
                ErrorCode.BAD_SETTING, f"the output folder lies in the folder of {role}", "give another folder", out
            )
