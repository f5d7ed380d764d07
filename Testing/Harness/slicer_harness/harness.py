"""The harness itself: starts everything in order, and what a test does with it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import slicer
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QWidget

from slicer_harness import pythonqt, scene_setup, slicer_namespace, slicer_util, uncaught, user_input
from slicer_harness.messages import Messages, messages
from slicer_harness.pip_calls import PipCalls, pip_calls
from slicer_harness.screen import choose_screen
from slicer_harness.subject_hierarchy import SubjectHierarchyFiller


class Harness:
    """A running application layer. There is one per process: `slicer_harness.start()`.

    Attributes
    ----------
    slicer
        The `slicer` package, with `mrmlScene`, `app`, `util`, `modules`, the widget classes.
    messages
        What was shown to the user; queue answers with `messages.answer(False)`.
    pip
        What was asked of pip; say what is missing with `pip.missing.add("torch")`.
    uncaught
        Exceptions out of slots, timers and observers.
    """

    def __init__(self) -> None:
        choose_screen()
        if sys.platform == "linux" and "DISPLAY" not in os.environ:
            os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")  # else VTK asks for an X server
        pythonqt.install()
        from slicer_harness.application import qSlicerApplication

        self.slicer = slicer
        self.messages: Messages = messages
        self.pip: PipCalls = pip_calls
        self.uncaught: list[BaseException] = uncaught.uncaught
        uncaught.install()
        slicer_namespace.complete(slicer_namespace.real_python_folder())
        scene_setup.alias_libraries()
        slicer.mrmlScene = slicer.vtkMRMLScene()
        slicer.app = qSlicerApplication()
        slicer_util.install()
        self._start_scene()
        self._start_windows()

    def _start_scene(self) -> None:
        application, scene = slicer.app, slicer.mrmlScene
        logic = application.applicationLogic()
        scene_setup.write_color_files(logic, application.slicerHome)
        scene_setup.set_up_scene(scene, logic, application.temporaryPath)
        from slicer_harness.module_manager import LogicOnlyModule

        for name, module_logic in scene_setup.make_module_logics(scene, logic, application.temporaryPath).items():
            application.moduleManager().add(name, LogicOnlyModule(name, module_logic))
        self._kept = scene_setup.set_up_cache(scene, logic, application.cachePath)
        self._kept.append(SubjectHierarchyFiller(scene))

    def _start_windows(self) -> None:
        from slicer_harness.main_window import qSlicerMainWindow
        from slicer_harness.views.layout_manager import qSlicerLayoutManager
        from slicer_harness.views.slice_annotations import data_probe

        layout_manager = qSlicerLayoutManager(slicer.mrmlScene)
        slicer.app.setWindows(layout_manager, qSlicerMainWindow(layout_manager))
        slicer.modules.DataProbeInstance = data_probe(layout_manager)
        slicer.app.startupCompleted.emit()

    # What a test does.
    def load_module(self, path: str | Path) -> Any:
        """Load a scripted module from its .py file; the widget is made when the module is first selected."""
        from slicer_harness.module_loader import qSlicerScriptedLoadableModule

        module = qSlicerScriptedLoadableModule(Path(path))
        module.setup()
        return module

    def unload_module(self, name: str) -> None:
        """As when Slicer quits: the module is left, its widget cleans up."""
        window, module = slicer.app.mainWindow(), slicer.app.moduleManager().module(name)
        panel = vars(module).get("_widget")
        if panel is not None and window.current_panel() is panel:
            window.leave_module()
        slicer.app.moduleManager().unload(name)
        if panel is not None:
            panel.deleteLater()
            self.process_events()

    def process_events(self) -> None:
        """Handle what is due now, deletions included."""
        slicer.app.processEvents()
        with uncaught.contained():
            QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)

    def wait_until(self, condition: Callable[[], Any], timeout_s: float = 60.0) -> Any:
        """Process events until the condition holds and return its value.

        Raises
        ------
        TimeoutError
            It did not hold within `timeout_s`.
        """
        end = time.monotonic() + timeout_s
        while True:
            self.process_events()
            value = condition()
            if value:
                return value
            if time.monotonic() > end:
                raise TimeoutError(f"the condition did not hold within {timeout_s} s")
            time.sleep(0.005)

    def screenshot(self, widget: QWidget | None, path: str | Path) -> Path:
        """Write a widget (None: the main window) as it looks now, with freshly rendered views."""
        widget = slicer.app.mainWindow() if widget is None else widget
        if not widget.isVisible():
            widget.show()
        self.process_events()
        slicer.util.forceRenderAllViews()
        self.process_events()
        if not widget.grab().save(str(path)):
            raise OSError("the screenshot could not be written")
        return Path(path)

    def press(self, key: str) -> None:
        """Press a key ("1", "Return", "Shift+Space") where the focus of the main window is; shortcuts hear it."""
        window = slicer.app.mainWindow()
        user_input.activate(window)
        user_input.press(key, window)
        self.process_events()

    def click_view(self, name: str, x: float, y: float) -> None:
        """Click into a slice view, at parts of its width and height from the upper left."""
        user_input.click(slicer.app.layoutManager().sliceWidget(name).sliceView(), x, y)
        self.process_events()

    @contextmanager
    def as_user(self) -> Iterator[None]:
        """Testing mode off: `slicer.app.testingEnabled()` is False, `tryWithErrorDisplay` displays. Nothing blocks."""
        slicer.app.setTestingEnabled(False)
        try:
            yield
        finally:
            slicer.app.setTestingEnabled(True)

    def reset(self) -> None:
        """What the next test finds: scripted modules unloaded, the scene closed, nothing recorded, default layout."""
        from slicer_harness.module_loader import qSlicerScriptedLoadableModule

        manager = slicer.app.moduleManager()
        for name in [n for n in manager.modulesNames() if isinstance(manager.module(n), qSlicerScriptedLoadableModule)]:
            self.unload_module(name)
        slicer.app.mainWindow().hide()
        annotations = slicer.modules.DataProbeInstance.infoWidget.sliceAnnotations
        annotations.sliceViewAnnotationsEnabled = 0
        annotations.updateSliceViewFromGUI()
        slicer.mrmlScene.Clear(0)
        slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        slicer.app.setTestingEnabled(True)
        slicer.app.exits.clear()
        slicer.app.settings().clear()
        slicer.app.extensionsManagerModel().set_installed()
        for name in ("sampleDataSources", "sampleDataSourceCategories"):
            if hasattr(slicer.modules, name):
                delattr(slicer.modules, name)
        self.process_events()
        self.messages.clear()
        self.pip.clear()
        self.uncaught.clear()
