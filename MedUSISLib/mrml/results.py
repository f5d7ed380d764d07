"""A finished synthesis comes into the scene, leaves it, and hands out its report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.mrml import result_files as files
from MedUSISLib.mrml import result_maps as maps
from MedUSISLib.mrml.label_segments import label_segments
from MedUSISLib.mrml.node_removal import remove_nodes, swap_in_views
from MedUSISLib.mrml.provenance_nodes import fill_provenance, set_attributes
from MedUSISLib.mrml.quality_nodes import fill_quality
from MedUSISLib.mrml.result_nodes import SynthesisNodes, link
from MedUSISLib.mrml.settings import OutputChoice
from MedUSISLib.mrml.subject_hierarchy import place_beside
from MedUSISLib.mrml.text_nodes import fill_text

_VOLUME = "vtkMRMLScalarVolumeNode"
_SEGMENTATION = "vtkMRMLSegmentationNode"
_TEXT = "vtkMRMLTextNode"
_TABLE = "vtkMRMLTableNode"
_TITLES = {
    "mr": "SYNTHETIC MR",
    "uncertainty": "SYNTHETIC MR uncertainty",
    "noise_spread": "SYNTHETIC MR noise spread",
    "mask_consistency": "SYNTHETIC MR mask consistency",
    "labels": "SYNTHETIC MR labels",
    "quality": "SYNTHETIC MR quality",
    "quality_data": "SYNTHETIC MR quality data",
    "provenance": "SYNTHETIC MR provenance",
    "report": "SYNTHETIC MR report",
}


def load_results(
    folder: str | Path, ct: Any, outputs: OutputChoice | None = None, made_on: np.ndarray | None = None
) -> SynthesisNodes:
    """Bring a result into the CT's scene: all of it, or nothing.

    Every map gets the CT's own grid and parent transform, so that it lies on the CT whatever happens to that
    transform later. The views are left as they are; ``review_layout.show_review`` shows the result.

    Parameters
    ----------
    folder : Path
        As ``medusis synthesize`` writes it.
    ct : vtkMRMLScalarVolumeNode
        The CT that the result was made from.
    outputs : OutputChoice, optional
        Which maps to bring; ``replace`` is removed when the new ones are there. A result of one pass has no
        uncertainty (the file holds zeros), and then ``uncertainty`` is ``None``.
    made_on : ndarray, optional
        ``world_grid(ct).matrix`` from when the synthesis began. Without it a CT that was moved meanwhile (another
        transform) is not recognised as the one that the result was made from.

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE``, ``GEOMETRY_MISMATCH``; the scene is as before then.
    """
    folder, outputs = Path(folder), outputs or OutputChoice()
    provenance = files.read_json(folder, "provenance.json")
    quality = files.read_json(folder, "quality.json")
    report = files.read_report(folder)
    if ct is None or ct.GetScene() is None or ct.GetImageData() is None:
        raise MedUSISError(ErrorCode.INPUT_NOT_READABLE, "the CT is no longer in the scene", "load the CT again")
    loading = _Loading(ct.GetScene(), ct, made_on)
    try:
        loading.maps(folder, outputs, int(provenance.get("passes") or 0))
        loading.texts(provenance, quality, report)
        nodes = loading.nodes()
        link(nodes, ct)
        set_attributes(nodes, provenance)
        place_beside(nodes, ct)
        if outputs.replace is not None:
            swap_in_views(ct.GetScene(), outputs.replace, nodes)
            remove_results(outputs.replace)
        loading.name(nodes)
    except BaseException:
        loading.undo()
        raise
    return nodes


def remove_results(nodes: SynthesisNodes) -> None:
    """Take all nodes of a synthesis out of the scene, with their display and storage nodes."""
    parts = nodes.present()
    mr = parts.pop("mr")
    remove_nodes([*parts.values(), mr])


def export_report(nodes: SynthesisNodes, path: str | Path) -> Path:
    """Write the HTML report to a file, also from a scene that was saved and opened again.

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE`` when the report is no longer in the scene; ``BAD_SETTING`` or ``DISK_FULL`` when the file
        cannot be written.
    """
    from MedUSISLib.imaging.writing import atomic_path

    text = nodes.report.GetText() if nodes.report is not None else ""
    if not text:
        raise MedUSISError(
            ErrorCode.INPUT_NOT_READABLE, "the report is no longer in the scene", "run the synthesis again"
        )
    with atomic_path(path, ".html") as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    return Path(path)


class _Loading:
    """The nodes made so far, so that an error can take them back."""

    def __init__(self, scene: Any, ct: Any, made_on: np.ndarray | None) -> None:
        self._scene, self._ct, self._made_on = scene, ct, made_on
        self._made: dict[str, Any] = {}

    def maps(self, folder: Path, outputs: OutputChoice, passes: int) -> None:
        consistency = self._read(folder, "mask_consistency")
        self._volume(folder, "mr", consistency)
        # Zeros everywhere are not certainty: one pass has nothing to vary.
        if outputs.uncertainty and passes > 1 and files.has_map(folder, "uncertainty"):
            self._volume(folder, "uncertainty", consistency)
        if outputs.uncertainty and files.has_map(folder, "noise_spread"):
            self._volume(folder, "noise_spread", consistency)
        if outputs.mask_consistency:
            node = self._make("mask_consistency", _SEGMENTATION)
            maps.fill_segmentation(node, consistency, maps.CONSISTENCY_SEGMENTS, self._ct)
        if outputs.labels and files.has_map(folder, "labels"):
            self._labels(folder)

    def texts(self, provenance: dict[str, Any], quality: dict[str, Any], report: str) -> None:
        data = self._make("quality_data", _TEXT, hidden=True)
        fill_quality(self._make("quality", _TABLE), data, quality)
        fill_provenance(self._make("provenance", _TEXT), provenance)
        fill_text(self._make("report", _TEXT), report, "html")

    def nodes(self) -> SynthesisNodes:
        return SynthesisNodes(**self._made)

    def name(self, nodes: SynthesisNodes) -> None:
        """Names at the end, when those of a replaced result are free again."""
        for name, node in nodes.present().items():
            node.SetName("")
            node.SetName(_free_name(self._scene, f"{self._ct.GetName()} {_TITLES[name]}"))

    def undo(self) -> None:
        remove_nodes(list(reversed(self._made.values())))

    def _volume(self, folder: Path, name: str, body_kji: np.ndarray) -> None:
        array = self._read(folder, name)
        node = self._make(name, _VOLUME)
        maps.fill_volume(node, array, self._ct)
        if name == "mr":
            maps.show_as_mr(node, array, body_kji)
        else:
            title = "Variance over passes" if name == "uncertainty" else "Variance over noise"
            maps.show_as_uncertainty(node, array, body_kji, title)

    def _labels(self, folder: Path) -> None:
        array = self._read(folder, "labels")
        schema_id = (files.read_json(folder, "provenance.json").get("generator") or {}).get("schema", "")
        node = self._make("labels", _SEGMENTATION)
        # Slice by slice: bincount makes an array of eight bytes a voxel.
        values = sorted({int(value) for part in array for value in np.flatnonzero(np.bincount(part.ravel())) if value})
        maps.fill_segmentation(node, array, label_segments(schema_id, values), self._ct)

    def _read(self, folder: Path, name: str) -> np.ndarray:
        return files.read_map(folder, name, self._ct, self._made_on)

    def _make(self, name: str, class_name: str, hidden: bool = False) -> Any:
        node = self._scene.CreateNodeByClass(class_name)
        node.UnRegister(None)  # Python holds it now
        node.SetName(f"{self._ct.GetName()} {_TITLES[name]}")
        # Before it is added: Slicer puts what is not hidden into its data tree at that moment.
        node.SetHideFromEditors(hidden)
        self._made[name] = self._scene.AddNode(node)
        return node


def _free_name(scene: Any, wanted: str) -> str:
    name, number = wanted, 1
    while scene.GetFirstNodeByName(name) is not None:
        number += 1
        name = f"{wanted} {number}"
    return name
