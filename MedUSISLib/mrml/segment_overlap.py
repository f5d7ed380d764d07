"""Segments that overlap so much that one of them vanishes: mostly a mask of the whole body below the organs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from MedUSISLib.mrml.labels_input import painted_parts, strided_size
from MedUSISLib.mrml.precedence import coarser_classes, ranking, segment_names
from MedUSISLib.mrml.world_grid import size_ijk

if TYPE_CHECKING:
    from MedUSISLib.anatomy.schema import LabelSchema

_VISIBLE_SHARE = 0.1
# Of a segment with fewer voxels in the sample nothing is claimed.
_FEWEST_VOXELS = 20


def hidden_segments(
    ct: Any, node: Any, classes: Mapping[str, str], schema: LabelSchema, strides: tuple[int, int, int]
) -> list[str]:
    """Keys of the segments of which other classes leave less than a tenth, in the node's order.

    That parts of a class cover it (cortex and white matter the brain) is no hiding, nor that segments of the same class
    lie over each other.

    Parameters
    ----------
    ct : vtkMRMLScalarVolumeNode
    node : vtkMRMLSegmentationNode
    classes : mapping of str to str
        Complete: a class of the schema for each segment.
    schema : LabelSchema
    strides : tuple of int
        Only every so many voxels of the CT are looked at.
    """
    names = segment_names(node)
    ranks, rows = ranking(classes, names, schema)
    pieces = [(place, painted) for place, painted, _ in painted_parts(ct, node, ranks, strides)]
    if len(pieces) < 2:
        return []
    winner = np.zeros(strided_size(size_ijk(ct), strides)[::-1], dtype=np.int16)
    for place, painted in pieces:
        np.maximum(winner[place], painted, out=winner[place])
    count = len(ranks) + 1
    # how often each segment (row) lost to, or kept, a voxel against each winner (column)
    outcome = np.zeros((count, count), dtype=np.int64)
    for place, painted in pieces:
        pairs = painted.astype(np.int64) * count + winner[place]
        outcome += np.bincount(pairs[painted > 0], minlength=count * count).reshape(count, count)
    class_of_rank = {row.first: row.class_name for row in rows}
    hidden = []
    for key in names:
        rank = ranks.get(key, 0)
        if not rank:
            continue
        own = class_of_rank[rank]
        friends = [r for r, name in class_of_rank.items() if name == own or own in coarser_classes(name, schema)]
        total = int(outcome[rank].sum())
        if total >= _FEWEST_VOXELS and outcome[rank, friends].sum() < _VISIBLE_SHARE * total:
            hidden.append(key)
    return hidden
