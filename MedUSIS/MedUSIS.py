"""The Slicer module MedUSIS: a synthetic MR from a CT and its segmentation, with maps that say where not to trust it.

Nothing is imported here that Slicer does not bring, and nothing runs at import. The panel is in ``MedUSISGui``, the
work on the scene in ``MedUSISLib.mrml``, the computing in a child process.
"""

from __future__ import annotations

import slicer
from MedUSISGui.library import forget_modules, make_library_importable
from MedUSISGui.self_test import SelfTest
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


class MedUSIS(ScriptedLoadableModule):
    """What Slicer shows about the module before it is opened."""

    def __init__(self, parent) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        make_library_importable()
        parent.title = "MedUSIS"
        parent.categories = [translate("qSlicerAbstractCoreModule", "Image Synthesis")]
        parent.dependencies = []
        parent.contributors = ["The MedUSIS contributors"]
        parent.helpText = _(
            "Makes a synthetic MR from a CT and its segmentation, in the CT's own grid, together with maps that say "
            "where not to trust it. <b>Synthetic images are not for diagnosis.</b> What the segmentation does not "
            "hold, the image cannot show."
        )
        parent.acknowledgementText = _(
            "Builds on Med-USIS (W. Tang, research thesis S1449, 2024), USIS (G. Eskandar et al., 2023), OASIS "
            "(V. Sushko et al., 2021) and SPADE (T. Park et al., 2019); written anew from the publications."
        )
        slicer.app.connect("startupCompleted()", register_sample_data)


def register_sample_data() -> None:
    """Offer the sample head in the module Sample Data."""
    from MedUSISGui.sample_data import register_sample_data as register

    register()


class MedUSISWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Loads the panel and tells it when the user, the scene or the application come and go."""

    def __init__(self, parent=None) -> None:
        self.logic = None
        self.panel = None
        VTKObservationMixin.__init__(self)
        ScriptedLoadableModuleWidget.__init__(self, parent)  # without a parent this calls setup

    def setup(self) -> None:
        """Called when the module is opened for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        make_library_importable()
        from MedUSISGui.panel import Panel
        from MedUSISGui.qprocess import qt_worker

        widget = slicer.util.loadUI(self.resourcePath("UI/MedUSIS.ui"))
        self.layout.addWidget(widget)
        self.ui = slicer.util.childWidgetVariables(widget)
        widget.setMRMLScene(slicer.mrmlScene)
        self.logic = MedUSISLogic(qt_worker())
        self.panel = Panel(self.ui, self.logic)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneChanged)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneChanged)
        slicer.app.connect("aboutToQuit()", self.cleanup)
        self.panel.enter()

    def enter(self) -> None:
        """Called each time the user opens the module."""
        if self.panel is not None:
            self.panel.enter()

    def exit(self) -> None:
        """Called each time the user opens another module; a run goes on."""
        if self.panel is not None:
            self.panel.exit()

    def cleanup(self) -> None:
        """Called when the application closes or the module is reloaded; ends a run."""
        self.removeObservers()
        panel, self.panel = self.panel, None
        if panel is not None:
            slicer.app.disconnect("aboutToQuit()", self.cleanup)
            panel.close()

    def onSceneStartClose(self, _caller, _event) -> None:
        """The nodes of the scene are about to go."""
        self.panel.scene_closing()

    def onSceneChanged(self, _caller, _event) -> None:
        """Another scene is there."""
        self.panel.scene_changed()

    def onReload(self) -> None:
        """Reload the module with all our packages (developer mode)."""
        self.cleanup()
        forget_modules()
        ScriptedLoadableModuleWidget.onReload(self)


class MedUSISLogic(ScriptedLoadableModuleLogic):
    """What the module can do without its panel.

    Parameters
    ----------
    worker : MedUSISLib.mrml.worker.Worker, optional
        How child processes are made; the default needs no event loop.
    """

    def __init__(self, worker=None) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        make_library_importable()
        from MedUSISLib.mrml.background_jobs import BackgroundJobs
        from MedUSISLib.mrml.fine_tune_runs import open_run_store
        from MedUSISLib.mrml.installation import Installation
        from MedUSISLib.mrml.kept_engine import KeptEngine
        from MedUSISLib.mrml.requirements import NEEDED, TRAINING
        from MedUSISLib.mrml.segmentation_logic import SegmentationLogic
        from MedUSISLib.mrml.synthesis_logic import SynthesisLogic

        self.engine = KeptEngine(worker)
        self.synthesis = SynthesisLogic(self.engine.worker)
        self.segmentation = SegmentationLogic(self.engine.worker)
        self.background = BackgroundJobs(worker)
        self.installation = Installation()
        self.training_installation = Installation(None, (*NEEDED, *TRAINING))
        self.open_runs = open_run_store

    def getParameterNode(self):
        """The choices of the user (``MedUSISGui.parameters.Parameters``)."""
        from MedUSISGui.parameters import Parameters

        return Parameters(super().getParameterNode())

    def close(self) -> None:
        """End everything that runs."""
        for part in (self.synthesis, self.segmentation, self.background, self.engine):
            part.close()


class MedUSISTest(SelfTest, ScriptedLoadableModuleTest):
    """The tests that run inside Slicer; their steps are in ``MedUSISGui.self_test``."""
