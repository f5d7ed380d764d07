"""Parameters in a node of the scene, bound to widgets, as `slicer.parameterNodeWrapper` does it."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")
import slicer  # noqa: E402


class Color(enum.Enum):
    RED = 1
    BLUE = 2


@pytest.fixture
def wrapper(slicer_window):
    """The decorator and its annotations; they can be imported once the harness runs."""
    import slicer.parameterNodeWrapper

    return slicer.parameterNodeWrapper


@pytest.fixture
def settings(wrapper):
    """Parameters of many types, in a fresh node."""
    within, default, choice = wrapper.WithinRange, wrapper.Default, wrapper.Choice
    types = {
        "volume": slicer.vtkMRMLScalarVolumeNode,
        "image": slicer.vtkMRMLScalarVolumeNode | slicer.vtkMRMLSegmentationNode | None,
        "threshold": Annotated[float, within(0, 10), default(2.5)],
        "passes": Annotated[int, within(1, 64)],
        "device": Annotated[str, choice(["auto", "cpu"])],
        "color": Color,
        "title": str,
        "folder": Path,
        "invert": bool,
        "limit": int | None,
    }
    values = {"passes": 8, "device": "auto", "color": Color.BLUE, "title": "Result"}
    Settings = type("Settings", (), {"__annotations__": types, **values})
    return wrapper.parameterNodeWrapper(Settings)(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode"))


def test_defaults(settings):
    assert settings.volume is None and settings.image is None and settings.limit is None
    assert (settings.threshold, settings.passes, settings.device, settings.title) == (2.5, 8, "auto", "Result")
    assert settings.color is Color.BLUE and settings.invert is False and settings.folder == Path()
    assert settings.default("passes").value == 8


def test_values_are_kept_in_the_node(settings):
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    settings.volume, settings.image, settings.limit = volume, segmentation, 3
    settings.color, settings.folder, settings.invert, settings.threshold = Color.RED, Path("/a/b"), True, 4
    again = type(settings)(settings.parameterNode)
    assert (again.volume, again.image, again.limit) == (volume, segmentation, 3)
    assert (again.color, again.folder, again.invert, again.threshold) == (Color.RED, Path("/a/b"), True, 4.0)
    assert settings.parameterNode.GetParameter("color") == "RED"
    assert settings.parameterNode.GetNodeReference("volume") is volume
    again.limit = None
    assert settings.limit is None and settings.getValue("passes") == 8


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("threshold", 11, ValueError),
        ("passes", 0, ValueError),
        ("passes", "3", TypeError),
        ("device", "gpu", ValueError),
        ("title", None, ValueError),
        ("color", "RED", TypeError),
        ("limit", "x", TypeError),
    ],
)
def test_wrong_value_is_refused_and_the_old_one_stays(settings, name, value, error):
    before = settings.getValue(name)
    with pytest.raises(error):
        settings.setValue(name, value)
    assert settings.getValue(name) == before


def test_node_of_another_class_is_refused(settings):
    with pytest.raises(TypeError):
        settings.volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode")


def test_unknown_name_is_refused(settings):
    with pytest.raises(ValueError, match="Cannot find"):
        settings.setValue("nothing", 1)


def test_reserved_name_is_refused(wrapper):
    class Bad:
        connectGui: int

    with pytest.raises(ValueError, match="reserved"):
        wrapper.parameterNodeWrapper(Bad)


@pytest.fixture
def panel(settings):
    """A widget with one child for every parameter, connected; (panel, tag)."""
    import ctk
    import qt

    root = qt.QWidget()
    kinds = {
        "volume": slicer.qMRMLNodeComboBox,
        "image": slicer.qMRMLNodeComboBox,
        "threshold": ctk.ctkSliderWidget,
        "passes": qt.QSpinBox,
        "device": qt.QComboBox,
        "color": qt.QComboBox,
        "title": qt.QLineEdit,
        "folder": ctk.ctkPathLineEdit,
        "invert": qt.QCheckBox,
    }
    for name, kind in kinds.items():
        child = kind(root)
        child.objectName = name
        child.setProperty("SlicerParameterName", name)
        if kind is slicer.qMRMLNodeComboBox:
            child.noneEnabled = True
            child.setMRMLScene(slicer.mrmlScene)
    return root, settings.connectGui(root)


def test_widgets_show_the_parameters(settings, panel):
    root, _ = panel
    assert (root.threshold.value, root.threshold.maximum) == (2.5, 10)
    assert (root.passes.value, root.passes.minimum, root.passes.maximum) == (8, 1, 64)
    assert (root.device.currentText, root.device.count) == ("auto", 2)
    assert (root.color.currentText, root.color.count) == ("BLUE", 2)
    assert tuple(root.image.nodeTypes) == ("vtkMRMLScalarVolumeNode", "vtkMRMLSegmentationNode")
    settings.passes, settings.color, settings.invert, settings.device = 3, Color.RED, True, "cpu"
    assert (root.passes.value, root.color.currentText) == (3, "RED")
    assert (root.invert.checked, root.device.currentIndex) == (True, 1)
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    settings.volume = volume
    assert root.volume.currentNode() is volume


def test_parameters_follow_the_widgets(settings, panel):
    root, _ = panel
    changes = []
    tag = settings.AddObserver("ModifiedEvent", lambda *_: changes.append(1))
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    root.volume.setCurrentNode(volume)
    root.passes.value = 12
    root.device.currentIndex = 1
    root.color.currentIndex = 0
    root.folder.currentPath = "/tmp/x"
    root.invert.click()
    assert settings.volume is volume
    assert (settings.passes, settings.device, settings.color) == (12, "cpu", Color.RED)
    assert settings.folder == Path("/tmp/x") and settings.invert is True
    assert len(changes) >= 6
    settings.RemoveObserver(tag)


def test_disconnected_widgets_stay_as_they_are(settings, panel):
    root, tag = panel
    settings.disconnectGui(tag)
    root.passes.value = 20
    settings.threshold = 7
    assert settings.passes == 8 and root.threshold.value == 2.5


def test_widget_that_cannot_show_the_type_raises(settings):
    import qt

    with pytest.raises(RuntimeError, match="GUI connector"):
        settings.connectParametersToGui({"limit": qt.QSpinBox()})


def test_several_changes_are_announced_once(settings):
    changes = []
    tag = settings.AddObserver("ModifiedEvent", lambda *_: changes.append(1))
    with slicer.util.NodeModify(settings):
        settings.passes, settings.title, settings.invert = 2, "x", True
    assert changes == [1]
    settings.RemoveObserver(tag)
