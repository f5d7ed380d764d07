"""One case made ready for training: on its grid, bias removed, labelled, white matter at 0.7."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from MedUSISLib.anatomy.mapping import load_mapping
from MedUSISLib.anatomy.schema import LabelSchema, load_schema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.bias_field import n4
from MedUSISLib.imaging.conform import conform
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.grid import GridSpec, plan_grid
from MedUSISLib.imaging.reading import read_label_map, read_volume
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.progress import Progress
from MedUSISLib.training.array_store import Arrays, ArrayStore
from MedUSISLib.training.case_keys import IN_PLANE, image_key, labels_key
from MedUSISLib.training.cases import Case, case_of
from MedUSISLib.training.data_configuration import ImageSource, LabelSource
from MedUSISLib.training.head_classes import head_classes_in
from MedUSISLib.training.t1_scaling import scaled_by_white_matter

Source = ImageSource | LabelSource


def case_key(source: Source, schema: LabelSchema, spec: GridSpec = IN_PLANE) -> str:
    """Under which a source is remembered; it changes with the content of its files and with the settings."""
    return image_key(source, schema, spec) if isinstance(source, ImageSource) else labels_key(source, schema, spec)


def prepared_case(
    source: Source, schema: LabelSchema, cache: Path, progress: Progress, spec: GridSpec = IN_PLANE
) -> Case:
    """Read, correct, label and scale one source; remembered by the content of its files.

    Parameters
    ----------
    source : ImageSource or LabelSource
    schema : LabelSchema
    cache : Path
        Folder for prepared cases; holds patient data.
    progress : Progress
        May cancel.
    spec : GridSpec
        1 mm in the plane with slices as they are (slices), or isotropic (boxes). The latter is made from the former,
        which is remembered, too: trainings of both kinds share N4 and the labelling.

    Raises
    ------
    MedUSISError
        Those of reading the files; ``UNKNOWN_LABELS``, ``BAD_SETTING``.

    Notes
    -----
    An image without labels of its own is labelled by `head-seg` also for unpaired training: without white matter it
    could not be scaled.
    """

    def make() -> Arrays:
        if spec != IN_PLANE:
            return _resampled(prepared_case(source, schema, cache, progress), spec)
        if isinstance(source, ImageSource):
            return _image(source, schema, progress)
        return _labels(source, schema, progress)

    return case_of(source.person, ArrayStore(cache).get(case_key(source, schema, spec), make, progress))


def _resampled(case: Case, spec: GridSpec) -> Arrays:
    """A case on another grid."""
    slices, rows, columns = case.labels_kji.shape
    geometry = Geometry((columns, rows, slices), (1.0, 1.0, case.thickness_mm))
    grid = plan_grid(geometry, spec)

    def nearest(array_kji: np.ndarray) -> np.ndarray:
        return conform(Volume(np.asarray(array_kji), geometry), grid, "nearest").array_kji.astype(np.uint8)

    arrays: Arrays = {"labels": nearest(case.labels_kji)}
    if case.image_kji is not None:
        image = Volume(np.asarray(case.image_kji, np.float32), geometry)
        arrays["image"] = conform(image, grid, "linear", fill=0.0).array_kji.astype(np.float16)
    if case.lesions_kji is not None:
        arrays["lesions"] = nearest(case.lesions_kji)
    return _cropped(arrays, grid, case.acquired_mm or case.thickness_mm)


def _image(source: ImageSource, schema: LabelSchema, progress: Progress) -> Arrays:
    from MedUSISLib.segmentation.segment import mr_head_mask, segment_volume

    mr = read_volume(source.image, role="a training MR", series_uid=source.series_uid)
    on_grid = conform(mr, plan_grid(mr.geometry, IN_PLANE, mr_head_mask(mr)), "linear", fill=0.0)
    # One thread, so that a case is the same whether it is prepared alone or beside others.
    corrected = Volume(n4(on_grid, mr_head_mask(on_grid), threads=1).array_kji, on_grid.geometry)
    acquired = on_grid.geometry.spacing_mm[2]
    if source.labels is None:
        answer = segment_volume(corrected, "mr", progress=progress).array_kji
        labels = Volume(_from_head_seg(answer, schema), corrected.geometry)
    else:
        labels = _mapped(source.labels, source.mapping, schema)
    grid = corrected.geometry
    values = labels.array_kji if labels.geometry == grid else conform(labels, grid, "nearest").array_kji
    image = scaled_by_white_matter(corrected.array_kji, values, schema)
    arrays: Arrays = {"image": image.astype(np.float16), "labels": values.astype(np.uint8)}
    if source.lesions is not None:
        mask = read_label_map(source.lesions, role="a lesion mask")
        arrays["lesions"] = (conform(mask, grid, "nearest").array_kji != 0).astype(np.uint8)
    return _cropped(arrays, grid, acquired)


def _labels(source: LabelSource, schema: LabelSchema, progress: Progress) -> Arrays:
    from MedUSISLib.segmentation.segment import segment_volume

    if source.labels is not None and source.mapping == "synthseg":
        labels = _whole_head_labels(source.labels, schema)
    elif source.labels is not None:
        labels = _mapped(source.labels, source.mapping, schema)
    else:
        assert source.ct is not None
        ct = read_volume(source.ct, role="a training CT", series_uid=source.series_uid)
        answer = segment_volume(ct, "ct", progress=progress)
        labels = Volume(_from_head_seg(answer.array_kji, schema), answer.geometry)
    grid = plan_grid(labels.geometry, IN_PLANE, labels.array_kji > 0)
    on_grid = conform(labels, grid, "nearest").array_kji.astype(np.uint8)
    return _cropped({"labels": on_grid}, grid, grid.spacing_mm[2])


def _cropped(arrays: Arrays, grid: Geometry, acquired_mm: float) -> Arrays:
    """To the box around all labels, with what has to be known of the grid."""
    found = np.argwhere(arrays["labels"] > 0)
    if not len(found):
        raise MedUSISError(
            ErrorCode.EMPTY_SEGMENTATION,
            "the labels of a training case are empty",
            "is it the right label map, and does its mapping fit?",
        )
    inside = _box(found)
    numbers = {"thickness": np.asarray(grid.spacing_mm[2]), "acquired": np.asarray(acquired_mm)}
    return {name: array[inside] for name, array in arrays.items()} | numbers


def _box(places: np.ndarray, margin: int = 2) -> tuple[slice, ...]:
    low, high = np.maximum(places.min(0) - margin, 0), places.max(0) + margin + 1
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))


def _mapped(path: Path, mapping: str, schema: LabelSchema) -> Volume:
    label_map = read_label_map(path, role="a training label map")
    return Volume(load_mapping(mapping, schema).apply(label_map.array_kji), label_map.geometry)


def _from_head_seg(labels: np.ndarray, schema: LabelSchema) -> np.ndarray:
    """Class indices of `head-seg`, which answers in the head schema, as those of the same classes in another."""
    head = load_schema("head")
    if schema.names == head.names:
        return labels
    table, missing = head_classes_in(schema)
    for name in missing:
        if (labels == head.index_of(name)).any():
            raise MedUSISError(
                ErrorCode.BAD_SETTING,
                f"head-seg labels '{name}', which the label schema '{schema.id}' lacks",
                "give a label map for each image, or add the class to the schema",
            )
    return table[labels]


def _whole_head_labels(path: Path, schema: LabelSchema) -> Volume:
    """A SynthSeg map with its enclosed air told from the outside, which the map itself does not do."""
    from MedUSISLib.training.domain_randomisation.tissues import TISSUES
    from MedUSISLib.training.domain_randomisation.volumes import prepare

    tissues = prepare(path).tissues_kji
    lookup = np.array([schema.index_of(tissue.head_class) for tissue in TISSUES], np.uint8)
    k, j, i = tissues.shape
    return Volume(lookup[tissues], Geometry((i, j, k)))
