"""PySide6 made to follow PythonQt's rules, the Python binding that Slicer's own Qt objects come with.

`install()` patches PySide6 once, for the whole process; the top-level module `qt` (Testing/Harness/python/qt.py) then
shows every PySide6 class under PythonQt's roof. One file per rule:

properties.py   Qt properties are attributes, not methods
signals.py      `object.connect("clicked(bool)", f)`; an unknown signature raises
objects.py      children as attributes, `className()`, `delete()`; no new attributes, no keyword arguments
ui_loader.py    `QUiLoader` that knows the ctk and qMRML stand-ins
dialogs.py      dialogs and the desktop never block or open: they are recorded
"""

from __future__ import annotations

from types import ModuleType

from PySide6 import QtCore, QtGui, QtNetwork, QtUiTools, QtWidgets, QtXml

QT_MODULES: tuple[ModuleType, ...] = (QtCore, QtGui, QtWidgets, QtNetwork, QtXml, QtUiTools)
_installed = False


def install() -> None:
    """Patch PySide6's classes; further calls do nothing."""
    global _installed
    if _installed:
        return
    from slicer_harness.pythonqt import dialogs, objects, properties

    properties.install(_qt_classes())
    objects.install(_qt_classes())
    dialogs.install()
    _installed = True


def _qt_classes() -> list[type]:
    # dir(), not vars(): PySide6 makes its types when they are first asked for.
    values = (getattr(module, name) for module in QT_MODULES for name in dir(module))
    return [value for value in values if isinstance(value, type) and issubclass(value, QtCore.QObject)]


def namespace() -> dict[str, object]:
    """Everything that `qt` offers: all Qt classes, with our loader and dialogs in place of PySide6's."""
    from slicer_harness.pythonqt import dialogs, ui_loader

    names: dict[str, object] = {}
    for module in QT_MODULES:
        for name in dir(module):
            if not name.startswith("_"):
                names.setdefault(name, getattr(module, name))
    # PythonQt's own signals have crashed Slicer; a module does without (MedUSISLib.signal).
    for name in ("Signal", "Slot", "Property", "SignalInstance"):
        names.pop(name, None)
    names["QUiLoader"] = ui_loader.QUiLoader
    names["QDesktopServices"] = dialogs.DesktopServices
    names["QFileDialog"] = dialogs.FileDialog
    names["QMessageBox"] = dialogs.MessageBox
    names["QInputDialog"] = dialogs.InputDialog
    return names
