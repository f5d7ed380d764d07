"""Which widget classes exist: our stand-ins by name, and the real ones that are only placeholders here."""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

# Widgets of Slicer and CTK that a module may place but that this harness does nothing with. A name that is neither
# here nor a stand-in is an error, so that a typo is found.
PLACEHOLDERS = (
    "ctkDynamicSpacer", "ctkExpandableWidget", "ctkMatrixWidget",
    "qMRMLColorTableView", "qMRMLPlotView", "qMRMLSegmentationGeometryWidget", "qMRMLSegmentEditorWidget",
    "qMRMLSubjectHierarchyTreeView", "qMRMLTransformSliders", "qMRMLTreeView", "qMRMLVolumeInfoWidget",
    "qMRMLVolumePropertyNodeWidget", "qMRMLVolumeThresholdWidget", "qMRMLWindowLevelWidget",
    "qSlicerSimpleMarkupsWidget", "qSlicerMarkupsPlaceWidget", "qSlicerModelsDialog",
)  # fmt: skip


class Placeholder(QWidget):
    """A place on the screen. Beyond QWidget it has a scene; anything else raises AttributeError, as a typo would."""

    mrmlSceneChanged = Signal(object)

    def setMRMLScene(self, scene: object) -> None:
        self.mrmlSceneChanged.emit(scene)


@cache
def all_classes() -> dict[str, type[QWidget]]:
    """Every ctk, qMRML and qSlicer widget class by its C++ name."""
    from slicer_harness import ctk_widgets, mrml_widgets

    classes: dict[str, type[QWidget]] = {}
    for package in (ctk_widgets, mrml_widgets):
        for name, value in vars(package).items():
            if isinstance(value, type) and issubclass(value, QWidget) and name.startswith(("ctk", "qMRML", "qSlicer")):
                classes[name] = value
    for name in PLACEHOLDERS:
        classes[name] = type(name, (Placeholder,), {"__module__": __name__, "__doc__": Placeholder.__doc__})
    return classes


def find(name: str) -> type[QWidget] | None:
    return all_classes().get(name)
