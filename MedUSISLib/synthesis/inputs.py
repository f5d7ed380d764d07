"""From the files that the user gave to a case: CT, body and class indices in one grid."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from MedUSISLib.anatomy.guessing import guess_mapping
from MedUSISLib.anatomy.mapping import LabelMapping, available_mappings, load_mapping
from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.body import body_mask
from MedUSISLib.imaging.coverage import align_labels, require_coverage
from MedUSISLib.imaging.dicom_regions import segmentation_object
from MedUSISLib.imaging.modality import clean_ct
from MedUSISLib.imaging.reading import read_label_map, read_volume
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.progress import Progress
from MedUSISLib.synthesis.dicom_labels import read_dicom_labels
from MedUSISLib.synthesis.request import SynthesisRequest


@dataclass
class Case:
    """What is to be synthesized: everything on the CT's grid.

    Attributes
    ----------
    ct : Volume
        HU, int16.
    labels : Volume
        uint8 class indices of the generator's schema, as segmented (nothing filled yet).
    body : Volume
        bool.
    coverage : float
        Part of the body that is labelled.
    was_resampled : bool
        The segmentation came in another grid, or the caller resampled it already.
    hashes : dict of str to str
        SHA-256 of the voxels of ``ct`` and ``segmentation`` as they were read, and of ``ct_values`` alone
        (`value_sha256`).
    mapping : str
        Name of the mapping that translated the labels.
    """

    ct: Volume
    labels: Volume
    body: Volume
    coverage: float
    was_resampled: bool
    hashes: dict[str, str]
    mapping: str


def read_case(request: SynthesisRequest, schema: LabelSchema, progress: Progress) -> Case:
    """Read, check and align the inputs of a request.

    Raises
    ------
    MedUSISError
        INPUT_NOT_READABLE, NOT_A_CT, GEOMETRY_MISMATCH, UNKNOWN_LABELS, EMPTY_SEGMENTATION, BAD_SETTING.
    """
    progress.stage("reading")
    read = read_volume(request.ct, role="the CT", series_uid=request.ct_series or "")
    ct = _cleaned_ct(read, progress)
    progress.checkpoint()
    with ThreadPoolExecutor(1, "medusis-body") as beside:
        body = beside.submit(body_mask, ct)  # while the segmentation is read
        hashes = _ct_hashes(read)
        del read  # freed as soon as it is int16 CT, and so is the segmentation when it is uint8 class indices
        indices, mapping, hashes["segmentation"], moved = _read_class_indices(request, ct, schema, progress)
        was_resampled = moved or request.segmentation_was_resampled
        return _aligned_case(ct, indices, mapping, hashes, progress, body.result, was_resampled)


def _read_class_indices(
    request: SynthesisRequest, ct: Volume, schema: LabelSchema, progress: Progress
) -> tuple[Volume, str, str, bool]:
    """The segmentation as class indices, its mapping's name, its hash, and whether reading it moved its voxels."""
    moved = False
    if (found := segmentation_object(request.segmentation)) is not None:
        segmentation, chosen, moved = read_dicom_labels(
            *found, ct, schema, request.labels, request.unmapped, progress, but=request.ct
        )
        named: LabelMapping | None = chosen
    else:
        segmentation, named = read_label_map(request.segmentation, role="the segmentation"), None
    segmentation_hash = voxel_sha256(segmentation)
    progress.checkpoint()
    progress.stage("preparing")
    indices, mapping = _class_indices(segmentation, schema, progress, request.labels, request.unmapped, named)
    return indices, mapping, segmentation_hash, moved


def prepare_case(
    ct: Volume,
    segmentation: Volume,
    schema: LabelSchema,
    progress: Progress,
    labels: str | None = None,
    unmapped: str | None = None,
) -> Case:
    """The same for volumes in memory.

    Parameters
    ----------
    ct : Volume
        HU.
    segmentation : Volume
        Label values of any tool, in any grid.
    schema : LabelSchema
        Of the generator.
    progress : Progress
    labels : str, optional
        Mapping of the label values; guessed when absent.
    unmapped : str, optional
        Class of unknown label values.
    """
    cleaned = _cleaned_ct(ct, progress)
    hashes = {**_ct_hashes(ct), "segmentation": voxel_sha256(segmentation)}
    indices, mapping = _class_indices(segmentation, schema, progress, labels, unmapped)
    return _aligned_case(cleaned, indices, mapping, hashes, progress, partial(body_mask, cleaned))


def _cleaned_ct(ct: Volume, progress: Progress) -> Volume:
    cleaned = as_int16(clean_ct(ct))
    _pass_notes_on(cleaned, progress)
    return cleaned


def _ct_hashes(ct: Volume) -> dict[str, str]:
    return {"ct": voxel_sha256(ct), "ct_values": value_sha256(ct)}


def _class_indices(
    segmentation: Volume,
    schema: LabelSchema,
    progress: Progress,
    labels: str | None,
    unmapped: str | None,
    named: LabelMapping | None = None,
) -> tuple[Volume, str]:
    _pass_notes_on(segmentation, progress)
    mapping = named or choose_mapping(labels, segmentation, schema, progress)
    return segmentation.with_array(mapping.apply(segmentation.array_kji, unmapped)), mapping.name


def _aligned_case(
    ct: Volume,
    indices: Volume,
    mapping: str,
    hashes: dict[str, str],
    progress: Progress,
    body_of_ct: Callable[[], np.ndarray],
    resampled_before: bool = False,
) -> Case:
    labels, was_resampled = align_labels(indices, ct.geometry)
    was_resampled = was_resampled or resampled_before
    if was_resampled:
        progress.warning(
            "SEGMENTATION_RESAMPLED", "the segmentation has another grid than the CT: it was resampled with nearest"
        )
    progress.checkpoint()
    body = ct.with_array(body_of_ct())
    progress.checkpoint()
    coverage = require_coverage(labels.array_kji, body.array_kji)
    return Case(ct, labels, body, coverage, was_resampled, hashes, mapping)


def _pass_notes_on(volume: Volume, progress: Progress) -> None:
    for note in volume.meta.get("notes", []):
        progress.warning("INPUT_REPAIRED", str(note))


def choose_mapping(name: str | None, segmentation: Volume, schema: LabelSchema, progress: Progress) -> LabelMapping:
    """The mapping that the user named, or the one that the values give away.

    Raises
    ------
    MedUSISError
        UNKNOWN_LABELS when the user named none and the values fit several or none.
    """
    if name is not None:
        return load_mapping(name, schema)
    guess = guess_mapping(segmentation.array_kji, schema.id)
    if guess is None:
        raise MedUSISError(
            ErrorCode.UNKNOWN_LABELS,
            "it is not clear which tool's label values the segmentation holds",
            f"say it with --labels: {', '.join(available_mappings(schema.id))}, or a .csv table",
        )
    progress.warning("LABELS_GUESSED", f"the label values look like '{guess}': say --labels {guess} to be sure")
    return load_mapping(guess, schema)


def as_int16(ct: Volume) -> Volume:
    """The CT as int16, rounded; half the memory of float32, and no HU is known to a fraction."""
    array = ct.array_kji
    if array.dtype == np.int16:
        return ct
    result = np.empty(array.shape, np.int16)
    for k in range(array.shape[0]):
        result[k] = np.clip(np.rint(array[k]), -32768, 32767)
    return ct.with_array(result)


def voxel_sha256(volume: Volume) -> str:
    """SHA-256 of voxels and grid: the same image in another file format has the same hash, its name plays no role."""
    digest = hashlib.sha256()
    geometry = volume.geometry
    numbers = np.array([*geometry.size_ijk, *geometry.spacing_mm, *geometry.origin_lps_mm, *geometry.direction])
    # headers of different formats hold different numbers of digits
    digest.update(np.round(numbers, 4).astype("<f8").tobytes())
    wide = "<i4" if np.issubdtype(volume.array_kji.dtype, np.integer) else "<f4"
    for plane in volume.array_kji:
        digest.update(np.ascontiguousarray(plane, dtype=wide).tobytes())
    return digest.hexdigest()


def value_sha256(ct: Volume) -> str:
    """SHA-256 of a CT's rounded values in the order [k, j, i], without the grid.

    A CT that went from DICOM through another format has the same values, but not every digit of its position: this
    says whether it is the same image where a comparison of the grids says whether it lies in the same place.
    """
    digest = hashlib.sha256(np.asarray(ct.array_kji.shape, dtype="<i8").tobytes())
    for plane in as_int16(ct).array_kji:
        digest.update(np.ascontiguousarray(plane, dtype="<i2").tobytes())
    return digest.hexdigest()
