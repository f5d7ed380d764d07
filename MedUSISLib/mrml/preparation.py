"""From nodes of the scene to the files of a synthesis.

The engine gets a CT at its place in the world and a segmentation on exactly the CT's voxels, so that its results
belong voxel by voxel to the CT's node, whatever transforms lie above it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.mrml.ct_input import prepare_ct
from MedUSISLib.mrml.labels_input import paint
from MedUSISLib.mrml.precedence import ranking, segment_names
from MedUSISLib.mrml.segment_parts import parts
from MedUSISLib.mrml.world_grid import world_grid

if TYPE_CHECKING:
    from MedUSISLib.anatomy.schema import LabelSchema
    from MedUSISLib.mrml.settings import SynthesisInputs

__all__ = ["PreparedInputs", "prepare_ct", "prepare_inputs"]

SEGMENTATION_FILE = "segmentation.nii"
LABELS_FILE = "labels.csv"


@dataclass(frozen=True)
class PreparedInputs:
    """Files for ``SynthesisRequest``, and what it should be told.

    Attributes
    ----------
    ct_file, segmentation_file, labels_file : Path
        ``ct``, ``segmentation`` and ``labels`` of the request.
    segmentation_was_resampled : bool
        For the request's field of the same name: the segmentation's voxels were not the CT's.
    warnings : tuple of (code, message)
        About transforms that could not be honoured in full.
    """

    ct_file: Path
    segmentation_file: Path
    labels_file: Path
    segmentation_was_resampled: bool
    warnings: tuple[tuple[str, str], ...]


def prepare_inputs(inputs: SynthesisInputs, schema: LabelSchema, folder: Path) -> PreparedInputs:
    """Write CT, segmentation and the meaning of its values into a private folder.

    Segments become the values 1, 2, ... in order of precedence: a coarse class comes before those that merge into it
    ("brain" before "cortex"), and of the rest the later segment wins. The nodes are not changed.

    Parameters
    ----------
    inputs : SynthesisInputs
        Hidden and empty segments count like any other.
    schema : LabelSchema
        Of the generator.
    folder : Path
        Made when it is missing.

    Raises
    ------
    MedUSISError
        UNKNOWN_LABELS for segments without a class, or with one that the schema lacks; EMPTY_SEGMENTATION when
        nothing is left on the CT's voxels; what ``prepare_ct`` raises.
    """
    names = segment_names(inputs.segmentation)
    ranks, rows = ranking(inputs.classes, names, schema)
    if not ranks:
        raise MedUSISError(
            ErrorCode.EMPTY_SEGMENTATION,
            "the segmentation has no segment that is used",
            "give at least one segment a class other than background",
        )
    grid = world_grid(inputs.ct)
    labels, resampled = paint(inputs.ct, inputs.segmentation, ranks)
    if not labels.any():
        raise _nothing_painted(inputs.segmentation)
    from MedUSISLib.anatomy.mapping_table import format_mapping_table
    from MedUSISLib.imaging.volume import Volume
    from MedUSISLib.imaging.writing import write_volume

    ct_file, warnings = prepare_ct(inputs.ct, folder)
    segmentation_file = write_volume(Volume(labels, grid.geometry), folder / SEGMENTATION_FILE)
    labels_file = folder / LABELS_FILE
    labels_file.write_text(format_mapping_table(rows), encoding="utf-8", newline="\n")
    return PreparedInputs(ct_file, segmentation_file, labels_file, resampled, warnings)


def _nothing_painted(node: Any) -> MedUSISError:
    if not any(np.any(getattr(part, "array_kji", 1)) for part in parts(node)):
        return MedUSISError(
            ErrorCode.EMPTY_SEGMENTATION, "the segmentation is empty", "choose or make a segmentation of this CT"
        )
    return MedUSISError(
        ErrorCode.EMPTY_SEGMENTATION,
        "the segmentation does not overlap the CT",
        "check that both belong to the same patient, and that both lie under the right transform",
    )
