"""`qt.QUiLoader`: reads a module's .ui file with stand-ins for the ctk and qMRML widgets in it."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from PySide6 import QtUiTools
from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QObject
from PySide6.QtWidgets import QWidget

from slicer_harness import widget_classes


class UiFileError(RuntimeError):
    """The .ui file names something that Slicer would not find, either."""


class QUiLoader(QtUiTools.QUiLoader):
    """Registers our widgets with the loader and makes the file's connections itself.

    Connections in .ui files carry types like `vtkMRMLScene*` in their signatures, which PySide6's own loader drops.
    """

    def load(self, device: QIODevice, parent: QWidget | None = None) -> QWidget:
        """Raises `UiFileError` for a widget class, object, signal or slot that does not exist."""
        tree = ElementTree.fromstring(bytes(device.readAll().data()))
        self._check_properties_of(tree)
        for declared in tree.iter("customwidget"):
            self.registerCustomWidget(self._widget_class(declared.findtext("class") or ""))
        connections = tree.find("connections")
        if connections is not None:
            tree.remove(connections)
        buffer = QBuffer()
        buffer.setData(QByteArray(ElementTree.tostring(tree)))
        buffer.open(QIODevice.OpenModeFlag.ReadOnly)
        widget = super().load(buffer, parent)
        if widget is None:
            raise UiFileError("the .ui file could not be read")
        for connection in connections if connections is not None else ():
            self._connect(widget, connection)
        return widget

    @staticmethod
    def _widget_class(name: str) -> type[QWidget]:
        found = widget_classes.find(name)
        if found is None:
            raise UiFileError(f"the .ui file uses {name}, a widget class that this harness does not know")
        return found

    @staticmethod
    def _check_properties_of(tree: ElementTree.Element) -> None:
        """A misspelt property only gives a line on the console in Slicer; here it raises, for the custom widgets."""
        for element in tree.iter("widget"):
            kind = widget_classes.find(element.get("class", ""))
            meta_object = getattr(kind, "staticMetaObject", None)
            if meta_object is None:
                continue
            for declared in element.findall("property"):
                name = declared.get("name", "")
                if declared.get("stdset") != "0" and meta_object.indexOfProperty(name) < 0:
                    raise UiFileError(f"{element.get('class')} has no property {name} ({element.get('name')})")

    @staticmethod
    def _connect(root: QWidget, connection: ElementTree.Element) -> None:
        def named(tag: str) -> QObject:
            name = connection.findtext(tag)
            candidates = [root, *root.findChildren(QObject)]
            found = next((child for child in candidates if child.objectName == name), None)
            if found is None:
                raise UiFileError(f"a connection in the .ui file names {name}, which is not in it")
            return found

        sender, receiver = named("sender"), named("receiver")
        slot_name = re.sub(r"\(.*", "", connection.findtext("slot") or "")
        slot = getattr(receiver, slot_name, None)
        if not callable(slot):
            raise UiFileError(f"a connection in the .ui file names the slot {receiver.objectName}.{slot_name}")
        sender.connect(connection.findtext("signal"), slot)
