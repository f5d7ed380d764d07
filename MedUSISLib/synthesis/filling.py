"""Body voxels that the segmentation left unlabelled get the class that their HU suggest.

A generator draws "background" as black air. A segmentation of the brain only, or TotalSegmentator's without fat and
muscle, would give a brain or organs floating in nothing; with this filling the result is a whole head or trunk. What
was filled is in labels.nii.gz, and how much in quality.json: the filled part is HU thresholds, not anatomy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.imaging.crop import bounding_box
from MedUSISLib.imaging.morphology import dilated, shrunk_by_box

AIR_BELOW_HU = -400
FAT_BELOW_HU = -30
BONE_ABOVE_HU = 250
"""Trabecular bone starts near 200 HU; contrast-filled vessels of 200 to 250 HU stay soft tissue."""
CORTICAL_ABOVE_HU = 700

SKIN_MM = 2.5
"""Thickness of the skin of the whole-head label maps."""
CSF_REACH_MM = 10.0
"""How far from labelled brain unlabelled fluid is still cerebrospinal fluid (sulci and cisterns of aged brains)."""
_CSF_HU = (-25, BONE_ABOVE_HU)
"""Up to bone: its blurred inner edge is as dark in T1 as fluid, and soft tissue there would draw a bright line."""


@dataclass(frozen=True)
class FillingClasses:
    """Classes of a schema that thresholds can decide on; 0 (background, nothing is filled) where it has none."""

    air: int
    fat: int
    soft: int
    bone: int
    marrow: int
    skin: int
    csf: int

    @classmethod
    def of(cls, schema: LabelSchema) -> FillingClasses:
        """Find them by name; fat by its tissue too."""

        def first(*names: str) -> int:
            return next((schema.index_of(name) for name in names if name in schema), 0)

        soft = first("soft_tissue", "skeletal_muscle", "muscle", "muscles", "other_soft_tissue")
        bone = first("cortical_bone", "bone", "bones", "other_bone")
        fat = first("fat", "subcutaneous_fat", "adipose_tissue") or next(iter(schema.indices_of_tissue("fat")), 0)
        return cls(
            air=first("air", "air_cavities"),
            fat=fat or soft,
            soft=soft,
            bone=bone or soft,
            marrow=first("cancellous_bone") or bone or soft,
            skin=first("skin"),
            csf=first("csf"),
        )


@dataclass(frozen=True)
class FillReport:
    """What was filled, as parts of the body's voxels on the generator's grid."""

    unlabelled_fraction: float
    filled_fraction: float
    by_class: dict[str, float] = field(default_factory=dict)


def fill_unlabelled(
    labels: np.ndarray,
    hu: np.ndarray,
    body: np.ndarray,
    schema: LabelSchema,
    spacing_kji_mm: Sequence[float],
    measured: np.ndarray | None = None,
) -> FillReport:
    """Fill background voxels inside the body, in place.

    In this order: air below -400 HU, fat below -30, bone above 250 (marrow below 700 when deeper than a voxel inside
    bone), soft tissue between; then fluid within 10 mm of labelled brain becomes CSF, without crossing bone; then
    what lies within 2.5 mm of the outside becomes skin. Each only where the schema has such a class.

    Parameters
    ----------
    labels : uint8 array [k, j, i]
        Class indices; changed.
    hu : int16 array [k, j, i]
    body : bool array [k, j, i]
    schema : LabelSchema
    spacing_kji_mm : three floats
    measured : bool array [k, j, i], optional
        Where the CT has voxels at all: its border there is a cut, not skin.
    """
    classes = FillingClasses.of(schema)
    count = int(np.count_nonzero(body))
    todo = body & (labels == 0)
    unlabelled = int(np.count_nonzero(todo))
    if not unlabelled:
        return FillReport(0.0, 0.0)
    labelled_bone = np.isin(labels, schema.indices_of_tissue("bone"))
    brain = np.isin(labels, schema.indices_of_tissue("brain"))
    _fill_by_hu(labels, hu, todo, labelled_bone, classes)
    if classes.csf and brain.any():
        _fill_csf(labels, hu, todo, brain, classes, spacing_kji_mm)
    if classes.skin:
        outside = ~body if measured is None else ~body & measured
        shell = _near(outside, SKIN_MM, spacing_kji_mm) & todo & (hu >= AIR_BELOW_HU)
        labels[shell] = classes.skin
    found = np.bincount(labels[todo], minlength=schema.number_of_classes)
    return FillReport(
        unlabelled_fraction=unlabelled / count,
        filled_fraction=float(found[1:].sum() / count),
        by_class={schema.names[n]: float(found[n] / count) for n in np.flatnonzero(found) if n},
    )


def _fill_by_hu(
    labels: np.ndarray, hu: np.ndarray, todo: np.ndarray, labelled_bone: np.ndarray, classes: FillingClasses
) -> None:
    bone = (todo & (hu > BONE_ABOVE_HU)) | labelled_bone
    deep = _eroded(bone)
    table = np.array([classes.air, classes.fat, classes.soft, classes.bone], np.uint8)
    for k in range(labels.shape[0]):  # slice by slice: the index array of digitize takes eight bytes a voxel
        here = todo[k]
        if not here.any():
            continue
        values = hu[k][here]
        chosen = table[np.digitize(values, (AIR_BELOW_HU, FAT_BELOW_HU, BONE_ABOVE_HU + 1))]
        marrow = deep[k][here] & (values > BONE_ABOVE_HU) & (values < CORTICAL_ABOVE_HU)
        chosen[marrow] = classes.marrow
        labels[k][here] = chosen


def _fill_csf(
    labels: np.ndarray,
    hu: np.ndarray,
    todo: np.ndarray,
    brain: np.ndarray,
    classes: FillingClasses,
    spacing_kji_mm: Sequence[float],
) -> None:
    """Grow from the brain through unlabelled fluid and soft tissue, a step of the finest voxel at a time."""
    box = bounding_box(brain)
    assert box is not None
    steps = int(np.ceil(CSF_REACH_MM / min(spacing_kji_mm[1:])))
    around = tuple(
        slice(max(0, part.start - steps), min(size, part.stop + steps))
        for part, size in zip(box, labels.shape, strict=True)
    )
    open_space = todo[around] & (hu[around] >= _CSF_HU[0]) & (hu[around] <= _CSF_HU[1])
    axes = (0, 1, 2) if spacing_kji_mm[0] <= 2 * min(spacing_kji_mm[1:]) else (1, 2)
    grown = dilated(brain[around], steps, axes, within=open_space | brain[around])
    labels[around][grown & open_space] = classes.csf


def _near(mask: np.ndarray, reach_mm: float, spacing_kji_mm: Sequence[float]) -> np.ndarray:
    """Voxels within a box of ``reach_mm`` around the mask; beyond the array nothing is added."""
    return ~shrunk_by_box(~mask, [round(reach_mm / spacing) for spacing in spacing_kji_mm])


def _eroded(mask: np.ndarray) -> np.ndarray:
    """The mask without its outermost pixels, in the plane of the slices."""
    return shrunk_by_box(mask, (0, 1, 1))
