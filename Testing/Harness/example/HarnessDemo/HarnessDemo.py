"""A small scripted module that the harness is tested with: one volume in, one table out."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Choice, Default, WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


class HarnessDemo(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("Harness demo")
        parent.categories = ["Testing"]
        parent.dependencies = []
        parent.contributors = ["MedUSIS"]
        parent.helpText = _("Counts the voxels above a threshold.") + self.getDefaultModuleDocumentationLink()
        parent.acknowledgementText = ""


class Mode(enum.Enum):
    ABOVE = "above"
    BELOW = "below"

    def label(self):
        return self.name.capitalize()


@parameterNodeWrapper
class HarnessDemoParameters:
    inputVolume: slicer.vtkMRMLScalarVolumeNode
    anyImage: slicer.vtkMRMLScalarVolumeNode | slicer.vtkMRMLSegmentationNode | None
    threshold: Annotated[float, WithinRange(-1000, 3000), Default(100)]
    passes: Annotated[int, WithinRange(1, 64)] = 8
    seed: int
    device: Annotated[str, Choice(["auto", "cpu", "cuda:0"])] = "auto"
    mode: Mode = Mode.BELOW
    name: str = "Result"
    folder: Path
    invert: bool
    limit: int | None


class HarnessDemoWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.calls = []
        self._parameterNode = None
        self._guiTag = None

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        widget = slicer.util.loadUI(self.resourcePath("UI/HarnessDemo.ui"))
        self.layout.addWidget(widget)
        self.ui = slicer.util.childWidgetVariables(widget)
        widget.setMRMLScene(slicer.mrmlScene)
        self.logic = HarnessDemoLogic()
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.ui.applyButton.connect("clicked(bool)", self.onApply)
        self.ui.failButton.clicked.connect(self.onFail)
        self.setParameterNode(self.logic.getParameterNode())

    def cleanup(self):
        self.calls.append("cleanup")
        self.setParameterNode(None)
        self.removeObservers()

    def enter(self):
        self.calls.append("enter")
        self.setParameterNode(self.logic.getParameterNode())

    def exit(self):
        self.calls.append("exit")

    def onSceneStartClose(self, caller, event):
        self.calls.append("close")
        self.setParameterNode(None)

    def setParameterNode(self, parameters):
        if self._parameterNode:
            self._parameterNode.disconnectGui(self._guiTag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParametersChanged)
        self._parameterNode = parameters
        if self._parameterNode:
            self._guiTag = self._parameterNode.connectGui(self.ui)
            self.addObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParametersChanged)
            self.onParametersChanged()

    def onParametersChanged(self, caller=None, event=None):
        self.ui.applyButton.enabled = self._parameterNode.inputVolume is not None

    def onApply(self, checked=False):
        with slicer.util.tryWithErrorDisplay(_("Counting failed.")):
            if not slicer.util.confirmOkCancelDisplay(_("Count the voxels?")):
                return
            table = self.logic.count(self._parameterNode.inputVolume, self._parameterNode.threshold)
            self.ui.resultTable.setMRMLTableNode(table)

    def onFail(self):
        raise RuntimeError("a bug in a slot")


class HarnessDemoLogic(ScriptedLoadableModuleLogic):
    def getParameterNode(self):
        return HarnessDemoParameters(super().getParameterNode())

    def count(self, volume, threshold):
        table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", "Counts")
        slicer.util.updateTableFromArray(table, [(slicer.util.arrayFromVolume(volume) > threshold).sum()[None]], ["n"])
        return table


class HarnessDemoTest(ScriptedLoadableModuleTest):
    def test_Qt(self):
        self.delayDisplay("starting")
        self.assertEqual(qt.QLabel("x").text, "x")
