"""qSlicerMainWindow: the views, and beside them the panel of the selected module."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QDockWidget, QLabel, QMainWindow, QScrollArea


class qSlicerModuleSelectorToolBar(QComboBox):
    """`slicer.util.moduleSelector()`."""

    moduleSelected = Signal("QString")
    selectedModule = property(lambda self: self.currentText)

    def __init__(self, window: qSlicerMainWindow) -> None:
        super().__init__(window)
        self._window = window

    def selectModule(self, name: str) -> None:
        if slicer.app.moduleManager().module(name) is None:
            raise RuntimeError(f"there is no module {name}")
        if self.findText(name) < 0:
            self.addItem(name)
        self.setCurrentText(name)
        self._window.show_module(name)  # not through the signal: an exception in `setup` shall come out
        self.moduleSelected.emit(name)


class qSlicerMainWindow(QMainWindow):
    """Shows one module at a time and tells it when it is entered and left."""

    def __init__(self, layout_manager: Any) -> None:
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self.setWindowTitle("Stand-in for 3D Slicer")
        self.resize(1280, 800)
        self._current: Any = None
        self._selector = qSlicerModuleSelectorToolBar(self)
        tool_bar = self.addToolBar("Modules")
        tool_bar.addWidget(QLabel("Modules: "))
        tool_bar.addWidget(self._selector)
        self.setCentralWidget(layout_manager.viewport())
        self._panel = QScrollArea()
        self._panel.setWidgetResizable(True)
        self._panel.setMinimumWidth(430)
        dock = QDockWidget("Module panel", self)
        dock.setObjectName("PanelDockWidget")
        dock.setWidget(self._panel)
        self.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock)
        self.statusBar().showMessage("Ready")
        self.menuBar().addMenu("File").addAction("Close scene")

    def moduleSelector(self) -> qSlicerModuleSelectorToolBar:
        return self._selector

    def current_panel(self) -> Any:
        return self._current

    def show_module(self, name: str) -> None:
        panel = slicer.app.moduleManager().module(name).widgetRepresentation()
        if panel is self._current:
            return
        self.leave_module()
        self._panel.setWidget(panel)
        self._current = panel
        panel.show()
        panel.enter()

    def leave_module(self) -> None:
        """As if another module was selected."""
        if self._current is not None:
            self._current.exit()
            self._panel.takeWidget()
            self._current = None
