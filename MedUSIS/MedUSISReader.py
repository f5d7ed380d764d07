"""The Slicer module MedUSIS Reader: reader studies of synthetic images, from the trials to the results.

Nothing is imported here that Slicer does not bring, and nothing runs at import. The window is in ``MedUSISReaderGui``,
the steps of a reading and the scene in ``MedUSISLib.mrml.reading_*``, studies and answers in ``MedUSISLib.study``.
"""

from __future__ import annotations

import slicer
from MedUSISGui.library import forget_modules, make_library_importable
from MedUSISReaderGui.self_test import SelfTest
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


class MedUSISReader(ScriptedLoadableModule):
    """What Slicer shows about the module before it is opened."""

    def __init__(self, parent) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        make_library_importable()
        parent.title = "MedUSIS Reader"
        parent.categories = [translate("qSlicerAbstractCoreModule", "Image Synthesis")]
        parent.dependencies = []
        parent.contributors = ["The MedUSIS contributors"]
        parent.helpText = _(
            "The reading room for studies of synthetic images: the visual Turing test and lesion reading. Readers see "
            "nothing but the trial; every answer is stored at once. Administrators make studies and see their results. "
            "<b>Not for diagnosis.</b>"
        )
        parent.acknowledgementText = _("Part of MedUSIS; see the module MedUSIS.")


class MedUSISReaderWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Loads the panel and tells it when the scene or the application come and go."""

    def __init__(self, parent=None) -> None:
        self.logic = None
        self.panel = None
        VTKObservationMixin.__init__(self)
        ScriptedLoadableModuleWidget.__init__(self, parent)  # without a parent this calls setup

    def setup(self) -> None:
        """Called when the module is opened for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        make_library_importable()
        from MedUSISGui.qprocess import qt_worker
        from MedUSISReaderGui.panel import Panel

        widget = slicer.util.loadUI(self.resourcePath("UI/MedUSISReader.ui"))
        self.layout.addWidget(widget)
        self.ui = slicer.util.childWidgetVariables(widget)
        widget.setMRMLScene(slicer.mrmlScene)
        self.logic = MedUSISReaderLogic(qt_worker())
        self.panel = Panel(self.ui, self.logic)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        slicer.app.connect("aboutToQuit()", self.cleanup)

    def enter(self) -> None:
        """Called each time the user opens the module."""
        if self.panel is not None:
            self.panel.enter()

    def read(self, package, reader, answers=None) -> bool:
        """Open the reading room at once, for a script that starts Slicer for a reader.

        Parameters
        ----------
        package : str
            The reader's package.
        reader : str
        answers : str, optional
            File or URL of the answers; beside the package when not given.

        Returns
        -------
        bool
            False when it could not be opened; the panel says why.
        """
        return self.panel.read(str(package), reader, str(answers or ""))

    def cleanup(self) -> None:
        """Called when the application closes or the module is reloaded; a reading is left, its answers are stored."""
        self.removeObservers()
        panel, self.panel = self.panel, None
        if panel is not None:
            slicer.app.disconnect("aboutToQuit()", self.cleanup)
            panel.close()

    def onSceneStartClose(self, _caller, _event) -> None:
        """The nodes of the scene are about to go."""
        self.panel.scene_closing()

    def onReload(self) -> None:
        """Reload the module with all our packages (developer mode)."""
        self.cleanup()
        forget_modules()
        ScriptedLoadableModuleWidget.onReload(self)


class MedUSISReaderLogic(ScriptedLoadableModuleLogic):
    """What the module can do without its panel.

    Parameters
    ----------
    worker : MedUSISLib.mrml.worker.Worker, optional
        How child processes are made; the default needs no event loop.
    """

    def __init__(self, worker=None) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        make_library_importable()
        from MedUSISLib.mrml.installation import Installation
        from MedUSISLib.mrml.requirements import READING, STUDIES
        from MedUSISLib.mrml.study_jobs import StudyJobs

        self.jobs = StudyJobs(worker)
        self.installation = Installation(needed=READING, with_torch=False)
        self.administration = Installation(needed=STUDIES, with_torch=False)

    def open(self, package, reader, answers=None):
        """Open a package for its reader (``MedUSISLib.mrml.reading_start.open_reading``)."""
        from MedUSISLib.mrml.reading_start import open_reading

        return open_reading(package, reader, answers)

    def close(self) -> None:
        """End everything that runs."""
        self.jobs.close()


class MedUSISReaderTest(SelfTest, ScriptedLoadableModuleTest):
    """The tests that run inside Slicer; their steps are in ``MedUSISReaderGui.self_test``."""
