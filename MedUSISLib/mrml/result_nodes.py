"""The nodes of one synthesis, and how they find each other again after the scene was saved and loaded."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

CT_ROLE = "MedUSIS.CT"
ROLES = {
    "uncertainty": "MedUSIS.Uncertainty",
    "noise_spread": "MedUSIS.NoiseSpread",
    "mask_consistency": "MedUSIS.MaskConsistency",
    "labels": "MedUSIS.Labels",
    "quality": "MedUSIS.Quality",
    "quality_data": "MedUSIS.QualityData",
    "provenance": "MedUSIS.Provenance",
    "report": "MedUSIS.Report",
}
"""Node reference from the MR to each other output; Slicer keeps references through saving and loading."""

SYNTHETIC_ATTRIBUTE = "MedUSIS.Synthetic"
OUTPUT_ATTRIBUTE = "MedUSIS.Output"


@dataclass
class SynthesisNodes:
    """What one synthesis brought into the scene; ``None`` for what was not wanted, not made, or deleted since.

    Attributes
    ----------
    mr : vtkMRMLScalarVolumeNode
        The synthetic MR, on the CT's grid.
    uncertainty, noise_spread : vtkMRMLScalarVolumeNode or None
        Variance over the passes and over the noise, in the squared unit of the MR.
    mask_consistency : vtkMRMLSegmentationNode or None
        Three segments: "Agree", "Tissue missing", "Tissue too much".
    labels : vtkMRMLSegmentationNode or None
        The classes that the generator was given.
    quality : vtkMRMLTableNode or None
        The measures for a reader.
    provenance, report : vtkMRMLTextNode or None
        provenance.json, and the report as HTML.
    quality_data : vtkMRMLTextNode or None
        quality.json, hidden: what the sentences are made of.
    """

    mr: Any
    uncertainty: Any = None
    noise_spread: Any = None
    mask_consistency: Any = None
    labels: Any = None
    quality: Any = None
    provenance: Any = None
    report: Any = None
    quality_data: Any = None

    def present(self) -> dict[str, Any]:
        """The outputs that exist, by name, the MR first."""
        return {field.name: node for field in fields(self) if (node := getattr(self, field.name)) is not None}


def is_synthetic_mr(node: Any) -> bool:
    """Whether a node is an MR that MedUSIS made."""
    return node is not None and node.GetAttribute(OUTPUT_ATTRIBUTE) == "mr"


def link(nodes: SynthesisNodes, ct: Any) -> None:
    """Store in the MR which nodes belong to it, and mark each as what it is."""
    nodes.mr.SetNodeReferenceID(CT_ROLE, ct.GetID())
    for name, node in nodes.present().items():
        node.SetAttribute(SYNTHETIC_ATTRIBUTE, "1")
        node.SetAttribute(OUTPUT_ATTRIBUTE, name)
        if name != "mr":
            nodes.mr.SetNodeReferenceID(ROLES[name], node.GetID())


def nodes_of(mr: Any) -> SynthesisNodes | None:
    """All nodes that belong to a synthetic MR; ``None`` when the node is not one."""
    if not is_synthetic_mr(mr):
        return None
    return SynthesisNodes(mr, **{name: mr.GetNodeReference(role) for name, role in ROLES.items()})


def ct_of(nodes: SynthesisNodes) -> Any | None:
    """The CT that the MR was made from, or ``None`` when it is no longer in the scene."""
    return nodes.mr.GetNodeReference(CT_ROLE)


def synthetic_volumes(scene: Any) -> list[Any]:
    """Every MR in the scene that MedUSIS made, in the order of the scene."""
    number = scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
    volumes = (scene.GetNthNodeByClass(index, "vtkMRMLScalarVolumeNode") for index in range(number))
    return [volume for volume in volumes if is_synthetic_mr(volume)]
