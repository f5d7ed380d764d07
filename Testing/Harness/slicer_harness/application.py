"""`slicer.app`: the part of qSlicerApplication that modules ask."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import slicer
from PySide6.QtCore import QEventLoop, QProcessEnvironment, QSettings, Signal
from PySide6.QtWidgets import QApplication

from slicer_harness import uncaught
from slicer_harness.extensions import qSlicerExtensionsManagerModel
from slicer_harness.io_manager import qSlicerIOManager
from slicer_harness.module_manager import qSlicerModuleManager


class CommandOptions:
    """`slicer.app.commandOptions()`."""

    def __init__(self, application: qSlicerApplication) -> None:
        self._application = application
        self.runPythonAndExit = False
        self.noMainWindow = False
        self.settingsDisabled = True

    @property
    def testingEnabled(self) -> bool:
        return self._application.testingEnabled()


class qSlicerApplication(QApplication):
    """Says that it is Slicer 5.12 in testing mode; settings and files go to a temporary folder.

    `exit` and `restart` are written down in `exits` instead of executed: an int per exit, "restart" per restart.
    """

    startupCompleted = Signal()
    mrmlSceneChanged = Signal(object)
    pausedRender = Signal(bool)

    majorVersion = property(lambda self: 5)
    minorVersion = property(lambda self: 12)
    revision = property(lambda self: "0")
    releaseType = property(lambda self: "Stable")
    documentationBaseUrl = property(lambda self: "https://slicer.readthedocs.io/en/latest/")
    isInstalled = property(lambda self: True)
    exits = property(lambda self: self._exits)
    render_is_paused = property(lambda self: self._paused > 0)
    temporaryPath = property(lambda self: str(self._folder / "temporary"))
    cachePath = property(lambda self: str(self._folder / "cache"))
    slicerHome = property(lambda self: str(self._folder / "home"))
    defaultScenePath = property(lambda self: str(self._folder / "scenes"))
    extensionsInstallPath = property(lambda self: str(self._folder / "extensions"))
    launcherExecutableFilePath = property(lambda self: "")
    os = property(lambda self: "linux")
    platform = property(lambda self: "linux-amd64")

    def __init__(self) -> None:
        super().__init__(["Slicer"])
        self.setOrganizationName("slicer_harness")
        self.setApplicationName("Slicer")
        self.setApplicationVersion("5.12.0")
        self.setQuitOnLastWindowClosed(False)
        self._temporary_folder = tempfile.TemporaryDirectory(prefix="slicer_harness_", ignore_cleanup_errors=True)
        self._folder = Path(self._temporary_folder.name)
        for path in (self.temporaryPath, self.cachePath, self.slicerHome, self.defaultScenePath):
            Path(path).mkdir()
        # Also what `qt.QSettings()` without arguments opens.
        QSettings.setDefaultFormat(QSettings.Format.IniFormat)
        QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(self._folder / "settings"))
        self._settings = QSettings()
        self._exits: list[int | str] = []
        self._paused = 0
        self._testing = True
        self._layout_manager: Any = None
        self._main_window: Any = None
        self._logic = slicer.vtkSlicerApplicationLogic()
        self._io_manager = qSlicerIOManager()
        self._module_manager = qSlicerModuleManager()
        self._extensions = qSlicerExtensionsManagerModel()
        self._options = CommandOptions(self)

    # Parts.
    def mrmlScene(self) -> Any:
        return slicer.mrmlScene

    def applicationLogic(self) -> Any:
        return self._logic

    def coreIOManager(self) -> qSlicerIOManager:
        return self._io_manager

    def ioManager(self) -> qSlicerIOManager:
        return self._io_manager

    def moduleManager(self) -> qSlicerModuleManager:
        return self._module_manager

    def extensionsManagerModel(self) -> qSlicerExtensionsManagerModel:
        return self._extensions

    def layoutManager(self) -> Any:
        return self._layout_manager

    def mainWindow(self) -> Any:
        return self._main_window

    def setWindows(self, layout_manager: Any, main_window: Any) -> None:
        """Only for the start of the harness."""
        self._layout_manager, self._main_window = layout_manager, main_window

    def settings(self) -> QSettings:
        return self._settings

    def userSettings(self) -> QSettings:
        return self._settings

    def revisionUserSettings(self) -> QSettings:
        return self._settings

    def commandOptions(self) -> CommandOptions:
        return self._options

    def pythonConsole(self) -> None:
        """There is no console here."""

    def startupEnvironment(self) -> QProcessEnvironment:
        return QProcessEnvironment.systemEnvironment()

    def translate(self, context: str, text: str) -> str:
        return text

    def moduleDocumentationUrl(self, name: str) -> str:
        return f"{self.documentationBaseUrl}user_guide/modules/{name.lower()}.html"

    # Testing mode.
    def testingEnabled(self) -> bool:
        return self._testing

    def setTestingEnabled(self, enabled: bool) -> None:
        """Not in Slicer: lets a test see what a user sees (see `Harness.as_user`)."""
        self._testing = enabled

    # Life.
    def processEvents(self, *flags: Any) -> None:
        with uncaught.contained():
            QApplication.processEvents(flags[0] if flags else QEventLoop.ProcessEventsFlag.AllEvents)

    def exit(self, code: int = 0) -> None:
        self._exits.append(code)

    def quit(self) -> None:
        self._exits.append(0)

    def restart(self) -> None:
        self._exits.append("restart")

    # Rendering.
    def pauseRender(self) -> None:
        self._paused += 1
        if self._paused == 1:
            self.pausedRender.emit(True)

    def resumeRender(self) -> None:
        self._paused = max(0, self._paused - 1)
        if self._paused == 0:
            self.pausedRender.emit(False)
            if self._layout_manager is not None:
                self._layout_manager.render_all()

    def setRenderPaused(self, paused: bool) -> None:
        if paused:
            self.pauseRender()
        else:
            self.resumeRender()
