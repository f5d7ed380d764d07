"""A dataset as the ``data:`` of a training configuration, for `medusis train` as it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from MedUSISLib.dataset.model import CaseEntry, Dataset
from MedUSISLib.errors import ErrorCode, MedUSISError

_SIDES = ("train", "validation")


def training_sources(dataset: Dataset, folder: Path | None = None, sequence: str | None = None) -> dict[str, Any]:
    """Images and label maps of the people in training and validation; the test people stay out.

    Parameters
    ----------
    dataset : Dataset
    folder : Path, optional
        Of the configuration: paths are written from there. Absolute without it.
    sequence : str, optional
        Only MRs of this sequence ("T1w"); all when absent.

    Returns
    -------
    dict
        ``label_schema``, ``pairing``, ``images`` and ``label_maps``, with the fields of
        `training.configuration.DataConfiguration`. ``pairing`` is "paired" when every MR has labels of its own, else
        "pseudo", and then these labels are not used.

    Raises
    ------
    MedUSISError
        ``BAD_SETTING`` when there is no MR to learn from, or a label map is a series of DICOM files.
    """
    cases = [case for side in _SIDES for case in dataset.used_cases(side)]  # type: ignore[arg-type]
    mrs = [c for c in cases if c.mr is not None and sequence in (None, dataset.file(c.mr).sequence)]
    if not mrs:
        what = f"MR of the sequence {sequence}" if sequence else "MR"
        raise MedUSISError(ErrorCode.BAD_SETTING, f"the dataset has no {what} to learn from", "scan folders with MRs")
    paired = all(case.labels is not None for case in mrs)
    images = []
    for case in mrs:
        assert case.mr is not None
        image = {"image": _path(dataset, case.mr, folder), **_series(dataset, case.mr), **_who(dataset, case)}
        if paired and case.labels is not None:
            image["labels"] = _labels_path(dataset, case.labels, folder)
            image["mapping"] = _mapping(dataset, case.labels, folder)
        images.append(image)
    return {
        "label_schema": dataset.label_schema,
        "pairing": "paired" if paired else "pseudo",
        "images": images,
        "label_maps": list(_label_maps(dataset, [case for case in cases if case.mr is None], folder)),
    }


def _label_maps(dataset: Dataset, cases: list[CaseEntry], folder: Path | None) -> Iterator[dict[str, str]]:
    """Labels of CTs and labels alone; a head CT without labels is labelled by the training itself."""
    for case in cases:
        if case.labels is not None:
            labels = _labels_path(dataset, case.labels, folder)
            yield {"labels": labels, "mapping": _mapping(dataset, case.labels, folder), **_who(dataset, case)}
        elif case.ct is not None and dataset.label_schema == "head":
            yield {"ct": _path(dataset, case.ct, folder), **_series(dataset, case.ct), **_who(dataset, case)}


def _who(dataset: Dataset, case: CaseEntry) -> dict[str, str]:
    return {"person": case.person, "split": dataset.split_of(case.person)}


def _mapping(dataset: Dataset, file_id: str, folder: Path | None) -> str:
    mapping = dataset.mapping_of(file_id)
    assert mapping is not None  # labels without one have an error and are not used, unless by hand
    return mapping


def _series(dataset: Dataset, file_id: str) -> dict[str, str]:
    """Which series of its folder a DICOM entry is."""
    uid = dataset.file(file_id).series_uid
    return {"series_uid": uid} if uid else {}


def _labels_path(dataset: Dataset, file_id: str, folder: Path | None) -> str:
    file = dataset.file(file_id)
    if file.format == "dicom":
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            f"labels in DICOM are not read ({file.id})",
            "convert them to NIfTI and scan again, or set use to false",
            dataset.path_of(file),
        )
    return _path(dataset, file_id, folder)


def _path(dataset: Dataset, file_id: str, folder: Path | None) -> str:
    path = os.path.abspath(dataset.path_of(dataset.file(file_id)))
    return path if folder is None else Path(os.path.relpath(path, folder.absolute())).as_posix()
