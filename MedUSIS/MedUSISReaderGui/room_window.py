"""The whole screen for the reading: everything else of Slicer's window is hidden, and brought back at the end."""

from __future__ import annotations

import qt
import slicer

from . import dark

DOCK_NAME = "MedUSISReaderDock"
_PAGE_WIDTH = 430
_NO_LIMIT = 16777215
NO_ACTION = "MedUSISNoAction"
"""The menu of a view offers only actions of this name: there are none."""

_HIDDEN = ("QDockWidget", "QToolBar", "QMenuBar", "QStatusBar")


class RoomWindow:
    """A dock beside the views in Slicer's main window, which fills the screen.

    Parameters
    ----------
    widget : QWidget
        The room's pages.
    """

    def __init__(self, widget) -> None:
        self._widget = widget
        self._dock = None
        self._hidden: list = []
        self._was_full = self._was_maximized = False
        self._annotations_were_on = None
        self._menu_before = None

    @property
    def is_open(self) -> bool:
        """Whether the room has the screen."""
        return self._dock is not None

    def open(self) -> None:
        """Take the screen."""
        window = slicer.util.mainWindow()
        self._was_full, self._was_maximized = window.isFullScreen(), window.isMaximized()
        self._hidden = [part for kind in _HIDDEN for part in window.findChildren(kind) if not part.isHidden()]
        for part in self._hidden:
            part.hide()
        self._annotations_were_on = _annotate_views(False)
        self._menu_before = _limit_view_menu((NO_ACTION,))
        window.acceptDrops = False
        dock = qt.QDockWidget(window)
        dock.setObjectName(DOCK_NAME)
        dock.setFeatures(qt.QDockWidget.NoDockWidgetFeatures)
        dock.setTitleBarWidget(qt.QWidget(dock))  # no title
        dark.darken(window)
        dark.darken(self._widget)
        dock.setWidget(self._widget)
        window.addDockWidget(qt.Qt.RightDockWidgetArea, dock)
        self._dock = dock
        dock.show()
        window.showFullScreen()

    def show_page_only(self) -> None:
        """No image on the screen: the page has all of it."""
        slicer.util.mainWindow().centralWidget().hide()
        self._widget.setMinimumWidth(0)
        self._widget.setMaximumWidth(_NO_LIMIT)

    def show_views(self) -> None:
        """The images, and the page beside them."""
        self._widget.setFixedWidth(_PAGE_WIDTH)
        slicer.util.mainWindow().centralWidget().show()
        hide_view_bars()

    def close(self) -> None:
        """Give the screen back as it was."""
        if self._dock is None:
            return
        window, dock, self._dock = slicer.util.mainWindow(), self._dock, None
        window.removeDockWidget(dock)
        dock.hide()
        dock.deleteLater()
        window.centralWidget().show()
        for part in self._hidden:
            part.show()
        self._hidden = []
        if self._annotations_were_on:
            _annotate_views(True)
        if self._menu_before is not None:
            _limit_view_menu(self._menu_before)
        window.acceptDrops = True
        window.setPalette(qt.QPalette())  # the application's again
        if not self._was_full:
            if self._was_maximized:
                window.showMaximized()
            else:
                window.showNormal()


def hide_view_bars() -> None:
    """The bar above a view names its image and lets another one be chosen; the corners may still hold a text."""
    from MedUSISLib.mrml.reading_layout import MOST_VIEWS, view_name

    manager = slicer.app.layoutManager()
    for number in range(1, MOST_VIEWS + 1):
        widget = manager.sliceWidget(view_name(number))
        if widget is not None:
            widget.sliceController().setVisible(False)
            widget.sliceView().cornerAnnotation().ClearAllTexts()


def _annotate_views(on: bool):
    """Names and dates that the module Data Probe writes into the corners of views; what it was before, None without.

    The user's setting is not touched: only this session's switch. Its texts are not updated when it is switched off,
    because it stops looking at the views then, for good.
    """
    probe = getattr(slicer.modules, "DataProbeInstance", None)
    annotations = getattr(getattr(probe, "infoWidget", None), "sliceAnnotations", None)
    if annotations is None:
        return None
    before = bool(annotations.sliceViewAnnotationsEnabled)
    annotations.sliceViewAnnotationsEnabled = int(on)
    if on:
        annotations.updateSliceViewFromGUI()
    return before


def _limit_view_menu(names):
    """Which actions the menu of a view offers, () being all; what it was before, None where there is no such menu."""
    handler = getattr(slicer, "qSlicerSubjectHierarchyPluginHandler", None)
    if handler is None:
        return None
    logic = handler().instance().pluginLogic()
    before = logic.allowedViewContextMenuActionNames
    logic.allowedViewContextMenuActionNames = names
    return before
