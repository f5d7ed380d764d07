"""DICOM SEG, RTSTRUCT and folders of masks as a label map: which class a region becomes, and who wins in overlaps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from MedUSISLib.anatomy.mapping import LabelMapping, identity_mapping, load_mapping
from MedUSISLib.anatomy.schema import LabelSchema, canonical_name
from MedUSISLib.anatomy.segment_names import mapping_from_names
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.dicom_regions import MASKS, NamedRegion, read_regions
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.progress import Progress

NOT_ANATOMY = frozenset({
    "EXTERNAL", "PTV", "CTV", "GTV", "TREATED_VOLUME", "IRRAD_VOLUME", "BOLUS", "BRACHY_CHANNEL", "BRACHY_ACCESSORY",
    "BRACHY_SRC_APP", "BRACHY_CHNL_SHLD", "SUPPORT", "FIXATION", "DOSE_REGION", "DOSE_MEASUREMENT", "CONTROL",
    "ISOCENTER", "MARKER", "REGISTRATION",
})  # fmt: skip
"""Interpreted types of ROIs that say nothing of a tissue: outlines, targets, helpers. A table may still name them."""


def read_dicom_labels(
    path: Path,
    kind: str,
    ct: Volume,
    schema: LabelSchema,
    labels: str | None,
    unmapped: str | None,
    progress: Progress,
    but: Path | None = None,
) -> tuple[Volume, LabelMapping, bool]:
    """A SEG, RTSTRUCT or folder of masks as a label map of region numbers on the CT's grid.

    Without ``labels`` the class follows from the name of a region, or from its SNOMED CT code. Where regions overlap,
    the one whose row comes later wins: the row of the table that ``labels`` names, else the order of the schema with
    fine classes after the coarse ones that they belong to, else the order of the object. A warning says how many
    voxels that decided. ``but`` is the file of the CT, which is no mask where it lies beside the masks.

    Returns
    -------
    Volume
        int32 numbers of regions, 0 where none is.
    LabelMapping
        From the numbers to classes.
    bool
        True when the object's voxels are not the CT's.

    Raises
    ------
    MedUSISError
        As ``read_regions``; UNKNOWN_LABELS for names that nobody knows; EMPTY_SEGMENTATION.
    """
    found = read_regions(path, kind, ct, but)
    for code, message in found.notes:
        progress.warning(code, message)
    if labels is not None:
        mapping = load_mapping(labels, schema)
        if kind == MASKS:
            found.regions = _numbered_by_name(found.regions, mapping)
        regions = [r for r in found.regions if r.kind not in NOT_ANATOMY or r.number in mapping.index_of_value]
        order = {region.number: mapping.row_of_value.get(region.number, -1) for region in regions}
    else:
        regions = [region for region in found.regions if region.kind not in NOT_ANATOMY]
        mapping = _mapping_of(regions, schema, unmapped, kind)
        rank = {entry.class_name: row for row, entry in enumerate(identity_mapping(schema).entries)}
        order = {entry.value: rank[entry.class_name] for entry in mapping.entries}
    _tell_left_out(len(found.regions) - len(regions), progress)
    result = np.zeros(ct.geometry.shape_kji, dtype=np.int32)
    doubled = 0
    for region in sorted(regions, key=lambda one: order[one.number]):  # stable: the object's order among equals
        progress.checkpoint()
        mask = region.mask()
        doubled += int(np.count_nonzero(result[mask]))
        result[mask] = region.number
    if doubled:
        progress.warning(
            "SEGMENTS_OVERLAP",
            f"regions overlap in {doubled} voxels: the later one in the order of "
            f"{'the table' if labels is not None else 'the label schema'} was taken (finer before coarser)",
        )
    volume = Volume(result, ct.geometry)
    if labels is not None:
        mapping.apply(result, unmapped, {region.number: region.name for region in regions})  # complains with names
    return volume, mapping, found.resampled


def _numbered_by_name(regions: list[NamedRegion], mapping: LabelMapping) -> list[NamedRegion]:
    """Masks have names and no numbers: theirs are those that the mapping gives the names, or beyond all of them."""
    numbers = {canonical_name(name): value for value, name in mapping.name_of_value.items()}
    beyond = max(numbers.values()) + 1
    return [
        replace(region, number=numbers.get(canonical_name(region.name), beyond + position))
        for position, region in enumerate(regions)
    ]


def _mapping_of(regions: list[NamedRegion], schema: LabelSchema, unmapped: str | None, kind: str) -> LabelMapping:
    """From names; a name that nobody knows is replaced by what its SNOMED CT code says."""
    if not regions:
        raise MedUSISError(
            ErrorCode.EMPTY_SEGMENTATION,
            "the segmentation has no region of anatomy (outlines, targets and markers do not count)",
            "give one with organs or tissues, or a table that says what the regions are (--labels)",
        )
    by_code = {c.snomed_code: c.name for c in schema.classes if c.snomed_code}
    names = {region.number: _known_name(region, schema, by_code) for region in regions}
    source = "mask names" if kind == MASKS else f"DICOM {kind} names"
    return mapping_from_names(names, schema, unmapped, name=source)


def _known_name(region: NamedRegion, schema: LabelSchema, by_code: dict[str, str]) -> str:
    if region.snomed_code not in by_code:
        return region.name
    try:
        mapping_from_names({region.number: region.name}, schema)
    except MedUSISError:
        return by_code[region.snomed_code]
    return region.name


def _tell_left_out(count: int, progress: Progress) -> None:
    if count:
        progress.warning(
            "NOT_ANATOMY", f"{count} regions that are no anatomy (outline, target, marker, ...) were left out"
        )
