"""Can a synthesis begin? What is missing or doubtful, in sentences for the person in front of the window.

Everything is judged from a sample of the voxels, so that it can be asked at every change of a selection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from MedUSISLib.errors import MedUSISError
from MedUSISLib.mrml.ct_input import ct_voxels
from MedUSISLib.mrml.labels_input import paint
from MedUSISLib.mrml.precedence import BACKGROUND, segment_names
from MedUSISLib.mrml.segment_overlap import hidden_segments
from MedUSISLib.mrml.segment_parts import is_segmentation
from MedUSISLib.mrml.segment_placement import Placement, label_values_in_sample, placement
from MedUSISLib.mrml.world_grid import parent_matrix, size_ijk, world_grid

if TYPE_CHECKING:
    from MedUSISLib.anatomy.schema import LabelSchema
    from MedUSISLib.generators.manifest import Manifest
    from MedUSISLib.mrml.settings import SynthesisSettings

_SAMPLE_VOXELS = 250_000
# Through a bending transform a voxel takes a hundred times as long.
_SAMPLE_VOXELS_BENT = 10_000
_TISSUE_HU = -300
# Of all tissue, couch included. The engine refuses below 0.05 of the body; a head with its brain alone has a third.
_PARTIAL_COVERAGE = 0.5
_SHOWN = 5


@dataclass(frozen=True)
class Finding:
    """Something that a user should know before starting.

    Attributes
    ----------
    code : str
        CT_MISSING, CT_UNUSABLE, NOT_A_CT, SEGMENTATION_MISSING, SEGMENTATION_UNUSABLE, SEGMENTATION_EMPTY, NO_OVERLAP,
        CLASSES_MISSING, ALL_BACKGROUND, GEOMETRY_MISMATCH, MEMORY; not blocking: SEGMENTATION_PARTIAL,
        SEGMENTATION_RESAMPLED, SEGMENT_HIDDEN, CLASSES_ABSENT, TRANSFORM_SHEARS, TRANSFORM_NONLINEAR.
    message : str
        What is the matter.
    hint : str
        What to do about it.
    blocking : bool
        Whether a synthesis cannot start.
    """

    code: str
    message: str
    hint: str
    blocking: bool


def check_inputs(
    ct: Any, segmentation: Any, classes: Mapping[str, str], schema: LabelSchema | None = None
) -> list[Finding]:
    """What stands against a synthesis of these nodes; what blocks comes first.

    Parameters
    ----------
    ct : vtkMRMLScalarVolumeNode or None
    segmentation : vtkMRMLSegmentationNode, vtkMRMLLabelMapVolumeNode or None
    classes : mapping of str to str
        As ``SynthesisInputs.classes``.
    schema : LabelSchema, optional
        Classes that it does not know count as missing.
    """
    findings = [*_ct_findings(ct), *_segmentation_findings(segmentation, classes, schema)]
    usable = {"CT_MISSING", "CT_UNUSABLE", "SEGMENTATION_MISSING", "SEGMENTATION_UNUSABLE", "SEGMENTATION_EMPTY"}
    if not usable & {finding.code for finding in findings}:
        findings += _placement_findings(ct, segmentation, classes, schema)
    return sorted(findings, key=lambda finding: not finding.blocking)


def check_memory(
    ct: Any, settings: SynthesisSettings, manifest: Manifest | None, free_bytes: int | None
) -> list[Finding]:
    """Whether the run's memory is likely to suffice; an estimate, so it blocks only when it is far off.

    Parameters
    ----------
    ct : vtkMRMLScalarVolumeNode or None
    settings : SynthesisSettings
    manifest : Manifest or None
        Of the generator; without one nothing is said.
    free_bytes : int or None
        Memory of the computer (not of an accelerator) that programs may still take; None when nobody knows.
    """
    if ct is None or manifest is None or free_bytes is None:
        return []
    try:
        grid = world_grid(ct)
    except MedUSISError:
        return []
    from MedUSISLib.synthesis.memory_estimate import estimated_peak_bytes

    needed = estimated_peak_bytes(
        grid.geometry,
        manifest,
        mode=settings.mode,
        batch_size=settings.batch_size,
        noise_samples=settings.noise_samples,
        on_cpu=not settings.device.startswith("cuda"),
    )
    if needed <= 0.9 * free_bytes:
        return []
    ways = ["close other programs"]
    if settings.mode == "three-view":
        ways.append("choose the mode 'slice'")
    if settings.batch_size is not None and settings.batch_size > 2:
        ways.append("take a smaller batch size")
    ways.append("crop the CT to the part that you need (module Crop Volume)")
    advice = ways[0] + "".join(f", {way}" for way in ways[1:-1]) + f", or {ways[-1]}"
    return [
        Finding(
            "MEMORY",
            f"This synthesis needs about {needed / 1e9:.1f} GB of memory; {free_bytes / 1e9:.1f} GB are free.",
            f"{advice[0].upper()}{advice[1:]}.",
            blocking=needed > 1.5 * free_bytes,
        )
    ]


def _ct_findings(ct: Any) -> list[Finding]:
    if ct is None:
        return [Finding("CT_MISSING", "No CT is chosen.", "Choose a CT.", True)]
    try:
        array = ct_voxels(ct)
    except MedUSISError as error:
        return [Finding("CT_UNUSABLE", _sentence(error.message), _sentence(error.hint), True)]
    findings = []
    objection = _why_no_ct(array)
    if objection:
        message, hint = objection
        findings.append(Finding("NOT_A_CT", f"This volume does not look like a CT: {message}.", hint, True))
    try:
        grid = world_grid(ct)
    except MedUSISError as error:
        return [*findings, Finding("GEOMETRY_MISMATCH", _sentence(error.message), _sentence(error.hint), True)]
    advice = "Nothing needs to be done if that is what you expect; otherwise check the CT in the Transforms module."
    return findings + [Finding(code, message, advice, False) for code, message in grid.warnings]


def _why_no_ct(array: np.ndarray) -> tuple[str, str] | None:
    from MedUSISLib.imaging.geometry import Geometry
    from MedUSISLib.imaging.modality import check_is_ct
    from MedUSISLib.imaging.volume import Volume

    size = array.shape[::-1]
    sample = np.ascontiguousarray(_every(array, sample_strides((size[0], size[1], size[2]))))
    if np.issubdtype(sample.dtype, np.floating):
        finite = np.isfinite(sample)
        if not finite.any():
            return "it holds no numbers", "Choose a CT in Hounsfield units (air -1000, water 0)."
        sample = np.where(finite, sample, sample[finite].min())
    try:
        check_is_ct(Volume(sample, Geometry(sample.shape[::-1])), role="it")
    except MedUSISError as error:
        hint = error.hint.replace("give a CT", "choose a CT")
        return error.message, _sentence(hint)
    return None


def _segmentation_findings(node: Any, classes: Mapping[str, str], schema: LabelSchema | None) -> list[Finding]:
    if node is None:
        hint = "Choose a segmentation of this CT, or have one made."
        return [Finding("SEGMENTATION_MISSING", "No segmentation is chosen.", hint, True)]
    try:
        names = _names(node, classes)
    except MedUSISError as error:
        return [Finding("SEGMENTATION_UNUSABLE", _sentence(error.message), _sentence(error.hint), True)]
    if not names:
        return [_empty()]
    unknown = [name for key, name in names.items() if not _has_class(classes.get(key), schema)]
    if unknown:
        shown = ", ".join(unknown[:_SHOWN]) + (f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else "")
        return [
            Finding(
                "CLASSES_MISSING",
                f"{len(unknown)} segment{'s have' if len(unknown) > 1 else ' has'} no class: {shown}.",
                f"Choose what {'each' if len(unknown) > 1 else 'it'} is, or '{BACKGROUND}' to leave it out.",
                True,
            )
        ]
    used = {classes[key] for key in names} - {BACKGROUND}
    if not used:
        hint = "Choose a class for the segments that the synthetic MR is to be made of."
        return [Finding("ALL_BACKGROUND", "All segments are left out.", hint, True)]
    return [] if schema is None else _absence_findings(used, schema)


def _absence_findings(used: set[str], schema: LabelSchema) -> list[Finding]:
    from MedUSISLib.synthesis.absent_classes import CLASSES_ABSENT, absent_classes, absent_in_words

    absent = absent_classes(used, schema)
    if not absent:
        return []
    return [
        Finding(
            CLASSES_ABSENT,
            f"Not segmented, and so not painted: {absent_in_words(absent)}.",
            f"Segment what of it is in the CT. If this is not the {schema.body_region}, choose another generator.",
            False,
        )
    ]


def _empty() -> Finding:
    hint = "Choose another segmentation, or have one made of this CT."
    return Finding("SEGMENTATION_EMPTY", "The segmentation is empty.", hint, True)


def _has_class(class_name: str | None, schema: LabelSchema | None) -> bool:
    return bool(class_name) and (schema is None or class_name in schema)


def _names(node: Any, classes: Mapping[str, str]) -> dict[str, str]:
    """Names of the segments by key; of a label map, those seen in a sample and those that the caller knows of."""
    if is_segmentation(node):
        return segment_names(node)
    values = set(label_values_in_sample(node)) | {int(key) for key in classes if key.lstrip("-").isdigit()}
    return {str(value): f"label {value}" for value in sorted(values)}


def _placement_findings(ct: Any, node: Any, classes: Mapping[str, str], schema: LabelSchema | None) -> list[Finding]:
    """How the segmentation lies over the CT."""
    names = _names(node, classes)
    used = {key for key in names if classes.get(key) != BACKGROUND}
    if not used:
        return []
    bent = parent_matrix(ct) is None or parent_matrix(node) is None
    strides = sample_strides(size_ijk(ct), _SAMPLE_VOXELS_BENT if bent else _SAMPLE_VOXELS)
    try:
        painted, resampled = paint(ct, node, dict.fromkeys(used, 1), strides)
        where = Placement.TOUCHING if painted.any() else placement(ct, node)
    except (MedUSISError, np.linalg.LinAlgError) as error:
        message = error.message if isinstance(error, MedUSISError) else "the segmentation's transform is damaged"
        hint = "Check the segmentation and its transform in the modules Segmentations and Transforms."
        return [Finding("SEGMENTATION_UNUSABLE", _sentence(message), hint, True)]
    if where is Placement.EMPTY:
        return [_empty()]
    if where is Placement.BESIDE:
        return [
            Finding(
                "NO_OVERLAP",
                "The segmentation does not overlap the CT.",
                "Check that both are of the same patient, and that both lie under the right transform.",
                True,
            )
        ]
    findings = []
    tissue = _every(ct_voxels(ct), strides) > _TISSUE_HU
    coverage = int(np.count_nonzero(tissue & (painted > 0))) / max(1, int(np.count_nonzero(tissue)))
    if coverage < _PARTIAL_COVERAGE:
        findings.append(
            Finding(
                "SEGMENTATION_PARTIAL",
                f"The segmentation covers only about {100 * coverage:.0f} % of the tissue in this CT.",
                "The rest is drawn by simple rules on the CT's values. Trust it less, segment more, or crop the CT.",
                False,
            )
        )
    if resampled:
        findings.append(
            Finding(
                "SEGMENTATION_RESAMPLED",
                "The segmentation has another grid than the CT.",
                "Nothing needs to be done: it is brought onto the CT's grid, and edges may move by half a voxel.",
                False,
            )
        )
    if schema is not None and is_segmentation(node) and all(_has_class(classes.get(key), schema) for key in names):
        hidden = hidden_segments(ct, node, classes, schema, strides)
        if hidden:
            shown = ", ".join(names[key] for key in hidden[:_SHOWN]) + (" ..." if len(hidden) > _SHOWN else "")
            findings.append(
                Finding(
                    "SEGMENT_HIDDEN",
                    f"Other segments hide nearly all of: {shown}.",
                    "Where segments overlap, the one further down in the list wins: reorder them in the module "
                    "Segmentations, or leave out what covers the others.",
                    False,
                )
            )
    return findings


def sample_strides(size: tuple[int, int, int], most: int = _SAMPLE_VOXELS) -> tuple[int, int, int]:
    """Steps along i, j, k that leave at most so many voxels, about equally many along each axis."""
    steps = [1, 1, 1]
    while np.prod([-(-n // step) for n, step in zip(size, steps, strict=True)]) > most:
        longest = max(range(3), key=lambda axis: size[axis] / steps[axis])
        steps[longest] += 1
    return steps[0], steps[1], steps[2]


def _every(array_kji: np.ndarray, strides: tuple[int, int, int]) -> np.ndarray:
    return array_kji[:: strides[2], :: strides[1], :: strides[0]]


def _sentence(text: str) -> str:
    """An error's words with a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""
