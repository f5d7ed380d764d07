"""A VTK render window painted into a Qt widget; works the same on every Qt platform, "offscreen" included."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6 import QtCore, QtGui, QtWidgets
from vtk.util.numpy_support import vtk_to_numpy

from slicer_harness.observing import observe

_PRESS = {
    QtCore.Qt.MouseButton.LeftButton: "LeftButton",
    QtCore.Qt.MouseButton.RightButton: "RightButton",
    QtCore.Qt.MouseButton.MiddleButton: "MiddleButton",
}


class VTKView(QtWidgets.QWidget):
    """Renders when something changed (`scheduleRender`) or at once (`forceRender`), and passes the mouse on to VTK."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._image: QtGui.QImage | None = None
        self._render_is_pending = False
        self._corner_annotation: Any = None
        self._group: Any = None
        self._renderer, self._window = vtk.vtkRenderer(), vtk.vtkRenderWindow()
        self._window.SetOffScreenRendering(True)
        self._window.ShowWindowOff()
        self._window.AddRenderer(self._renderer)
        self._interactor = vtk.vtkGenericRenderWindowInteractor()
        self._interactor.SetRenderWindow(self._window)
        self._interactor.EnableRenderOff()  # Initialize renders, which takes 0.2 s, also for a view nobody looks at
        self._interactor.Initialize()
        self._interactor.EnableRenderOn()
        self._interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())
        self.setMinimumSize(80, 80)
        self.setMouseTracking(True)
        self.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)

    def add_displayable_managers(self, factory_class: Any, names: tuple[str, ...]) -> None:
        """Let the real displayable managers of this kind of view fill the renderer."""
        factory = factory_class.GetInstance()
        factory.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        for name in names:
            if not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        self._group = slicer.vtkMRMLDisplayableManagerGroup()
        self._group.SetRenderer(self._renderer)
        self._group.Initialize(factory, self._renderer)
        observe(self, self._group, vtk.vtkCommand.UpdateEvent, self.scheduleRender)

    def scheduleRender(self, *_: Any) -> None:
        if not self._render_is_pending and not slicer.app.render_is_paused:
            self._render_is_pending = True
            QtCore.QTimer.singleShot(0, self, self._render_pending)

    def _render_pending(self) -> None:
        if self._render_is_pending and self.isVisible():
            self.forceRender()
        self._render_is_pending = False

    def forceRender(self, *_: Any) -> None:
        self._render_is_pending = False
        width, height = max(2, self.width), max(2, self.height)
        if tuple(self._window.GetSize()) != (width, height):
            self._interactor.UpdateSize(width, height)
            self._window.SetSize(width, height)
            self.on_size_changed(width, height)
        self._window.Render()
        self._image = _picture(self._window)
        self.update()

    def on_size_changed(self, width: int, height: int) -> None:
        """For views whose node has to know its size in pixels."""

    def renderWindow(self) -> Any:
        return self._window

    def renderer(self) -> Any:
        return self._renderer

    def interactor(self) -> Any:
        return self._interactor

    def displayableManagerByClassName(self, name: str) -> Any:
        return self._group.GetDisplayableManagerByClassName(name)

    def cornerAnnotation(self) -> Any:
        if self._corner_annotation is None:
            self._corner_annotation = vtk.vtkCornerAnnotation()
            self._renderer.AddViewProp(self._corner_annotation)
        return self._corner_annotation

    # Qt's events.
    def paintEvent(self, _event: QtGui.QPaintEvent) -> None:
        if self._image is None or (self._image.width(), self._image.height()) != (self.width, self.height):
            self.forceRender()
        painter = QtGui.QPainter(self)
        painter.drawImage(0, 0, self._image)
        painter.end()

    def resizeEvent(self, _event: QtGui.QResizeEvent) -> None:
        # At once, not when Qt next paints: fitting a slice to its view needs the size of the view.
        width, height = max(2, self.width), max(2, self.height)
        self._interactor.UpdateSize(width, height)
        self._window.SetSize(width, height)
        self.on_size_changed(width, height)
        self.scheduleRender()

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        self._send(event, _PRESS.get(event.button(), "MiddleButton") + "PressEvent")

    def mouseReleaseEvent(self, event: QtGui.QMouseEvent) -> None:
        self._send(event, _PRESS.get(event.button(), "MiddleButton") + "ReleaseEvent")

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:
        self._send(event, "MouseMoveEvent")

    def mouse_moved(self, x: int, y: int) -> None:
        """For tests: the pointer is over this place (pixels, from the upper left) now."""
        self._interactor.SetEventInformationFlipY(x, y, 0, 0, "\0", 0, None)
        self._interactor.InvokeEvent("EnterEvent")
        self._interactor.InvokeEvent("MouseMoveEvent")

    def wheelEvent(self, event: QtGui.QWheelEvent) -> None:
        self._send(event, "MouseWheelForwardEvent" if event.angleDelta().y() > 0 else "MouseWheelBackwardEvent")

    def _send(self, event: Any, vtk_event: str) -> None:
        position, held = event.position(), event.modifiers()
        control = int(bool(held & QtCore.Qt.KeyboardModifier.ControlModifier))
        shift = int(bool(held & QtCore.Qt.KeyboardModifier.ShiftModifier))
        place = (int(position.x()), int(position.y()))
        self._interactor.SetEventInformationFlipY(*place, control, shift, "\0", 0, None)
        self._interactor.InvokeEvent(vtk_event)
        self.scheduleRender()


def _picture(window: Any) -> QtGui.QImage:
    grab = vtk.vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.SetInputBufferTypeToRGB()
    grab.ReadFrontBufferOff()
    grab.ShouldRerenderOff()
    grab.Update()
    image = grab.GetOutput()
    width, height, _ = image.GetDimensions()
    rows = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, 3)[::-1].copy()
    return QtGui.QImage(rows.data, width, height, 3 * width, QtGui.QImage.Format.Format_RGB888).copy()
