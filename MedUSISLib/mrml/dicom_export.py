"""A result of the scene as DICOM: where its CT came from, and its nodes as the folder that the job reads."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.events import Failure
from MedUSISLib.mrml.labels_input import paint
from MedUSISLib.mrml.result_maps import CONSISTENCY_SEGMENTS
from MedUSISLib.mrml.result_nodes import SynthesisNodes, ct_of
from MedUSISLib.mrml.run_folder import RunFolder
from MedUSISLib.mrml.scene_job import as_named
from MedUSISLib.mrml.world_grid import index_to_local, size_ijk

INSTANCES = "DICOM.instanceUIDs"
"""Attribute that Slicer's DICOM readers give a volume: its instances, with blanks between them."""
FOLDER_NAME = "MedUSIS DICOM"
_VOLUMES = ("mr", "uncertainty", "noise_spread")
_SERIES_TAG = "0020,000e"


def ct_series(nodes: SynthesisNodes, database: Any) -> tuple[Path, str] | None:
    """Folder and series of the CT that a result was made from; None when the CT was not loaded from DICOM.

    Parameters
    ----------
    nodes : SynthesisNodes
    database : ctkDICOMDatabase
        ``slicer.dicomDatabase``; None when Slicer has none.

    Returns
    -------
    (Path, str) or None
        The folder that holds all files of the series, and the series' UID.
    """
    ct = ct_of(nodes)
    instances = (ct.GetAttribute(INSTANCES) or "").split() if ct is not None else []
    if not instances or database is None:
        return None
    files = [str(database.fileForInstance(uid) or "") for uid in instances]
    if not all(files) or not all(os.path.isfile(file) for file in files):
        return None  # deleted, or on a disk that is not there
    uid = str(database.fileValue(files[0], _SERIES_TAG) or "").strip()
    folder = Path(os.path.commonpath([os.path.dirname(file) for file in files]))
    return (folder, uid) if uid else None


def write_result_folder(nodes: SynthesisNodes, folder: Path) -> None:
    """Write a result of the scene as ``medusis synthesize`` would have written it.

    Segmentations are written as they are now: what a person corrected goes out corrected.

    Raises
    ------
    MedUSISError
        BAD_SETTING when the provenance is gone; DISK_FULL.
    """
    import slicer

    from MedUSISLib.imaging.geometry import Geometry
    from MedUSISLib.imaging.volume import Volume
    from MedUSISLib.imaging.writing import write_volume
    from MedUSISLib.synthesis.writing import FILES

    if nodes.provenance is None:
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            "the result has lost its provenance: nothing proves which CT it was made from",
            "make the synthetic MR again",
        )
    geometry = Geometry.from_affine_ras(index_to_local(nodes.mr), size_ijk(nodes.mr))
    for name in _VOLUMES:
        node = getattr(nodes, name)
        if node is not None:
            array = np.ascontiguousarray(slicer.util.arrayFromVolume(node))
            write_volume(Volume(array, geometry), folder / FILES[name])
    for name, ranks in (("mask_consistency", _consistency()), ("labels", _classes(nodes))):
        node = getattr(nodes, name)
        if node is not None and ranks:
            array, _resampled = paint(nodes.mr, node, ranks)
            write_volume(Volume(array, geometry), folder / FILES[name])
    (folder / "provenance.json").write_text(nodes.provenance.GetText(), encoding="utf-8", newline="\n")


class DicomExport:
    """Exports one result at a time: nodes -> a private folder -> the job "export-dicom" -> the user's folder.

    Parameters
    ----------
    export_dicom : callable
        ``BackgroundJobs.export_dicom``.
    """

    def __init__(self, export_dicom: Callable[..., Any]) -> None:
        self._export_dicom = export_dicom
        self._folder: RunFolder | None = None

    @property
    def running(self) -> bool:
        """Whether an export runs."""
        return self._folder is not None

    def start(
        self,
        nodes: SynthesisNodes,
        source: tuple[Path, str | None],
        out: Path,
        options: Mapping[str, bool],
        on_done: Callable[[dict[str, Any]], object],
        on_error: Callable[[Failure], object],
    ) -> None:
        """Start; one of the two functions is called when it has ended, also for an error at the start.

        Parameters
        ----------
        source : (Path, str or None)
            Folder and UID of the CT series.
        options : mapping
            ``enhanced``, ``deidentify``.
        """

        def done(summary: dict[str, Any]) -> None:
            self.close()
            on_done(summary)

        def failed(failure: Failure) -> None:
            self.close()
            on_error(failure)

        try:
            if self._folder is not None:
                raise MedUSISError(ErrorCode.BAD_SETTING, "a DICOM export is running", "wait until it is done")
            folder = self._folder = RunFolder()
        except Exception as error:
            on_error(Failure.of(error if isinstance(error, MedUSISError) else as_named(error)))
            return
        try:
            result = folder.path / "result"
            result.mkdir(mode=0o700)
            write_result_folder(nodes, result)
            parameters = {
                "result": str(result),
                "source": str(source[0]),
                "series_uid": source[1] or None,
                "out": str(out),
                **options,
            }
        except Exception as error:
            failed(Failure.of(error if isinstance(error, MedUSISError) else as_named(error)))
            return
        self._export_dicom(parameters, done, failed)

    def close(self) -> None:
        """Remove the private folder; again does nothing."""
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.close()


def _consistency() -> dict[str, int]:
    return {segment.id: int(segment.value) for segment in CONSISTENCY_SEGMENTS}


def _classes(nodes: SynthesisNodes) -> dict[str, int]:
    """Class index of each segment of the labels, by the id that ``label_segments`` gave it."""
    from MedUSISLib.anatomy.schema import available_schemas, load_schema
    from MedUSISLib.mrml.provenance_nodes import provenance_of

    name = (provenance_of(nodes).get("generator") or {}).get("schema")
    if name not in available_schemas():
        return {}
    return {label.name: label.index for label in load_schema(name).classes[1:]}
