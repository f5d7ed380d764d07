"""A label map that a tool made of a CT, as a segmentation node: named, coloured, with its classes known."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from MedUSISLib.errors import ErrorCode, MedUSISError

if TYPE_CHECKING:
    from MedUSISLib.mrml.result_maps import NamedSegment

_MAPPINGS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "head-seg": (("head", "head"),),
    "totalsegmentator": (("totalsegmentator", "head"), ("totalsegmentator", "torso")),
}
"""What the values of a tool mean: mappings, each with the schema that it leads into."""

TOOLS = tuple(_MAPPINGS)


def labels_file(folder: Path) -> Path:
    """Where the job writes its label map."""
    from MedUSISLib.synthesis.writing import FILES

    return folder / FILES["labels"]


def load_segmentation_of(ct: Any, folder: Path, tool: str, made_on: np.ndarray | None = None) -> Any:
    """A segmentation node from the label map in a folder: all of it, or nothing.

    Parameters
    ----------
    ct : vtkMRMLScalarVolumeNode
        The CT that was segmented; the node gets its name, grid, transform and place in the data tree.
    folder : Path
        Holds ``labels_file``.
    tool : str
        Whose values they are, one of ``TOOLS``.
    made_on : ndarray, optional
        Where the CT was, see ``results.load_results``.

    Returns
    -------
    vtkMRMLSegmentationNode

    Raises
    ------
    MedUSISError
        INPUT_NOT_READABLE, GEOMETRY_MISMATCH, EMPTY_SEGMENTATION.
    """
    from MedUSISLib.mrml.node_removal import remove_nodes
    from MedUSISLib.mrml.result_files import read_map
    from MedUSISLib.mrml.result_maps import fill_segmentation

    array = read_map(folder, "labels", ct, made_on)
    values = values_in(array)
    if not values:
        raise MedUSISError(
            ErrorCode.EMPTY_SEGMENTATION, "nothing was found in the CT", "check that it shows a body, in HU"
        )
    scene = ct.GetScene()
    name = scene.GenerateUniqueName(f"{ct.GetName()} segmentation (MedUSIS)")
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    try:
        segments = named_segments(tool, values)
        fill_segmentation(node, array, segments, ct)
        node.GetDisplayNode().SetVisibility(True)
        node.SetAttribute("MedUSIS.SegmentedBy", tool)
        _store_classes(node, segments, tool)
        _place_beside(node, ct)
    except BaseException:
        remove_nodes([node])
        raise
    return node


def values_in(array_kji: np.ndarray) -> list[int]:
    """The values of a label map, sorted, without 0; slice by slice, for bincount takes eight bytes a voxel."""
    return sorted({int(v) for part in array_kji for v in np.flatnonzero(np.bincount(part.ravel())) if v})


def named_segments(tool: str, values: list[int]) -> list[NamedSegment]:
    """How the values of a tool are called and drawn: as the schema has it, or by the tool's own names."""
    from MedUSISLib.mrml.label_segments import label_segments

    if tool == "head-seg":
        return label_segments("head", values)
    from MedUSISLib.anatomy.mapping import load_mapping

    names = {entry.value: entry.source_name for entry in load_mapping(*_MAPPINGS[tool][0]).entries}
    return [
        replace(segment, name=names.get(segment.value, segment.name), color=_color(segment.value))
        for segment in label_segments("", values)
    ]


def _color(value: int) -> tuple[float, float, float]:
    """Colours that differ for neighbouring values: steps of the golden angle around the colour circle."""
    return colorsys.hsv_to_rgb((value * 0.381966) % 1.0, 0.55, 0.9)


def _store_classes(node: Any, segments: list[NamedSegment], tool: str) -> None:
    from MedUSISLib.anatomy.mapping import load_mapping
    from MedUSISLib.mrml.segment_classes import store_class

    for name, schema_id in _MAPPINGS[tool]:
        mapping = load_mapping(name, schema_id)
        for segment in segments:
            index = mapping.index_of_value.get(segment.value)
            if index is not None:
                store_class(node, segment.id, mapping.schema.names[index], schema_id)


def _place_beside(node: Any, ct: Any) -> None:
    """In the data tree with the CT's patient and study."""
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(ct.GetScene())
    if hierarchy is None:
        return
    ct_item = hierarchy.GetItemByDataNode(ct)
    parent = hierarchy.GetItemParent(ct_item) if ct_item else hierarchy.GetSceneItemID()
    item = hierarchy.GetItemByDataNode(node)
    if item:
        hierarchy.SetItemParent(item, parent)
    else:
        hierarchy.CreateItem(parent, node)
