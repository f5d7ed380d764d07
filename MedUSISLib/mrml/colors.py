"""Colours that MedUSIS brings: one map for uncertainty, and three that colour-blind readers can tell apart."""

from __future__ import annotations

from typing import Any

import numpy as np

UNCERTAINTY_NAME = "MedUSIS uncertainty"
_COLOR_ATTRIBUTE = "MedUSIS.Color"
_STEPS = 256

AGREE_COLOR = (0 / 255, 158 / 255, 115 / 255)
MISSING_COLOR = (86 / 255, 180 / 255, 233 / 255)
TOO_MUCH_COLOR = (230 / 255, 159 / 255, 0 / 255)
"""Bluish green, sky blue and orange of Okabe and Ito's palette (https://jfly.uni-koeln.de/color/)."""

# CIELAB: lightness grows evenly, so equal steps of uncertainty look equal; hue goes from violet over red to yellow,
# so that no colour is a grey of the image below.
_LAB = ((8, 20, -28), (30, 48, -42), (48, 62, 4), (62, 54, 46), (78, 18, 70), (94, -8, 50))


def uncertainty_rgb() -> np.ndarray:
    """The colour map as an array, shape (256, 3), 0-1."""
    import vtk

    positions = np.linspace(0, 1, len(_LAB))
    lab = np.stack([np.interp(np.linspace(0, 1, _STEPS), positions, channel) for channel in np.transpose(_LAB)], 1)
    rgb = np.zeros((_STEPS, 3))
    for index, color in enumerate(lab):
        vtk.vtkMath.LabToRGB(color, rgb[index])
    return np.clip(rgb, 0, 1)


def uncertainty_colors(scene: Any) -> Any:
    """The colour map for uncertainty, made once per scene; it is saved with the scene.

    Returns
    -------
    vtkMRMLColorTableNode
    """
    import slicer

    number = scene.GetNumberOfNodesByClass("vtkMRMLColorTableNode")
    for index in range(number):
        node = scene.GetNthNodeByClass(index, "vtkMRMLColorTableNode")
        if node.GetAttribute(_COLOR_ATTRIBUTE) == "uncertainty":
            return node
    node = slicer.vtkMRMLColorTableNode()
    node.SetName(UNCERTAINTY_NAME)
    node.SetAttribute(_COLOR_ATTRIBUTE, "uncertainty")
    node.SetAttribute("Category", "MedUSIS")
    node.SetTypeToUser()
    node.SetNumberOfColors(_STEPS)
    for index, (red, green, blue) in enumerate(uncertainty_rgb()):
        node.SetColor(index, str(index), red, green, blue, 1.0)
    return scene.AddNode(node)


def show_legend(volume: Any, title: str | None = None) -> None:
    """Give a volume a colour legend, a new one where it has one already; ``title`` stays when it is not given.

    A view of Slicer draws only legends that were added after the view was made, so one who opens views makes the
    legend anew.
    """
    import slicer

    logic = slicer.modules.colors.logic()
    old = logic.GetColorLegendDisplayNode(volume)
    visible = True
    if old is not None:
        title, visible = title or old.GetTitleText(), bool(old.GetVisibility())
        volume.GetScene().RemoveNode(old)
    legend = logic.AddDefaultColorLegendDisplayNode(volume)
    if legend is None:  # a scene that Slicer's module Colors does not know
        return
    legend.SetTitleText(title or volume.GetName())
    legend.SetLabelFormat("%.2g")
    legend.SetNumberOfLabels(5)
    legend.SetVisibility(visible)


def legend_of(volume: Any) -> Any:
    """The colour legend of a volume, or ``None``."""
    import slicer

    return slicer.modules.colors.logic().GetColorLegendDisplayNode(volume)
