"""Boxes that fold: what lies in them is hidden while they are collapsed."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Property, QEvent, QObject, QPoint, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QGroupBox, QSizePolicy, QStyle, QStyleOption, QWidget

HEADER_HEIGHT = 24


def _fold(box: QWidget, hidden_by_us: set[QWidget], collapsed: bool) -> None:
    """Hide or bring back the box's direct children; those that were hidden before stay hidden."""
    for child in QObject.children(box):
        if not isinstance(child, QWidget) or child.isWindow():
            continue
        if collapsed and not child.isHidden():
            hidden_by_us.add(child)
            child.hide()
        elif not collapsed and child in hidden_by_us:
            hidden_by_us.discard(child)
            child.show()


class ctkCollapsibleButton(QAbstractButton):
    """A heading that is clicked to show or hide what lies below it. `checked` is `not collapsed`, as in CTK."""

    contentsCollapsed = Signal(bool)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*[a for a in arguments if isinstance(a, QWidget)])
        self._hidden_by_us: set[QWidget] = set()
        self.setText(next((a for a in arguments if isinstance(a, str)), ""))
        self.setCheckable(True)
        self.setChecked(True)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self.setContentsMargins(6, HEADER_HEIGHT + 2, 6, 6)
        self.toggled.connect(self._on_toggled)

    def setCollapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    collapsed = Property(bool, lambda self: not self.isChecked(), setCollapsed)

    def _on_toggled(self, checked: bool) -> None:
        _fold(self, self._hidden_by_us, not checked)
        self.updateGeometry()
        self.contentsCollapsed.emit(not checked)

    def event(self, event: QEvent) -> bool:
        # Children that come after `collapsed` was set (a .ui file sets properties first) are folded away afterwards:
        # while they are being added they are no complete widgets yet.
        if event.type() == QEvent.Type.ChildAdded and not self.isChecked():
            QTimer.singleShot(0, self, lambda: _fold(self, self._hidden_by_us, not self.isChecked()))
        return super().event(event)

    def hitButton(self, position: QPoint) -> bool:
        return position.y() < HEADER_HEIGHT

    def minimumSizeHint(self) -> QSize:
        inside = self.layout().totalMinimumSize() if self.layout() is not None and self.isChecked() else QSize(0, 0)
        width = self.fontMetrics().horizontalAdvance(self.text) + 2 * HEADER_HEIGHT
        return QSize(max(width, inside.width()), max(HEADER_HEIGHT, inside.height()))

    def sizeHint(self) -> QSize:
        inside = self.layout().totalSizeHint() if self.layout() is not None and self.isChecked() else QSize(0, 0)
        return inside.expandedTo(self.minimumSizeHint())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, option = QPainter(self), QStyleOption()
        option.initFrom(self)
        if self.isChecked():
            option.rect = self.rect.adjusted(0, HEADER_HEIGHT // 2, 0, 0)
            self.style().drawPrimitive(QStyle.PrimitiveElement.PE_FrameGroupBox, option, painter, self)
        header = QRect(0, 0, self.width, HEADER_HEIGHT)
        option.rect = header
        self.style().drawPrimitive(QStyle.PrimitiveElement.PE_PanelButtonCommand, option, painter, self)
        option.rect = QRect(4, 4, HEADER_HEIGHT - 8, HEADER_HEIGHT - 8)
        down, right = QStyle.PrimitiveElement.PE_IndicatorArrowDown, QStyle.PrimitiveElement.PE_IndicatorArrowRight
        self.style().drawPrimitive(down if self.isChecked() else right, option, painter, self)
        text_area = header.adjusted(HEADER_HEIGHT + 2, 0, 0, 0)
        painter.drawText(text_area, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, self.text)
        painter.end()


class ctkCollapsibleGroupBox(QGroupBox):
    """A group box whose check mark folds it. `checked` is `not collapsed`."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._hidden_by_us: set[QWidget] = set()
        self.setCheckable(True)
        self.setChecked(True)
        self.toggled.connect(self._on_toggled)

    def setCollapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    collapsed = Property(bool, lambda self: not self.isChecked(), setCollapsed)

    def _on_toggled(self, checked: bool) -> None:
        _fold(self, self._hidden_by_us, not checked)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ChildAdded and not self.isChecked():
            QTimer.singleShot(0, self, lambda: _fold(self, self._hidden_by_us, not self.isChecked()))
        return super().event(event)
